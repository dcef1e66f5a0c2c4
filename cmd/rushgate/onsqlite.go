package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/filelock"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// emptyTimeout is how long a database may take to say that nothing is in it.
const emptyTimeout = 5 * time.Second

// withSQLite opens the database of a data folder for one job; the error wraps [sqlite.ErrLocked] if a node has it. With
// create set, folder and database are made if they are missing; what was made goes again if the job fails and has put
// nothing into it.
func withSQLite(ctx context.Context, dir string, create bool, job func(*sqlite.Store) error) (err error) {
	before := lookInto(dir)
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return errors.Join(fmt.Errorf("data folder: %w", err), before.restore())
		}
	} else if !before.database {
		return fmt.Errorf("no players are kept in %s, is --data right? (%w)", dir, fs.ErrNotExist)
	}
	store, err := server.OpenDatabase(ctx, dir, nil)
	if errors.Is(err, sqlite.ErrLocked) {
		return fmt.Errorf("a node is using %s; stop it first (%w)", dir, err)
	}
	if err != nil {
		return errors.Join(err, before.restore())
	}
	err = job(store)
	unused := err != nil && !before.database && isEmpty(ctx, store)
	if e := store.Close(); e != nil || !unused {
		return errors.Join(err, e)
	}
	return errors.Join(err, before.restore())
}

// isEmpty reports whether a database has neither accounts nor anything that operators have decided. That something was
// refused may be in its audit log.
func isEmpty(ctx context.Context, store *sqlite.Store) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), emptyTimeout)
	defer cancel()
	if names, _, err := store.Usernames(ctx, "", "", 1); err != nil || len(names) > 0 {
		return false
	}
	for _, name := range movedValues() {
		if value, err := store.Shared(ctx, name); err != nil || value != nil {
			return false
		}
	}
	return true
}

// folderState is what there was of a data folder before a command began.
type folderState struct {
	dir      string
	missing  []string // dir and the folders above it that were not there, the innermost first
	database bool     // there was one
	names    []string // in it
}

func lookInto(dir string) (s folderState) {
	s.dir = dir
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		s.missing = append(s.missing, at)
	}
	_, err := os.Stat(filepath.Join(dir, server.DatabaseName))
	s.database = !errors.Is(err, fs.ErrNotExist)
	entries, _ := os.ReadDir(dir) // what cannot be read is not changed either
	for _, e := range entries {
		s.names = append(s.names, e.Name())
	}
	return s
}

// restore removes the database that was made since, with the folders, unless another process has it meanwhile. Beside a
// database that was there only a new lock goes. What other processes have put there stays.
func (s *folderState) restore() error {
	if err := s.restoreDatabase(); err != nil {
		return err
	}
	for _, dir := range s.missing {
		if os.Remove(dir) != nil { // something else is in it
			break
		}
	}
	return nil
}

// restoreDatabase is restore but for the folders. The lock goes last: what comes after it may be another process's.
func (s *folderState) restoreDatabase() error {
	name := filepath.Join(s.dir, server.DatabaseName) + ".lock"
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil // nor is there a database, whose lock is made first
	}
	lock, err := filelock.Acquire(name)
	if errors.Is(err, filelock.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	if !s.database {
		err = s.removeMade(filepath.Base(name))
	}
	if slices.Contains(s.names, filepath.Base(name)) {
		return errors.Join(err, lock.Close())
	}
	return errors.Join(err, filelock.Remove(lock))
}

// removeMade removes the files of a database that were not there before, but for its lock.
func (s *folderState) removeMade(lock string) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, server.DatabaseName) && name != lock && !slices.Contains(s.names, name) {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, name)))
		}
	}
	return err
}
