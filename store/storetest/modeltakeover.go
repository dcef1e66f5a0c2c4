package storetest

import (
	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// want notes that somebody has asked for the lease that keeps a player inside.
func (m *machine) want(p *modelPlayer) {
	if m.wanted[p.by.Node] == nil {
		m.wanted[p.by.Node] = make(map[rushgate.Lease]bool)
	}
	m.wanted[p.by.Node][p.lease()] = true
}

// forgiveWanted lets the store forget what was asked for.
func (m *machine) forgiveWanted() {
	for _, leases := range m.wanted {
		for l := range leases {
			leases[l] = false
		}
	}
}

// takeWanted asks for what is wanted of a node: nothing that nobody asked for, nothing twice, and everything that the
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
		if _, asked := leases[l]; !asked {
			t.Fatalf("Wanted by %v is %+v: %+v was not asked for, or is there twice", by, got, l)
		}
		delete(leases, l)
	}
	for l, must := range leases {
		p := m.players[l.Player]
		if must && p != nil && p.lease() == l && m.inside(p) && p.by.Node == by.Node {
			t.Fatalf("Wanted by %v is %+v, without %+v", by, got, l)
		}
	}
}
