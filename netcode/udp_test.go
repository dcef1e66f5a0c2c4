package netcode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

func listenUDP(tb testing.TB, addr string) *UDPConn {
	tb.Helper()
	c, err := ListenUDP(addr, UDPOptions{})
	if err != nil {
		if netip.MustParseAddrPort(addr).Addr().Is6() {
			tb.Skipf("no IPv6 here: %v", err)
		}
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// messages returns n messages with room for size bytes each.
func messages(n, size int) []Message {
	ms := make([]Message, n)
	for i := range ms {
		ms[i].Buf = make([]byte, size)
	}
	return ms
}

// outgoing returns n messages to addr that carry their number.
func outgoing(n int, addr netip.AddrPort) []Message {
	ms := messages(n, 40)
	for i := range ms {
		binary.LittleEndian.PutUint32(ms[i].Buf, uint32(i))
		ms[i].N = 4 + i%36
		ms[i].Addr = addr
	}
	return ms
}

// receive reads until n datagrams have come.
func receive(t *testing.T, c *UDPConn, n, size int) []Message {
	t.Helper()
	var all []Message
	for len(all) < n {
		ms := messages(32, size)
		got, err := c.ReadBatch(ms, time.Now().Add(time.Minute))
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v", len(all), n, err)
		}
		all = append(all, ms[:got]...)
	}
	return all
}

func checkReceived(t *testing.T, got, sent []Message, from netip.AddrPort) {
	t.Helper()
	if len(got) != len(sent) {
		t.Fatalf("received %d datagrams, want %d", len(got), len(sent))
	}
	for i := range got {
		g, s := got[i], sent[i]
		if g.Addr != from || g.N != s.N || !bytes.Equal(g.Buf[:g.N], s.Buf[:s.N]) {
			t.Fatalf("datagram %d: %d bytes from %v: %x, want %x from %v", i, g.N, g.Addr, g.Buf[:g.N], s.Buf[:s.N], from)
		}
	}
}

func TestUDPRoundTrip(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			a, b := listenUDP(t, addr), listenUDP(t, addr)
			for range 3 {
				sent := outgoing(100, b.LocalAddr())
				if n, err := a.WriteBatch(sent); n != 100 || err != nil {
					t.Fatalf("sent %d of 100, error %v", n, err)
				}
				checkReceived(t, receive(t, b, 100, 64), sent, a.LocalAddr())
			}
		})
	}
}

// A socket for both families shows IPv4 addresses as what they are, and answers them.
func TestUDPDualStack(t *testing.T) {
	both, four := listenUDP(t, "[::]:0"), listenUDP(t, "127.0.0.1:0")
	sent := outgoing(3, netip.AddrPortFrom(four.LocalAddr().Addr(), both.LocalAddr().Port()))
	if n, err := four.WriteBatch(sent); n != 3 || err != nil {
		t.Fatalf("sent %d of 3, error %v", n, err)
	}
	got := receive(t, both, 3, 64)
	checkReceived(t, got, sent, four.LocalAddr())
	if n, err := both.WriteBatch(got); n != 3 || err != nil {
		t.Fatalf("answered %d of 3, error %v", n, err)
	}
	checkReceived(t, receive(t, four, 3, 64), sent, sent[0].Addr)
}

func TestListenUDPAddress(t *testing.T) {
	c := listenUDP(t, "0.0.0.0:0")
	if a := c.LocalAddr(); !a.Addr().Is4() || a.Port() == 0 {
		t.Errorf("listening on 0.0.0.0:0 gave %v", a)
	}
	if c, err := ListenUDP(c.LocalAddr().String(), UDPOptions{}); err == nil {
		_ = c.Close()
		t.Error("listened twice on one port")
	}
	if _, err := ListenUDP("127.0.0.1", UDPOptions{}); err == nil {
		t.Error("listened without a port")
	}
}

// A datagram longer than its room is told apart from one that just fits.
func TestUDPTruncation(t *testing.T) {
	a, b := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	ms := messages(3, 200)
	for i, n := range []int{100, 101, 0} {
		ms[i].N, ms[i].Addr = n, b.LocalAddr()
	}
	if n, err := a.WriteBatch(ms); n != 3 || err != nil {
		t.Fatalf("sent %d, error %v", n, err)
	}
	got := receive(t, b, 3, 100)
	if got[0].N != 100 || got[1].N != 101 || got[2].N != 0 {
		t.Errorf("with room for 100: %d, %d and %d bytes, want 100, 101 and 0", got[0].N, got[1].N, got[2].N)
	}
}

// What the network refuses does not take along what follows.
func TestUDPSkipsRefused(t *testing.T) {
	a, b := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	const n = 150 // more than one system call
	ms := outgoing(n, b.LocalAddr())
	var want []Message
	for i := range ms {
		switch i % 5 {
		case 1:
			ms[i].Addr = netip.AddrPort{}
		case 2:
			ms[i].Addr = netip.MustParseAddrPort("[2001:db8::1]:9") // not from an IPv4 socket
		case 3:
			ms[i].Buf = make([]byte, 70_000) // more than UDP can carry
			ms[i].N = len(ms[i].Buf)
		default:
			want = append(want, ms[i])
		}
	}
	if got, err := a.WriteBatch(ms); got != len(want) || err != nil {
		t.Errorf("sent %d, error %v, want %d", got, err, len(want))
	}
	checkReceived(t, receive(t, b, len(want), 64), want, a.LocalAddr())
	if got, err := a.WriteBatch(ms[1:4]); got != 0 || err != nil {
		t.Errorf("nothing but refused ones: sent %d, error %v", got, err)
	}
}

func TestUDPDeadline(t *testing.T) {
	a, b := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	ms := messages(4, 64)
	expire := func(deadline time.Time) {
		t.Helper()
		n, err := b.ReadBatch(ms, deadline)
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %d, error %v, want os.ErrDeadlineExceeded", n, err)
		}
		if time.Now().Before(deadline) {
			t.Fatalf("returned %v too early", time.Until(deadline))
		}
	}
	past := time.Now().Add(-time.Hour)
	expire(past)
	expire(time.Now().Add(5 * time.Millisecond))
	expire(past)
	expire(time.Now().Add(10 * time.Millisecond)) // the socket's timer has ended, and must be set again

	one := outgoing(1, b.LocalAddr())
	send := func() {
		if n, err := a.WriteBatch(one); n != 1 || err != nil {
			t.Errorf("sent %d, error %v", n, err)
		}
	}
	var wg sync.WaitGroup
	for _, deadline := range []time.Time{{}, time.Now().Add(time.Hour)} {
		wg.Go(send)
		if n, err := b.ReadBatch(ms, deadline); n != 1 || err != nil {
			t.Fatalf("deadline %v: read %d, error %v", deadline, n, err)
		}
	}
	wg.Wait()
	expire(time.Now().Add(5 * time.Millisecond)) // sooner than the hour before

	send()
	for { // loopback may take its time on some systems
		n, err := b.ReadBatch(ms, past)
		if n == 1 && err == nil {
			break
		}
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("deadline in the past: read %d, error %v", n, err)
		}
	}
}

func TestUDPClose(t *testing.T) {
	for range 50 {
		c := listenUDP(t, "127.0.0.1:0")
		result := make(chan error)
		go func() {
			_, err := c.ReadBatch(messages(1, 64), time.Time{})
			result <- err
		}()
		for range 2 {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-result; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("reader woke with %v, want net.ErrClosed", err)
		}
		_, readErr := c.ReadBatch(messages(1, 64), time.Now().Add(-time.Hour))
		_, writeErr := c.WriteBatch(outgoing(1, c.LocalAddr()))
		if !errors.Is(readErr, net.ErrClosed) || !errors.Is(writeErr, net.ErrClosed) {
			t.Fatalf("after Close: read error %v, write error %v", readErr, writeErr)
		}
	}
}

// Many goroutines send at once, more than there are vectors to keep, and nothing of one shows up in another's.
func TestUDPConcurrentWrites(t *testing.T) {
	const writers, each = 24, 40
	a, b := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	permits := make(chan struct{}, 4) // so many batches on their way that the socket's buffer cannot overflow
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			ms := outgoing(each, b.LocalAddr())
			for i := range ms {
				ms[i].N = 8
				binary.LittleEndian.PutUint32(ms[i].Buf[4:], uint32(w))
			}
			for half := range 2 {
				permits <- struct{}{}
				if n, err := a.WriteBatch(ms[half*each/2:][:each/2]); n != each/2 || err != nil {
					t.Errorf("sent %d of %d, error %v", n, each/2, err)
				}
			}
		})
	}
	var next [writers]uint32
	for received := 0; received < writers*each; {
		ms := messages(32, 64)
		n, err := b.ReadBatch(ms, time.Now().Add(time.Minute))
		if err != nil {
			t.Fatalf("after %d datagrams: %v", received, err)
		}
		for _, m := range ms[:n] {
			i, w := binary.LittleEndian.Uint32(m.Buf), binary.LittleEndian.Uint32(m.Buf[4:])
			if m.N != 8 || i != next[w] {
				t.Fatalf("datagram %d of writer %d, want %d", i, w, next[w])
			}
			next[w]++
			if received++; received%(each/2) == 0 {
				<-permits
			}
		}
	}
	wg.Wait()
}
