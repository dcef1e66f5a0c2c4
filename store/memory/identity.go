package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// identityClaim is who has claimed an identity, and when.
type identityClaim struct {
	player rushgate.PlayerID
	at     time.Time
}

// IdentityOwners implements [rushgate.Identities].
func (s *Store) IdentityOwners(ctx context.Context, keys []rushgate.IdentityKey) ([]rushgate.PlayerID, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	owners := make([]rushgate.PlayerID, len(keys))
	for i, key := range keys {
		owners[i] = s.claims[key].player
	}
	return owners, nil
}

// ClaimIdentities implements [rushgate.Identities].
func (s *Store) ClaimIdentities(ctx context.Context, claims []rushgate.IdentityClaim) ([]rushgate.PlayerID, error) {
	if err := validate.IdentityClaims(claims); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	owners := make([]rushgate.PlayerID, len(claims))
	now := s.now()
	for i, c := range claims {
		has := s.claims[c.Key]
		switch {
		case c.Player == 0 && has.player == c.Replaces:
			delete(s.claims, c.Key)
			has.player = 0
		case c.Player == 0:
		case has.player == 0, has.player == c.Player,
			has.player == c.Replaces && now.Sub(has.at) >= rushgate.IdentityHold:
			has = identityClaim{c.Player, now}
			s.claims[c.Key] = has
		}
		owners[i] = has.player
	}
	return owners, nil
}
