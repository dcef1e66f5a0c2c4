//go:build linux || darwin

package server

import "syscall"

// reservedFiles are the files a node needs besides its players' connections.
const reservedFiles = 256

// connLimit returns the lesser of what is wanted and what the process may open. (Go has raised the soft limit to the
// hard one by now.)
func connLimit(want int) int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(want)+reservedFiles <= l.Cur {
		return want
	}
	return max(int(l.Cur)-reservedFiles, 1)
}
