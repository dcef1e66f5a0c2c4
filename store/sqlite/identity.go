package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// identityOwnersQuery takes the keys as a JSON array, in hexadecimal.
const identityOwnersQuery = `SELECT key, player_id FROM identities
	WHERE key IN (SELECT unhex(value) FROM json_each(?))`

// IdentityOwners implements [rushgate.Identities].
func (s *Store) IdentityOwners(ctx context.Context, keys []rushgate.IdentityKey) ([]rushgate.PlayerID, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	owners, err := s.identityOwners(ctx, keys)
	if err != nil {
		return nil, wrap(fmt.Errorf("owners of identities: %w", err))
	}
	return owners, nil
}

func (s *Store) identityOwners(
	ctx context.Context, keys []rushgate.IdentityKey,
) (_ []rushgate.PlayerID, err error) {
	texts := make([]string, len(keys))
	for i := range keys {
		texts[i] = hex.EncodeToString(keys[i][:])
	}
	list, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.identityOwners.QueryContext(ctx, string(list))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	found := make(map[rushgate.IdentityKey]rushgate.PlayerID)
	for rows.Next() {
		var key sql.RawBytes
		var owner rushgate.PlayerID
		if err := rows.Scan(&key, &owner); err != nil {
			return nil, err
		}
		found[rushgate.IdentityKey(key)] = owner // of this length, for it was found by one
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	owners := make([]rushgate.PlayerID, len(keys))
	for i, key := range keys {
		owners[i] = found[key]
	}
	return owners, nil
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
			if owners[i], err = s.claimIdentity(ctx, &claims[i], now); err != nil {
				return fmt.Errorf("claim an identity for player %d: %w", claims[i].Player, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return owners, nil
}

// claimIdentity carries out one claim, and returns who has the identity then.
func (s *Store) claimIdentity(
	ctx context.Context, c *rushgate.IdentityClaim, now time.Time,
) (owner rushgate.PlayerID, err error) {
	if c.Player == 0 {
		_, err = s.writes.unclaim.ExecContext(ctx, c.Key[:], c.Replaces)
	} else { // which returns a row if the claim is good
		err = s.writes.claim.QueryRowContext(ctx, c.Key[:], c.Player, c.Replaces,
			now.UnixMilli(), now.Add(-rushgate.IdentityHold).UnixMilli()).Scan(&owner)
		if err == nil {
			return owner, nil
		}
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	err = s.writes.identityOwner.QueryRowContext(ctx, c.Key[:]).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return owner, err
}
