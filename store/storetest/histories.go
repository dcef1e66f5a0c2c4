package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var historyCases = []testCase{
	{"EachFieldIsKept", historyKept},
	{"ResultsComeByItem", historyResults},
	{"OldestFirst", historyOrder},
	{"AnIDIsNotedOnce", historyOnce},
	{"EachSortIsBoundedAlone", historyBounds},
	{"OperatorsAreNotPushedOut", historyOperators},
	{"NotedAtOnce", historyConcurrent},
	{"NothingElseChangesIt", historyLeft},
	{"GoneWithTheAccount", historyDeleted},
	{"BadEventsWriteNothing", badEvents},
	{"DurableAcrossReopen", historyReopen},
}

// event returns one of player 1 that happened some minutes after the epoch.
func event(id string, minutes int) rushgate.AccountEvent {
	return rushgate.AccountEvent{ID: id, At: epoch.Add(time.Duration(minutes) * time.Minute), Kind: "renamed"}
}

func signIn(id string, minutes int) rushgate.AccountEvent {
	e := event(id, minutes)
	e.Kind, e.SignIn = "signed-in", true
	return e
}

func noteAll(t *testing.T, s rushgate.Store, events ...rushgate.Noted) []error {
	t.Helper()
	return each(t, "Note", events, s.Note)
}

// note adds events to the history of player 1, alice, which must succeed.
func note(t *testing.T, s rushgate.Store, events ...rushgate.AccountEvent) {
	t.Helper()
	var batch []rushgate.Noted
	for _, e := range events {
		batch = append(batch, rushgate.Noted{Player: 1, Name: "alice", AccountEvent: e})
	}
	for i, err := range noteAll(t, s, batch...) {
		if err != nil {
			t.Fatalf("Note of %+v: %v", events[i], err)
		}
	}
}

func histories(t *testing.T, s rushgate.Store, names ...string) [][]rushgate.AccountEvent {
	t.Helper()
	loaded, err := s.LoadHistories(t.Context(), names)
	if err != nil {
		t.Fatalf("LoadHistories: %v", err)
	}
	if len(loaded) != len(names) {
		t.Fatalf("LoadHistories of %d returned %d results", len(names), len(loaded))
	}
	events := make([][]rushgate.AccountEvent, len(names))
	for i := range loaded {
		if events[i] = loaded[i].Events; loaded[i].Err != nil {
			t.Fatalf("LoadHistories: history of %q: %v", names[i], loaded[i].Err)
		}
	}
	return events
}

func sameEvent(a, b rushgate.AccountEvent) bool {
	same := a.At.Equal(b.At)
	a.At = b.At
	return same && a == b
}

func wantHistory(t *testing.T, s rushgate.Store, name string, want ...rushgate.AccountEvent) {
	t.Helper()
	if got := histories(t, s, name)[0]; !slices.EqualFunc(got, want, sameEvent) {
		t.Fatalf("history of %s is\n%+v, want\n%+v", name, got, want)
	}
}

func historyKept(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	full := rushgate.AccountEvent{
		ID: strings.Repeat("i", rushgate.MaxAttemptLen), At: rushgate.Forever(), SignIn: true,
		Kind: strings.Repeat("k", rushgate.MaxEventWord), By: strings.Repeat("é", rushgate.MaxEventWord/2),
		From: strings.Repeat("f", rushgate.MaxEventWord), Text: strings.Repeat("\n", rushgate.MaxEventText),
	}
	quoted := event("q", 1)
	quoted.Kind, quoted.By, quoted.From, quoted.Text = `"<\&'`, "日本", `{"a":1}`, "one\ntwo"
	bare := event("-", 2)
	bare.At = bare.At.Add(999 * time.Microsecond).In(time.FixedZone("somewhere", 3600))
	first := event("_", 0)
	first.At = time.UnixMilli(1)
	note(t, s, full, bare, quoted, first)
	bare.At = epoch.Add(2 * time.Minute) // times are kept to the millisecond
	for range 2 {
		wantHistory(t, s, "alice", first, quoted, bare, full)
		histories(t, s, "alice")[0][0].Kind = "the caller's to change"
	}
}

func historyResults(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	register(t, s, 2, "bob")
	batch := []rushgate.Noted{
		{Player: 1, Name: "bob", AccountEvent: event("x", 1)}, {Player: 3, Name: "nobody", AccountEvent: event("x", 1)},
		{Player: 2, Name: "bob", AccountEvent: event("x", 1)}, {Player: 0, Name: "alice", AccountEvent: event("x", 1)},
		{Player: 1, Name: "alice", AccountEvent: event("x", 2)},
	}
	for i, err := range noteAll(t, s, batch...) {
		if ok := i == 2 || i == 4; ok && err != nil || !ok && !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("event %d: %v", i, err)
		}
	}
	got := histories(t, s, "bob", "nobody", "alice", "", "bob")
	for i, want := range []int{1, 0, 1, 0, 1} {
		if len(got[i]) != want {
			t.Errorf("history %d is %+v, want %d events", i, got[i], want)
		}
	}
	if !sameEvent(got[0][0], event("x", 1)) || !sameEvent(got[2][0], event("x", 2)) {
		t.Errorf("histories are %+v", got)
	}
	noteAll(t, s)
	histories(t, s)
}

func historyOrder(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	note(t, s, event("c", 3), signIn("d", 4), event("a", 1))
	note(t, s, signIn("b", 2), event("e", 5))
	wantHistory(t, s, "alice", event("a", 1), signIn("b", 2), event("c", 3), signIn("d", 4), event("e", 5))
}

func historyOnce(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	note(t, s, event("a", 1), event("a", 1), signIn("a", 5))
	note(t, s, event("a", 9))
	wantHistory(t, s, "alice", event("a", 1))
}

func historyBounds(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	var want []rushgate.AccountEvent
	for i := range rushgate.MaxEvents + 7 {
		note(t, s, event(fmt.Sprint("e", i), 2*i))
		if i >= 7 {
			want = append(want, event(fmt.Sprint("e", i), 2*i))
		}
	}
	wantHistory(t, s, "alice", want...)
	for i := range 3 * rushgate.MaxSignIns {
		note(t, s, signIn(fmt.Sprint("s", i), 2*i+1))
		if i >= 2*rushgate.MaxSignIns {
			want = append(want, signIn(fmt.Sprint("s", i), 2*i+1))
		}
	}
	slices.SortFunc(want, func(a, b rushgate.AccountEvent) int { return a.At.Compare(b.At) })
	wantHistory(t, s, "alice", want...)
	old, oldSignIn := event("old", -1), signIn("old-sign-in", -1)
	note(t, s, old, oldSignIn) // push themselves out
	wantHistory(t, s, "alice", want...)
}

// What operators have done is not pushed out by what the player does, and leaves room for that.
func historyOperators(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	by := func(id string, minutes int) rushgate.AccountEvent {
		e := event(id, minutes)
		e.Kind, e.By, e.Text = "note", "anna", `"by":""`
		return e
	}
	note(t, s, by("first", 0), by("second", 1))
	for i := range 2 * rushgate.MaxEvents {
		note(t, s, event(fmt.Sprint("e", i), 10+i))
	}
	got := histories(t, s, "alice")[0]
	if len(got) != rushgate.MaxEvents || got[0].ID != "first" || got[1].ID != "second" ||
		got[2].ID != fmt.Sprint("e", rushgate.MaxEvents+2) {
		t.Fatalf("%d events are kept, the first are %+v", len(got), got[:3])
	}
	for i := range 2 * rushgate.MaxEvents {
		note(t, s, by(fmt.Sprint("o", i), 1000+i))
	}
	got = histories(t, s, "alice")[0]
	const own = rushgate.MaxEvents - rushgate.MaxOperatorEvents
	if len(got) != rushgate.MaxEvents || got[0].ID != fmt.Sprint("e", 2*rushgate.MaxEvents-own) ||
		got[own].ID != fmt.Sprint("o", 2*rushgate.MaxEvents-rushgate.MaxOperatorEvents) {
		t.Fatalf("%d events are kept, of the player %+v, of operators %+v", len(got), got[0], got[own])
	}
	note(t, s, by("late", 2), event("late-own", 2)) // push themselves out
	wantHistory(t, s, "alice", got...)
}

func historyConcurrent(t *testing.T, h Harness) {
	const callers, size = 8, 5
	s := h.open(t)
	register(t, s, 1, "alice")
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range size {
				e := rushgate.Noted{Player: 1, Name: "alice", AccountEvent: event(fmt.Sprint(c, "-", i), c*size+i)}
				if errs, err := s.Note(t.Context(), []rushgate.Noted{e}); err != nil || errs[0] != nil {
					t.Errorf("Note: %v, %v", errs, err)
				}
			}
		})
	}
	wg.Wait()
	var want []rushgate.AccountEvent
	for i := range callers * size {
		want = append(want, event(fmt.Sprint(i/size, "-", i%size), i))
	}
	wantHistory(t, s, "alice", want...)
}

// Neither does a history change the account, nor what else happens to the account its history.
func historyLeft(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	a.Account.Version = 1
	in := admit(t, s, nodeA, a)
	note(t, s, event("a", 1))
	wantAccount(t, load(t, s, "alice")[0], a.Account)
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil {
		t.Errorf("refresh: %v", err)
	}
	release(t, s, in)
	c := alice(0)
	c.PasswordHash, c.RaiseEpoch = "new", true
	wantChanged(t, s, c, nil)
	admit(t, s, nodeB, loginUnder(1, "b"))
	wantHistory(t, s, "alice", event("a", 1))
}

func historyDeleted(t *testing.T, h Harness) {
	s := h.open(t)
	release(t, s, register(t, s, 1, "alice"))
	note(t, s, event("a", 1), signIn("b", 2))
	deleteAccount(t, s, "alice")
	wantHistory(t, s, "alice")
	e := rushgate.Noted{Player: 1, Name: "alice", AccountEvent: event("c", 3)}
	if err := noteAll(t, s, e)[0]; !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("Note of a deleted account: %v, want %v", err, rushgate.BadCredentials)
	}
	create(t, s, registration(2, "alice", "next").Account)
	wantHistory(t, s, "alice")
}

func badEvents(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	for name, tt := range map[string]struct {
		edit func(*rushgate.AccountEvent)
		says string
	}{
		"no id":       {func(e *rushgate.AccountEvent) { e.ID = "" }, "id of 0 bytes"},
		"odd id":      {func(e *rushgate.AccountEvent) { e.ID = "a b" }, "id of 3 bytes"},
		"no time":     {func(e *rushgate.AccountEvent) { e.At = time.Time{} }, "time"},
		"too late":    {func(e *rushgate.AccountEvent) { e.At = rushgate.Forever().Add(1) }, "time"},
		"no kind":     {func(e *rushgate.AccountEvent) { e.Kind = "" }, "kind"},
		"long kind":   {func(e *rushgate.AccountEvent) { e.Kind = strings.Repeat("k", 129) }, "kind has 129 bytes"},
		"long by":     {func(e *rushgate.AccountEvent) { e.By = strings.Repeat("b", 129) }, "by has 129 bytes"},
		"long from":   {func(e *rushgate.AccountEvent) { e.From = strings.Repeat("f", 129) }, "from has 129 bytes"},
		"long text":   {func(e *rushgate.AccountEvent) { e.Text = strings.Repeat("t", 1025) }, "text has 1025 bytes"},
		"broken text": {func(e *rushgate.AccountEvent) { e.Text = "\xff" }, "text is not UTF-8"},
		"tab":         {func(e *rushgate.AccountEvent) { e.Text = "a\tb" }, "control"},
		"line break":  {func(e *rushgate.AccountEvent) { e.By = "a\nb" }, "control"},
	} {
		bad := event("b", 2)
		tt.edit(&bad)
		errs, err := s.Note(t.Context(), []rushgate.Noted{
			{Player: 1, Name: "alice", AccountEvent: event("a", 1)}, {Player: 1, Name: "alice", AccountEvent: bad},
		})
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, %v; want an error that says %q", name, errs, err, tt.says)
		}
	}
	wantHistory(t, s, "alice")
}

func historyReopen(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	note(t, s, event("b", 2), signIn("a", 1))
	s = h.reopen(t, s)
	wantHistory(t, s, "alice", signIn("a", 1), event("b", 2))
	note(t, s, event("a", 9), event("c", 3))
	wantHistory(t, s, "alice", signIn("a", 1), event("b", 2), event("c", 3))
}
