package sqlite

import (
	"errors"
	"fmt"
	"os"
)

var (
	// ErrGone is the error of every write while the database's files are not where they were opened, or are others:
	// deleted, replaced or cut off under the store. What was written to them would be gone with the process. Once the
	// files are back, writes go on.
	ErrGone = errors.New("the files of the database have been taken away")
	// ErrMissing refuses to begin with an empty database where one with players was expected.
	ErrMissing = errors.New("the database is missing")
)

// leastFile is the size of the smallest database, one page of the smallest size, see
// https://www.sqlite.org/fileformat.html.
const leastFile = 512

// files are the database and its log as they were opened.
type files struct {
	path    string
	db, log os.FileInfo
}

// openFiles remembers the files of a database that is open.
func openFiles(path string) (files, error) {
	f := files{path: path}
	var err error
	if f.db, err = os.Stat(path); err != nil {
		return f, err
	}
	if f.log, err = os.Stat(f.logPath()); err != nil {
		return f, err
	}
	// Windows reads the identity of a file when it is first compared, which has to be now.
	os.SameFile(f.db, f.db)
	os.SameFile(f.log, f.log)
	return f, nil
}

func (f *files) logPath() string { return f.path + "-wal" }

// check returns nil if the files are those that were opened, and otherwise an error that wraps [ErrGone]. An outside
// VACUUM may make the database smaller, and a checkpoint the log, but nothing that is right empties the database.
func (f *files) check() error {
	db, err := unchanged(f.path, f.db)
	if err != nil {
		return err
	}
	if db.Size() < leastFile {
		return fmt.Errorf("%w: %s has been emptied", ErrGone, f.path)
	}
	_, err = unchanged(f.logPath(), f.log)
	return err
}

// unchanged returns what there is at a path if it is the file that was opened there.
func unchanged(path string, opened os.FileInfo) (os.FileInfo, error) {
	now, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if !os.SameFile(now, opened) {
		return nil, fmt.Errorf("%w: %s is another file than the one that was opened", ErrGone, path)
	}
	return now, nil
}

// expect refuses a path with no database or an empty one, if there should be one: because the caller says so, or
// because a log lies beside it, which has what the last writes changed.
func expect(path string, existing bool) error {
	if db, err := os.Stat(path); err == nil && db.Size() > 0 {
		return nil
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("%w or empty, and its write-ahead log %s is not: put the database back from where it has gone; to "+
			"begin anew, without what is in the log, remove that", ErrMissing, path+"-wal")
	}
	if existing {
		return fmt.Errorf("%w or empty", ErrMissing)
	}
	return nil
}
