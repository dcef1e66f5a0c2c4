package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

const (
	auditQuery = `SELECT seq, data FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?`
	// Asked for in one SELECT, each would have SQLite read the whole table.
	auditSpanQuery = `SELECT coalesce((SELECT min(seq) FROM audit), 0), coalesce((SELECT max(seq) FROM audit), 0)`
)

// trimBatch bounds for how long one step of TrimAudit keeps other writes waiting.
const trimBatch = 500

// AppendAudit implements [rushgate.AuditLog].
func (s *Store) AppendAudit(ctx context.Context, after uint64, data [][]byte) (appended bool, err error) {
	if err := validate.Audit(data); err != nil {
		return false, wrap(err)
	}
	err = s.do(ctx, func(ctx context.Context) error {
		_, last, err := readSpan(ctx, s.writes.auditSpan)
		if err != nil {
			return err
		}
		if last == 0 && after <= rushgate.MaxAuditSeq {
			last = after
		}
		if last != after {
			appended, err = s.follows(ctx, after, data)
			return err
		}
		for i, d := range data {
			if _, err := s.writes.append.ExecContext(ctx, int64(last)+int64(i)+1, d); err != nil {
				return fmt.Errorf("append to the audit log: %w", err)
			}
		}
		appended = true
		return nil
	})
	if err != nil {
		return false, err
	}
	return appended, nil
}

// follows reports whether the records after the one numbered after are these.
func (s *Store) follows(ctx context.Context, after uint64, data [][]byte) (bool, error) {
	there, err := readAudit(ctx, s.writes.audit, after+1, len(data))
	if err != nil || len(there) == 0 || there[0].Seq != after+1 {
		return false, err
	}
	same := func(r rushgate.AuditRecord, d []byte) bool { return bytes.Equal(r.Data, d) }
	return slices.EqualFunc(there, data, same), nil
}

// readAudit returns records as they are, also if they were changed by hand: those who read them find that out.
func readAudit(
	ctx context.Context, stmt *sql.Stmt, from uint64, limit int,
) (records []rushgate.AuditRecord, err error) {
	if from > math.MaxInt64 {
		return nil, nil
	}
	rows, err := stmt.QueryContext(ctx, int64(from), limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	for rows.Next() {
		var r rushgate.AuditRecord
		if err := rows.Scan(&r.Seq, &r.Data); err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// LoadAudit implements [rushgate.AuditLog].
func (s *Store) LoadAudit(ctx context.Context, from uint64, limit int) ([]rushgate.AuditRecord, error) {
	if err := validate.Page(limit); err != nil {
		return nil, wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	records, err := readAudit(ctx, s.reads.audit, from, limit)
	if err != nil {
		return nil, wrap(err)
	}
	return records, nil
}

// AuditSpan implements [rushgate.AuditLog].
func (s *Store) AuditSpan(ctx context.Context) (first, last uint64, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, 0, err
	}
	defer s.leave()
	if first, last, err = readSpan(ctx, s.reads.auditSpan); err != nil {
		return 0, 0, wrap(err)
	}
	return first, last, nil
}

func readSpan(ctx context.Context, stmt *sql.Stmt) (first, last uint64, err error) {
	if err := stmt.QueryRowContext(ctx).Scan(&first, &last); err != nil {
		return 0, 0, fmt.Errorf("read where the audit log ends: %w", err)
	}
	return first, last, nil
}

// TrimAudit implements [rushgate.AuditLog]. It removes the oldest records first, some at a time.
func (s *Store) TrimAudit(ctx context.Context, first uint64) error {
	for {
		kept, last, err := s.AuditSpan(ctx)
		if err != nil || kept >= min(first, last) {
			return err
		}
		err = s.do(ctx, func(ctx context.Context) error {
			if _, err := s.writes.trimAudit.ExecContext(ctx, int64(min(first, last)), trimBatch); err != nil {
				return fmt.Errorf("trim the audit log: %w", err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
