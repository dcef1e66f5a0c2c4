package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// watched is a store, what it logs, and its files.
type watched struct {
	*Store
	log  bytes.Buffer
	dir  string
	path string
}

// openWatched opens a store whose keeper looks only when a test has it look.
func openWatched(t *testing.T) *watched {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let files that are open be taken away")
	}
	w := &watched{dir: filepath.Join(t.TempDir(), "data")}
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.path = filepath.Join(w.dir, "rushgate.db")
	var err error
	w.Store, err = Open(t.Context(), w.path, Options{Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	w.keeper.stop()
	w.keeper.quit = make(chan struct{}) // Close stops it again
	t.Cleanup(func() { w.Close() })
	return w
}

// Whatever takes the database away, or puts another in its place, no write is answered as if it had been kept, and the
// store says so once.
func TestFilesThatAreTakenAway(t *testing.T) {
	for name, take := range map[string]func(w *watched) error{
		"the folder is deleted":        func(w *watched) error { return os.RemoveAll(w.dir) },
		"the folder is moved":          func(w *watched) error { return os.Rename(w.dir, w.dir+"-old") },
		"the database is deleted":      func(w *watched) error { return os.Remove(w.path) },
		"the log is deleted":           func(w *watched) error { return os.Remove(w.path + "-wal") },
		"the database is emptied":      func(w *watched) error { return os.Truncate(w.path, 0) },
		"another database is put here": func(w *watched) error { return replace(w.path) },
	} {
		t.Run(name, func(t *testing.T) {
			w := openWatched(t)
			if err := register(w.Store, 1); err != nil {
				t.Fatal(err)
			}
			if err := take(w); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := register(w.Store, 2); !errors.Is(err, ErrGone) {
					t.Errorf("a registration: %v", err)
				}
				if err := w.Ping(t.Context()); !errors.Is(err, ErrGone) {
					t.Errorf("a probe: %v", err)
				}
				w.keeper.look(time.Now())
			}
			if h := w.Health(); !h.Open || len(h.Warnings) != 1 || !strings.Contains(h.Warnings[0], ErrGone.Error()) {
				t.Errorf("health is %+v", h)
			}
			if n := strings.Count(w.log.String(), "\n"); n != 1 || !strings.Contains(w.log.String(), w.dir) {
				t.Errorf("it logs %q", w.log.String())
			}
		})
	}
}

// replace puts a copy of a file in its place.
func replace(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+"-copy", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+"-copy", path)
}

// When the files are back, so are the players, with all that was answered.
func TestFilesThatComeBack(t *testing.T) {
	w := openWatched(t)
	if err := register(w.Store, 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := os.Rename(w.dir, w.dir+"-old"); err != nil {
			t.Fatal(err)
		}
		w.keeper.look(time.Now())
		if err := register(w.Store, 2); !errors.Is(err, ErrGone) {
			t.Errorf("without its files: %v", err)
		}
		if err := os.Rename(w.dir+"-old", w.dir); err != nil {
			t.Fatal(err)
		}
		w.keeper.look(time.Now())
	}
	if h := w.Health(); h.Open || len(h.Warnings) > 0 {
		t.Errorf("health is %+v", h)
	}
	if err := register(w.Store, 2); err != nil {
		t.Errorf("with its files: %v", err)
	}
	if n := strings.Count(w.log.String(), "level="); n != 4 {
		t.Errorf("it logs %q", w.log.String())
	}
}

// A store does not begin empty where there were players.
func TestDatabaseThatIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rushgate.db")
	open := func(existing bool) error {
		s, err := Open(context.Background(), path, Options{Existing: existing})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	write := func(path string, b string) {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(true); !errors.Is(err, ErrMissing) {
		t.Errorf("no database: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the refused start has made a database (%v)", err)
	}
	write(path, "")
	if err := open(true); !errors.Is(err, ErrMissing) {
		t.Errorf("an empty database: %v", err)
	}
	write(path+"-wal", "what was written last")
	if err := open(false); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), path+"-wal") {
		t.Errorf("an empty database beside a log: %v", err)
	}
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	for _, existing := range []bool{false, true} { // after a start that was killed at once, then another
		if err := open(existing); err != nil {
			t.Errorf("existing %v: %v", existing, err)
		}
	}
}

// A reader that does not end, such as a backup or an operator's shell, makes the log grow. Afterwards it is short
// again, without a write and without a restart.
func TestLogAfterALongReader(t *testing.T) {
	w := openWatched(t)
	outside, err := sql.Open("sqlite", uri(w.path, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	reading, err := outside.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reading.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_schema`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	id := rushgate.PlayerID(1)
	for ; w.Health().LogBytes <= maxLog+maxLog/2; id += 100 {
		var ids []rushgate.PlayerID
		for i := range rushgate.PlayerID(100) {
			ids = append(ids, id+i)
		}
		if err := register(w.Store, ids...); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	look := func() int64 {
		now = now.Add(retryLog)
		w.keeper.look(now)
		return w.Health().LogBytes
	}
	look()
	if size := look(); size <= maxLog {
		t.Errorf("the log has %d bytes while a reader still needs it", size)
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	if size := look(); size > 0 {
		t.Errorf("the log has %d bytes after the reader", size)
	}
	if err := register(w.Store, id); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// While a reader is in the way, the keeper does not have writers wait for it.
func TestShorteningDoesNotWait(t *testing.T) {
	w := openWatched(t)
	var before, after int
	ask := func(to *int) {
		if err := w.writer.alone(func(ctx context.Context) error {
			return w.writer.conn.QueryRowContext(ctx, `PRAGMA busy_timeout`).Scan(to)
		}); err != nil {
			t.Fatal(err)
		}
	}
	ask(&before)
	if err := w.writer.truncateLog(); err != nil {
		t.Fatal(err)
	}
	if ask(&after); before != after || after == 0 {
		t.Errorf("busy_timeout was %d and is %d", before, after)
	}
}
