package sqlite

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

// partLock matches the name of such a lock.
var partLock = regexp.MustCompile(`.\.part-[a-z2-7]{10}\.lock$`)

// part is a copy that is being written.
type part struct {
	name string
	lock *os.File
}

// newPart makes an empty file beside a path, readable by its owner only, and removes those that copies to the same
// folder have left there whose processes have died.
func newPart(beside string) (p *part, err error) {
	dir := filepath.Dir(beside)
	removeAbandoned(dir)
	for range partTries {
		name := beside + partInfix + strings.ToLower(rand.Text()[:10])
		lock, err := filelock.Acquire(name + lockSuffix)
		if errors.Is(err, filelock.ErrLocked) { // another took it for abandoned before it was locked
			continue
		}
		if err != nil {
			return nil, err
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

// drop removes the copy, unless it has another name by then, and its lock.
func (p *part) drop() error {
	var err error
	for _, suffix := range []string{"", "-journal"} { // which SQLite has while it writes
		if e := os.Remove(p.name + suffix); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, filelock.Remove(p.lock))
}

// removeAbandoned removes copies from a folder whose processes have died, as far as it can: no copy is to fail for what
// is left of another.
func removeAbandoned(dir string) {
	entries, _ := os.ReadDir(dir) // of a folder that cannot be listed, nothing is removed
	for _, e := range entries {
		if !isPartLock(e) {
			continue
		}
		name := filepath.Join(dir, strings.TrimSuffix(e.Name(), lockSuffix))
		if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
			continue
		}
		if lock, err := filelock.Acquire(name + lockSuffix); err == nil {
			_ = (&part{name, lock}).drop()
		}
	}
}

// isPartLock reports whether a file is the lock of a copy, by its name and because it is empty. The folder may be full
// of other programs' files.
func isPartLock(e fs.DirEntry) bool {
	if !partLock.MatchString(e.Name()) || !e.Type().IsRegular() {
		return false
	}
	info, err := e.Info()
	return err == nil && info.Size() == 0
}
