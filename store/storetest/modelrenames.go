package storetest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// modelHold says for whom a name is held, and until when.
type modelHold struct {
	player rushgate.PlayerID
	until  time.Time
}

// clock is what the store's clock shows.
func (m *machine) clock() time.Time { return m.started.Add(m.now) }

// isHeld reports whether a name is held for another player; 0 is none.
func (m *machine) isHeld(name string, player rushgate.PlayerID) bool {
	h := m.held[name]
	return m.clock().Before(h.until) && h.player != player
}

func (m *machine) rename(t *rapid.T) {
	id := m.player(t)
	r := rushgate.Rename{
		Player: id, Name: m.name(t, id), Epoch: m.epoch(t, id), NewName: pick(t, "new name", append(modelNames, "eve")...),
		Hold: pick(t, "hold", time.Time{}, m.clock(), m.clock().Add(rushgate.LeaseTTL), rushgate.Forever()),
	}
	if p := m.players[id]; p != nil && p.renamed.NewName != "" && rapid.Bool().Draw(t, "repeated") {
		r = p.renamed
	}
	if r.NewName == r.Name || m.h.NamesOnly && id < 1<<20 { // whose name may be imported once more, under the id
		return
	}
	if err, want := m.s.RenameAccount(t.Context(), r), m.modelRename(&r); !errors.Is(err, want) {
		t.Fatalf("RenameAccount(%+v) = %v, want %v", r, err, want)
	}
}

func (m *machine) modelRename(r *rushgate.Rename) error {
	p, other := m.players[r.Player], m.byName(r.NewName)
	switch {
	case p == nil:
		return rushgate.BadCredentials
	case p.account.Username != r.Name:
		if p == other && p.account.Epoch > r.Epoch {
			return nil
		}
		return rushgate.BadCredentials
	case p.account.Epoch != r.Epoch:
		return rushgate.ErrAccountChanged
	case m.inside(p):
		return rushgate.AlreadyLoggedIn
	case other != nil || m.isHeld(r.NewName, r.Player):
		return rushgate.UsernameTaken
	}
	p.account.Username, p.character.Name = r.NewName, r.NewName
	p.account.Epoch++
	p.account.Version = rushgate.AccountVersion
	p.held, p.parked, p.renamed = false, false, *r
	m.held[r.Name] = modelHold{r.Player, r.Hold}
	delete(m.held, r.NewName)
	return nil
}

// hold has a name held as a move does.
func (m *machine) hold(t *rapid.T) {
	h := rushgate.HeldName{
		Name: pick(t, "name", append(modelNames, "eve")...), Player: m.player(t),
		Until: pick(t, "until", m.clock(), m.clock().Add(rushgate.LeaseTTL), rushgate.Forever()),
	}
	var want error
	if m.byName(h.Name) != nil || m.isHeld(h.Name, h.Player) {
		want = rushgate.UsernameTaken
	} else if was := m.held[h.Name]; was.player != h.Player || was.until.Before(h.Until) {
		m.held[h.Name] = modelHold{h.Player, h.Until}
	}
	errs, err := m.s.HoldNames(t.Context(), []rushgate.HeldName{h})
	if err != nil || len(errs) != 1 || !errors.Is(errs[0], want) {
		t.Fatalf("HoldNames(%+v) = %v, %v; want %v", h, errs, err, want)
	}
}

func (m *machine) heldNames(t *rapid.T) {
	var want []rushgate.HeldName
	for name, h := range m.held {
		if m.isHeld(name, 0) {
			want = append(want, rushgate.HeldName{Name: name, Player: h.player, Until: h.until})
		}
	}
	wantHolds(t, m.s, rapid.IntRange(1, 3).Draw(t, "limit"), want...)
}

// usernames goes through the names that begin with a prefix.
func (m *machine) usernames(t *rapid.T) {
	prefix := pick(t, "prefix", "", "", "a", "bob", "c%")
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	var want []string
	for _, p := range m.players {
		if strings.HasPrefix(p.account.Username, prefix) {
			want = append(want, p.account.Username)
		}
	}
	slices.Sort(want)
	found := make(map[string]bool)
	for cursor, begun := "", false; !begun || cursor != ""; begun = true {
		names, next, err := m.s.Usernames(t.Context(), prefix, cursor, limit)
		if err != nil {
			t.Fatalf("Usernames(%q, %q, %d): %v", prefix, cursor, limit, err)
		}
		for _, name := range names {
			found[name] = true
		}
		cursor = next
	}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Fatalf("names that begin with %q are %q, want %q", prefix, got, want)
	}
}
