package netcode

import (
	"bytes"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// prober is a socket in memory that speaks no netcode.
type prober struct {
	t    *testing.T
	conn *memnet.Listener[Message]
}

func newProber(t *testing.T, network *memnet.Network, n int) *prober {
	t.Helper()
	conn, err := memnet.Listen[Message](network, clientAddr(n))
	if err != nil {
		t.Fatal(err)
	}
	return &prober{t, conn}
}

// ask sends one datagram and returns the answers of the next second.
func (p *prober) ask(datagram []byte) (answers [][]byte) {
	p.t.Helper()
	if _, err := p.conn.WriteBatch([]Message{{Buf: datagram, N: len(datagram), Addr: testServer}}); err != nil {
		p.t.Fatal(err)
	}
	end := time.Now().Add(time.Second)
	for {
		ms := []Message{{Buf: make([]byte, 2*maxPacket)}}
		if _, err := p.conn.ReadBatch(ms, end); err != nil {
			return answers
		}
		if ms[0].Addr != testServer {
			p.t.Errorf("an answer from %v", ms[0].Addr)
		}
		answers = append(answers, ms[0].Buf[:ms[0].N])
	}
}

// The first byte alone decides which datagrams are not netcode's, and without ServerConfig.Other they are ignored.
func TestOtherDatagramsAreThoseThatNoPacketBeginsLike(t *testing.T) {
	for name, with := range map[string]bool{"with Other": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen []byte
				f := serve(t, memnet.Options{}, 1, func(cfg *ServerConfig) {
					if with {
						cfg.Other = func(dst []byte, from netip.AddrPort, datagram []byte) []byte {
							if len(dst) != 0 || from != clientAddr(1) || len(datagram) != 40 {
								t.Errorf("%d bytes from %v, and %d of an answer", len(datagram), from, len(dst))
							}
							seen = append(seen, datagram[0])
							return append(dst, 'o', 'k', datagram[0])
						}
					}
				})
				defer f.server.Stop()
				p := newProber(t, f.network, 1)
				defer p.conn.Close()
				ignored := 0
				for b := range 256 {
					first, size, kind := byte(b), b>>4, b&15
					netcodes := b == 0 || size >= 1 && size <= 8 && kind >= 1 && kind <= 6
					answers := p.ask(bytes.Repeat([]byte{first}, 40))
					switch {
					case with && !netcodes && (len(answers) != 1 || string(answers[0]) != "ok"+string([]byte{first})):
						t.Errorf("first byte %#x: answers %q", first, answers)
					case (!with || netcodes) && len(answers) != 0:
						t.Errorf("first byte %#x: answers %q", first, answers)
					}
					if !with || netcodes {
						ignored++
					}
				}
				st := f.server.Stats()
				all := st.Ignored.Malformed + st.Ignored.UnknownSender
				if all != uint64(ignored) || len(seen) != 256-ignored || st.PacketsReceived != 256 {
					t.Errorf("%d ignored of %d, want %d; %d given away", all, st.PacketsReceived, ignored, len(seen))
				}
			})
		})
	}
}

// Whatever Other returns, no address is sent more than came from it.
func TestOtherNeverAmplifies(t *testing.T) {
	elsewhere := bytes.Repeat([]byte{7}, maxPacket)
	tests := map[string]struct {
		answer func(dst, datagram []byte) []byte
		of     byte        // what the answer consists of
		want   map[int]int // its size by that of the datagram, 0 for none
	}{
		"nothing":      {func([]byte, []byte) []byte { return nil }, 0, map[int]int{1: 0, 100: 0}},
		"the datagram": {func(_, d []byte) []byte { return d }, 0xff, map[int]int{1: 1, 100: 100, maxPacket: maxPacket}},
		"as many bytes": {func(dst, d []byte) []byte { return append(dst, d...) }, 0xff,
			map[int]int{1: 1, maxPacket: maxPacket}},
		"one more": {func(dst, d []byte) []byte { return append(append(dst, d...), 0) }, 0,
			map[int]int{1: 0, maxPacket: 0}},
		"of its own": {func([]byte, []byte) []byte { return elsewhere[:50] }, 7, map[int]int{49: 0, 50: 50, 51: 50}},
		"too long to read": {func(dst, d []byte) []byte { return append(dst, 1) }, 1,
			map[int]int{maxPacket: 1, maxPacket + 1: 0, 2 * maxPacket: 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serve(t, memnet.Options{}, 1, func(cfg *ServerConfig) {
					cfg.Other = func(dst []byte, _ netip.AddrPort, d []byte) []byte { return tt.answer(dst, d) }
				})
				defer f.server.Stop()
				p := newProber(t, f.network, 1)
				defer p.conn.Close()
				for size, want := range tt.want {
					answers := p.ask(bytes.Repeat([]byte{0xff}, size))
					all := bytes.Repeat([]byte{tt.of}, want)
					if want == 0 && len(answers) != 0 || want > 0 && (len(answers) != 1 || !bytes.Equal(answers[0], all)) {
						t.Errorf("%d bytes: %d answers %x, want %d bytes", size, len(answers), answers, want)
					}
				}
			})
		})
	}
}

// A connection is not disturbed by datagrams that are not its own, from its own address either.
func TestOtherBesideAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given := 0
		f := serve(t, memnet.Options{}, 1, func(cfg *ServerConfig) {
			cfg.Other = func(dst []byte, _ netip.AddrPort, d []byte) []byte {
				given++
				return append(dst, d...)
			}
		})
		defer f.server.Stop()
		c := f.connected(1)
		for range 50 {
			if _, err := c.conn.Write([]byte("\xffother")); err != nil {
				t.Fatal(err)
			}
			c.keepAlive()
			time.Sleep(passInterval)
		}
		if f.events.peer(1) == nil {
			t.Error("the connection has ended")
		}
		if st := f.server.Stats(); given != 50 || st.Ignored != (IgnoredStats{}) {
			t.Errorf("%d datagrams given away, ignored %+v", given, st.Ignored)
		}
	})
}

// otherBatches has two full reads of other datagrams, and notes what is written at once.
type otherBatches struct {
	scriptedConn
	local  netip.Addr
	writes []int
	wrong  int // answers to or from another address than the datagram's
}

func (c *otherBatches) ReadBatch(ms []Message, deadline time.Time) (int, error) {
	n, err := c.scriptedConn.ReadBatch(ms, deadline)
	for i := range ms[:n] {
		ms[i].N, ms[i].Buf[0], ms[i].Addr, ms[i].Local = 10, 0xff, clientAddr(i), c.local
	}
	return n, err
}

func (c *otherBatches) WriteBatch(ms []Message) (int, error) {
	c.writes = append(c.writes, len(ms))
	for i := range ms {
		if ms[i].Addr != clientAddr(int(ms[i].Buf[1])) || ms[i].Local != c.local {
			c.wrong++
		}
	}
	return len(ms), nil
}

// Answers go out as many at a time as others, to where the datagrams came from, from where they arrived.
func TestOtherAnswersAreSentInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &otherBatches{scriptedConn: scriptedConn{counts: []int{readBatch, 40}}, local: testServer.Addr()}
		s, err := NewServer(ServerConfig{
			Conn: c, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer}, MaxClients: 1,
			Other: func(dst []byte, from netip.AddrPort, _ []byte) []byte { return append(dst, 1, from.Addr().As4()[3]) },
		})
		if err != nil {
			t.Fatal(err)
		}
		c.start = time.Now()
		s.Start(silentHandler{})
		time.Sleep(50 * time.Millisecond)
		s.Stop()
		sent, want := 0, readBatch+40
		for _, n := range c.writes {
			sent += n
		}
		if sent != want || len(c.writes) > want/batchSize+1 || c.wrong != 0 {
			t.Errorf("%d answers in batches of %v, %d of them wrong", sent, c.writes, c.wrong)
		}
		if st := s.Stats(); st.PacketsSent != uint64(want) || st.BytesSent != uint64(2*want) {
			t.Errorf("%d packets and %d bytes counted", st.PacketsSent, st.BytesSent)
		}
	})
}

func TestOtherAllocations(t *testing.T) {
	c := newCrowd(t, 1)
	c.server.other = func(dst []byte, _ netip.AddrPort, d []byte) []byte { return append(dst, d...) }
	datagram := bytes.Repeat([]byte{0xff}, 256)
	checkAllocs(t, "a datagram that is no packet", 0, func() { c.server.packet(datagram, clientAddr(1)) })
}
