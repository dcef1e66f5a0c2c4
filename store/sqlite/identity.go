package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// IdentityOwners implements [rushgate.Identities].
func (s *Store) IdentityOwners(ctx context.Context, keys []rushgate.IdentityKey) ([]rushgate.PlayerID, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	owners := make([]rushgate.PlayerID, len(keys))
	for i := range keys {
		var err error
		if owners[i], err = identityOwner(ctx, s.reads.identityOwner, keys[i]); err != nil {
			return nil, wrap(err)
		}
	}
	return owners, nil
}

// identityOwner returns 0 if nobody has an identity.
func identityOwner(ctx context.Context, stmt *sql.Stmt, key rushgate.IdentityKey) (owner rushgate.PlayerID, err error) {
	if err := stmt.QueryRowContext(ctx, key[:]).Scan(&owner); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("owner of an identity: %w", err)
	}
	return owner, nil
}

// ClaimIdentities implements [rushgate.Identities].
func (s *Store) ClaimIdentities(ctx context.Context, claims []rushgate.IdentityClaim) ([]rushgate.PlayerID, error) {
	if err := validate.IdentityClaims(claims); err != nil {
		return nil, wrap(err)
	}
	owners := make([]rushgate.PlayerID, len(claims))
	err := s.do(ctx, func(ctx context.Context) (err error) {
		now := s.day()
		for i := range claims {
			c := &claims[i]
			if c.Player == 0 {
				_, err = s.writes.unclaim.ExecContext(ctx, c.Key[:], c.Replaces)
			} else {
				_, err = s.writes.claim.ExecContext(ctx, c.Key[:], c.Player, c.Replaces,
					now.UnixMilli(), now.Add(-rushgate.IdentityHold).UnixMilli())
			}
			if err != nil {
				return fmt.Errorf("claim an identity for player %d: %w", c.Player, err)
			}
			if owners[i], err = identityOwner(ctx, s.writes.identityOwner, c.Key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return owners, nil
}
