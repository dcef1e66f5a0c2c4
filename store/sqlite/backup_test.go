package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate"
)

// makeAccount makes an account of a name.
func makeAccount(ctx context.Context, s *Store, name string) error {
	id, err := s.ReserveIDs(ctx, 1)
	if err != nil {
		return err
	}
	errs, err := s.CreateAccounts(ctx, []rushgate.Account{{ID: id, Username: name, PasswordHash: "hash of " + name}})
	return errors.Join(append(errs, err)...)
}

func hasAccount(t *testing.T, s *Store, name string) bool {
	t.Helper()
	got, err := s.LoadAccounts(t.Context(), []string{name})
	if err != nil || got[0].Err != nil {
		t.Fatal(err, got)
	}
	return got[0].ID != 0
}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// filesIn returns the names in a folder.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// A copy that is made while accounts are created has, for each, every one before it: it is the database of one moment.
func TestBackupWhileWriting(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "db"))
	name := func(n int64) string { return fmt.Sprintf("player%d", n) }
	var made atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	enough := make(chan struct{})
	go func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			if err := makeAccount(context.WithoutCancel(ctx), s, name(n)); err != nil {
				done <- err
				return
			}
			if made.Store(n); n == 50 {
				close(enough)
			}
		}
		done <- nil
	}()
	select {
	case <-enough:
	case err := <-done:
		t.Fatal(err)
	}
	copies := t.TempDir()
	to := filepath.Join(copies, "a copy?.db")
	before := made.Load()
	t.Chdir(copies) // a name without a folder is one in the present one
	if err := Backup(t.Context(), s.path, filepath.Base(to), nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := filesIn(t, copies); len(got) != 1 {
		t.Errorf("the folder of the copy has %q", got)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the copy is %v, %v; nobody else may read it", info.Mode(), err)
	}

	copied := openAt(t, to)
	last := int64(0)
	for n := int64(1); n <= made.Load(); n++ {
		switch there := hasAccount(t, copied, name(n)); {
		case there && last == n-1:
			last = n
		case there:
			t.Fatalf("the copy has player %d and not %d", n, last+1)
		}
	}
	if last < before {
		t.Errorf("the copy has %d players, want the %d who were there before it was begun", last, before)
	}
	if err := makeAccount(t.Context(), copied, "newcomer"); err != nil {
		t.Errorf("the copy takes no player: %v", err)
	}
}

func TestBackupRefusals(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, "db"))
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(filesIn(t, dir))
	ended, end := context.WithCancel(t.Context())
	end()
	for name, test := range map[string]struct {
		ctx      context.Context
		from, to string
		want     error
	}{
		"a file that is there": {t.Context(), s.path, there, fs.ErrExist},
		"no database":          {t.Context(), filepath.Join(dir, "none"), filepath.Join(dir, "new"), ErrMissing},
		"a foreign file":       {t.Context(), there, filepath.Join(dir, "new"), ErrMissing}, // too short for one
		"a folder that is not": {t.Context(), s.path, filepath.Join(dir, "no", "new"), fs.ErrNotExist},
		"nobody waits for it":  {ended, s.path, filepath.Join(dir, "new"), context.Canceled},
	} {
		if err := Backup(test.ctx, test.from, test.to, nil); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if got := filesIn(t, dir); len(got) != before {
		t.Errorf("left behind: %q", got)
	}
	if got, err := os.ReadFile(there); err != nil || string(got) != "precious" {
		t.Errorf("the file that was there is %q, %v", got, err)
	}
}

// A database is restored with what the copy has, and what was there before stays beside it, its log included.
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "db"), filepath.Join(dir, "copy")
	s := openAt(t, path)
	if err := makeAccount(t.Context(), s, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := Backup(t.Context(), path, copied, nil); err != nil {
		t.Fatal(err)
	}
	if err := makeAccount(t.Context(), s, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), copied, path, nil); !errors.Is(err, ErrLocked) {
		t.Fatalf("beside a store that is open: %v, want %v", err, ErrLocked)
	}
	killed := t.TempDir() // as it would be found after kill -9
	for _, suffix := range []string{"", "-wal"} {
		file, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(killed, "db"+suffix), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(killed, "db")
	aside, err := Restore(t.Context(), copied, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(aside, path+".before-") {
		t.Errorf("what was there is %q", aside)
	}
	restored, was := openAt(t, path), openAt(t, aside)
	if !hasAccount(t, restored, "alice") || hasAccount(t, restored, "bob") {
		t.Error("the restored database is not the copy")
	}
	if !hasAccount(t, was, "alice") || !hasAccount(t, was, "bob") {
		t.Error("what was there before has lost a player")
	}
}

// Where there is no database, perhaps with the log of one that is gone, a copy can be restored.
func TestRestoreWhereNoneIs(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, "db"))
	if err := makeAccount(t.Context(), s, "alice"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(s.files.logPath())
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "copy")
	if err := Backup(t.Context(), s.path, copied, nil); err != nil {
		t.Fatal(err)
	}
	if err := makeAccount(t.Context(), s, "bob"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path+"-wal", log, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), copied, path, nil); err != nil {
		t.Fatal(err)
	}
	if restored := openAt(t, path); !hasAccount(t, restored, "alice") || hasAccount(t, restored, "bob") {
		t.Error("the restored database is not the copy")
	}
}

func TestRestoreRefusals(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "db"), filepath.Join(dir, "copy")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		if err := makeAccount(t.Context(), s, fmt.Sprintf("player%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Backup(t.Context(), path, copied, nil); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	newer := write("newer", whole)
	db, err := sql.Open("sqlite", newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA user_version = 1000`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		from string
		is   func(error) bool
	}{
		"none": {filepath.Join(dir, "none"), func(err error) bool { return errors.Is(err, ErrMissing) }},
		"foreign": {write("foreign", bytes.Repeat([]byte("text\n"), 200)),
			func(err error) bool { return errors.Is(err, ErrForeign) }},
		"cut off": {write("cut", whole[:len(whole)/2]), func(err error) bool { return err != nil }},
		"newer":   {newer, func(err error) bool { _, ok := errors.AsType[*SchemaError](err); return ok }},
		"itself":  {path, func(err error) bool { return err != nil }},
	} {
		if _, err := Restore(t.Context(), test.from, path, nil); !test.is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database has changed: %v", err)
	}
	for _, name := range filesIn(t, dir) {
		if strings.Contains(name, "part") || strings.Contains(name, "before") {
			t.Errorf("left behind: %s", name)
		}
	}
}

// Copies to one folder at once do not take each other for abandoned; one that is goes, also where only its lock was
// made. What other programs have there stays, and so does what cannot be removed, which is in no copy's way.
func TestAbandonedParts(t *testing.T) {
	dir := t.TempDir()
	inUse, err := newPart(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string, names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("", "b.part-abcdefghij", "b.part-abcdefghij-journal", "b.part-abcdefghij.lock", "c.part-klmnopq234.lock")
	foreign := []string{
		"d.part-abcdefghij", "e.lock", "f.sql.part-3", "f.sql.part-3.lock",
		"g.part-abcdefghij1.lock", "h.part-ABCDEFGHIJ.lock",
		"i.part-abcdefghij", "i.part-abcdefghij.lock", "k.part-abcdefghij", "k.part-abcdefghij.lock",
	}
	write("of another program", foreign[:8]...)
	write("", foreign[9])
	if err := os.Mkdir(filepath.Join(dir, foreign[8]), 0o700); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			p, err := newPart(filepath.Join(dir, "x"))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(p.name); err != nil {
				t.Errorf("a part that is being written: %v", err)
			}
			if err := p.drop(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	a := filepath.Base(inUse.name)
	if got := filesIn(t, dir); !slices.Equal(got, append([]string{a, a + ".lock"}, foreign...)) {
		t.Errorf("left are %q", got)
	}
	if err := inUse.drop(); err != nil {
		t.Error(err)
	}
}
