//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// copyOf returns another descriptor of a file, as a process has that it was sent to.
func copyOf(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}

// A store goes on in place of another that has the database open, reads what that has written, and keeps others out
// after that is closed.
func TestInherit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	old := openStore(t, path)
	if err := register(old, 1); err != nil {
		t.Fatal(err)
	}
	next, err := Open(t.Context(), path, Options{Inherited: copyOf(t, old.Lock())})
	if err != nil {
		t.Fatal(err)
	}
	if err := register(next, 2); !errors.Is(err, ErrNotBegun) {
		t.Errorf("before Begin: %v", err)
	}
	if _, err := next.LoadAccounts(t.Context(), []string{"player-1"}); !errors.Is(err, ErrNotBegun) {
		t.Errorf("reading before Begin: %v", err)
	}
	if next.Stats() != (Stats{}) || next.Health().LogBytes != 0 {
		t.Error("a store that has not begun has done something")
	}
	if err := register(old, 3); err != nil {
		t.Errorf("the old one is disturbed: %v", err)
	}
	for range 2 { // idempotent
		if err := next.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := register(next, 4); err != nil {
		t.Error(err)
	}
	if err := register(old, 5); err != nil { // that it has to go on after all
		t.Error(err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	if s, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a third store: %v, %v", s, err)
	}
	if err := register(next, 6); err != nil {
		t.Error(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	again := openStore(t, path)
	var n int
	if err := again.read.QueryRow(`SELECT count(*) FROM accounts`).Scan(&n); err != nil || n != 5 {
		t.Errorf("%d of 5 accounts are there: %v", n, err)
	}
}

// A store that never begins changes nothing, and gives the lock back.
func TestInheritAndClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	old := openStore(t, path)
	next, err := Open(t.Context(), path, Options{Inherited: copyOf(t, old.Lock())})
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if err := next.Begin(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Begin after Close: %v", err)
	}
	if err := register(old, 1); err != nil {
		t.Error(err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	openStore(t, path)
}

// What could not be opened is refused before the other store has stopped.
func TestInheritRefuses(t *testing.T) {
	newer := foreignFile(t, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID), `PRAGMA user_version = 99`,
		`CREATE TABLE t (x)`)
	lock, err := os.Create(newer + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), newer, Options{Inherited: lock})
	if newSchema := (*SchemaError)(nil); !errors.As(err, &newSchema) || newSchema.Found != 99 {
		t.Errorf("a newer schema: %v", err)
	}
	if _, err := lock.Stat(); err == nil {
		t.Error("the lock is still open")
	}
}

// The trial of migrations finds those that fail, and leaves nothing behind of those that succeed.
func TestTryMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	old := openStore(t, path)
	if err := register(old, 1); err != nil {
		t.Fatal(err)
	}
	more := append(append([]string(nil), migrations...), `CREATE TABLE more (x)`)
	if err := tryMigrations(t.Context(), path, more); err != nil {
		t.Error(err)
	}
	more = append(more, `CREATE TABLE accounts (x)`)
	if err := tryMigrations(t.Context(), path, more); err == nil || !strings.Contains(err.Error(),
		fmt.Sprintf("version %d", len(more))) {
		t.Errorf("a migration that fails: %v", err)
	}
	var n int
	err := old.read.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE name = 'more'`).Scan(&n)
	if err != nil || n != 0 {
		t.Errorf("the trial has left %d tables: %v", n, err)
	}
	if err := register(old, 2); err != nil {
		t.Error(err)
	}
}
