package sqlite

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rushgate/rushgate/internal/filelock"
)

// The names of a copy that is being written, beside what it will be: NAME.part-RANDOM, and of its lock the same with
// lockSuffix. The lock is made before the copy and goes after it, so that what has a lock which nobody holds is of a
// process that has died.
const (
	partInfix  = ".part-"
	lockSuffix = ".lock"
	partTries  = 5
)

// part is a copy that is being written.
type part struct {
	name string
	lock *os.File
}

// newPart makes an empty file beside a path, readable by its owner only, and removes those that copies to the same
// folder have left there whose processes have died.
func newPart(beside string) (p *part, err error) {
	dir := filepath.Dir(beside)
	if err := removeAbandoned(dir); err != nil {
		return nil, err
	}
	for range partTries {
		name := beside + partInfix + strings.ToLower(rand.Text()[:10])
		lock, err := lockPart(name)
		if err != nil {
			return nil, err
		}
		if lock == nil { // another took it for abandoned before it was locked
			continue
		}
		p := &part{name, lock}
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, errors.Join(err, p.drop())
		}
		if err := file.Close(); err != nil {
			return nil, errors.Join(err, p.drop())
		}
		return p, nil
	}
	return nil, fmt.Errorf("other copies to %s are in the way again and again", dir)
}

// lockPart takes the lock of a copy, or returns nil if another process has it, or has removed it meanwhile.
func lockPart(name string) (*os.File, error) {
	lock, err := filelock.Acquire(name + lockSuffix)
	if errors.Is(err, filelock.ErrLocked) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	held, err := lock.Stat()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if there, err := os.Stat(name + lockSuffix); err != nil || !os.SameFile(held, there) {
		return nil, lock.Close()
	}
	return lock, nil
}

// drop removes the copy, unless it has another name by then, and its lock.
func (p *part) drop() error {
	var err error
	for _, suffix := range []string{"", "-journal"} { // which SQLite has while it writes
		if e := os.Remove(p.name + suffix); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	lock := p.name + lockSuffix
	removed := os.Remove(lock)
	err = errors.Join(err, p.lock.Close())
	if removed != nil { // Windows keeps a file that is open
		removed = os.Remove(lock)
	}
	return errors.Join(err, removed)
}

// removeAbandoned removes copies from a folder whose processes have died.
func removeAbandoned(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, locked := strings.CutSuffix(e.Name(), lockSuffix)
		if !locked || !strings.Contains(name, partInfix) || !e.Type().IsRegular() {
			continue
		}
		name = filepath.Join(dir, name)
		lock, err := lockPart(name)
		if err != nil {
			return fmt.Errorf("a copy that was not finished: %w", err)
		}
		if lock == nil {
			continue
		}
		if err := (&part{name, lock}).drop(); err != nil {
			return fmt.Errorf("a copy that was not finished: %w", err)
		}
	}
	return nil
}
