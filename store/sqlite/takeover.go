package sqlite

import (
	"context"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Wanted implements [rushgate.Leases]. It does not go to the database: what is asked for while a process has the
// database is of no use to the next one.
func (s *Store) Wanted(ctx context.Context, by rushgate.Instance) ([]rushgate.Wanted, error) {
	if err := validate.Instance(by); err != nil {
		return nil, wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.wanted.Take(by.Node), nil
}

// ask has the holder of a player's lease told that it is wanted.
func (s *Store) ask(p *player, move bool) {
	s.wanted.Add(p.lease.By.Node, rushgate.Wanted{Lease: p.leaseID(), Move: move})
}
