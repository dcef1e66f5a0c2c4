// Package wanted remembers which session leases logins have asked for, for stores that one process has to itself.
package wanted

import (
	"sync"

	"github.com/rushgate/rushgate"
)

// List holds the leases asked for, by the node that holds each. The zero List is empty and ready for use. It is safe
// for concurrent use, and bounded by the number of players times that of nodes: of each player it keeps one lease per
// node.
type List struct {
	mu     sync.Mutex
	leases map[string]map[rushgate.PlayerID]rushgate.Wanted
}

// Add notes that a lease of a node is wanted, in place of an older one of the same player. A session that shall end
// does not go on because it is asked to move as well.
func (l *List) Add(node string, w rushgate.Wanted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leases == nil {
		l.leases = make(map[string]map[rushgate.PlayerID]rushgate.Wanted)
	}
	if l.leases[node] == nil {
		l.leases[node] = make(map[rushgate.PlayerID]rushgate.Wanted)
	}
	if there, ok := l.leases[node][w.Player]; ok && there.Lease == w.Lease {
		w.Move = w.Move && there.Move
	}
	l.leases[node][w.Player] = w
}

// Take removes leases of a node from the list and returns them, [rushgate.MaxWanted] at most and in no order.
func (l *List) Take(node string) []rushgate.Wanted {
	l.mu.Lock()
	defer l.mu.Unlock()
	leases := l.leases[node]
	var taken []rushgate.Wanted
	for id, w := range leases {
		if len(taken) == rushgate.MaxWanted {
			return taken
		}
		taken = append(taken, w)
		delete(leases, id)
	}
	delete(l.leases, node)
	return taken
}
