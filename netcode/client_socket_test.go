package netcode

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// watched is a socket that counts calls and can be made to fail.
type watched struct {
	net.Conn
	reads, deadlines int
	lag              time.Duration // by which deadlines are late
	failing          atomic.Bool
	failures         int   // reads that will fail
	end              error // of all reads
}

func (w *watched) Read(b []byte) (int, error) {
	w.reads++
	switch {
	case w.end != nil:
		return 0, w.end
	case w.failures > 0:
		w.failures--
		return 0, errors.New("refused")
	case w.failing.Load():
		return 0, errors.New("refused")
	}
	return w.Conn.Read(b)
}

func (w *watched) SetReadDeadline(t time.Time) error {
	w.deadlines++
	return w.Conn.SetReadDeadline(t.Add(w.lag))
}

// connectWatched is connect with a socket that is watched.
func connectWatched(t *testing.T) (*Client, *script, *watched) {
	t.Helper()
	network := memnet.New(memnet.Options{})
	token := tokenFor(t, nil)
	s := newScript(t, network, testServer, token)
	w := &watched{}
	a := knockWith(t.Context(), t, token, func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
		conn, err := dialOn(network)(ctx, server)
		w.Conn = conn
		return w, err
	})
	s.accept()
	return a.connected(), s, w
}

func TestClientSetsFewDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, w := connectWatched(t)
		w.reads, w.deadlines = 0, 0
		r := readAll(c)
		for i := range 1000 { // one second
			s.payload("x")
			if i%10 == 0 {
				c.Write([]byte("x"))
			}
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		c.Close()
		r.wait()
		if len(r.payloads) != 1000 || w.deadlines > 20 || w.reads > 1000+w.deadlines+1 {
			t.Errorf("%d payloads took %d reads and %d deadlines", len(r.payloads), w.reads, w.deadlines)
		}
	})
}

// On a machine so busy that every timer is late, silence still ends a connection.
func TestLateTimersDoNotPreventATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, w := connectWatched(t)
		start := time.Now()
		w.lag = 3 * sendInterval
		err, took := readAll(c).wait(), time.Since(start)
		if !errors.Is(err, StateError{StateTimedOut}) || took > 6*time.Second {
			t.Errorf("Read failed with %v after %v", err, took)
		}
		s.collect(0)
	})
}

// Reads that fail, for whatever reason, are silence: they end the connection no sooner than its timeout does, and the
// client does not spin meanwhile.
func TestFailingReadsAreSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, w := connectWatched(t)
		start := time.Now()
		w.reads = 0
		w.failing.Store(true)
		err, took := readAll(c).wait(), time.Since(start)
		if !errors.Is(err, StateError{StateTimedOut}) || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("Read failed with %v after %v", err, took)
		}
		if limit := int(took/sendInterval+2) * (maxReadErrors + 1); w.reads > limit {
			t.Errorf("%d reads, want %d at most", w.reads, limit)
		}
		s.collect(0)
	})
}

func TestConnectionSurvivesFailingReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, w := connectWatched(t)
		r := readAll(c)
		w.failing.Store(true)
		for range 40 {
			s.keepAlive()
			time.Sleep(sendInterval)
		}
		w.failing.Store(false)
		s.payload("still there")
		time.Sleep(2 * sendInterval)
		c.Close()
		if r.wait(); len(r.payloads) != 1 || r.payloads[0] != "still there" {
			t.Errorf("read %q, then %v", r.payloads, r.err)
		}
	})
}

// A few errors must not keep the client from what arrived with them.
func TestFewFailingReadsCostNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, w := connectWatched(t)
		buf := make([]byte, MaxPayload)
		for range 10 {
			s.payload("here")
			synctest.Wait()
			start := time.Now()
			w.failures = maxReadErrors / 2
			if n, err := c.Read(buf); string(buf[:n]) != "here" || err != nil || time.Since(start) != 0 {
				t.Fatalf("Read = %q, %v after %v", buf[:n], err, time.Since(start))
			}
			time.Sleep(2 * sendInterval)
		}
		c.Close()
	})
}

// Close ends the pause of a Read whose socket goes on failing; so does the context that of Dial.
func TestFailingReadsDoNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, w := connectWatched(t)
		w.failing.Store(true)
		r := readAll(c)
		synctest.Wait()
		start := time.Now()
		c.Close()
		if err := r.wait(); !errors.Is(err, net.ErrClosed) || time.Since(start) != 0 {
			t.Errorf("Read failed with %v after %v", err, time.Since(start))
		}
		s.collect(0)

		ctx, cancel := context.WithCancel(t.Context())
		a := knockWith(ctx, t, tokenFor(t, nil), func(context.Context, netip.AddrPort) (net.Conn, error) { return w, nil })
		synctest.Wait()
		cancel()
		a.fails(StateDisconnected, 0, StateSendingRequest, StateDisconnected)
	})
}

func TestEndOfTheSocketEndsTheConnection(t *testing.T) {
	for _, end := range []error{net.ErrClosed, io.EOF} {
		synctest.Test(t, func(t *testing.T) {
			c, s, w := connectWatched(t)
			start := time.Now()
			w.end = end
			if err := readAll(c).wait(); !errors.Is(err, end) || !errors.Is(err, StateError{StateDisconnected}) {
				t.Errorf("Read failed with %v, want %v", err, end)
			}
			if time.Since(start) != 0 {
				t.Errorf("ended after %v", time.Since(start))
			}
			s.collect(0)
		})
	}
}

// loopback is a plain UDP socket as a Conn.
type loopback struct{ *net.UDPConn }

func (l loopback) ReadBatch(ms []Message, deadline time.Time) (int, error) {
	if err := l.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, addr, err := l.ReadFromUDPAddrPort(ms[0].Buf)
	if err != nil {
		return 0, err
	}
	ms[0].N, ms[0].Addr = n, addr
	return 1, nil
}

func (l loopback) WriteBatch(ms []Message) (int, error) {
	_, err := l.WriteToUDPAddrPort(ms[0].Buf[:ms[0].N], ms[0].Addr)
	return 1, err
}

func (l loopback) LocalAddr() netip.AddrPort { return l.UDPConn.LocalAddr().(*net.UDPAddr).AddrPort() }

func listenLoopback(t testing.TB, port uint16) loopback {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return loopback{conn}
}

// connectLoopback returns a client connected to a script over real sockets. It may be silent for as long as it likes.
func connectLoopback(t testing.TB) (*Client, *script) {
	t.Helper()
	conn := listenLoopback(t, 0)
	token := tokenFor(t, func(s *TokenSpec) {
		s.Timeout = -1
		s.ExpiresAt = s.CreatedAt.Add(time.Hour)
		s.Addresses = []netip.AddrPort{conn.LocalAddr()}
	})
	s := scriptOn(t, conn, token)
	a := knockWith(context.Background(), t, token, nil)
	s.await(packetRequest)
	s.challenge()
	s.await(packetResponse)
	s.keepAlive()
	s.await(packetKeepAlive)
	c := a.connected()
	t.Cleanup(func() { c.Close() })
	return c, s
}

// await is expect in real time: whatever comes before, whenever it comes.
func (s *script) await(want packetType) {
	s.t.Helper()
	for {
		p, ok := s.next(time.Hour)
		if !ok {
			s.t.Fatal("nothing came")
		}
		if p.t == want {
			return
		}
	}
}

// A server that restarts refuses what comes meanwhile; that must not end the connections of those who wait for it.
func TestClientSurvivesRefusals(t *testing.T) {
	c, s := connectLoopback(t)
	addr := s.conn.LocalAddr()
	s.conn.Close()
	for c.failures == 0 {
		if err := c.Write([]byte("anybody there?")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.step(); err != nil {
			t.Fatal(err)
		}
	}
	s.conn = listenLoopback(t, addr.Port())
	s.payload("back again")
	buf := make([]byte, MaxPayload)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "back again" {
		t.Errorf("Read = %q, %v", buf[:n], err)
	}
}

func TestClientDoesNotAllocatePerPayload(t *testing.T) {
	const runs = 500
	c, s := connectLoopback(t)
	var packets [][]byte
	for range runs + 1 {
		packets = append(packets, s.seal(packetPayload, make([]byte, 400)))
	}
	socket, buf := s.conn.(loopback), make([]byte, MaxPayload)
	reads := testing.AllocsPerRun(runs, func() {
		_, _ = socket.WriteToUDPAddrPort(packets[0], s.client)
		packets = packets[1:]
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	})
	writes := testing.AllocsPerRun(runs, func() {
		if err := c.Write(buf[:200]); err != nil {
			t.Fatal(err)
		}
	})
	if reads != 0 || writes != 0 {
		t.Errorf("%v allocations for each Read, %v for each Write", reads, writes)
	}
}

func BenchmarkClientRead(b *testing.B) {
	c, s := connectLoopback(b)
	socket, buf, payload := s.conn.(loopback), make([]byte, MaxPayload), make([]byte, 400)
	aead, packet := newAEAD(&s.token.ServerToClient), make([]byte, 0, maxPacket)
	b.ReportAllocs()
	for b.Loop() {
		s.seq++
		packet = sealPacket(packet[:0], &s.scratch, aead, s.token.ProtocolID, packetPayload, s.seq, payload)
		_, _ = socket.WriteToUDPAddrPort(packet, s.client)
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClientWrite(b *testing.B) {
	c, _ := connectLoopback(b)
	payload := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Write(payload); err != nil {
			b.Fatal(err)
		}
	}
}
