package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var holdCases = []testCase{
	{"HeldNamesAreListed", holdsListed},
	{"HeldAsByARename", holdsHold},
	{"HoldsLooks", holdsLooks},
	{"RefusalsComeByItem", holdsRefused},
	{"TheLaterEndCounts", holdsLonger},
	{"BadCallsChangeNothing", badHolds},
	{"DurableAcrossReopen", holdsReopen},
}

func hold(name string, player rushgate.PlayerID, until time.Time) rushgate.HeldName {
	return rushgate.HeldName{Name: name, Player: player, Until: until}
}

func holdAll(t *testing.T, s rushgate.Store, batch ...rushgate.HeldName) []error {
	t.Helper()
	return each(t, "HoldNames", batch, s.HoldNames)
}

// mustHold has names held that nothing is in the way of.
func mustHold(t *testing.T, s rushgate.Store, batch ...rushgate.HeldName) {
	t.Helper()
	if err := errors.Join(holdAll(t, s, batch...)...); err != nil {
		t.Fatalf("HoldNames: %v", err)
	}
}

// shownHold writes a hold as walks are compared.
func shownHold(h rushgate.HeldName) string {
	return fmt.Sprint(h.Name, " for ", h.Player, " until ", h.Until.UnixMilli())
}

// tester is a test, or a run of the model.
type tester interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// wantHolds goes through all names that are held.
func wantHolds(t tester, s rushgate.Store, limit int, want ...rushgate.HeldName) {
	t.Helper()
	wanted := make([]string, len(want))
	for i := range want {
		wanted[i] = shownHold(want[i])
	}
	slices.Sort(wanted)
	var found []string
	for cursor, begun := "", false; !begun || cursor != ""; begun = true {
		held, next, err := s.HeldNames(t.Context(), cursor, limit)
		if err != nil {
			t.Fatalf("HeldNames(%q, %d): %v", cursor, limit, err)
		}
		for _, h := range held {
			if h.Err != nil {
				t.Fatalf("HeldNames: %q: %v", h.Name, h.Err)
			}
			found = append(found, shownHold(h.HeldName))
		}
		if cursor = next; len(found) > 1000*(1+len(want)) {
			t.Fatalf("the walk through %d names that are held does not end", len(want))
		}
	}
	slices.Sort(found)
	if found = slices.Compact(found); !slices.Equal(found, wanted) {
		t.Fatalf("names that are held, %d at a time, are\n%q, want\n%q", limit, found, wanted)
	}
}

func holdsListed(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	wantHolds(t, s, 1)
	createNamed(t, s, "alice", "carol", "dave")
	r := toBob(0)
	r.Hold = now.Add(time.Hour)
	wantRenamed(t, s, r, nil)
	wantRenamed(t, s, rushgate.Rename{Player: 2, Name: "carol", NewName: "erin", Hold: rushgate.Forever()}, nil)
	wantRenamed(t, s, rushgate.Rename{Player: 3, Name: "dave", NewName: "frank"}, nil) // held for no time
	alice, carol := hold("alice", 1, r.Hold), hold("carol", 2, rushgate.Forever())
	wantHolds(t, s, rushgate.MaxPage, alice, carol)
	deleteAccount(t, s, "bob") // which leaves the hold
	var more []rushgate.HeldName
	for i := range 40 {
		more = append(more, hold(fmt.Sprintf("held%d", i), rushgate.PlayerID(100+i), now.Add(2*time.Hour)))
	}
	mustHold(t, s, more...)
	all := append(slices.Clone(more), alice, carol)
	for _, limit := range []int{1, 7, len(all), rushgate.MaxPage} {
		wantHolds(t, s, limit, all...)
	}
	if page, _, err := s.HeldNames(t.Context(), "", 1); err != nil || len(page) > len(all)/2 {
		t.Errorf("a page of about 1 has %d names, %v", len(page), err)
	}
	h.Advance(time.Hour)
	wantHolds(t, s, 7, append(more, carol)...)
	h.Advance(time.Hour)
	wantHolds(t, s, 7, carol)
	wantRenamed(t, s, rushgate.Rename{Player: 2, Name: "erin", Epoch: 1, NewName: "carol"}, nil)
	wantHolds(t, s, 7)
}

func holdsHold(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	beginImport(t, s, 10)
	createNamed(t, s, "bob", "carol")
	mustHold(t, s, hold("alice", 1, now.Add(time.Hour)), hold("gone", 77, now.Add(time.Hour)), hold("over", 1, now))
	carol := rushgate.Rename{Player: 2, Name: "carol", NewName: "alice"}
	for range 2 {
		wantHeld(t, s, "alice")
		wantHeld(t, s, "gone")
		wantRenamed(t, s, carol, rushgate.UsernameTaken)
		h.Advance(time.Hour/2 - time.Millisecond/2)
	}
	register(t, s, 3, "over") // whose end had passed
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "bob", NewName: "alice"}, nil)
	wantHolds(t, s, 7, hold("gone", 77, now.Add(time.Hour)))
	h.Advance(time.Millisecond)
	register(t, s, 4, "gone")
}

func holdsLooks(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	mustHold(t, s, hold(latin, 77, now.Add(time.Hour)))
	wantTaken(t, s, 901, cyrillic)
	h.Advance(time.Hour - time.Millisecond)
	wantTaken(t, s, 902, cyrillic)
	h.Advance(time.Millisecond + 2*time.Minute) // a try of before may keep the look for a moment
	register(t, s, 903, cyrillic)
}

func holdsRefused(t *testing.T, h Harness) {
	s := h.open(t)
	createNamed(t, s, "alice", "carol")
	later := h.now(t, s).Add(time.Hour)
	mustHold(t, s, hold("held", 1, later))
	before := load(t, s, "alice", "carol")
	errs := holdAll(t, s, hold("alice", 1, later), hold("new", 9, later), hold("carol", 9, later), hold("held", 9, later),
		hold("held", 1, later))
	for i, want := range []error{rushgate.UsernameTaken, nil, rushgate.UsernameTaken, rushgate.UsernameTaken, nil} {
		if !errors.Is(errs[i], want) {
			t.Errorf("%d: %v, want %v", i, errs[i], want)
		}
	}
	for i, a := range load(t, s, "alice", "carol") {
		wantAccount(t, a, before[i])
	}
	wantHolds(t, s, 7, hold("new", 9, later), hold("held", 1, later))
	h.Advance(time.Hour)
	mustHold(t, s, hold("held", 9, later.Add(time.Hour))) // which nobody has any more
	wantHolds(t, s, 7, hold("held", 9, later.Add(time.Hour)))
}

func holdsLonger(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	for _, tt := range []struct{ until, want time.Time }{
		{now.Add(time.Hour), now.Add(time.Hour)},
		{now.Add(time.Hour), now.Add(time.Hour)},
		{now.Add(time.Minute), now.Add(time.Hour)},
		{now.Add(-time.Minute), now.Add(time.Hour)},
		{time.Time{}, now.Add(time.Hour)},
		{now.Add(2 * time.Hour), now.Add(2 * time.Hour)},
		{rushgate.Forever(), rushgate.Forever()},
	} {
		mustHold(t, s, hold("alice", 1, tt.until))
		wantHolds(t, s, 7, hold("alice", 1, tt.want))
	}
}

func badHolds(t *testing.T, h Harness) {
	s := h.open(t)
	good := hold("alice", 1, rushgate.Forever())
	for says, edit := range map[string]func(*rushgate.HeldName){
		"held name has 0 bytes":   func(n *rushgate.HeldName) { n.Name = "" },
		"held name has 129 bytes": func(n *rushgate.HeldName) { n.Name = strings.Repeat("x", 129) },
		"UTF-8":                   func(n *rushgate.HeldName) { n.Name = "\xff" },
		"player 0":                func(n *rushgate.HeldName) { n.Player = 0 },
		"player 92":               func(n *rushgate.HeldName) { n.Player = 1 << 63 },
		"held until":              func(n *rushgate.HeldName) { n.Until = rushgate.Forever().Add(1) },
	} {
		bad := good
		edit(&bad)
		if _, err := s.HoldNames(t.Context(), []rushgate.HeldName{good, bad}); err == nil ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("%+v: error %v, want one that says %q", bad, err, says)
		}
	}
	for _, limit := range []int{-1, 0, rushgate.MaxPage + 1} {
		if _, _, err := s.HeldNames(t.Context(), "", limit); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("HeldNames of %d: %v, want an error that names the limit", limit, err)
		}
	}
	if _, _, err := s.HeldNames(t.Context(), "no cursor", 1); err == nil || !strings.Contains(err.Error(), "cursor") {
		t.Errorf("HeldNames: %v, want an error that names the cursor", err)
	}
	wantHolds(t, s, 7)
}

func holdsReopen(t *testing.T, h Harness) {
	s := h.open(t)
	alice := hold("alice", 1, rushgate.Forever())
	mustHold(t, s, alice)
	s = h.reopen(t, s)
	wantHolds(t, s, 7, alice)
	beginImport(t, s, 10)
	wantHeld(t, s, "alice")
}
