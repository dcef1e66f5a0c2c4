package memory

import (
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Wanted implements [rushgate.Store]. It never returns a lease that is over.
func (s *Store) Wanted(ctx context.Context, by rushgate.Instance) ([]rushgate.Lease, error) {
	if err := validate.Instance(by); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := s.now()
	leases := s.wanted.Take(by.Node)
	live := leases[:0]
	for _, l := range leases {
		p := s.players[l.Player]
		if p != nil && p.leaseID() == l && p.lease.live(now) && p.lease.by.Node == by.Node {
			live = append(live, l)
		}
	}
	return live, nil
}
