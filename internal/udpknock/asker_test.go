package udpknock

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/netcode"
)

var (
	nodeAddr = netip.MustParseAddrPort("10.0.0.1:40000")
	bob      = netip.AddrPortFrom(alice.Addr(), alice.Port()+1) // behind the same address
)

type deaf struct{}

func (deaf) Connected(*netcode.Peer)           {}
func (deaf) Received(*netcode.Peer, []byte)    {}
func (deaf) Disconnected(*netcode.Peer, error) {}

// node is a netcode server whose port takes knocks, on a network in memory.
type node struct {
	t       testing.TB
	network *memnet.Network
	server  *netcode.Server
	*Answerer
	mu    sync.Mutex
	asked []string // who, and with which ticket
}

// serve starts a node, in a bubble.
func serve(t testing.TB, network *memnet.Network) *node {
	t.Helper()
	n := &node{t: t, network: network}
	conn, err := memnet.Listen[netcode.Message](network, nodeAddr)
	if err != nil {
		t.Fatal(err)
	}
	n.Answerer, err = NewAnswerer(Config{Knock: n.knock})
	if err != nil {
		t.Fatal(err)
	}
	n.server, err = netcode.NewServer(netcode.ServerConfig{
		Conn: conn, Keys: []netcode.Key{{1}}, Addresses: []netip.AddrPort{nodeAddr}, MaxClients: 1, Other: n.Answer,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.server.Start(deaf{})
	return n
}

// knock tells each to wait, with a ticket that names the holder, and to come in with that ticket.
func (n *node) knock(dst []byte, from netip.Addr, holder Holder, ticket []byte) Reply {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, from.String()+" "+string(ticket))
	if bytes.Equal(ticket, holder[:]) {
		return Reply{Verdict: ComeIn, Ticket: ticket}
	}
	return Reply{Verdict: Wait, Ticket: append(dst, holder[:]...), Place: 3, ETAHigh: time.Minute, After: time.Second}
}

// tap is a client's socket, which counts what goes through it, and through which a test speaks for the network.
type tap struct {
	net.Conn
	sent [][]byte
}

func (c *tap) Write(b []byte) (int, error) {
	c.sent = append(c.sent, bytes.Clone(b))
	return c.Conn.Write(b)
}

func dial(t testing.TB, network *memnet.Network, from netip.AddrPort) (*Asker, *tap) {
	t.Helper()
	conn, err := network.Dial(from, nodeAddr)
	if err != nil {
		t.Fatal(err)
	}
	c := &tap{Conn: conn}
	return &Asker{Conn: c}, c
}

func TestAskForAPlaceAndComeIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, memnet.New(memnet.Options{Delay: 20 * time.Millisecond}))
		defer n.server.Stop()
		a, c := dial(t, n.network, alice)
		defer c.Close()
		holder := HolderOf(secret)
		r, err := a.Ask(t.Context(), holder, nil)
		if err != nil || r.Verdict != Wait || r.Place != 3 || !bytes.Equal(r.Ticket, holder[:]) {
			t.Fatalf("%+v, %v", r, err)
		}
		if len(c.sent) != 2 {
			t.Errorf("the first question took %d datagrams", len(c.sent))
		}
		time.Sleep(r.After)
		r, err = a.Ask(t.Context(), holder, r.Ticket)
		if err != nil || r.Verdict != ComeIn || len(c.sent) != 3 {
			t.Errorf("%+v, %v after %d datagrams", r, err, len(c.sent))
		}
		if want := []string{"192.0.2.7 ", "192.0.2.7 " + string(holder[:])}; !slices.Equal(n.asked, want) {
			t.Errorf("the line was asked about %q", n.asked)
		}
		for range 10 { // its cookie is renewed with each answer
			time.Sleep(slot / 2)
			if _, err = a.Ask(t.Context(), holder, r.Ticket); err != nil {
				t.Error(err)
			}
		}
		if len(c.sent) != 13 {
			t.Errorf("12 questions, of which the first took a cookie, took %d datagrams", len(c.sent))
		}
		time.Sleep(5 * slot)
		if _, err = a.Ask(t.Context(), holder, nil); err != nil || len(c.sent) != 15 {
			t.Errorf("with a cookie that has ended: %v after %d datagrams", err, len(c.sent)-13)
		}
		for _, sent := range c.sent {
			if len(sent) != KnockSize {
				t.Errorf("a datagram of %d bytes", len(sent))
			}
		}
	})
}

// Two clients behind one address have their own answers, and neither cookie is of use at the other's port.
func TestTwoClientsBehindOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, memnet.New(memnet.Options{Delay: 20 * time.Millisecond}))
		defer n.server.Stop()
		first, c1 := dial(t, n.network, alice)
		second, c2 := dial(t, n.network, bob)
		defer c1.Close()
		defer c2.Close()
		var wait sync.WaitGroup
		for i, a := range []*Asker{first, second} {
			wait.Go(func() {
				holder := Holder{byte(i + 1)}
				if r, err := a.Ask(t.Context(), holder, nil); err != nil || !bytes.Equal(r.Ticket, holder[:]) {
					t.Errorf("client %d: %+v, %v", i, r, err)
				}
			})
		}
		wait.Wait()
		second.cookie = first.cookie
		before := len(c2.sent)
		if _, err := second.Ask(t.Context(), Holder{1}, nil); err != nil || len(c2.sent) != before+2 {
			t.Errorf("%v after %d datagrams", err, len(c2.sent)-before)
		}
	})
}

// With bad networks most questions are answered, none wrongly, and none sends more than six datagrams.
func TestAskOverABadNetwork(t *testing.T) {
	for name, opts := range map[string]memnet.Options{
		"loss":        {Loss: 0.15, Delay: 30 * time.Millisecond},
		"duplicates":  {Duplicate: 0.5, Delay: 30 * time.Millisecond},
		"reordering":  {Reorder: 0.5, Delay: 30 * time.Millisecond},
		"damage":      {Corrupt: 0.15, Delay: 30 * time.Millisecond},
		"all of them": {Loss: 0.05, Duplicate: 0.2, Reorder: 0.2, Corrupt: 0.05, Delay: 30 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts.Seed = 1
				n := serve(t, memnet.New(opts))
				defer n.server.Stop()
				a, c := dial(t, n.network, alice)
				defer c.Close()
				answered, holder := 0, HolderOf(secret)
				const questions = 200
				for range questions {
					a.cookie = Cookie{}
					before, start := len(c.sent), time.Now()
					r, err := a.Ask(t.Context(), holder, nil)
					switch {
					case err == nil && r.Verdict == Wait && bytes.Equal(r.Ticket, holder[:]):
						answered++
					case err == nil && opts.Corrupt == 0: // a checksum finds damage on a real network
						t.Errorf("%+v", r)
					case err != nil && !errors.Is(err, ErrNoAnswer):
						t.Error(err)
					}
					if sent, took := len(c.sent)-before, time.Since(start); sent > 6 || took > 1750*time.Millisecond {
						t.Errorf("%d datagrams in %v", sent, took)
					}
				}
				if answered < questions*9/10 {
					t.Errorf("%d of %d questions were answered", answered, questions)
				}
			})
		})
	}
}

// Without an answer a client tries three times, further and further apart, and gives up.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		a, c := dial(t, network, alice)
		defer c.Close()
		start := time.Now()
		_, err := a.Ask(t.Context(), HolderOf(secret), nil)
		if took := time.Since(start); !errors.Is(err, ErrNoAnswer) || took != 1750*time.Millisecond || len(c.sent) != 3 {
			t.Errorf("%v after %v and %d datagrams", err, took, len(c.sent))
		}
		if !bytes.Equal(c.sent[0], c.sent[2]) {
			t.Error("the tries are not the same question")
		}
	})
}

func TestAskEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c := dial(t, memnet.New(memnet.Options{}), alice)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := a.Ask(ctx, Holder{}, nil)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 100*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		_, err = a.Ask(ctx, Holder{}, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("with a context that has ended: %v after %v", err, time.Since(start))
		}
		// The end of one question is not that of the next.
		n := serve(t, memnet.New(memnet.Options{}))
		defer n.server.Stop()
		b, d := dial(t, n.network, alice)
		defer d.Close()
		b.Conn = &late{b.Conn}
		if _, err := b.Ask(t.Context(), Holder{}, nil); err != nil {
			t.Error(err)
		}
	})
}

// late is a socket whose first reads end too early, as after the end of a context that was another question's.
type late struct{ net.Conn }

func (c *late) SetReadDeadline(t time.Time) error {
	return c.Conn.SetReadDeadline(time.Now().Add(time.Until(t) / 2))
}

// A socket that fails sends the client to HTTP at once.
func TestAskWithASocketThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c := dial(t, memnet.New(memnet.Options{}), alice)
		c.Close()
		start := time.Now()
		_, err := a.Ask(t.Context(), Holder{}, nil)
		if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, net.ErrClosed) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A machine that listens at no such port says so, and the client goes to HTTP without waiting.
func TestAskAPortThatNothingListensAt(t *testing.T) {
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	taken.Close()
	conn, err := net.Dial("udp4", taken.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := (&Asker{Conn: conn}).Ask(t.Context(), Holder{}, nil); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}

func TestAskRefusesATicketThatIsTooLong(t *testing.T) {
	a, c := dial(t, memnet.New(memnet.Options{}), alice)
	defer c.Close()
	if _, err := a.Ask(t.Context(), Holder{}, testTicket(MaxTicket+1)); err == nil || errors.Is(err, ErrNoAnswer) ||
		len(c.sent) != 0 {
		t.Errorf("%v, and %d datagrams", err, len(c.sent))
	}
	a.Rand = &brittle{}
	if _, err := a.Ask(t.Context(), Holder{}, nil); err == nil || len(c.sent) != 0 {
		t.Errorf("without randomness: %v, and %d datagrams", err, len(c.sent))
	}
}

// script is a node that says what a test has it say.
type script struct {
	conn *memnet.Listener[netcode.Message]
}

// run answers each knock with what say returns, until the network is closed.
func (s script) run(say func(k Knock) [][]byte) {
	ms := []netcode.Message{{Buf: make([]byte, 2*KnockSize)}}
	for {
		n, err := s.conn.ReadBatch(ms, time.Time{})
		if err != nil {
			return
		}
		k, ok := ParseKnock(ms[0].Buf[:ms[0].N])
		if n != 1 || !ok {
			continue
		}
		for _, b := range say(k) {
			s.conn.WriteBatch([]netcode.Message{{Buf: b, N: len(b), Addr: ms[0].Addr}})
		}
	}
}

// What does not answer the question is ignored, however much of it comes, and what comes cannot make a client send more
// than six datagrams.
func TestAskIgnoresWhatIsNoAnswer(t *testing.T) {
	answer := func(nonce Nonce, place uint32) []byte {
		return AppendAnswer(nil, nonce, Cookie{9}, &Reply{Verdict: Wait, Place: place})
	}
	for name, tt := range map[string]struct {
		say   func(k Knock) [][]byte
		place uint32 // 0: no answer
		sent  int
	}{
		"another nonce": {func(k Knock) [][]byte {
			other := k.Nonce
			other[7]++
			return [][]byte{answer(other, 1), answer(Nonce{}, 1), answer(k.Nonce, 5)}
		}, 5, 1},
		"no message": {func(k Knock) [][]byte {
			b := answer(k.Nonce, 1)
			return [][]byte{{}, {1}, b[:len(b)-1], append(b, 0), append(b, make([]byte, KnockSize)...), AppendKnock(nil, &k),
				answer(k.Nonce, 5)}
		}, 5, 1},
		"a flood of cookies": {func(k Knock) (all [][]byte) {
			for i := range 100 {
				all = append(all, AppendCookie(nil, k.Nonce, Cookie{byte(i + 1), k.Cookie[0]}))
			}
			return all
		}, 0, 6},
		"the same cookie again": {func(k Knock) [][]byte {
			return [][]byte{AppendCookie(nil, k.Nonce, Cookie{7})}
		}, 0, 4},
		"a cookie of another nonce": {func(Knock) [][]byte { return [][]byte{AppendCookie(nil, Nonce{}, Cookie{7})} }, 0, 3},
		"a node that starts anew": {func(k Knock) [][]byte {
			if k.Cookie != (Cookie{2}) {
				return [][]byte{AppendCookie(nil, k.Nonce, Cookie{k.Cookie[0] + 1})}
			}
			return [][]byte{answer(k.Nonce, 5)}
		}, 5, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.New(memnet.Options{})
				conn, err := memnet.Listen[netcode.Message](network, nodeAddr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				go script{conn}.run(tt.say)
				a, c := dial(t, network, alice)
				defer c.Close()
				r, err := a.Ask(t.Context(), Holder{1}, nil)
				if r.Place != tt.place || errors.Is(err, ErrNoAnswer) != (tt.place == 0) || len(c.sent) != tt.sent {
					t.Errorf("%+v, %v after %d datagrams", r, err, len(c.sent))
				}
			})
		})
	}
}

// An attacker who sees nothing of what a client and the node say, but knows both addresses, can neither answer in the
// node's name nor learn or take the client's place. One who has recorded a knock gets the same answer sent to the
// client, which ignores it.
func TestSpoofedAndReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, memnet.New(memnet.Options{}))
		defer n.server.Stop()
		a, c := dial(t, n.network, alice)
		holder := HolderOf(secret)
		if _, err := a.Ask(t.Context(), holder, nil); err != nil {
			t.Fatal(err)
		}
		mallory, m := dial(t, n.network, netip.MustParseAddrPort("198.51.100.66:50000"))
		defer m.Close()
		before := len(n.asked)
		// The client's knocks and cookie, from another address, prove nothing there.
		for _, sent := range c.sent {
			m.Write(sent)
		}
		mallory.cookie = a.cookie
		if _, err := mallory.Ask(t.Context(), holder, nil); err != nil || len(n.asked) != before+1 ||
			n.asked[before] != "198.51.100.66 " {
			t.Errorf("%v; the line was asked about %q", err, n.asked[before:])
		}
		// Answers in the node's name, under guessed nonces, which arrive while the client waits; and a recorded knock.
		go func() {
			rng := rand.New(rand.NewPCG(1, 1))
			for range 1000 {
				var nonce Nonce
				for i := range nonce {
					nonce[i] = byte(rng.Uint32())
				}
				b := AppendAnswer(nil, nonce, Cookie{1}, &Reply{Verdict: Refused, After: time.Hour})
				inject(n.network, b, alice)
			}
			c.Conn.Write(c.sent[1])
		}()
		for range 20 {
			if r, err := a.Ask(t.Context(), holder, nil); err != nil || r.Verdict != Wait {
				t.Errorf("%+v, %v", r, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		c.Close()
	})
}

// inject sends a datagram that is not from the node. The network in memory forges no sender, and so it is the client's
// socket that drops it, as that of a real client does.
func inject(network *memnet.Network, b []byte, to netip.AddrPort) {
	conn, err := network.Dial(netip.MustParseAddrPort("203.0.113.1:40000"), to)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write(b)
}
