package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

func (m *machine) note(t *rapid.T) {
	id := m.player(t)
	name := m.name(t, id)
	var batch []rushgate.Noted
	for range rapid.IntRange(1, 40).Draw(t, "batch size") {
		batch = append(batch, rushgate.Noted{Player: id, Name: name, AccountEvent: drawEvent(t)})
	}
	got, err := m.s.Note(t.Context(), batch)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("Note of %d: %d results, %v", len(batch), len(got), err)
	}
	for i := range batch {
		var want error
		if p := m.players[id]; p != nil && p.account.Username == name {
			p.note(batch[i].AccountEvent)
		} else {
			want = rushgate.BadCredentials
		}
		if !errors.Is(got[i], want) {
			t.Fatalf("%+v got %v, want %v", batch[i], got[i], want)
		}
	}
}

// drawEvent draws one whose time follows from its id, so that no two have the same.
func drawEvent(t *rapid.T) rushgate.AccountEvent {
	n := rapid.IntRange(1, 300).Draw(t, "event")
	return rushgate.AccountEvent{
		ID: fmt.Sprint(n), At: epoch.Add(time.Duration(n) * time.Second), SignIn: n%3 == 0, Kind: "k",
		Text: pick(t, "text", "", "a\nb"), By: pick(t, "by", "", "anna", "anna"),
	}
}

func (p *modelPlayer) note(e rushgate.AccountEvent) {
	sameID := func(other rushgate.AccountEvent) bool { return other.ID == e.ID }
	if slices.ContainsFunc(p.events, sameID) {
		return
	}
	p.events = append(p.events, e)
	slices.SortFunc(p.events, func(a, b rushgate.AccountEvent) int { return a.At.Compare(b.At) })
	signIns, operators := 0, 0
	for _, other := range p.events {
		if other.SignIn {
			signIns++
		} else if other.By != "" {
			operators++
		}
	}
	goes := func(other rushgate.AccountEvent) bool {
		return !other.SignIn && (other.By != "") == (operators > rushgate.MaxOperatorEvents)
	}
	switch {
	case signIns > rushgate.MaxSignIns:
		goes = func(other rushgate.AccountEvent) bool { return other.SignIn }
	case len(p.events)-signIns <= rushgate.MaxEvents:
		return
	}
	oldest := slices.IndexFunc(p.events, goes)
	p.events = slices.Delete(p.events, oldest, oldest+1)
}

func (m *machine) histories(t *rapid.T) {
	names := rapid.SliceOfN(rapid.SampledFrom(append(modelNames, "nobody")), 0, 5).Draw(t, "names")
	got, err := m.s.LoadHistories(t.Context(), names)
	if err != nil || len(got) != len(names) {
		t.Fatalf("LoadHistories(%q): %d results, %v", names, len(got), err)
	}
	for i, name := range names {
		var want []rushgate.AccountEvent
		if p := m.byName(name); p != nil {
			want = p.events
		}
		if got[i].Err != nil || !slices.EqualFunc(got[i].Events, want, sameEvent) {
			t.Fatalf("history of %s is\n%+v, want\n%+v", name, got[i], want)
		}
	}
}
