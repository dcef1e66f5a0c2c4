package redis

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// The audit log is a stream: an entry's id is the record's number and "-0", and its one field has the data. A stream
// takes no entry before its last one, and its ends are found at once however long it is.
const auditField = "data"

func (s *Store) auditKey() string { return s.prefix + "audit" }

// trimmedAtOnce bounds for how long trimming keeps the server from others.
const trimmedAtOnce = 1000

func formatSeq(seq uint64) string { return strconv.FormatUint(seq, 10) }

// AppendAudit implements [rushgate.AuditLog] with one script.
func (s *Store) AppendAudit(ctx context.Context, after uint64, data [][]byte) (appended bool, err error) {
	if err := validate.Audit(data); err != nil {
		return false, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	if after > math.MaxUint64-uint64(len(data)) { // of which no record can be the last
		return false, ctx.Err()
	}
	anywhere := "0"
	if after <= rushgate.MaxAuditSeq {
		anywhere = "1"
	}
	args := []string{formatSeq(after), formatSeq(after + 1), strconv.Itoa(len(data)), anywhere}
	for i, d := range data {
		args = append(args, formatSeq(after+1+uint64(i)), string(d))
	}
	answers, err := s.runScripts(ctx, []command{{script: appendScript, key: s.auditKey(), args: args}})
	if err != nil {
		return false, err
	}
	switch a := &answers[0]; a.word {
	case "appended":
		return true, nil
	case "other":
		return false, nil
	case damaged:
		return false, fmt.Errorf("%w of key %s", a.err, s.auditKey())
	default:
		return false, a.problem()
	}
}

// LoadAudit implements [rushgate.AuditLog].
func (s *Store) LoadAudit(ctx context.Context, from uint64, limit int) ([]rushgate.AuditRecord, error) {
	if err := validate.Page(limit); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	results, err := s.run(ctx, []command{{
		name: "XRANGE", key: s.auditKey(), args: []string{formatSeq(from) + "-0", "+", "COUNT", strconv.Itoa(limit)},
	}})
	if err != nil {
		return nil, err
	}
	return s.readAudit(&results[0])
}

func (s *Store) readAudit(result *rueidis.RedisResult) ([]rushgate.AuditRecord, error) {
	entries, err := result.AsXRange()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, damagedRecord(fmt.Errorf("key %s: %w", s.auditKey(), err))
	}
	var records []rushgate.AuditRecord
	for i, e := range entries {
		number, _ := strings.CutSuffix(e.ID, "-0")
		seq, err := strconv.ParseUint(number, 10, 64)
		data, ok := e.FieldValues[auditField]
		if err != nil || !ok || i > 0 && seq != records[i-1].Seq+1 {
			return nil, damagedRecord(fmt.Errorf("key %s: entry %s", s.auditKey(), e.ID))
		}
		records = append(records, rushgate.AuditRecord{Seq: seq, Data: []byte(data)})
	}
	return records, nil
}

// AuditSpan implements [rushgate.AuditLog].
func (s *Store) AuditSpan(ctx context.Context) (first, last uint64, err error) {
	if err := s.enter(); err != nil {
		return 0, 0, err
	}
	defer s.leave()
	return s.auditSpan(ctx)
}

// auditSpan asks for the last record first: what is added meanwhile is after it, and what is trimmed never is it.
func (s *Store) auditSpan(ctx context.Context) (first, last uint64, err error) {
	results, err := s.run(ctx, []command{
		{name: "XREVRANGE", key: s.auditKey(), args: []string{"+", "-", "COUNT", "1"}},
		{name: "XRANGE", key: s.auditKey(), args: []string{"-", "+", "COUNT", "1"}},
	})
	if err != nil {
		return 0, 0, err
	}
	var ends [2]uint64
	for i := range results {
		records, err := s.readAudit(&results[i])
		if err != nil {
			return 0, 0, err
		}
		if len(records) > 0 {
			ends[i] = records[0].Seq
		}
	}
	return min(ends[1], ends[0]), ends[0], nil
}

// TrimAudit implements [rushgate.AuditLog], some records at a time.
func (s *Store) TrimAudit(ctx context.Context, first uint64) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	kept, last, err := s.auditSpan(ctx)
	if err != nil {
		return err
	}
	for first = min(first, last); kept < first; {
		kept = min(first, kept+trimmedAtOnce)
		trim := command{name: "XTRIM", key: s.auditKey(), args: []string{"MINID", "=", formatSeq(kept) + "-0"}}
		results, err := s.run(ctx, []command{trim})
		if err != nil {
			return err
		}
		if err := results[0].Error(); err != nil {
			return damagedRecord(fmt.Errorf("key %s: %w", s.auditKey(), err))
		}
	}
	return nil
}
