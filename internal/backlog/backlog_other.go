//go:build !linux

package backlog

import "net"

// Of reports false: this system does not tell.
func Of(*net.TCPListener) (q Queue, ok bool) { return Queue{}, false }

// Lost reports false: this system does not tell.
func Lost() (lost Losses, ok bool) { return Losses{}, false }
