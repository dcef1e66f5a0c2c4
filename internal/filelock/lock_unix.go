//go:build unix

package filelock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// removals is how often Acquire opens a file anew that was removed before it was locked.
const removals = 100

// Acquire takes an advisory lock on a file, made if it is not there, which closing the file or the death of the process
// gives back. The file itself stays then, unless [Remove] gives the lock back: nothing else may delete it, for two
// processes would lock two files of the same name.
func Acquire(name string) (*os.File, error) {
	for range removals {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		there, err := acquire(f)
		if there {
			return f, nil
		}
		_ = f.Close() // nothing was written to it
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w (%s)", ErrLocked, name) // by one after the other
}

// acquire locks an open file, and reports whether its name is still that of the same file.
func acquire(f *os.File) (there bool, err error) {
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return false, fmt.Errorf("%w (%s)", ErrLocked, f.Name())
	case err != nil:
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return isThere(f)
}

// isThere reports whether the name by which a file was opened is still its own.
func isThere(f *os.File) (bool, error) {
	held, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(held, there), err
}

// Remove deletes the file of a lock, which [Acquire] has returned, and gives the lock back. The file goes while it is
// locked: who has opened it before finds, once it has the lock, that the name is no longer that of the file.
func Remove(lock *os.File) error {
	there, err := isThere(lock)
	if there {
		err = os.Remove(lock.Name())
	}
	return errors.Join(err, lock.Close())
}
