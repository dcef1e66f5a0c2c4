package netcode

import (
	"errors"
	"syscall"
)

// isTooLong reports whether err is WSAEMSGSIZE, which a read on Windows returns beside a datagram that is longer than
// the buffer.
func isTooLong(err error) bool { return errors.Is(err, syscall.Errno(10040)) }
