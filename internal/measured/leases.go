package measured

import (
	"errors"
	"sync"

	"github.com/rushgate/rushgate"
)

// Leases is what the store's answers tell of the session leases claimed through it.
type Leases struct {
	// Held counts the players whose lease was claimed and neither released nor found to be lost since. Whether one that
	// could not be refreshed has been lost shows only when the store answers again.
	Held int
	// Lost counts the leases that another node had claimed when they were to be refreshed, or a character was to be
	// saved: each once.
	Lost uint64
}

// Leases returns the present figures.
func (s *Store) Leases() Leases {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	return Leases{Held: len(s.leases.held), Lost: s.leases.lost}
}

type leases struct {
	mu   sync.Mutex
	held map[rushgate.PlayerID]uint64 // by fence
	lost uint64
}

func (l *leases) admitted(results []rushgate.Admitted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range results {
		if r := &results[i]; r.Err == nil {
			l.held[r.Lease.Player] = max(l.held[r.Lease.Player], r.Lease.Fence)
		}
	}
}

// saved takes note of results, of which there are none if the call has failed.
func (l *leases) saved(saves []rushgate.Save, errs []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range min(len(saves), len(errs)) {
		switch lease := saves[i].Lease(); {
		case errors.Is(errs[i], rushgate.ErrLeaseLost):
			l.lose(lease)
		case errs[i] == nil && saves[i].Release:
			l.drop(lease)
		}
	}
}

func (l *leases) refreshed(leases []rushgate.Lease, errs []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range min(len(leases), len(errs)) {
		switch lease := leases[i]; {
		case errors.Is(errs[i], rushgate.ErrLeaseLost):
			l.lose(lease)
		case errs[i] == nil: // which may have been claimed by a process that this one goes on in place of
			l.held[lease.Player] = max(l.held[lease.Player], lease.Fence)
		}
	}
}

func (l *leases) lose(lease rushgate.Lease) {
	if l.drop(lease) {
		l.lost++
	}
}

// drop forgets a lease and reports whether it was held; a later one of the same player stays.
func (l *leases) drop(lease rushgate.Lease) bool {
	if l.held[lease.Player] != lease.Fence {
		return false
	}
	delete(l.held, lease.Player)
	return true
}
