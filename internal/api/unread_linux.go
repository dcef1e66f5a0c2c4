package api

import (
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rushgate/rushgate/internal/peer"
)

// untaken returns how many bytes of what was written to a connection its client's kernel has not confirmed (tcp(7),
// SIOCOUTQ); 0 for what is no TCP.
func untaken(c net.Conn) (bytes int) {
	tcp, ok := peer.Raw(c).(*net.TCPConn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // which fails for a connection that is closed: nothing is kept for it
		if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			bytes = n
		}
	})
	return bytes
}

// giveUpUnread has the kernel drop a connection whose client takes nothing of what was sent for so long, also one that
// the node has closed meanwhile (tcp(7), TCP_USER_TIMEOUT).
func giveUpUnread(c *net.TCPConn, after time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
	})
}
