package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// AppendAudit implements [rushgate.AuditLog].
func (s *Store) AppendAudit(ctx context.Context, after uint64, data [][]byte) (appended bool, err error) {
	if err := validate.Audit(data); err != nil {
		return false, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	_, last := s.auditSpan()
	if last == 0 && after <= rushgate.MaxAuditSeq {
		last = after
	}
	if after != last {
		there := s.auditFrom(after+1, len(data))
		same := func(r rushgate.AuditRecord, d []byte) bool { return bytes.Equal(r.Data, d) }
		return len(there) > 0 && there[0].Seq == after+1 && slices.EqualFunc(there, data, same), nil
	}
	for _, d := range data {
		last++
		s.audit = append(s.audit, rushgate.AuditRecord{Seq: last, Data: bytes.Clone(d)})
	}
	return true, nil
}

// auditSpan returns the numbers of the first record and the last.
func (s *Store) auditSpan() (first, last uint64) {
	if n := len(s.audit); n > 0 {
		return s.audit[0].Seq, s.audit[n-1].Seq
	}
	return 0, 0
}

// auditFrom returns records as they are kept.
func (s *Store) auditFrom(from uint64, limit int) []rushgate.AuditRecord {
	first, last := s.auditSpan()
	if from > last {
		return nil
	}
	rest := s.audit[max(from, first)-first:] // none is left out
	return rest[:min(limit, len(rest))]
}

// LoadAudit implements [rushgate.AuditLog].
func (s *Store) LoadAudit(ctx context.Context, from uint64, limit int) ([]rushgate.AuditRecord, error) {
	if err := validate.Page(limit); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	records := slices.Clone(s.auditFrom(from, limit))
	for i := range records {
		records[i].Data = bytes.Clone(records[i].Data)
	}
	return records, nil
}

// AuditSpan implements [rushgate.AuditLog].
func (s *Store) AuditSpan(ctx context.Context) (first, last uint64, err error) {
	if err := s.lock(ctx); err != nil {
		return 0, 0, err
	}
	defer s.mu.Unlock()
	first, last = s.auditSpan()
	return first, last, nil
}

// TrimAudit implements [rushgate.AuditLog].
func (s *Store) TrimAudit(ctx context.Context, first uint64) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if kept, last := s.auditSpan(); first > kept {
		s.audit = slices.Clone(s.audit[min(first, last)-kept:])
	}
	return nil
}
