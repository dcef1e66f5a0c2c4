package move

import (
	"bytes"
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
)

// audit moves the audit log, or what is left to move of it.
func (m *mover) audit(ctx context.Context) error {
	first, last, err := m.from.AuditSpan(ctx)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	_, done, err := m.to.AuditSpan(ctx)
	if err != nil {
		return fmt.Errorf("read the audit log that is there: %w", err)
	}
	if done > 0 {
		if err := m.sameAudit(ctx, done, last); err != nil {
			return err
		}
	}
	for next := max(first, done+1); last > 0 && next <= last; {
		records, err := m.from.LoadAudit(ctx, next, rushgate.MaxAuditAppend)
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		if len(records) == 0 || records[0].Seq != next {
			return fmt.Errorf("the audit log has lost its record %d meanwhile", next)
		}
		data := make([][]byte, len(records))
		for i := range records {
			data[i] = records[i].Data
		}
		appended, err := m.to.AppendAudit(ctx, next-1, data)
		if err != nil {
			return fmt.Errorf("write the audit log: %w", err)
		}
		if !appended {
			return fmt.Errorf("%w: something else writes to its audit log", ErrNotEmpty)
		}
		next += uint64(len(records))
		m.report.AuditRecords += len(records)
	}
	return nil
}

// sameAudit says whether the newest record that is there is the one of its number in the log that is moved.
func (m *mover) sameAudit(ctx context.Context, done, last uint64) error {
	if done > last {
		return fmt.Errorf("%w: it has an audit log of its own, of %d records", ErrNotEmpty, done)
	}
	there, err := m.to.LoadAudit(ctx, done, 1)
	if err != nil {
		return fmt.Errorf("read the audit log that is there: %w", err)
	}
	ours, err := m.from.LoadAudit(ctx, done, 1)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	if len(there) != 1 || len(ours) != 1 || ours[0].Seq != done || !bytes.Equal(there[0].Data, ours[0].Data) {
		return fmt.Errorf("%w: it has an audit log of its own", ErrNotEmpty)
	}
	return nil
}
