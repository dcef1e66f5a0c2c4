package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rushgate/rushgate"
)

// Presence implements [rushgate.Leases].
func (s *Store) Presence(ctx context.Context, usernames []string) ([]rushgate.Presence, error) {
	return s.look(ctx, usernames, func(string, rushgate.Lease) {})
}

// Want implements [rushgate.Leases].
func (s *Store) Want(ctx context.Context, usernames []string) ([]rushgate.Presence, error) {
	return s.look(ctx, usernames, func(node string, lease rushgate.Lease) {
		s.wanted.Add(node, rushgate.Wanted{Lease: lease})
	})
}

// look says where players are, and calls inside with each live lease and the node that has it.
func (s *Store) look(
	ctx context.Context, usernames []string, inside func(node string, lease rushgate.Lease),
) ([]rushgate.Presence, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	found, err := s.queryPresence(ctx, usernames, inside)
	if err != nil {
		return nil, wrap(fmt.Errorf("look for players inside: %w", err))
	}
	presences := make([]rushgate.Presence, len(usernames))
	for i, name := range usernames {
		presences[i] = found[name]
	}
	return presences, nil
}

func (s *Store) queryPresence(
	ctx context.Context, usernames []string, inside func(node string, lease rushgate.Lease),
) (map[string]rushgate.Presence, error) {
	list, err := json.Marshal(usernames)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.presence.QueryContext(ctx, string(list), s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	found := make(map[string]rushgate.Presence)
	for rows.Next() {
		var (
			lease rushgate.Lease
			node  string
			until int64
		)
		if err := rows.Scan(&lease.Name, &lease.Player, &lease.Fence, &node, &until); err != nil {
			return nil, err
		}
		found[lease.Name] = rushgate.Presence{Node: node, Until: fromMillis(until)}
		inside(node, lease)
	}
	return found, rows.Err()
}
