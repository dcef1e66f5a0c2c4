package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
)

const lookalikeQuery = `SELECT username FROM accounts WHERE skeleton = ? AND username <> ? LIMIT 1`

// Lookalikes implements [rushgate.Accounts].
func (s *Store) Lookalikes(ctx context.Context, usernames []string) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	names := make([]string, len(usernames))
	for i, name := range usernames {
		var err error
		if names[i], err = lookalike(ctx, s.reads.lookalike, name); err != nil {
			return nil, wrap(fmt.Errorf("look for names like another: %w", err))
		}
	}
	return names, nil
}

// lookalike returns the name of an account that can be taken for that of another name, or nothing.
func lookalike(ctx context.Context, stmt *sql.Stmt, name string) (other string, err error) {
	err = stmt.QueryRowContext(ctx, rushgate.Skeleton(name), name).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return other, err
}

// fillBatch bounds what one transaction of fillSkeletons writes.
const fillBatch = 1000

// fillSkeletons writes what the names of accounts look like that were made before that was kept, and names that were
// held before, a batch at a time: a start that is interrupted goes on where it was.
func fillSkeletons(ctx context.Context, conn *sql.Conn) error {
	for _, table := range []string{"accounts", "held_names"} {
		for {
			names, err := withoutSkeleton(ctx, conn, table)
			if err != nil {
				return err
			}
			if len(names) == 0 {
				break
			}
			if err := writeSkeletons(ctx, conn, table, names); err != nil {
				return err
			}
		}
	}
	return nil
}

func withoutSkeleton(ctx context.Context, conn *sql.Conn, table string) (names []string, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT username FROM `+table+` WHERE skeleton IS NULL LIMIT ?`, fillBatch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func writeSkeletons(ctx context.Context, conn *sql.Conn, table string, names []string) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // without effect after Commit
	update, err := tx.PrepareContext(ctx, `UPDATE `+table+` SET skeleton = ? WHERE username = ?`)
	if err != nil {
		return err
	}
	defer func() { _ = update.Close() }()
	for _, name := range names {
		if _, err := update.ExecContext(ctx, rushgate.Skeleton(name), name); err != nil {
			return err
		}
	}
	return tx.Commit()
}
