package doorman

import (
	"net"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// acceptOne returns the next connection that waits in the kernel, if there is one.
func (l *loop) acceptOne() (fd int, addr netip.Addr, ok bool) {
	var from unix.RawSockaddrInet6
	size := uint32(unsafe.Sizeof(from))
	r, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(l.fd), uintptr(unsafe.Pointer(&from)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 { // none, or one that has gone again, or there is no descriptor left: see room
		return 0, netip.Addr{}, false
	}
	switch from.Family {
	case unix.AF_INET6:
		addr = netip.AddrFrom16(from.Addr).Unmap()
	case unix.AF_INET:
		addr = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&from)).Addr)
	}
	return int(r), addr, true
}

// meet takes a connection in, or hands it over at once if that is where it belongs: the server behind knows what
// becomes of a newcomer for whom there is no room.
func (l *loop) meet(fd int, addr netip.Addr) {
	for fd >= len(l.conns) {
		l.conns = append(l.conns, conn{})
	}
	l.conns[fd].addr = addr
	if l.cfg.Passes != nil && l.cfg.Passes(addr) || !l.room() {
		l.handOver(fd, nil)
		return
	}
	l.put(fd)
}

const (
	// brief is how long a connection may bring nothing before it is the first to make room for another: what a client far
	// away sends takes a moment to come.
	brief = time.Second
	// unshaken is by how much MaxConns may be exceeded for the sake of handshakes, after which the server behind makes
	// room.
	unshaken = 64
)

// room makes room for one more connection: that which has brought nothing for the longest goes, or that which was last
// told of the line, for its client is not waiting for anything now; or the handshake that has waited for its client for
// the longest. It returns false if there is none, or none that has had time: the server behind knows of longer ones.
func (l *loop) room() bool {
	over := l.counts.own.Load() + l.out.Load() - int64(l.cfg.MaxConns)
	switch {
	case over < 0:
		return true
	case l.silent.first != 0 && l.now.Sub(l.conns[l.silent.first].since) >= brief:
		l.evict(l.silent.first)
		return true
	case l.kept.first != 0:
		l.evict(l.kept.first)
		return true
	case l.hall == nil:
		return false
	case l.hall.evict(brief) || over < unshaken || l.hall.evict(0):
		return true
	case l.silent.first != 0:
		l.evict(l.silent.first)
		return true
	}
	return false
}

func (l *loop) evict(fd int32) {
	l.counts.evicted.Add(1)
	l.drop(int(fd))
}

// serve reads what a connection has brought and deals with it. It returns false if the connection has brought nothing.
func (l *loop) serve(fd int) bool {
	if !l.conns[fd].ours { // dropped while its event was waiting
		return true
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&l.in[0])),
		uintptr(len(l.in)), unix.MSG_DONTWAIT, 0, 0)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return false
	case errno != 0 || n == 0: // broken, or the client has gone
		l.drop(fd)
		return true
	}
	if !l.respond(fd, l.in[:n]) {
		l.remove(fd)
		l.handOver(fd, append([]byte(nil), l.in[:n]...))
	}
	return true
}

// fewAnswers is after how many requests over a connection it is looked at whether its client takes the answers. The
// send buffer has room for as many, and each look costs a tenth of an answer.
const fewAnswers = 4

// respond answers a request that the door refuses, or that asks for the line, and returns false for any other.
func (l *loop) respond(fd int, b []byte) bool {
	c := &l.conns[fd]
	if c.answers++; c.answers%fewAnswers == 0 && untaken(fd) {
		return false // the server behind bounds what is kept for clients that ask, and take no answers
	}
	var ok bool
	if l.answer, ok = l.reply(l.answer[:0], b, c.addr, &l.request, l.now); !ok {
		return false
	}
	// The send buffer takes an answer whole, unless the client has gone.
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&l.answer[0])),
		uintptr(len(l.answer)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if l.request.asks && !l.request.last && errno == 0 && int(n) == len(l.answer) {
		l.keep(fd)
	} else {
		l.drop(fd)
	}
	return true
}

// untaken reports whether there is something of what was sent over a connection that its client's kernel has not
// confirmed (tcp(7), SIOCOUTQ). A request of a client that has read the answer before confirms that answer.
func untaken(fd int) bool {
	var bytes int32
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&bytes)))
	return errno != 0 || bytes > 0
}

// handOver gives a connection to the server behind, with what has been read of it.
func (l *loop) handOver(fd int, read []byte) {
	if l.conns[fd].watched {
		l.forget(fd)
	}
	l.conns[fd] = conn{}
	f := os.NewFile(uintptr(fd), "")
	c, err := net.FileConn(f) // a copy, known to the runtime's poller
	_ = f.Close()
	if err != nil { // out of descriptors
		l.counts.evicted.Add(1)
		return
	}
	if l.hall == nil {
		l.counts.handed.Add(1)
	}
	select {
	case l.next() <- l.pass(c, read):
	case <-l.closed:
		_ = c.Close() // the node stops
	}
}

// ahead reports whether there is room for another connection that is handed over.
func (l *loop) ahead() bool { return len(l.next()) < cap(l.next())-1 }

// receive has the handshake of a client begin that has begun to speak and is still there.
func (l *loop) receive(fd int, events uint32) {
	switch {
	case !l.conns[fd].ours:
	case events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0:
		l.drop(fd)
	case events&unix.EPOLLIN != 0 && l.ahead():
		l.remove(fd)
		l.handOver(fd, nil)
	}
}

// drop closes a connection.
func (l *loop) drop(fd int) {
	l.remove(fd)
	l.conns[fd] = conn{}
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}
