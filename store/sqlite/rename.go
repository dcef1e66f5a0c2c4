package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// holdTime is the time by which names are held: a hold ends when both clocks say so, and not because one of them was
// set.
func (s *Store) holdTime() time.Time {
	now, day := s.now(), s.day()
	if day.Before(now) {
		return day
	}
	return now
}

// isHeld reports whether a name is held for a player.
func (s *Store) isHeld(ctx context.Context, name string) (bool, error) {
	var n int
	err := s.writes.isHeld.QueryRowContext(ctx, name, s.holdTime().UnixMilli()).Scan(&n)
	return n > 0, err
}

// RenameAccount implements [rushgate.Accounts].
func (s *Store) RenameAccount(ctx context.Context, rename rushgate.Rename) error {
	if err := validate.Rename(&rename); err != nil {
		return wrap(err)
	}
	return s.do(ctx, func(ctx context.Context) error {
		if done, err := s.checkRename(ctx, &rename); err != nil || done {
			return err
		}
		return s.rename(ctx, &rename)
	})
}

// checkRename reports whether a rename was carried out before. The error is why it cannot be carried out.
func (s *Store) checkRename(ctx context.Context, r *rushgate.Rename) (done bool, err error) {
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, r.Name))
	if err != nil {
		return false, err
	}
	other, err := scanPlayer(s.writes.player.QueryRowContext(ctx, r.NewName))
	if err != nil {
		return false, err
	}
	if p == nil || p.character.ID != r.Player {
		if other != nil && other.character.ID == r.Player && other.epoch > r.Epoch {
			return true, nil
		}
		return false, rushgate.BadCredentials
	}
	switch {
	case p.epoch != r.Epoch:
		return false, rushgate.ErrAccountChanged
	case p.lease.Live(s.now()):
		return false, rushgate.AlreadyLoggedIn
	case other != nil:
		return false, rushgate.UsernameTaken
	}
	var taken bool
	now := s.holdTime().UnixMilli()
	err = s.writes.looksLike.QueryRowContext(ctx, rushgate.Skeleton(r.NewName), int64(r.Player), now).Scan(&taken)
	if err == nil && taken {
		err = rushgate.UsernameTaken
	}
	return false, err
}

// rename gives a player a name that is free.
func (s *Store) rename(ctx context.Context, r *rushgate.Rename) error {
	w, id, now := &s.writes, int64(r.Player), s.holdTime().UnixMilli()
	skeleton := rushgate.Skeleton(r.NewName)
	if _, err := w.rename.ExecContext(ctx, r.NewName, skeleton, rushgate.AccountVersion, id); err != nil {
		return fmt.Errorf("rename player %d: %w", id, err)
	}
	if _, err := w.renameCharacter.ExecContext(ctx, r.NewName, id); err != nil {
		return fmt.Errorf("rename character of player %d: %w", id, err)
	}
	if _, err := w.endLease.ExecContext(ctx, id); err != nil {
		return fmt.Errorf("end session of player %d: %w", id, err)
	}
	if _, err := w.freeAll.ExecContext(ctx, now); err != nil {
		return fmt.Errorf("free names: %w", err)
	}
	if _, err := w.free.ExecContext(ctx, r.NewName); err != nil {
		return fmt.Errorf("free name of player %d: %w", id, err)
	}
	if until := r.Hold.UnixMilli(); until > now {
		if _, err := w.hold.ExecContext(ctx, r.Name, id, until, rushgate.Skeleton(r.Name)); err != nil {
			return fmt.Errorf("hold name of player %d: %w", id, err)
		}
	}
	return nil
}
