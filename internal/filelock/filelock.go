// Package filelock keeps two processes off the same files.
package filelock

import "errors"

// ErrLocked refuses a lock that another process, or this one, holds.
var ErrLocked = errors.New("in use by another process")
