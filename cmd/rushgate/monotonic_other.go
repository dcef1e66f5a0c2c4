//go:build !linux

package main

// monotonic is for service managers that there are on Linux only.
func monotonic() (usec int64, ok bool) { return 0, false }
