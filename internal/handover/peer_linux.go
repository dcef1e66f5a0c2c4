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
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil {
		return p, e
	}
	if err != nil {
		return p, err
	}
	return peer{uid: int(cred.Uid), pid: int(cred.Pid)}, nil
}
