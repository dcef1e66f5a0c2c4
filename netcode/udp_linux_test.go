//go:build !netcode_portable

package netcode

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestUDPBufferSizes(t *testing.T) {
	c, err := ListenUDP("127.0.0.1:0", UDPOptions{ReadBuffer: 32 << 10, WriteBuffer: 24 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := c.ReadBuffer(); got != 32<<10 {
		t.Errorf("ReadBuffer is %d, want the %d asked for", got, 32<<10)
	}
	err = c.raw.Control(func(fd uintptr) {
		for option, want := range map[int]int{unix.SO_RCVBUF: 64 << 10, unix.SO_SNDBUF: 48 << 10} { // Linux doubles them
			if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option); got != want || err != nil {
				t.Errorf("option %d is %d, error %v, want %d", option, got, err, want)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// What is not granted is not reported either.
func TestUDPReadBufferIsWhatWasGranted(t *testing.T) {
	const asked = 1 << 30
	c, err := ListenUDP("127.0.0.1:0", UDPOptions{ReadBuffer: asked})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := c.ReadBuffer(); got <= 0 || got > asked {
		t.Errorf("asked for %d, ReadBuffer is %d", asked, got)
	}
}

// A full socket makes the sender wait, and loses nothing. Loopback UDP never is full, so this sends over a pair of Unix
// sockets, which fill up.
func TestUDPWaitsForRoom(t *testing.T) {
	a, b := unixPair(t)
	if err := a.SetWriteBuffer(1); err != nil { // the system's minimum, 4.5 KiB
		t.Fatal(err)
	}
	raw, err := a.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	v := newWriteVector(raw)
	const rounds = 30
	for i := range maxVector {
		v.add([]byte{byte(i)})
	}
	if err := raw.Control(v.try); err != nil || !v.again || v.sent == 0 || v.sent == maxVector {
		t.Fatalf("first try: sent %d of %d, again %t, error %v: want the socket full", v.sent, maxVector, v.again, err)
	}
	sender := make(chan error, 1)
	go func() {
		c := UDPConn{datagrams: datagrams{raw: raw}}
		if err := v.wait(); err != nil {
			sender <- err
			return
		}
		for range rounds - 1 {
			v.done, v.sent = 0, 0
			if err := c.send(v); err != nil || v.sent != maxVector {
				sender <- err
				return
			}
		}
		sender <- nil
	}()
	buf := make([]byte, 8)
	for i := range rounds * maxVector {
		if n, err := b.Read(buf); err != nil || n != 1 || buf[0] != byte(i%maxVector) {
			t.Fatalf("datagram %d: %x, error %v", i, buf[:n], err)
		}
	}
	if err := <-sender; err != nil {
		t.Error(err)
	}
}

func unixPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conns := make([]*net.UnixConn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns[i] = c.(*net.UnixConn)
	}
	return conns[0], conns[1]
}

func TestSockaddr(t *testing.T) {
	tests := []struct {
		addr, back   string
		four, six    uint32
		zoneOnSocket uint32
	}{
		{"10.1.2.3:258", "10.1.2.3:258", unix.SizeofSockaddrInet4, unix.SizeofSockaddrInet6, 0},
		{"[::ffff:10.1.2.3]:258", "10.1.2.3:258", unix.SizeofSockaddrInet4, unix.SizeofSockaddrInet6, 0},
		{"[2001:db8::1]:65535", "[2001:db8::1]:65535", 0, unix.SizeofSockaddrInet6, 0},
		{"[fe80::1%7]:1", "[fe80::1%7]:1", 0, unix.SizeofSockaddrInet6, 7},
		{"[fe80::1%lo]:1", "[fe80::1%1]:1", 0, unix.SizeofSockaddrInet6, 1},
		{"[fe80::1%no-such]:1", "[fe80::1]:1", 0, unix.SizeofSockaddrInet6, 0},
	}
	for _, tt := range tests {
		for ipv6, want := range map[bool]uint32{false: tt.four, true: tt.six} {
			var sa unix.RawSockaddrInet6
			size := toSockaddr(&sa, netip.MustParseAddrPort(tt.addr), ipv6)
			if size != want {
				t.Errorf("%s, IPv6 %t: size %d, want %d", tt.addr, ipv6, size, want)
			}
			if size == 0 {
				continue
			}
			if ipv6 && sa.Scope_id != tt.zoneOnSocket {
				t.Errorf("%s: scope %d, want %d", tt.addr, sa.Scope_id, tt.zoneOnSocket)
			}
			if back := fromSockaddr(&sa, new(zoneCache)); back != netip.MustParseAddrPort(tt.back) {
				t.Errorf("%s, IPv6 %t: back as %v", tt.addr, ipv6, back)
			}
		}
	}
	var sa unix.RawSockaddrInet6
	if size := toSockaddr(&sa, netip.AddrPort{}, true); size != 0 {
		t.Errorf("the zero address takes %d bytes", size)
	}
	if a := fromSockaddr(&sa, new(zoneCache)); a.IsValid() {
		t.Errorf("no family: %v", a)
	}
}

// Neither a batch nor a look for one that is not there feeds the garbage collector.
func TestUDPAllocations(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"} {
		t.Run(addr, func(t *testing.T) {
			from, to := listenUDP(t, addr), listenUDP(t, addr)
			out, in := outgoing(udpBatch, to.LocalAddr()), messages(udpBatch, 64)
			past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
			checkAllocs(t, "a batch written and read", 0, func() {
				if n, err := from.WriteBatch(out); n != udpBatch || err != nil {
					t.Fatalf("sent %d, error %v", n, err)
				}
				if n, err := to.ReadBatch(in, future); n != udpBatch || err != nil {
					t.Fatalf("received %d, error %v", n, err)
				}
				if n, err := to.ReadBatch(in, past); n != 0 || !isTimeout(err) {
					t.Fatalf("received %d, error %v", n, err)
				}
			})
		})
	}
}
