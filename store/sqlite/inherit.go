package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrNotBegun is the error of every call before [Store.Begin] of a store that goes on in place of another process's.
var ErrNotBegun = errors.New("sqlite: store has not begun")

// trialTimeout bounds the trial of migrations, for which the writes of the other process wait: well below busyTimeout,
// after which they would fail.
const trialTimeout = 2 * time.Second

// Lock returns the file whose lock keeps other processes off the database: a process that is given a copy of it, with
// the store's other users out of the way, may go on in place of this one, see [Options].Inherited. The lock lasts for
// as long as any of them has it open. The file is the store's and must not be closed.
func (s *Store) Lock() *os.File { return s.lock }

// Begin opens the database of a store whose lock was inherited, brings its schema up to date, and has the store go on.
// The process that had it open before must have written all that it has to write, and must write no more. If that has
// to go on after all, what Begin has done is nothing that hinders it, unless the schema is newer by now: it is to be
// started anew then, as a version that knows the schema.
func (s *Store) Begin(ctx context.Context) error {
	s.mu.Lock()
	begun, closed := s.begun, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case begun:
		return nil
	}
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("sqlite: open %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) hasBegun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// couldBegin finds out whether the database can be opened and brought up to date, and changes nothing in it.
func (s *Store) couldBegin(ctx context.Context) error {
	if err := expect(s.path, true); err != nil {
		return err
	}
	if err := inspect(ctx, s.path, len(migrations)); err != nil {
		return err
	}
	return tryMigrations(ctx, s.path, migrations)
}

// tryMigrations carries out the migrations that a database has not seen yet, in a transaction that is rolled back.
func tryMigrations(ctx context.Context, file string, migrations []string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	db, err := sql.Open("sqlite", dataSource(file, false))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if version >= len(migrations) {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // what was tried is not to last
	for ; version < len(migrations); version++ {
		if _, err := tx.ExecContext(ctx, migrations[version]); err != nil {
			return fmt.Errorf("trial of the migration to schema version %d: %w", version+1, err)
		}
	}
	return nil
}
