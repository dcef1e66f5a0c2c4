package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/credential"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// CreateAccounts implements [rushgate.Accounts].
func (s *Store) CreateAccounts(ctx context.Context, accounts []rushgate.Account) ([]error, error) {
	if err := validate.Accounts(accounts); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(accounts))
	err := s.do(ctx, func(ctx context.Context) (err error) {
		for i := range accounts {
			if errs[i], err = s.createOne(ctx, &accounts[i]); err != nil {
				return fmt.Errorf("create player %d: %w", accounts[i].ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// createOne makes one account. The first error is the item's, the second the job's.
func (s *Store) createOne(ctx context.Context, a *rushgate.Account) (refused, err error) {
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, a.Username))
	switch {
	case err != nil:
		return nil, err
	case p != nil && p.character.ID == a.ID && p.passwordHash == a.PasswordHash:
		return nil, nil // before
	case p != nil:
		return rushgate.UsernameTaken, nil
	}
	if held, err := s.isHeld(ctx, a.Username); err != nil || held {
		return rushgate.UsernameTaken, err
	}
	if taken, err := s.isTaken(ctx, a.ID); err != nil || taken {
		return rushgate.ErrIDTaken, err
	}
	_, err = s.create(ctx, a, 0)
	return nil, err
}

func (s *Store) isTaken(ctx context.Context, id rushgate.PlayerID) (bool, error) {
	var n int
	err := s.writes.idInUse.QueryRowContext(ctx, int64(id)).Scan(&n)
	return n > 0, err
}

// UpdateAccounts implements [rushgate.Accounts].
func (s *Store) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	if err := validate.Changes(changes); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(changes))
	var leaving []*player
	err := s.do(ctx, func(ctx context.Context) error {
		now, day := s.now(), s.day()
		for i := range changes {
			c := &changes[i]
			p, refused, err := s.update(ctx, c)
			if err != nil {
				return fmt.Errorf("change player %d: %w", c.Player, err)
			}
			if errs[i] = refused; refused != nil || p.lease == nil || !c.EndsSession(day) && c.EndAttempt != p.lease.Attempt {
				continue
			}
			if _, err := s.writes.endSession.ExecContext(ctx, int64(c.Player)); err != nil {
				return fmt.Errorf("end session of player %d: %w", c.Player, err)
			}
			if p.lease.Live(now) {
				leaving = append(leaving, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range leaving { // only now: a change that was not made throws no player out
		s.ask(p, false)
	}
	return errs, nil
}

// update makes one change and returns the player as it was before. The first error is the item's, the second the job's.
func (s *Store) update(ctx context.Context, c *rushgate.AccountChange) (_ *player, refused, err error) {
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, c.Name))
	switch {
	case err != nil:
		return nil, nil, err
	case p == nil || p.character.ID != c.Player:
		return nil, rushgate.BadCredentials, nil
	case p.epoch != c.Epoch:
		return nil, rushgate.ErrAccountChanged, nil
	}
	devices, changed, err := s.devices(ctx, p, c.Devices, c.DevicesRevision)
	if err != nil || changed {
		return nil, rushgate.ErrAccountChanged, err
	}
	credentials, refused, err := s.replaceCredentials(ctx, p, c.Credentials, c.Replaces)
	if err != nil || refused != nil {
		return nil, refused, err
	}
	disabled, epoch := p.disabled, p.epoch
	if c.Disabled != nil {
		disabled = *c.Disabled
	}
	if c.RaiseEpoch {
		epoch++
	}
	_, err = s.writes.updateAccount.ExecContext(ctx, rushgate.AccountVersion, cmp.Or(c.PasswordHash, p.passwordHash),
		int64(epoch), millis(disabled.Until), disabled.Reason, credentials, devices, devices, int64(c.Player))
	return p, nil, err
}

// replaceCredentials tells what to write if credentials shall replace others; NULL leaves what there is. They are
// refused if the account has neither those nor these.
func (s *Store) replaceCredentials(
	ctx context.Context, p *player, credentials, replaces []rushgate.Credential,
) (written sql.NullString, refused, err error) {
	if credentials == nil {
		return sql.NullString{}, nil, nil
	}
	if written.String, err = credential.Marshal(credentials); err != nil {
		return written, nil, err
	}
	written.Valid = true
	var stored string
	if err := s.writes.credentials.QueryRowContext(ctx, int64(p.character.ID)).Scan(&stored); err != nil {
		return written, nil, err
	}
	there, err := credential.Unmarshal(stored) // which an operator may have written otherwise
	switch {
	case err != nil:
		return written, damaged(p.character.ID, "credentials", err), nil
	case !slices.Equal(there, replaces) && !slices.Equal(there, credentials):
		return written, rushgate.ErrAccountChanged, nil
	}
	return written, nil, nil
}

// DeleteAccount implements [rushgate.Accounts].
func (s *Store) DeleteAccount(ctx context.Context, username string) error {
	return s.do(ctx, func(ctx context.Context) error {
		p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, username))
		switch {
		case err != nil:
			return fmt.Errorf("delete %q: %w", username, err)
		case p == nil:
			return rushgate.BadCredentials
		case p.lease.Live(s.now()):
			return rushgate.AlreadyLoggedIn
		}
		// Each but the first refers to the next, the first to the last.
		w := &s.writes
		for _, stmt := range []*sql.Stmt{w.forget, w.endLease, w.deleteCharacter, w.deleteAccount} {
			if _, err := stmt.ExecContext(ctx, int64(p.character.ID)); err != nil {
				return fmt.Errorf("delete %q: %w", username, err)
			}
		}
		return nil
	})
}
