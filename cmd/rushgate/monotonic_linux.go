package main

import "golang.org/x/sys/unix"

// monotonic returns the time by the clock that the service manager goes by, in microseconds.
func monotonic() (usec int64, ok bool) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, false
	}
	return t.Nano() / 1000, true
}
