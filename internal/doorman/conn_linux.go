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

// room makes room for one more connection: that which has brought nothing for the longest goes, or the handshake that
// has waited for its client for the longest. It returns false if there is none, or none that has had time: the server
// behind knows of longer ones.
func (l *loop) room() bool {
	over := l.counts.own.Load() + l.out.Load() - int64(l.cfg.MaxConns)
	switch {
	case over < 0:
		return true
	case l.first != 0 && l.now.Sub(l.conns[l.first].since) >= brief:
		l.evictFirst()
		return true
	case l.hall == nil:
		return false
	case l.hall.evict(brief) || over < unshaken || l.hall.evict(0):
		return true
	case l.first != 0:
		l.evictFirst()
		return true
	}
	return false
}

func (l *loop) evictFirst() {
	l.counts.evicted.Add(1)
	l.drop(int(l.first))
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
	if !l.turnAway(fd, l.in[:n]) {
		l.remove(fd)
		l.handOver(fd, append([]byte(nil), l.in[:n]...))
	}
	return true
}

// turnAway answers a request that the door refuses, and returns false for any other.
func (l *loop) turnAway(fd int, b []byte) bool {
	refusal, page, refused := l.refuses(b, l.conns[fd].addr, &l.request)
	if !refused {
		return false
	}
	l.answer = l.cfg.Refuse(l.answer[:0], &refusal, page, l.request.last, l.now)
	// The send buffer is empty and takes an answer whole, unless the client has gone.
	_, _, _ = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&l.answer[0])),
		uintptr(len(l.answer)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	l.drop(fd)
	return true
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

// put appends a connection to those that have brought nothing yet.
func (l *loop) put(fd int) {
	c := &l.conns[fd]
	l.number++
	c.ours, c.number, c.since, c.prev, c.next = true, l.number, l.now, l.last, 0
	if l.last != 0 {
		l.conns[l.last].next = int32(fd)
	} else {
		l.first = int32(fd)
	}
	l.last = int32(fd)
	l.counts.own.Add(1)
}

// remove takes a connection from them.
func (l *loop) remove(fd int) {
	c := &l.conns[fd]
	if !c.ours {
		return
	}
	if c.prev != 0 {
		l.conns[c.prev].next = c.next
	} else {
		l.first = c.next
	}
	if c.next != 0 {
		l.conns[c.next].prev = c.prev
	} else {
		l.last = c.prev
	}
	c.ours = false
	l.counts.own.Add(-1)
}

// expire closes the connections that have brought nothing for too long.
func (l *loop) expire() {
	for l.first != 0 && l.left() <= 0 {
		l.counts.silent.Add(1)
		l.drop(int(l.first))
	}
}

// left returns how long the first connection may still bring nothing.
func (l *loop) left() time.Duration {
	since := l.conns[l.first].since
	if left := silence - l.now.Sub(since); left > 0 {
		return left
	}
	return silence - l.cfg.Since(since) // the process may have stood still
}

// nextEnd returns when the next connection is to be closed; the zero time if there is none.
func (l *loop) nextEnd() time.Time {
	if l.first == 0 {
		return time.Time{}
	}
	return l.now.Add(l.left())
}

func (l *loop) closeAll() {
	for l.first != 0 {
		l.drop(int(l.first))
	}
}
