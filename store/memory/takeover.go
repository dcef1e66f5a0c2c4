package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Wanted implements [rushgate.Leases]. It never returns a lease that is over.
func (s *Store) Wanted(ctx context.Context, by rushgate.Instance) ([]rushgate.Wanted, error) {
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
		if p != nil && p.leaseID() == l.Lease && p.lease.Live(now) && p.lease.By.Node == by.Node {
			live = append(live, l)
		}
	}
	return live, nil
}

// Presence implements [rushgate.Leases].
func (s *Store) Presence(ctx context.Context, usernames []string) ([]rushgate.Presence, error) {
	return s.look(ctx, usernames, func(*player) {})
}

// Want implements [rushgate.Leases].
func (s *Store) Want(ctx context.Context, usernames []string) ([]rushgate.Presence, error) {
	return s.look(ctx, usernames, func(p *player) { s.ask(p, false) })
}

// ask has the holder of a player's lease told that it is wanted.
func (s *Store) ask(p *player, move bool) {
	s.wanted.Add(p.lease.By.Node, rushgate.Wanted{Lease: p.leaseID(), Move: move})
}

// look says where players are, and calls inside with each who has a live lease.
func (s *Store) look(
	ctx context.Context, usernames []string, inside func(*player),
) ([]rushgate.Presence, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := s.now()
	found := make([]rushgate.Presence, len(usernames))
	for i, name := range usernames {
		if p := s.names[name]; p != nil && p.lease.Live(now) {
			found[i] = rushgate.Presence{Node: p.lease.By.Node, Until: time.UnixMilli(p.lease.ExpiresAt).UTC()}
			inside(p)
		}
	}
	return found, nil
}
