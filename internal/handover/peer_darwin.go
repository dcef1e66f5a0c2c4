package handover

import (
	"net"

	"golang.org/x/sys/unix"
)

// peersKnown says whether the system tells which user's process is at the other end of a connection.
const peersKnown = true

// peerOf returns which process, of which user, is at the other end.
func peerOf(c *net.UnixConn) (p peer, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return p, err
	}
	var cred *unix.Xucred
	if e := raw.Control(func(fd uintptr) {
		if cred, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err == nil {
			p.pid, err = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		}
	}); e != nil {
		return p, e
	}
	if err != nil {
		return p, err
	}
	p.uid = int(cred.Uid)
	return p, nil
}
