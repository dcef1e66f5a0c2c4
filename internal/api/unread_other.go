//go:build !linux

package api

import (
	"net"
	"time"
)

// giveUpUnread leaves it to the deadlines of writing, which do not reach what the kernel has taken already.
func giveUpUnread(*net.TCPConn, time.Duration) {}

// untaken returns 0: how much waits for a client is not known here, and bounded for each connection only.
func untaken(net.Conn) int { return 0 }
