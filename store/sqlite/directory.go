package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/rushgate/rushgate/store/internal/cursor"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// usernamesQuery goes through the index of names, and reads no account.
const usernamesQuery = `SELECT username FROM accounts WHERE username >= ? ORDER BY username LIMIT ?`

// Usernames implements [rushgate.Directory], in the order of bytes. It takes time in proportion to limit.
func (s *Store) Usernames(
	ctx context.Context, prefix, at string, limit int,
) (names []string, next string, err error) {
	if err := validate.Page(limit); err != nil {
		return nil, "", wrap(err)
	}
	from, err := cursor.From(prefix, at)
	if err != nil {
		return nil, "", wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.leave()
	names, more, err := readNames(ctx, s.reads.usernames, prefix, from, limit)
	if err != nil {
		return nil, "", wrap(fmt.Errorf("go through usernames: %w", err))
	}
	if more {
		next = cursor.After(names[limit-1])
	}
	return names, next, nil
}

// readNames reports whether there are more than it returns.
func readNames(
	ctx context.Context, stmt *sql.Stmt, prefix, from string, limit int,
) (names []string, more bool, err error) {
	rows, err := stmt.QueryContext(ctx, from, limit+1)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, false, err
		}
		if !strings.HasPrefix(name, prefix) {
			break
		}
		if len(names) == limit {
			return names, true, nil
		}
		names = append(names, name)
	}
	return names, false, rows.Err()
}
