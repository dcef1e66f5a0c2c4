//go:build !linux && !darwin

package stress

// fileLimit returns how many files the process may open, if that is known.
func fileLimit() (limit uint64, known bool) { return 0, false }
