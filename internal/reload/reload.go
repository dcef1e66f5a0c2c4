// Package reload has what a node has read from files read again: when it is told to, and when a file has changed.
//
// It goes by what is in a file, not by times or names: links that are swapped, as Kubernetes does with secrets, files
// that are moved over others, and files that are written in place all look alike. What has changed is left alone until
// it has stayed the same for one more look, so that a file half written, or a certificate whose key is still to come,
// is not taken for the new state. What cannot be used changes nothing, is told once, and tried again with every look.
package reload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// Interval is the time between two looks at the files.
	Interval = 2 * time.Second
	// maxFile bounds how much of a file is looked at, in bytes. What a node reads from a file is much smaller.
	maxFile = 4 << 20
)

// ErrNotRegular is wrapped by the error for what is not a regular file, such as a pipe, which can be read once only.
var ErrNotRegular = errors.New("not a regular file, which can be read once only")

// Subject is what a node has made of some files.
type Subject struct {
	// Name is what it is called in the log and in metrics.
	Name string
	// Files are the files that it is made of, one at least.
	Files []string
	// Load reads the files and goes by what they say, or returns an error and leaves everything as it was. It reports
	// whether that has changed anything.
	Load func() (changed bool, err error)
}

// Outcome is what became of the last time that a subject was read again.
type Outcome struct {
	// Name is that of the subject.
	Name string
	// Time is when it was; zero if it was not read again since the start.
	Time time.Time
	// Err says why what was read could not be used; nil if it could.
	Err error
}

// state is a subject with what is known of its files.
type state struct {
	Subject
	once  bool   // the files were not regular at the start, and are not read again
	taken string // what was in the files when they were last read
	seen  string // what was in the files at the last look
	told  string // the error in the log
	last  Outcome
}

// Watcher reads subjects again. Its methods may be called from many goroutines.
type Watcher struct {
	logger *slog.Logger

	mu       sync.Mutex // held while files are read
	subjects []*state

	outcomes sync.Mutex // guards last of all states, and is never held while files are read

	starting sync.Once
	stopping sync.Once
	stop     chan struct{}
	running  sync.WaitGroup
}

// New returns a watcher that does not look at anything yet. The logger must not be nil.
func New(logger *slog.Logger) *Watcher { return &Watcher{logger: logger, stop: make(chan struct{})} }

// Add has the watcher look after a subject. Before it reads the files for the first time, the caller takes their
// present state with [Look], so that no change is missed.
func (w *Watcher) Add(s Subject, before Seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outcomes.Lock()
	defer w.outcomes.Unlock()
	w.subjects = append(w.subjects, &state{
		Subject: s, once: before.once, taken: before.sum, seen: before.sum, last: Outcome{Name: s.Name},
	})
}

// Start begins to look at the files every [Interval], in a goroutine that lasts until Stop. Further calls, and a call
// after Stop, do nothing.
func (w *Watcher) Start() {
	w.starting.Do(func() {
		select {
		case <-w.stop:
		default:
			w.running.Go(w.run)
		}
	})
}

// Stop ends the looking and returns when it has ended. It is idempotent.
func (w *Watcher) Stop() {
	w.stopping.Do(func() { close(w.stop) })
	w.starting.Do(func() {}) // no Start comes after this
	w.running.Wait()
}

func (w *Watcher) run() {
	look := time.NewTicker(Interval)
	defer look.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-look.C:
			w.look()
		}
	}
}

// look reads again what has changed and is at rest.
func (w *Watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subjects {
		if s.once {
			continue
		}
		now := Look(s.Files...).sum
		atRest := now == s.seen
		s.seen = now
		if atRest && (now != s.taken || s.told != "") {
			_ = w.load(s, now) // which has told the log
		}
	}
}

// Reload reads everything again now, and returns what could not be used, each error with the name of the subject.
func (w *Watcher) Reload() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, s := range w.subjects {
		if s.once {
			w.logger.Warn("not read again: it was not a regular file at the start", "what", s.Name, "files", s.Files)
			continue
		}
		s.seen = Look(s.Files...).sum
		s.told = "" // the operator has asked, and is told again
		if err := w.load(s, s.seen); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, err))
		}
	}
	return errors.Join(errs...)
}

// load has a subject read, whose files look like that.
func (w *Watcher) load(s *state, seen string) error {
	changed, err := false, regular(s.Files)
	if err == nil {
		changed, err = s.Load()
	}
	w.outcomes.Lock()
	s.last.Time, s.last.Err = time.Now(), err
	w.outcomes.Unlock()
	switch {
	case err != nil && err.Error() != s.told:
		s.told = err.Error()
		w.logger.Error("cannot be used; the one before stays in use", "what", s.Name, "files", s.Files, "error", err)
	case err == nil:
		s.told, s.taken = "", seen
		if changed {
			w.logger.Info("read again, and in use from now on", "what", s.Name, "files", s.Files)
		}
	}
	return err
}

// Outcomes returns what became of the last time that each subject was read again, in the order in which they were
// added. It does not wait for files.
func (w *Watcher) Outcomes() []Outcome {
	w.outcomes.Lock()
	defer w.outcomes.Unlock()
	all := make([]Outcome, 0, len(w.subjects))
	for _, s := range w.subjects {
		all = append(all, s.last)
	}
	return all
}

// Seen is what some files looked like at a moment.
type Seen struct {
	sum  string
	once bool // one of them cannot be read twice
}

// Look returns what files look like now. What is not a regular file is not opened.
func Look(files ...string) Seen {
	sum, seen := sha256.New(), Seen{}
	for _, file := range files {
		content, err := hash(file)
		seen.once = seen.once || errors.Is(err, ErrNotRegular)
		fmt.Fprintf(sum, "%x %v\n", content, err != nil)
	}
	seen.sum = string(sum.Sum(nil))
	return seen
}

func hash(file string) ([]byte, error) {
	if err := regular([]string{file}); err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	sum := sha256.New()
	_, err = io.Copy(sum, io.LimitReader(f, maxFile))
	return sum.Sum(nil), err
}

// regular returns an error if one of some files is there but not a regular file. Merely opening a pipe may wait for
// ever.
func regular(files []string) error {
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s: %w", file, ErrNotRegular)
		}
	}
	return nil
}
