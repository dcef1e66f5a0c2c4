package backlog

import (
	"net"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Of returns the queue of a listener. It reports false if that is closed, or the system does not tell.
func Of(l *net.TCPListener) (q Queue, ok bool) {
	raw, err := l.SyscallConn()
	if err != nil {
		return Queue{}, false
	}
	var info *unix.TCPInfo
	if ctlErr := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); ctlErr != nil || err != nil {
		return Queue{}, false
	}
	// Of a socket that listens, these two fields are the queue's (tcp_get_info in the kernel, and what ss shows).
	return Queue{Length: int(info.Unacked), Limit: int(info.Sacked)}, info.Sacked > 0
}

// Lost returns what the kernel has dropped. It reports false if the system does not tell.
func Lost() (lost Losses, ok bool) {
	self, err := procfs.Self()
	if err != nil {
		return Losses{}, false
	}
	stat, err := self.Netstat()
	if err != nil || stat.ListenOverflows == nil || stat.ListenDrops == nil {
		return Losses{}, false
	}
	return Losses{Overflows: *stat.ListenOverflows, Drops: *stat.ListenDrops}, true
}
