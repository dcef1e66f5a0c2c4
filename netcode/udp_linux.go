//go:build !netcode_portable

package netcode

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxVector is the number of datagrams of one system call at most. It bounds the time for which a call holds up the
// garbage collector, see rawVector.
const maxVector = 64

// datagrams reads and writes batches of datagrams with one system call each.
//
// golang.org/x/net/ipv4 can do that too, but allocates the address of every datagram received, and would feed the
// garbage collector exactly when an attacker floods the port. Here everything is allocated once.
type datagrams struct {
	raw        syscall.RawConn
	ipv6       bool // the socket takes IPv6 addresses, and IPv4 addresses in their 16-byte form
	wildcard   bool // it is bound to every address, and tells at which of them a datagram arrived
	readBuffer int

	in    *vector
	idle  chan *vector // for WriteBatch, of which several may run at once
	zones zoneCache
}

// maxIdleVectors is how many vectors are kept for later calls of WriteBatch, about 7 KiB each.
const maxIdleVectors = 16

func (d *datagrams) init(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	d.raw = raw
	d.wildcard = conn.LocalAddr().(*net.UDPAddr).IP.IsUnspecified()
	var optErr error
	if err := raw.Control(func(fd uintptr) { optErr = d.options(int(fd)) }); err != nil {
		return err
	}
	if optErr != nil {
		return optErr
	}
	d.in = newReadVector(raw)
	d.idle = make(chan *vector, maxIdleVectors)
	return nil
}

// options asks what there is to know of the socket, and for the local address of each datagram.
func (d *datagrams) options(fd int) error {
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	d.ipv6 = family == unix.AF_INET6
	d.readBuffer = size / 2 // the system doubles what it is asked for
	if !d.wildcard {
		return nil
	}
	if d.ipv6 { // for IPv4 datagrams too, with addresses in their 16-byte form
		err = unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1)
	} else {
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_PKTINFO, 1)
	}
	return os.NewSyscallError("setsockopt", err)
}

// ReadBatch implements Conn.
func (c *UDPConn) ReadBatch(ms []Message, deadline time.Time) (int, error) {
	if len(ms) == 0 {
		return 0, nil
	}
	v := c.in
	v.reset()
	for i := range ms[:min(len(ms), maxVector)] {
		v.add(ms[i].Buf)
		h := &v.headers[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		if c.wildcard {
			h.SetControllen(controlRoom)
		}
	}
	// First without the poller, which a busy socket never needs and which would refuse to read past the deadline.
	err := c.raw.Control(v.try)
	if err == nil && v.again {
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			err = os.ErrDeadlineExceeded
		} else {
			err = c.waitRead(deadline, v.wait)
		}
	}
	if err == nil && v.errno != 0 {
		err = os.NewSyscallError("recvmmsg", v.errno)
	}
	if err != nil {
		v.release()
		return 0, readError(err)
	}
	for i := range v.done {
		c.received(&ms[i], &v.headers[i], &v.names[i], &v.controls[i])
	}
	n := v.done
	v.release()
	return n, nil
}

// received fills in what the system call said of a datagram.
func (c *UDPConn) received(m *Message, h *mmsghdr, name *unix.RawSockaddrInet6, info *pktinfo) {
	m.N = int(h.n)
	if h.hdr.Flags&unix.MSG_TRUNC != 0 {
		m.N = len(m.Buf) + 1
	}
	m.Addr = fromSockaddr(name, &c.zones)
	m.Local = netip.Addr{}
	if c.wildcard {
		m.Local = info.local(int(h.hdr.Controllen))
	}
}

// WriteBatch implements Conn.
func (c *UDPConn) WriteBatch(ms []Message) (int, error) {
	var v *vector
	select {
	case v = <-c.idle:
	default:
		v = newWriteVector(c.raw)
	}
	sent := 0
	var err error
	for len(ms) > 0 && err == nil {
		n := min(len(ms), maxVector)
		v.reset()
		for i := range ms[:n] {
			if size := toSockaddr(&v.names[v.n], ms[i].Addr, c.ipv6); size > 0 {
				h := &v.headers[v.n].hdr
				h.Namelen = size
				h.SetControllen(0)
				if c.wildcard && ms[i].Local.IsValid() {
					h.SetControllen(v.controls[v.n].setLocal(ms[i].Local, c.ipv6))
				}
				v.add(ms[i].Buf[:ms[i].N])
			}
		}
		err = c.send(v)
		sent += v.sent
		v.release()
		ms = ms[n:]
	}
	select {
	case c.idle <- v:
	default:
	}
	if err != nil {
		return sent, fmt.Errorf("netcode: %w", err)
	}
	return sent, nil
}

// send sends what is in v. The lock of RawConn.Write would make the callers queue up, so it is taken only to wait for
// room in the socket's buffer.
func (c *UDPConn) send(v *vector) error {
	if err := c.raw.Control(v.try); err != nil || !v.again {
		return err
	}
	return v.wait()
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32 // bytes received or sent
}

// vector is the argument of one recvmmsg or sendmmsg and what goes with it. It lives on the heap, where the pointers
// between its parts stay good, and is used again and again; so are the functions that RawConn calls back.
type vector struct {
	headers [maxVector]mmsghdr
	iovecs  [maxVector]unix.Iovec
	names   [maxVector]unix.RawSockaddrInet6 // large enough for either family

	controls [maxVector]pktinfo

	n     int           // datagrams in the vector
	done  int           // of them received, or sent or skipped
	sent  int           // of them sent
	again bool          // the socket has nothing to read, or no room
	errno syscall.Errno // of a failed read

	try  func(fd uintptr)
	wait func() error
}

func newReadVector(raw syscall.RawConn) *vector {
	v := newVector()
	v.try = v.receive
	ready := func(fd uintptr) bool {
		v.receive(fd)
		return !v.again
	}
	v.wait = func() error { return raw.Read(ready) }
	return v
}

func newWriteVector(raw syscall.RawConn) *vector {
	v := newVector()
	v.try = v.transmit
	ready := func(fd uintptr) bool {
		v.transmit(fd)
		return !v.again
	}
	v.wait = func() error { return raw.Write(ready) }
	return v
}

func newVector() *vector {
	v := new(vector)
	for i := range v.headers {
		h := &v.headers[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&v.names[i]))
		h.Iov = &v.iovecs[i]
		h.Control = (*byte)(unsafe.Pointer(&v.controls[i])) // nothing as long as its length is 0
		h.SetIovlen(1)
	}
	return v
}

func (v *vector) reset() {
	v.n, v.done, v.sent, v.again, v.errno = 0, 0, 0, false, 0
}

// add makes buf the next datagram.
func (v *vector) add(buf []byte) {
	v.iovecs[v.n].Base = unsafe.SliceData(buf)
	v.iovecs[v.n].SetLen(len(buf))
	v.n++
}

// release forgets the caller's buffers.
func (v *vector) release() { clear(v.iovecs[:v.n]) }

// receive reads what has arrived.
func (v *vector) receive(fd uintptr) {
	for {
		n, errno := v.call(unix.SYS_RECVMMSG, fd)
		switch errno {
		case unix.EINTR:
		case unix.EAGAIN:
			v.again = true
			return
		default:
			v.done, v.again, v.errno = n, false, errno
			return
		}
	}
}

// transmit sends what has not been sent yet. The call stops at the first datagram that the system refuses
// (ECONNREFUSED, EPERM, ENETUNREACH, EMSGSIZE and so on). That one is lost, as it could have been on its way, and must
// not take along those for other destinations.
func (v *vector) transmit(fd uintptr) {
	v.again = false
	for v.done < v.n {
		n, errno := v.call(unix.SYS_SENDMMSG, fd)
		switch {
		case errno == unix.EAGAIN:
			v.again = true
			return
		case errno == unix.EINTR:
		case errno != 0 || n == 0:
			v.done++
		default:
			v.done += n
			v.sent += n
		}
	}
}

// call makes the system call for what is not done. The call never blocks, so the scheduler need not know of it:
// an ordinary Syscall would let it take the P away from a goroutine that is about to return, and the goroutine would
// have to wait for another. The price is that the garbage collector cannot stop the world during the call.
func (v *vector) call(trap, fd uintptr) (n int, errno syscall.Errno) {
	first := unsafe.Pointer(&v.headers[v.done])
	r, _, errno := unix.RawSyscall6(trap, fd, uintptr(first), uintptr(v.n-v.done), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// toSockaddr writes a for a socket of either family and returns the size, or 0 if the socket cannot send there.
func toSockaddr(sa *unix.RawSockaddrInet6, a netip.AddrPort, ipv6 bool) uint32 {
	ip := a.Addr()
	switch {
	case !ip.IsValid():
		return 0
	case ipv6:
		*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: ip.As16(), Scope_id: scopeID(ip.Zone())}
		putPort(&sa.Port, a.Port())
		return unix.SizeofSockaddrInet6
	case ip.Is4() || ip.Is4In6():
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		*sa4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: ip.Unmap().As4()}
		putPort(&sa4.Port, a.Port())
		return unix.SizeofSockaddrInet4
	default:
		return 0
	}
}

// fromSockaddr is the inverse; the address is invalid if the family is neither.
func fromSockaddr(sa *unix.RawSockaddrInet6, zones *zoneCache) netip.AddrPort {
	switch sa.Family {
	case unix.AF_INET:
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa4.Addr), port(&sa4.Port))
	case unix.AF_INET6:
		ip := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.Scope_id != 0 {
			ip = ip.WithZone(zones.name(sa.Scope_id))
		}
		return netip.AddrPortFrom(ip, port(&sa.Port))
	default:
		return netip.AddrPort{}
	}
}

// putPort and port write and read a field that is in network byte order.
func putPort(field *uint16, p uint16) {
	b := (*[2]byte)(unsafe.Pointer(field))
	b[0], b[1] = byte(p>>8), byte(p)
}

func port(field *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(field))
	return uint16(b[0])<<8 | uint16(b[1])
}

// zoneCache remembers the text of the last interface number seen; link-local neighbours share one as a rule.
type zoneCache struct {
	id   uint32
	text string
}

// name returns the zone of an interface, its number: names can change, and cost a system call.
func (z *zoneCache) name(id uint32) string {
	if z.id != id {
		z.id, z.text = id, strconv.FormatUint(uint64(id), 10)
	}
	return z.text
}

// scopeID returns the interface number of a zone that is a number or a name, 0 if there is no such interface.
func scopeID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if id, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(id)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}
