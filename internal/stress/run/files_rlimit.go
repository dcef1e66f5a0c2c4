//go:build linux || darwin

package run

import "syscall"

// raiseFileLimit returns how many files the process may open. Package os has raised the soft limit to the hard one when
// the process started; if that is not enough, the hard one is raised too, which takes the privilege to do so.
func raiseFileLimit(need uint64) (limit uint64, known bool) {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0, false
	}
	if need > l.Cur {
		if raised := (syscall.Rlimit{Cur: need, Max: max(need, l.Max)}); syscall.Setrlimit(syscall.RLIMIT_NOFILE,
			&raised) == nil {
			return need, true
		}
	}
	return l.Cur, true
}
