package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rushgate/rushgate/internal/filelock"

	modernc "modernc.org/sqlite"
)

var (
	// ErrLocked refuses a database that another store has open, in this process or another. The lock goes with its
	// holder, however that ends.
	ErrLocked = filelock.ErrLocked
	// ErrForeign refuses a file that is not a Rushgate database.
	ErrForeign = errors.New("not a Rushgate database")
)

const (
	// applicationID marks a Rushgate database in the header of the file ("RGST"), see
	// https://www.sqlite.org/pragma.html#pragma_application_id.
	applicationID = 0x52475354
	// readers is the size of the pool of reading connections. Queries take microseconds, so a few are enough.
	readers = 4
	// busyTimeout is for how many milliseconds a connection waits for a lock: an operator's sqlite3 or a backup may hold
	// one for a moment.
	busyTimeout = 5000
	// notADatabase is SQLITE_NOTADB of https://www.sqlite.org/rescode.html.
	notADatabase = 26
)

// resolve returns the absolute path of the file without symbolic links, so that each database has one lock.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path given")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	file, err := filepath.EvalSymlinks(abs)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	return filepath.Join(dir, filepath.Base(abs)), err
}

// create makes an empty file if there is none, because SQLite would let everybody read it. The files it puts beside
// a database have the database's permissions.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// uri returns the SQLite URI of a file (https://www.sqlite.org/uri.html).
func uri(file string, query url.Values) string {
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}

// dataSource returns the name under which connections to the file are opened. The pragmas are part of it because
// they hold for one connection only, and database/sql opens them as it pleases.
func dataSource(file string, readOnly bool) string {
	pragmas := []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout),
		"journal_mode(WAL)",
		"synchronous(FULL)",
		fmt.Sprintf("journal_size_limit(%d)", maxLog),
		"foreign_keys(1)",
	}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	}
	return uri(file, url.Values{"mode": {"rw"}, "_pragma": pragmas})
}

// inspect looks at a file before anything in it is changed; even the choice of a journal mode would be a change. A
// file is taken as new if it has no tables and no mark of another application.
func inspect(ctx context.Context, file string, known int) (err error) {
	db, err := sql.Open("sqlite", uri(file, url.Values{
		"mode": {"rw"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout), "query_only(1)"},
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)

	var id, version, objects int
	err = db.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &version, &objects)
	if e, ok := errors.AsType[*modernc.Error](err); ok && e.Code()&0xff == notADatabase {
		return fmt.Errorf("%w: it is not a SQLite file", ErrForeign)
	}
	switch {
	case err != nil:
		return err
	case id == 0 && version == 0 && objects == 0:
		return nil
	case id != applicationID:
		return fmt.Errorf("%w: it has the application id %#x, not %#x", ErrForeign, uint32(id), uint32(applicationID))
	case version > known:
		return &SchemaError{Found: version, Known: known}
	}
	return nil
}
