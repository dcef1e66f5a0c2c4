//go:build linux || darwin

package stress

import "syscall"

// fileLimit returns how many files the process may open. Package os has raised the soft limit to the hard one when the
// process started.
func fileLimit() (limit uint64, known bool) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return l.Cur, err == nil
}
