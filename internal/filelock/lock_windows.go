package filelock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// errSharingViolation is ERROR_SHARING_VIOLATION: someone else has the file open.
const errSharingViolation = syscall.Errno(32)

// Acquire opens a file for itself alone, until the file is closed or the process ends.
func Acquire(name string) (*os.File, error) {
	p, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(p, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, fmt.Errorf("%w (%s)", ErrLocked, name)
	}
	if err != nil {
		return nil, &os.PathError{Op: "lock", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}

// Remove deletes the file of a lock, which [Acquire] has returned, and gives the lock back. Windows keeps a file that is
// open: it goes once it is closed, unless another process has it by then, which is no error.
func Remove(lock *os.File) error {
	if err := lock.Close(); err != nil {
		return err
	}
	err := os.Remove(lock.Name())
	if errors.Is(err, errSharingViolation) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
