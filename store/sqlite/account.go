package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// SetPasswordHash implements [rushgate.Store]. An empty hash is an error.
func (s *Store) SetPasswordHash(ctx context.Context, username, hash string) error {
	if err := validate.Hash(hash); err != nil {
		return wrap(err)
	}
	return s.do(ctx, func(ctx context.Context) error {
		n, err := affected(s.writes.setHash.ExecContext(ctx, hash, rushgate.AccountVersion, username))
		if err != nil {
			return fmt.Errorf("set password hash of %q: %w", username, err)
		}
		if n == 0 {
			return rushgate.BadCredentials
		}
		return nil
	})
}

// DeleteAccount implements [rushgate.Store].
func (s *Store) DeleteAccount(ctx context.Context, username string) error {
	return s.do(ctx, func(ctx context.Context) error {
		p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, username))
		switch {
		case err != nil:
			return fmt.Errorf("delete %q: %w", username, err)
		case p == nil:
			return rushgate.BadCredentials
		case p.lease.live(s.now()):
			return rushgate.AlreadyLoggedIn
		}
		// Each refers to the next.
		for _, stmt := range []*sql.Stmt{s.writes.endLease, s.writes.deleteCharacter, s.writes.deleteAccount} {
			if _, err := stmt.ExecContext(ctx, int64(p.character.ID)); err != nil {
				return fmt.Errorf("delete %q: %w", username, err)
			}
		}
		return nil
	})
}

// LeasedUntil returns when the lease of a canonical username runs out, to the millisecond, or has run out without having
// been released or claimed anew; the zero time if there is no lease. The player is online until then.
func (s *Store) LeasedUntil(ctx context.Context, username string) (time.Time, error) {
	if err := s.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer s.leave()
	var expiresAt int64
	err := s.reads.lease.QueryRowContext(ctx, username).Scan(&expiresAt)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, wrap(fmt.Errorf("read lease of %q: %w", username, err))
	}
	return time.UnixMilli(expiresAt).UTC(), nil
}
