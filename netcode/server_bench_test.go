package netcode

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// nowhere is a Conn that takes everything and never has anything to read.
type nowhere struct{}

func (nowhere) ReadBatch([]Message, time.Time) (int, error) { return 0, net.ErrClosed }
func (nowhere) WriteBatch(ms []Message) (int, error)        { return len(ms), nil }
func (nowhere) LocalAddr() netip.AddrPort                   { return testServer }
func (nowhere) Close() error                                { return nil }

// silentHandler does nothing.
type silentHandler struct{}

func (silentHandler) Connected(*Peer)           {}
func (silentHandler) Received(*Peer, []byte)    {}
func (silentHandler) Disconnected(*Peer, error) {}

// crowd is a server that does not run, for single steps, with a number of confirmed clients.
type crowd struct {
	server *Server
	sc     scratch
	seq    []uint64 // of the next packet of each client
}

func newCrowd(t testing.TB, clients int) *crowd {
	s, err := NewServer(ServerConfig{
		Conn: nowhere{}, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
		MaxClients: clients,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = silentHandler{}
	s.now = time.Now()
	for n := range clients {
		h := &handshake{
			addr: clientAddr(n), clientID: uint64(n), use: &tokenUse{}, timeout: time.Hour,
			seal: newAEAD(&Key{byte(n), byte(n >> 8), 1}), open: newAEAD(&Key{byte(n), byte(n >> 8), 2}),
		}
		s.pending.put(h, s.clock)
		s.connect(h, &[UserDataSize]byte{})
		s.byAddr[h.addr].confirmed.Store(true)
	}
	return &crowd{server: s, seq: make([]uint64, clients)}
}

// fill puts the next payload of client n into m.
func (c *crowd) fill(m *Message, n int, payload []byte) {
	p := c.server.byAddr[clientAddr(n)]
	m.N = len(sealPacket(m.Buf[:0], &c.sc, p.open, testProtocol, packetPayload, c.seq[n], payload))
	m.Addr = p.addr
	c.seq[n]++
}

func TestReceivingAllocatesNothing(t *testing.T) {
	c := newCrowd(t, 16)
	payload := make([]byte, 100)
	before := c.server.Stats().PacketsReceived
	n := testing.AllocsPerRun(100, func() {
		for i := range c.server.in {
			c.fill(&c.server.in[i], i%16, payload)
		}
		c.server.tell(time.Now())
		c.server.receive(c.server.in)
		c.server.kick()
		c.server.pass()
		_ = c.server.out.flush()
	})
	if n != 0 {
		t.Errorf("%v allocations for %d payloads", n, readBatch)
	}
	got := c.server.Stats()
	if got.PacketsReceived-before != 101*readBatch || got.Ignored != (IgnoredStats{}) {
		t.Errorf("%d packets, ignored %+v", got.PacketsReceived-before, got.Ignored)
	}
}

func TestSendingAllocatesNothing(t *testing.T) {
	for _, confirmed := range []bool{true, false} {
		c := newCrowd(t, 16)
		b := c.server.NewBatch()
		payload := make([]byte, MaxPayload)
		for _, p := range c.server.slots {
			p.confirmed.Store(confirmed)
		}
		n := testing.AllocsPerRun(100, func() {
			for _, p := range c.server.slots {
				if err := b.Add(p, payload); err != nil {
					t.Fatal(err)
				}
			}
			_ = b.Flush()
		})
		if n != 0 {
			t.Errorf("confirmed %v: %v allocations for 16 payloads", confirmed, n)
		}
	}
}

// What outsiders without a token send must not keep the collector busy either.
func TestGarbageAllocatesNothing(t *testing.T) {
	c := newCrowd(t, 1)
	garbage := make([]byte, 200)
	garbage[0] = 0x10 | byte(packetPayload)
	for name, from := range map[string]netip.AddrPort{"a stranger": clientAddr(500), "a client": clientAddr(0)} {
		if n := testing.AllocsPerRun(100, func() { c.server.packet(garbage, from) }); n != 0 {
			t.Errorf("from %s: %v allocations", name, n)
		}
	}
}

// The cost of one received payload, from the datagram to the Handler, each from another client.
func BenchmarkServerReceive(b *testing.B) {
	for _, clients := range []int{16, 10_000} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			c := newCrowd(b, clients)
			payload := make([]byte, 64)
			b.ReportAllocs()
			next := 0
			for done := 0; done < b.N; done += readBatch {
				b.StopTimer()
				for i := range c.server.in {
					next = (next + 7919) % clients // all clients, in an order that no cache foresees
					c.fill(&c.server.in[i], next, payload)
				}
				b.StartTimer()
				c.server.receive(c.server.in[:min(readBatch, b.N-done)])
			}
			if got := c.server.Stats().Ignored; got != (IgnoredStats{}) {
				b.Fatalf("ignored %+v", got)
			}
		})
	}
}

// The cost of one datagram with a snapshot, without the network's.
func BenchmarkBatch(b *testing.B) {
	for _, size := range []int{64, 600, MaxPayload} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			c := newCrowd(b, 1000)
			batch, payload := c.server.NewBatch(), make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for i := range b.N {
				if err := batch.Add(c.server.slots[i%1000], payload); err != nil {
					b.Fatal(err)
				}
			}
			_ = batch.Flush()
		})
	}
}

// A pass over all slots: of clients that were just sent something, and of clients that need a keep-alive.
func BenchmarkServerPass(b *testing.B) {
	for _, idle := range []bool{false, true} {
		b.Run(fmt.Sprintf("clients=10000/idle=%v", idle), func(b *testing.B) {
			c := newCrowd(b, 10_000)
			for range b.N {
				if !idle {
					b.StopTimer()
					for _, p := range c.server.slots {
						p.sent.Store(true)
					}
					b.StartTimer()
				}
				c.server.pass()
			}
		})
	}
}

// What a forged request costs: with a private part that does not open under any of two keys.
func BenchmarkServerForgedRequest(b *testing.B) {
	c := newCrowd(b, 16)
	c.server.storeKeys([]Key{{1}, {2}})
	token := issue(b, spec(1), &testKey, testRand(3))
	token.ExpiresAt = ^uint64(0)
	p := token.appendRequestTo(nil)
	b.ReportAllocs()
	for range b.N {
		c.server.packet(p, clientAddr(600))
	}
}
