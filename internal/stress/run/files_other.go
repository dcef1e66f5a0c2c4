//go:build !linux && !darwin

package run

// raiseFileLimit returns how many files the process may open, if that is known.
func raiseFileLimit(uint64) (limit uint64, known bool) { return 0, false }
