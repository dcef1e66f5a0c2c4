package reload_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/reload"
)

// subject is two files that have to hold the same, as a certificate and its key have to belong together.
type subject struct {
	t      *testing.T
	dir    string
	used   string
	loads  int
	log    bytes.Buffer
	mu     sync.Mutex
	reload *reload.Watcher
}

func (s *subject) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *subject) load() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	a, err := os.ReadFile(filepath.Join(s.dir, "a"))
	b, err2 := os.ReadFile(filepath.Join(s.dir, "b"))
	switch {
	case err != nil || err2 != nil:
		return false, errors.Join(err, err2)
	case string(a) != string(b):
		return false, errors.New("they do not belong together")
	}
	changed := s.used != string(a)
	s.used = string(a)
	return changed, nil
}

// looks lets the watcher look n times.
func (s *subject) looks(n int) {
	time.Sleep(time.Duration(n) * reload.Interval)
	synctest.Wait()
}

func (s *subject) want(when, used string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used != used {
		s.t.Errorf("%s: %q is used, want %q; log:\n%s", when, s.used, used, s.log.String())
	}
}

func (s *subject) told(text string, times int) {
	s.t.Helper()
	if n := strings.Count(s.log.String(), text); n != times {
		s.t.Errorf("the log says %q %d times, want %d:\n%s", text, n, times, s.log.String())
	}
}

// watch starts a watcher of both files, which hold "1".
func watch(t *testing.T, run func(s *subject)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &subject{t: t, dir: dir, used: "1"}
		s.write("a", "1")
		s.write("b", "1")
		files := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
		s.reload = reload.New(slog.New(slog.NewTextHandler(&s.log, nil)))
		s.reload.Add(reload.Subject{Name: "pair", Files: files, Load: s.load}, reload.Look(files...))
		s.reload.Start()
		s.reload.Start()
		defer s.reload.Stop()
		run(s)
	})
}

func TestChangedFilesAreReadAgain(t *testing.T) {
	watch(t, func(s *subject) {
		s.looks(10)
		if s.loads != 0 {
			t.Errorf("files that have not changed were read %d times", s.loads)
		}
		s.write("a", "2") // as many bytes as before
		s.write("b", "2")
		s.looks(3)
		s.want("changed", "2")
		s.looks(10)
		if s.loads != 1 {
			t.Errorf("read %d times for one change", s.loads)
		}
		s.told("in use from now on", 1)
	})
}

// A certificate and its key are replaced one after the other. Until both are there, the old ones stay, and nothing bad
// is told of a moment.
func TestPairReplacedOneAfterTheOther(t *testing.T) {
	watch(t, func(s *subject) {
		s.write("a", "2")
		s.looks(1)
		s.write("b", "2")
		s.looks(3)
		s.want("with a moment between", "2")
		s.told("level=ERROR", 0)

		s.write("a", "3")
		s.looks(20)
		s.want("half replaced for long", "2")
		s.told("they do not belong together", 1)
		if o := s.reload.Outcomes()[0]; o.Err == nil || o.Name != "pair" || o.Time.IsZero() {
			t.Errorf("outcome %+v", o)
		}
		s.write("b", "3")
		s.looks(3)
		s.want("with long between", "3")
		if o := s.reload.Outcomes()[0]; o.Err != nil {
			t.Errorf("outcome %+v", o)
		}
	})
}

func TestFilesThatVanishAndComeBack(t *testing.T) {
	watch(t, func(s *subject) {
		away := filepath.Join(s.dir, "away")
		if err := os.Rename(filepath.Join(s.dir, "a"), away); err != nil {
			t.Fatal(err)
		}
		s.looks(5)
		s.want("gone", "1")
		s.told("level=ERROR", 1)
		if err := os.Rename(away, filepath.Join(s.dir, "a")); err != nil {
			t.Fatal(err)
		}
		s.looks(3)
		s.want("back", "1")
		if o := s.reload.Outcomes()[0]; o.Err != nil {
			t.Errorf("back as they were, and still %v", o.Err)
		}
	})
}

// Kubernetes replaces a link to the folder that the links to the files go through.
func TestLinksAreSwapped(t *testing.T) {
	watch(t, func(s *subject) {
		for _, version := range []string{"1", "2"} {
			if err := os.Mkdir(filepath.Join(s.dir, ".."+version), 0o700); err != nil {
				t.Fatal(err)
			}
			s.write(filepath.Join(".."+version, "a"), version)
			s.write(filepath.Join(".."+version, "b"), version)
		}
		link := func(to, name string) {
			next := filepath.Join(s.dir, "..next")
			if err := errors.Join(os.Symlink(to, next), os.Rename(next, filepath.Join(s.dir, name))); err != nil {
				t.Skip("no symbolic links here: ", err)
			}
		}
		link("..1", "..data")
		link(filepath.Join("..data", "a"), "a")
		link(filepath.Join("..data", "b"), "b")
		s.looks(3)
		if s.loads != 0 {
			t.Error("the same content behind links was read again")
		}
		link("..2", "..data")
		s.looks(3)
		s.want("links swapped", "2")
	})
}

// A signal of the operator is obeyed at once, and its outcome told each time.
func TestReloadAtOnce(t *testing.T) {
	watch(t, func(s *subject) {
		s.write("a", "2")
		s.write("b", "2")
		if err := s.reload.Reload(); err != nil {
			t.Fatal(err)
		}
		s.want("at once", "2")
		s.write("a", "3")
		for range 3 {
			if err := s.reload.Reload(); err == nil || !strings.Contains(err.Error(), "pair: they do not belong together") {
				t.Errorf("a bad file: %v", err)
			}
		}
		s.told("level=ERROR", 3)
		s.want("a bad file", "2")
	})
}

func TestStoppedWatcher(t *testing.T) {
	watch(t, func(s *subject) {
		s.reload.Stop()
		s.reload.Stop()
		s.reload.Start()
		s.write("a", "2")
		s.looks(5)
		if s.loads != 0 {
			t.Error("read after the end")
		}
	})
}

// What can be read once only is read once only: neither a look nor a signal waits for it.
func TestNotARegularFile(t *testing.T) {
	log := &bytes.Buffer{}
	w := reload.New(slog.New(slog.NewTextHandler(log, nil)))
	load := func() (bool, error) { t.Error("read"); return false, nil }
	w.Add(reload.Subject{Name: "device", Files: []string{os.DevNull}, Load: load}, reload.Look(os.DevNull))
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.Add(reload.Subject{Name: "file", Files: []string{path}, Load: load}, reload.Look(path))
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := w.Reload(); !errors.Is(err, reload.ErrNotRegular) || strings.Contains(err.Error(), "device") {
		t.Errorf("a folder in place of a file: %v", err)
	}
	if want := "not read again"; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %q of the device:\n%s", want, log)
	}
}

func TestReloadFromManyGoroutines(t *testing.T) {
	w := reload.New(slog.New(slog.DiscardHandler))
	path := filepath.Join(t.TempDir(), "file")
	n := 0
	w.Add(reload.Subject{Name: "file", Files: []string{path}, Load: func() (bool, error) { n++; return true, nil }},
		reload.Look(path))
	w.Start()
	defer w.Stop()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := w.Reload(); err != nil {
				t.Error(err)
			}
			_ = fmt.Sprint(w.Outcomes(), i)
		})
	}
	all.Wait()
	if n != 20 {
		t.Errorf("read %d times for 20 calls", n)
	}
}
