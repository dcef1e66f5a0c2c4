package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

const sharedQuery = `SELECT value FROM shared WHERE name = ?`

// Shared implements [rushgate.Fleet].
func (s *Store) Shared(ctx context.Context, name string) ([]byte, error) {
	if err := validate.SharedName(name); err != nil {
		return nil, wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	value, err := readShared(ctx, s.reads.shared, name)
	if err != nil {
		return nil, wrap(err)
	}
	return value, nil
}

// readShared returns nil if there is no value.
func readShared(ctx context.Context, stmt *sql.Stmt, name string) (value []byte, err error) {
	switch err := stmt.QueryRowContext(ctx, name).Scan(&value); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read shared value %s: %w", name, err)
	}
	if err := validate.Shared(name, value); err != nil {
		return nil, err
	}
	return value, nil
}

// SwapShared implements [rushgate.Fleet].
func (s *Store) SwapShared(ctx context.Context, name string, oldValue, newValue []byte) (swapped bool, err error) {
	if err := validate.Swap(name, oldValue, newValue); err != nil {
		return false, wrap(err)
	}
	err = s.do(ctx, func(ctx context.Context) error {
		there, err := readShared(ctx, s.writes.shared, name)
		if err != nil {
			return err
		}
		if swapped = bytes.Equal(there, newValue); swapped {
			return nil
		}
		if swapped = bytes.Equal(there, oldValue); !swapped { // no value is there, or expected, where one is empty
			return nil
		}
		if _, err := s.writes.putShared.ExecContext(ctx, name, newValue); err != nil {
			return fmt.Errorf("write shared value %s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return swapped, nil
}

// Beat implements [rushgate.Fleet]. It does not go to the database: a process that has it knows of no other.
func (s *Store) Beat(ctx context.Context, beat rushgate.NodeBeat) ([]rushgate.NodeStatus, error) {
	if err := validate.Beat(beat); err != nil {
		return nil, wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.beats.Add(beat, s.now()), nil
}
