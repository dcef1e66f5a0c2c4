package netcode

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// Each case sends one packet to a server with one client, id 1 at address 1, and one handshake under way, id 2 at
// address 2. The packet must be ignored for the given cause: nothing comes back and no connection is harmed.
func TestIgnoredPackets(t *testing.T) {
	request := func(change func(*TokenSpec)) func(*fixture) []byte {
		return func(f *fixture) []byte {
			s := spec(3)
			change(&s)
			return f.dial(clientAddr(100), f.token(s)).requestPacket()
		}
	}
	altered := func(at int, with byte) func(*fixture) []byte {
		return func(f *fixture) []byte {
			p := request(func(*TokenSpec) {})(f)
			p[at] ^= with
			return p
		}
	}
	for name, test := range map[string]struct {
		from   netip.AddrPort
		packet func(*fixture) []byte
		want   func(IgnoredStats) uint64
	}{
		"request cut short": {clientAddr(3), func(f *fixture) []byte { return altered(0, 0)(f)[:requestSize-1] },
			func(s IgnoredStats) uint64 { return s.Malformed }},
		"request too long": {clientAddr(3), func(f *fixture) []byte { return append(altered(0, 0)(f), 0) },
			func(s IgnoredStats) uint64 { return s.Malformed }},
		"other version":     {clientAddr(3), altered(12, 1), func(s IgnoredStats) uint64 { return s.WrongVersion }},
		"other protocol id": {clientAddr(3), altered(14, 1), func(s IgnoredStats) uint64 { return s.WrongProtocol }},
		"token expires now": {clientAddr(3), request(func(s *TokenSpec) { s.ExpiresAt = time.Now() }),
			func(s IgnoredStats) uint64 { return s.Expired }},
		"expiry moved":        {clientAddr(3), altered(22, 1), func(s IgnoredStats) uint64 { return s.Undecryptable }},
		"nonce altered":       {clientAddr(3), altered(30, 1), func(s IgnoredStats) uint64 { return s.Undecryptable }},
		"private part forged": {clientAddr(3), altered(500, 1), func(s IgnoredStats) uint64 { return s.Undecryptable }},
		"token for another server": {clientAddr(3), request(func(s *TokenSpec) {
			s.Addresses = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40001")}
		}), func(s IgnoredStats) uint64 { return s.WrongAddress }},
		"address has a slot": {clientAddr(1), altered(0, 0), func(s IgnoredStats) uint64 { return s.AlreadyConnected }},
		"client has a slot": {clientAddr(3), request(func(s *TokenSpec) { s.ClientID = 1 }),
			func(s IgnoredStats) uint64 { return s.AlreadyConnected }},
		"empty datagram": {clientAddr(1), func(*fixture) []byte { return nil },
			func(s IgnoredStats) uint64 { return s.Malformed }},
		"larger than any packet": {clientAddr(1), func(*fixture) []byte { return make([]byte, maxPacket+1) },
			func(s IgnoredStats) uint64 { return s.Malformed }},
		"denial from a client": {clientAddr(1), raw(0x10 | byte(packetDenied)),
			func(s IgnoredStats) uint64 { return s.Malformed }},
		"challenge from a client": {clientAddr(1), raw(0x10 | byte(packetChallenge)),
			func(s IgnoredStats) uint64 { return s.Malformed }},
		"type 7": {clientAddr(1), raw(0x17), func(s IgnoredStats) uint64 { return s.Malformed }},
		"garbage from a stranger": {clientAddr(3), raw(0x10 | byte(packetPayload)),
			func(s IgnoredStats) uint64 { return s.UnknownSender }},
		"garbage from a client": {clientAddr(1), raw(0x10 | byte(packetPayload)),
			func(s IgnoredStats) uint64 { return s.Replayed }}, // the keep-alive had sequence 1 too
		"forged payload": {clientAddr(1), raw(0x20 | byte(packetPayload)),
			func(s IgnoredStats) uint64 { return s.Undecryptable }},
		"payload before the response": {clientAddr(2), raw(0x20 | byte(packetPayload)),
			func(s IgnoredStats) uint64 { return s.NotConnected }},
		"forged response": {clientAddr(2), raw(0x20 | byte(packetResponse)),
			func(s IgnoredStats) uint64 { return s.Undecryptable }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serve(t, memnet.Options{}, 4, nil)
				defer f.server.Stop()
				one := f.connected(1)
				two := f.dial(clientAddr(2), f.token(spec(2)))
				two.request()
				if !two.await(packetChallenge, time.Second) {
					t.Fatal("no challenge")
				}
				one.conn.Close()
				two.conn.Close()
				before := f.server.Stats()
				answers := f.inject(test.from, test.packet(f))
				after := f.server.Stats()
				if got := test.want(after.Ignored) - test.want(before.Ignored); got != 1 {
					t.Errorf("counted %d times; all counters: %+v", got, after.Ignored)
				}
				for _, a := range answers {
					if test.from != clientAddr(1) || packetType(a[0]&15) != packetKeepAlive {
						t.Errorf("answered with %x", a)
					}
				}
				if after.Clients != 1 || after.Connects != 1 {
					t.Errorf("%d clients after %d connects", after.Clients, after.Connects)
				}
			})
		})
	}
}

// raw returns a packet of 40 bytes with the given prefix, sequence number 1 or 257 and no valid seal.
func raw(prefix byte) func(*fixture) []byte {
	return func(*fixture) []byte {
		p := make([]byte, 40)
		p[0], p[1], p[2] = prefix, 1, 1
		return p
	}
}

// inject sends one datagram from an address that is not in use at the moment and returns what comes back within 50 ms.
func (f *fixture) inject(from netip.AddrPort, p []byte) [][]byte {
	f.t.Helper()
	conn, err := f.network.Dial(from, testServer)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(p); err != nil {
		f.t.Fatal(err)
	}
	var answers [][]byte
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	for {
		b := make([]byte, 2048)
		n, err := conn.Read(b)
		if err != nil {
			return answers
		}
		answers = append(answers, b[:n])
	}
}

func TestHandshakeGivesTheClientItsSlotAndData(t *testing.T) {
	for name, from := range map[string]netip.AddrPort{
		"IPv4": clientAddr(1), "IPv6": netip.MustParseAddrPort("[2001:db8::7]:50000"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serve(t, memnet.Options{}, 8, nil)
				defer f.server.Stop()
				f.connected(9)
				c := f.dial(from, f.token(spec(5)))
				if !c.connect(time.Second) {
					t.Fatal("no connection")
				}
				p := f.events.peer(5)
				if p == nil || p.ClientID() != 5 || p.Addr() != from || *p.UserData() != spec(5).UserData {
					t.Fatalf("peer %+v", p)
				}
				if c.slot != (keepAlive{index: 1, maxClients: 8}) || p.Index() != 1 {
					t.Errorf("the client was told %+v, the handler %d", c.slot, p.Index())
				}
				if !p.LastReceived().Equal(time.Now()) {
					t.Errorf("last received %v, now %v", p.LastReceived(), time.Now())
				}
			})
		})
	}
}

// An IPv6 server address in the token, and in the configuration an IPv4 one in its 16-byte form.
func TestServerAddressForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v6 := netip.MustParseAddrPort("[2001:db8::1]:40000")
		f := serve(t, memnet.Options{}, 8, func(c *ServerConfig) {
			c.Addresses = []netip.AddrPort{v6, netip.MustParseAddrPort("[::ffff:10.9.9.9]:40000")}
		})
		defer f.server.Stop()
		for id, addr := range []netip.AddrPort{v6, netip.MustParseAddrPort("10.9.9.9:40000")} {
			s := spec(uint64(id))
			s.Addresses = []netip.AddrPort{netip.MustParseAddrPort("10.7.7.7:1"), addr}
			if !f.dial(clientAddr(id), f.token(s)).connect(time.Second) {
				t.Errorf("token for %v refused", addr)
			}
		}
	})
}

func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newKey, oldKey, otherKey := Key{9}, testKey, Key{8}
		f := serve(t, memnet.Options{}, 8, func(c *ServerConfig) { c.Keys = []Key{newKey, oldKey} })
		defer f.server.Stop()
		for id, key := range []*Key{&newKey, &oldKey} {
			if !f.dial(clientAddr(id), issue(t, spec(uint64(id)), key, f.tokens)).connect(time.Second) {
				t.Errorf("token sealed with key %d refused", id)
			}
		}
		if f.dial(clientAddr(3), issue(t, spec(3), &otherKey, f.tokens)).connect(time.Second) {
			t.Error("token sealed with an unknown key accepted")
		}
	})
}

func TestFullServerDeniesUntilASlotIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		defer f.server.Stop()
		late := f.dial(clientAddr(2), f.token(spec(2)))
		late.request()
		if !late.await(packetChallenge, time.Second) {
			t.Fatal("no challenge")
		}
		first := f.connected(1)
		late.respond() // the slot was still free when it was challenged
		if !late.await(packetDenied, time.Second) {
			t.Error("response not denied")
		}
		third := f.dial(clientAddr(3), f.token(spec(3)))
		third.request()
		if !third.await(packetDenied, time.Second) {
			t.Error("request not denied")
		}
		if got := f.server.Stats(); got.Denied != 2 || got.Connects != 1 {
			t.Errorf("%d denied, %d connects", got.Denied, got.Connects)
		}
		first.leave()
		eventually(t, "the client has left", func() bool { return f.events.ended(1, ErrLeft) })
		if !third.connect(time.Second) || third.slot.index != 0 {
			t.Error("the free slot is not given to the client that was denied before")
		}
	})
}

func TestAnswersAreSmallerThanWhatTheyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		defer f.server.Stop()
		answered := func(from int, p []byte, want packetType) {
			t.Helper()
			answers := f.inject(clientAddr(from), p)
			// A client that got its slot also gets the keep-alives of the next pass.
			if len(answers) == 0 || len(answers) > 1 && want != packetKeepAlive || packetType(answers[0][0]&15) != want {
				t.Fatalf("answers %x, want one of type %d", answers, want)
			}
			if len(answers[0]) >= len(p) {
				t.Errorf("%d bytes answered with %d", len(p), len(answers[0]))
			}
		}
		c := f.dial(clientAddr(1), f.token(spec(1)))
		late := f.dial(clientAddr(2), f.token(spec(2)))
		late.request()
		c.request()
		late.await(packetChallenge, time.Second)
		c.await(packetChallenge, time.Second)
		c.conn.Close()
		late.conn.Close()
		answered(1, c.requestPacket(), packetChallenge)
		answered(1, c.packet(packetResponse, c.challenge), packetKeepAlive)
		answered(2, late.packet(packetResponse, late.challenge), packetDenied)
		answered(2, late.requestPacket(), packetDenied)
	})
}
