//go:build unix

package smallfile

import "syscall"

// atOnce has a pipe opened without waiting for who writes to it.
const atOnce = syscall.O_NONBLOCK
