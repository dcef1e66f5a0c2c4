package move

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rushgate/rushgate"
)

// holds has the names that are held be held in the other store, for the same players and until the same time, a page at
// a time.
func (m *mover) holds(ctx context.Context) error {
	for cursor := ""; ; {
		page, next, err := m.from.HeldNames(ctx, cursor, m.opts.Batch)
		if err != nil {
			return fmt.Errorf("read names that are held: %w", err)
		}
		for some := range slices.Chunk(page, m.opts.Batch) { // a page may be longer than was asked for
			if err := m.holdSome(ctx, some); err != nil {
				return err
			}
		}
		if cursor = next; next == "" {
			return nil
		}
	}
}

func (m *mover) holdSome(ctx context.Context, page []rushgate.LoadedHold) error {
	var held []rushgate.HeldName
	for i := range page {
		if page[i].Err != nil {
			m.report.Damaged = append(m.report.Damaged, page[i].Name)
			continue
		}
		held = append(held, page[i].HeldName)
	}
	if len(held) == 0 {
		return nil
	}
	errs, err := m.to.HoldNames(ctx, held)
	if err != nil {
		return fmt.Errorf("hold names: %w", err)
	}
	for i, err := range errs {
		switch {
		case errors.Is(err, rushgate.UsernameTaken):
			return fmt.Errorf("%w: it has another player %s, a name that is held for player %d (%w)",
				ErrNotEmpty, held[i].Name, held[i].Player, err)
		case err != nil:
			return fmt.Errorf("hold the name %s: %w", held[i].Name, err)
		}
	}
	m.report.Held += len(held)
	return nil
}
