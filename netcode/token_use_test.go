package netcode

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

func TestTokenIsBoundToItsFirstAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		token := f.token(spec(1))
		owner, thief := f.dial(clientAddr(1), token), f.dial(clientAddr(2), token)
		owner.request()
		if !owner.await(packetChallenge, time.Second) {
			t.Fatal("no challenge")
		}
		if thief.connect(time.Second) {
			t.Error("the token worked from a second address")
		}
		if f.server.Stats().Ignored.ReusedToken == 0 {
			t.Error("reuse not counted")
		}
		if !owner.connect(time.Second) {
			t.Error("the token no longer works from its own address")
		}
	})
}

// Both sides would count from zero again under the same keys.
func TestTokenIsGoodForOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		c := f.connected(1)
		c.payload("once")
		c.leave()
		eventually(t, "the client has left", func() bool { return f.events.ended(1, ErrLeft) })
		recorded := c.sent
		c.conn.Close()
		for range 3 {
			for _, p := range recorded {
				f.inject(clientAddr(1), p)
			}
		}
		if got := f.server.Stats(); got.Connects != 1 || f.events.got(1, "once") != 1 {
			t.Errorf("replaying the connection gave %d connects and %d payloads, want 1 each",
				got.Connects, f.events.got(1, "once"))
		}
		again := f.dial(clientAddr(1), c.token)
		if again.connect(time.Second) {
			t.Error("the token is good for a second connection")
		}
		again.conn.Close()
		if !f.dial(clientAddr(1), f.token(spec(1))).connect(time.Second) {
			t.Error("a new token for the same client and address is refused")
		}
	})
}

func TestTokenExpiresInTheMiddleOfTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		s := spec(1)
		s.ExpiresAt = time.Now().Add(2 * time.Second)
		c := f.dial(clientAddr(1), f.token(s))
		time.Sleep(1900 * time.Millisecond)
		c.request()
		if !c.await(packetChallenge, 50*time.Millisecond) {
			t.Fatal("refused before its time")
		}
		time.Sleep(time.Second)
		c.request()
		if c.await(packetChallenge, 50*time.Millisecond) {
			t.Error("request answered after the token's time")
		}
		c.respond() // the standard looks at the expiry of requests only
		if !c.await(packetKeepAlive, 50*time.Millisecond) {
			t.Error("response refused")
		}
	})
}

func TestTwoClientsWithOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		a, b := f.dial(clientAddr(1), f.token(spec(7))), f.dial(clientAddr(2), f.token(spec(7)))
		for _, c := range []*wireClient{a, b} {
			c.request()
			if !c.await(packetChallenge, time.Second) {
				t.Fatal("no challenge")
			}
		}
		if !b.connect(time.Second) {
			t.Fatal("the first to respond is refused")
		}
		a.respond()
		if a.await(packetKeepAlive, time.Second) {
			t.Error("the second to respond is accepted too")
		}
		if p := f.events.peer(7); p == nil || p.Addr() != clientAddr(2) {
			t.Errorf("the slot is held by %v", p)
		}
	})
}

// A challenge proves that its receiver reads at an address. It must not prove that for another one.
func TestChallengeOfAnotherAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		own, forged := f.dial(clientAddr(1), f.token(spec(7))), f.dial(clientAddr(2), f.token(spec(7)))
		for _, c := range []*wireClient{own, forged} {
			c.request()
			if !c.await(packetChallenge, time.Second) {
				t.Fatal("no challenge")
			}
		}
		forged.challenge = own.challenge
		forged.respond()
		if forged.await(packetKeepAlive, time.Second) {
			t.Error("accepted the challenge token of another address")
		}
	})
}

// In the life of a server, no nonce twice under one key, although slots are used again, handshakes are repeated, and
// clients are denied. (A second server that accepts the same token begins again; see the package documentation.)
func TestNoNonceTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{Loss: 0.2, Seed: 5}, 2, nil)
		defer f.server.Stop()
		seen := map[nonce]bool{}
		for id := range uint64(30) {
			c := f.dial(clientAddr(int(id)%5), f.token(spec(id)))
			c.connect(3 * time.Second)
			if p := f.events.peer(id); p != nil {
				b := f.server.NewBatch()
				for range 5 {
					_ = b.Add(p, []byte("hello"))
				}
				_ = b.Flush()
				p.Disconnect()
			}
			c.drain(time.Second)
			c.request() // with a token that has been used
			c.drain(time.Second)
			c.conn.Close()
			for _, p := range c.received {
				n := nonce{c.token.ServerToClient, p.seq}
				if seen[n] {
					t.Fatalf("type %d: sequence %d twice", p.t, p.seq)
				}
				seen[n] = true
				if global := p.t == packetChallenge || p.t == packetDenied; global != (p.seq >= firstGlobalSequence) {
					t.Fatalf("type %d has sequence %#x", p.t, p.seq)
				}
			}
		}
		if len(seen) < 300 {
			t.Errorf("only %d packets seen", len(seen))
		}
	})
}
