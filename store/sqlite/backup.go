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
	"runtime"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/filelock"
)

// ErrDamaged refuses a copy of a database that SQLite's own check finds damaged.
var ErrDamaged = errors.New("the database is damaged")

// progressInterval is how often Backup and Restore tell how far they are.
const progressInterval = 250 * time.Millisecond

// Progress is told how many bytes of about how many have been written. It is called by one goroutine at a time, never
// after the call that it was given to has returned, and may be nil.
type Progress func(written, size int64)

// Backup copies the database at path to a new file, also while a node has it open: as it was at one moment, in one
// file, checked by SQLite, and on disk when Backup returns. The node's writes go on meanwhile, into a log that grows
// until the copy is made. The copy is readable by its owner only.
//
// A file that is there already is left alone, and the error wraps [fs.ErrExist]; so is one that is no database of
// Rushgate ([ErrForeign]) or is not there ([ErrMissing]). If Backup fails, or ctx ends, nothing is left behind;
// what a process leaves that dies meanwhile, the next Backup to the same folder removes.
func Backup(ctx context.Context, path, to string, progress Progress) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sqlite: back up %s: %w", path, err)
		}
	}()
	file, err := existing(path)
	if err != nil {
		return err
	}
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	part, err := copyDatabase(ctx, file, to, progress)
	if err != nil {
		return err
	}
	defer func() { _ = part.drop() }() // another name of the copy by then, or one that failed
	// A link, other than a rename, replaces nothing.
	if err := os.Link(part.name, to); errors.Is(err, fs.ErrExist) {
		return err
	} else if err != nil { // a file system without links
		if err := os.Rename(part.name, to); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(to))
}

// Current reports whether the database at path has the schema of this version, so that [Open] changes nothing of it.
// Errors are as for [Backup]; one of a newer version is a [*SchemaError].
func Current(ctx context.Context, path string) (current bool, err error) {
	file, err := existing(path)
	if err != nil {
		return false, fmt.Errorf("sqlite: look at %s: %w", path, err)
	}
	switch err = inspect(ctx, file, len(migrations)); {
	case err != nil:
		return false, fmt.Errorf("sqlite: look at %s: %w", path, err)
	case len(migrations) == 0:
		return true, nil
	}
	if older, ok := errors.AsType[*SchemaError](inspect(ctx, file, len(migrations)-1)); ok {
		return older.Found == len(migrations), nil
	}
	return false, nil
}

// Restore puts a copy that [Backup] has made, or any database of Rushgate, in the place of the one at path, which no
// store may have open ([ErrLocked]). The database that was there stays beside it, under the name that is returned,
// which is empty if there was none. Of the copy nothing changes but that SQLite may move a log beside it into it.
//
// A copy that is damaged ([ErrDamaged]), foreign ([ErrForeign]), missing ([ErrMissing]) or of a newer version
// ([*SchemaError]) changes nothing, nor does ctx that ends. A process that dies in the midst of it may leave no
// database at path, and never a mixture; Restore can then be called again.
func Restore(ctx context.Context, from, path string, progress Progress) (aside string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sqlite: restore %s: %w", path, err)
		}
	}()
	file, err := resolve(path)
	if err != nil {
		return "", err
	}
	copied, err := existing(from)
	if err != nil {
		return "", err
	}
	if copied == file {
		return "", fmt.Errorf("%s is the database itself", from)
	}
	lock, err := filelock.Acquire(file + ".lock")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	part, err := copyDatabase(ctx, copied, file, progress)
	if err != nil {
		return "", err
	}
	defer func() { _ = part.drop() }()
	if aside, err = putAside(file); err != nil {
		return "", err
	}
	if err := os.Rename(part.name, file); err != nil {
		return aside, err
	}
	return aside, syncFolder(filepath.Dir(file))
}

// putAside renames a database with its log, which would be taken for that of the one that comes in its place, and
// returns the new name, or nothing if there was no database.
func putAside(file string) (aside string, err error) {
	base := file + ".before-" + time.Now().UTC().Format("20060102T150405")
	name := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		switch err := os.Rename(file+suffix, name+suffix); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", err
		default:
			aside = name
		}
	}
	return aside, syncFolder(filepath.Dir(file))
}

// existing returns the absolute path of a file that may be a database.
func existing(path string) (file string, err error) {
	if file, err = resolve(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s", ErrMissing, path)
	} else if err != nil {
		return "", err
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: %s", ErrMissing, path)
	case err != nil:
		return "", err
	case info.Size() < leastFile:
		return "", fmt.Errorf("%w: %s is empty", ErrMissing, path)
	}
	return file, nil
}

// copyDatabase writes a copy of a database beside a path, and checks it, or leaves nothing behind.
func copyDatabase(ctx context.Context, file, beside string, progress Progress) (*part, error) {
	if err := inspect(ctx, file, len(migrations)); err != nil {
		return nil, err
	}
	p, err := newPart(beside)
	if err != nil {
		return nil, err
	}
	err = vacuumInto(ctx, file, p.name, progress)
	if err == nil {
		err = check(ctx, p.name)
	}
	if err == nil {
		err = syncFile(p.name)
	}
	if err != nil {
		return nil, errors.Join(err, p.drop())
	}
	return p, nil
}

// vacuumInto has SQLite write the database as it is now into an empty file: in one read transaction, which no writer
// waits for (https://www.sqlite.org/lang_vacuum.html#vacuuminto).
func vacuumInto(ctx context.Context, file, part string, progress Progress) (err error) {
	db, err := sql.Open("sqlite", uri(file, url.Values{
		"mode": {"rw"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout)},
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var size int64
	err = db.QueryRowContext(ctx, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`).Scan(&size)
	if err != nil {
		return err
	}
	defer watchSize(part, size, progress)()
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, part)
	return err
}

// watchSize tells how large a file has become, until the function that it returns is called.
func watchSize(file string, size int64, progress Progress) (stop func()) {
	if progress == nil {
		return func() {}
	}
	quit := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		again := time.NewTicker(progressInterval)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				if info, err := os.Stat(file); err == nil {
					progress(info.Size(), size)
				}
			case <-quit:
				return
			}
		}
	})
	return func() {
		close(quit)
		ended.Wait()
	}
}

// check has SQLite look whether a database is whole.
func check(ctx context.Context, file string) (err error) {
	db, err := sql.Open("sqlite", uri(file, url.Values{"mode": {"ro"}}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var found string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&found); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, found)
	}
	return nil
}

func syncFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder has the names in a folder outlast the machine, where a system knows how.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
