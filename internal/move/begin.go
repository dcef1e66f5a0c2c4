package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
)

// begin looks whether the other store can take all that will come, counts the accounts, and has the other store give
// out no id that this one has given.
func (m *mover) begin(ctx context.Context) error {
	if err := m.free(ctx); err != nil {
		return err
	}
	err := m.walk(ctx, func(names []string) error {
		m.total += len(names)
		m.opts.Progress(0, m.total)
		return nil
	})
	if err != nil {
		return err
	}
	if m.opts.Begun != nil {
		if err := m.opts.Begun(); err != nil {
			return err
		}
	}
	next, err := m.from.ReserveIDs(ctx, 1)
	if err != nil {
		return fmt.Errorf("read the ids given out: %w", err)
	}
	if err := m.to.BeginImport(ctx, next); errors.Is(err, rushgate.ErrIDsInUse) {
		return fmt.Errorf("%w: it has given out ids of players", ErrNotEmpty)
	} else if err != nil {
		return fmt.Errorf("set ids aside: %w", err)
	}
	return nil
}

// free reports what the other store has that nothing can be put in the place of, though it is written last.
func (m *mover) free(ctx context.Context) error {
	if err := m.auditFree(ctx); err != nil {
		return err
	}
	for _, name := range m.opts.Shared {
		there, err := m.to.Shared(ctx, name)
		if err != nil {
			return fmt.Errorf("read %s that is there: %w", name, err)
		}
		if there == nil {
			continue
		}
		ours, err := m.from.Shared(ctx, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if !bytes.Equal(there, ours) {
			return fmt.Errorf("%w: it has other %s", ErrNotEmpty, name)
		}
	}
	return nil
}

func (m *mover) auditFree(ctx context.Context) error {
	_, last, err := m.from.AuditSpan(ctx)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	_, done, err := m.to.AuditSpan(ctx)
	if err != nil {
		return fmt.Errorf("read the audit log that is there: %w", err)
	}
	if done == 0 {
		return nil
	}
	return m.sameAudit(ctx, done, last)
}
