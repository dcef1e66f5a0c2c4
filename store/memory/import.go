package memory

import (
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// BeginImport implements [rushgate.Importer].
func (s *Store) BeginImport(ctx context.Context, highest rushgate.PlayerID) error {
	if err := validate.Highest(highest); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case highest <= s.imports:
		return nil
	case s.lastID > s.imports:
		return fmt.Errorf("memory: set ids up to %d aside: %w", highest, rushgate.ErrIDsInUse)
	}
	s.imports, s.lastID = highest, highest
	return nil
}

// Import implements [rushgate.Importer].
func (s *Store) Import(ctx context.Context, records []rushgate.Record) ([]error, error) {
	if err := validate.Records(records); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if err := validate.SetAside(records, s.imports); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	errs := make([]error, len(records))
	for i := range records {
		errs[i] = s.bringIn(&records[i])
	}
	return errs, nil
}

func (s *Store) bringIn(r *rushgate.Record) error {
	switch p := s.names[r.Account.Username]; {
	case p != nil && p.account.ID == r.Account.ID:
		return rushgate.ErrImported
	case p != nil, s.isHeld(r.Account.Username, 0):
		return rushgate.UsernameTaken
	case s.players[r.Account.ID] != nil:
		return rushgate.ErrIDTaken
	}
	s.add(&r.Account, &r.Character)
	return nil
}
