//go:build !windows && (!linux || netcode_portable)

package netcode

// isTooLong reports whether err says that a datagram is longer than the buffer. Only Windows has such an error.
func isTooLong(error) bool { return false }
