// Package beats remembers which nodes are there, for stores that one process has to itself.
package beats

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// Forgotten is how long a node is silent before it is forgotten.
const Forgotten = 24 * time.Hour

// List holds the last beat of each node. The zero List is empty and ready for use. It is safe for concurrent use, and
// holds at most [rushgate.MaxNodes] nodes.
type List struct {
	mu    sync.Mutex
	nodes map[string]heard
}

type heard struct {
	beat rushgate.NodeBeat
	at   time.Time
}

// Add notes a beat and returns what is known of all nodes, the one last heard of first. Time that goes back is taken
// for none that has passed.
func (l *List) Add(beat rushgate.NodeBeat, now time.Time) []rushgate.NodeStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nodes == nil {
		l.nodes = make(map[string]heard)
	}
	l.nodes[beat.Node] = heard{beat, now}
	statuses := make([]rushgate.NodeStatus, 0, len(l.nodes))
	for _, h := range l.nodes {
		statuses = append(statuses, rushgate.NodeStatus{
			Instance: h.beat.Instance, Address: h.beat.Address, Silence: max(0, now.Sub(h.at)),
		})
	}
	Sort(statuses)
	for len(statuses) > 0 {
		last := statuses[len(statuses)-1]
		if len(statuses) <= rushgate.MaxNodes && last.Silence < Forgotten {
			break
		}
		delete(l.nodes, last.Node)
		statuses = statuses[:len(statuses)-1]
	}
	return statuses
}

// Sort puts the node last heard of first.
func Sort(statuses []rushgate.NodeStatus) {
	slices.SortFunc(statuses, func(a, b rushgate.NodeStatus) int {
		return cmp.Or(cmp.Compare(a.Silence, b.Silence), cmp.Compare(a.Node, b.Node))
	})
}
