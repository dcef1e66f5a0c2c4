//go:build !linux && !darwin

package run

// cpuSeconds returns 0: it is not known.
func cpuSeconds() float64 { return 0 }

// peakRSS returns 0: it is not known.
func peakRSS() int64 { return 0 }
