package storetest

import (
	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// want notes that a login has asked for the lease that keeps a player inside.
func (m *machine) want(p *modelPlayer, move bool) {
	a := m.askedFor(p)
	if move {
		a.move = true
	} else {
		a.end = true
	}
	m.wanted[p.by.Node][p.lease()] = a
}

// mayWant notes that the store may ask for that lease to end, of its own accord.
func (m *machine) mayWant(p *modelPlayer) {
	a := m.askedFor(p)
	a.mayEnd = true
	m.wanted[p.by.Node][p.lease()] = a
}

// askedFor returns what is noted of a player's present lease.
func (m *machine) askedFor(p *modelPlayer) asked {
	if m.wanted[p.by.Node] == nil {
		m.wanted[p.by.Node] = make(map[rushgate.Lease]asked)
	}
	return m.wanted[p.by.Node][p.lease()]
}

// asked is what a lease is asked for.
type asked struct {
	end, move bool // by others, which the store may not forget
	mayEnd    bool // by the store itself, or it may have forgotten that others did
	mayMove   bool
}

// fits reports whether a store that returns the lease to end, or to move, does as it was asked.
func (a asked) fits(move bool) bool {
	if move {
		return (a.move || a.mayMove) && !a.end
	}
	return a.end || a.mayEnd
}

// forgiveWanted lets the store forget what was asked for.
func (m *machine) forgiveWanted() {
	for _, leases := range m.wanted {
		for l, a := range leases {
			leases[l] = asked{mayEnd: a.end || a.mayEnd, mayMove: a.move || a.mayMove}
		}
	}
}

// takeWanted asks for what is wanted of a node: nothing that no login asked for, nothing twice, and everything that the
// node still has.
func (m *machine) takeWanted(t *rapid.T) {
	by := pick(t, "by", nodeA, nodeA2, nodeB)
	got, err := m.s.Wanted(t.Context(), by)
	if err != nil {
		t.Fatalf("Wanted by %v: %v", by, err)
	}
	leases := m.wanted[by.Node]
	delete(m.wanted, by.Node)
	for _, l := range got {
		if !leases[l.Lease].fits(l.Move) {
			t.Fatalf("Wanted by %v is %+v: %+v was not asked for, or is there twice", by, got, l)
		}
		delete(leases, l.Lease)
	}
	for l, a := range leases {
		p := m.players[l.Player]
		if (a.end || a.move) && p != nil && p.lease() == l && m.inside(p) && p.by.Node == by.Node {
			t.Fatalf("Wanted by %v is %+v, without %+v", by, got, l)
		}
	}
}

// presence asks where players are, and sometimes to let them go.
func (m *machine) presence(t *rapid.T) {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"ann", "bob", "cyd", "dan", "nobody"}), 0, 5).Draw(t, "names")
	ask, method := rapid.Bool().Draw(t, "want"), m.s.Presence
	if ask {
		method = m.s.Want
	}
	got, err := method(t.Context(), names)
	if err != nil || len(got) != len(names) {
		t.Fatalf("presence of %q: %d results, %v", names, len(got), err)
	}
	for i, name := range names {
		p := m.byName(name)
		if p == nil || !m.inside(p) {
			if got[i] != (rushgate.Presence{}) {
				t.Fatalf("%s is %+v, want nowhere", name, got[i])
			}
			continue
		}
		until := m.started.Add(p.expires)
		if got[i].Err != nil || got[i].Node != p.by.Node || !got[i].Until.Equal(until) {
			t.Fatalf("%s is %+v, want at %s until %v", name, got[i], p.by.Node, until)
		}
		if ask {
			m.want(p, false)
		}
	}
}
