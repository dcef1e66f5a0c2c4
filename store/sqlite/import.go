package sqlite

import (
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// BeginImport implements [rushgate.Importer].
func (s *Store) BeginImport(ctx context.Context, highest rushgate.PlayerID) error {
	if err := validate.Highest(highest); err != nil {
		return wrap(err)
	}
	return s.do(ctx, func(ctx context.Context) error {
		last, imports, err := s.imports(ctx)
		switch {
		case err != nil:
			return err
		case highest <= imports:
			return nil
		case last > imports:
			return fmt.Errorf("set ids up to %d aside: %w", highest, rushgate.ErrIDsInUse)
		}
		_, err = s.writes.setAside.ExecContext(ctx, int64(highest))
		return err
	})
}

// imports returns the greatest id given out or set aside, and the greatest set aside for imports.
func (s *Store) imports(ctx context.Context) (last, imports rushgate.PlayerID, err error) {
	if err := s.writes.imports.QueryRowContext(ctx).Scan(&last, &imports); err != nil {
		return 0, 0, fmt.Errorf("read ids set aside for imports: %w", err)
	}
	return last, imports, nil
}

// Import implements [rushgate.Importer].
func (s *Store) Import(ctx context.Context, records []rushgate.Record) ([]error, error) {
	if err := validate.Records(records); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(records))
	err := s.do(ctx, func(ctx context.Context) error {
		_, imports, err := s.imports(ctx)
		if err != nil {
			return err
		}
		if err := validate.SetAside(records, imports); err != nil {
			return err
		}
		for i := range records {
			if errs[i], err = s.bringIn(ctx, &records[i]); err != nil {
				return fmt.Errorf("import player %d: %w", records[i].Account.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// bringIn imports one record. The first error is the item's, the second the job's.
func (s *Store) bringIn(ctx context.Context, r *rushgate.Record) (refused, err error) {
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, r.Account.Username))
	switch {
	case err != nil:
		return nil, err
	case p != nil && p.character.ID == r.Account.ID:
		return rushgate.ErrImported, nil
	case p != nil:
		return rushgate.UsernameTaken, nil
	}
	if held, err := s.isHeld(ctx, r.Account.Username); err != nil || held {
		return rushgate.UsernameTaken, err
	}
	if taken, err := s.isTaken(ctx, r.Account.ID); err != nil || taken {
		return rushgate.ErrIDTaken, err
	}
	return nil, s.insert(ctx, &r.Account, &r.Character, 0)
}
