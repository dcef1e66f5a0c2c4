package table

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// ErrUnfinished is wrapped by the error for an SQLite database of which a part is in a file beside it.
var ErrUnfinished = errors.New("a part of the database is in a file beside it")

// settled refuses a database with changes that are not in its file: SQLite would write them there, or beside it, to
// read them.
func settled(path string) error {
	info, err := os.Stat(path + "-wal")
	if err == nil && info.Size() > 0 {
		return unfinished(path, "-wal")
	}
	journal, err := os.Open(path + "-journal")
	if err != nil {
		return nil // there is none
	}
	defer func() { _ = journal.Close() }() // it was only read
	var head [8]byte
	if _, err := io.ReadFull(journal, head[:]); err == nil && head != [8]byte{} { // one that is over begins with zeros
		return unfinished(path, "-journal")
	}
	return nil
}

func unfinished(path, end string) error {
	name := filepath.Base(path)
	return fmt.Errorf("%w, %s%s: stop the program that it is of, or copy it with sqlite3 %s \"VACUUM INTO 'copy.db'\" "+
		"and import the copy", ErrUnfinished, name, end, name)
}

// openSQLite opens a database so that SQLite takes no locks and makes no files.
func openSQLite(path string) (*sql.DB, error) {
	full, err := filepath.EvalSymlinks(path) // what is beside it is beside the file itself
	if err != nil {
		return nil, err
	}
	if err := settled(full); err != nil {
		return nil, err
	}
	if full, err = filepath.Abs(full); err != nil {
		return nil, err
	}
	full = filepath.ToSlash(full)
	u := url.URL{Scheme: "file", OmitHost: true, Path: "/" + strings.TrimPrefix(full, "/"),
		RawQuery: "mode=ro&immutable=1&_pragma=trusted_schema(0)&_pragma=query_only(1)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// readSQLite visits the rows of a table in the order in which SQLite has them.
func readSQLite(ctx context.Context, path string, q *Query, size int64, visit func(Row) bool) (err error) {
	db, err := openSQLite(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	name, err := findTable(ctx, db, q)
	if err != nil {
		return err
	}
	columns, err := texts(ctx, db, "SELECT name FROM pragma_table_info(?)", name)
	if err != nil {
		return err
	}
	wanted, err := q.pick(columns)
	if err != nil {
		return err
	}
	var count int64
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+quoted(name)).Scan(&count); err != nil {
		return err
	}
	return visitSQLite(ctx, db, name, columns, wanted, func(i int64, r Row) bool {
		r.Done = int64(float64(size) * float64(i) / float64(max(count, i)))
		return visit(r)
	})
}

// visitSQLite visits rows with their numbers, from 1.
func visitSQLite(
	ctx context.Context, db *sql.DB, name string, columns, wanted []string, visit func(int64, Row) bool,
) (err error) {
	var names, picked []string
	for i, as := range wanted {
		if as != "" {
			// One byte more than is taken tells that a value is too long.
			c := quoted(columns[i])
			picked = append(picked, fmt.Sprintf("CASE WHEN typeof(%s) IN ('text', 'blob') THEN substr(CAST(%s AS BLOB), 1, %d) "+
				"ELSE CAST(%s AS TEXT) END", c, c, MaxValueLen+1, c))
			names = append(names, as)
		}
	}
	if len(picked) == 0 {
		return fmt.Errorf("%w: no column of %+q is asked for", ErrNoTable, name)
	}
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(picked, ", ")+" FROM "+quoted(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values, into := make([]sql.RawBytes, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for n := int64(1); rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		r := Row{Values: make(map[string]any, len(names)), Line: int(n)}
		for i, v := range values {
			switch {
			case v == nil:
				r.Values[names[i]] = nil
			case len(v) > MaxValueLen:
				r.Err = inColumn(names[i], errValue)
			default:
				r.Values[names[i]] = string(v)
			}
		}
		if !visit(n, r) {
			return nil
		}
	}
	return rows.Err()
}

// findTable returns the name of the one table that is asked for.
func findTable(ctx context.Context, db *sql.DB, q *Query) (string, error) {
	names, err := texts(ctx, db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' "+
		"ORDER BY name")
	if err != nil {
		return "", fmt.Errorf("read the database: %w", err)
	}
	var found []string
	for _, name := range names {
		if !q.matches("", name) {
			continue
		}
		columns, err := texts(ctx, db, "SELECT name FROM pragma_table_info(?)", name)
		if err != nil {
			return "", err
		}
		if _, err := q.pick(columns); err == nil || !strings.Contains(q.Table, "*") {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: %s; there are %s", ErrNoTable, q.Table, listed(names))
	case 1:
		return found[0], nil
	default:
		return "", fmt.Errorf("several tables may be meant, say which: %s", listed(found))
	}
}

// texts returns the first column of a query.
func texts(ctx context.Context, db *sql.DB, query string, args ...any) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		if len(all) >= MaxColumns {
			return nil, fmt.Errorf("more than %d tables or columns", MaxColumns)
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// isSQLite reports whether a file that begins like this is a database of SQLite.
func isSQLite(head []byte) bool { return bytes.HasPrefix(head, []byte("SQLite format 3\x00")) }
