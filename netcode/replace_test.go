package netcode

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate/internal/memnet"
)

// anyToken is a ServerConfig.Replace for servers whose clients may connect anew with every valid token.
func anyToken(*Peer, *[UserDataSize]byte) bool { return true }

func TestClientConnectsAnewWhileConnected(t *testing.T) {
	for name, test := range map[string]struct {
		slots int
		from  netip.AddrPort // of the new connection; the old one is at clientAddr(1)
		loss  float64
	}{
		"from another address":      {8, clientAddr(2), 0},
		"to a full server":          {1, clientAddr(2), 0},
		"from the same address":     {8, clientAddr(1), 0},
		"the same, full":            {1, clientAddr(1), 0},
		"over a network that drops": {1, clientAddr(2), 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serve(t, memnet.Options{Loss: test.loss, Seed: 3}, test.slots, func(c *ServerConfig) { c.Replace = anyToken })
				defer f.server.Stop()
				old := f.dial(clientAddr(1), f.token(spec(1)))
				if !old.connect(5 * time.Second) {
					t.Fatal("no connection")
				}
				first := f.events.peer(1)
				if test.from == clientAddr(1) {
					old.conn.Close() // as after a crash of the client: the server is not told
				}
				anew := f.dial(test.from, f.token(spec(1)))
				if !anew.repeat(anew.request, packetChallenge, 5*time.Second) {
					t.Fatal("no challenge")
				}
				if p := f.events.peer(1); p != first {
					t.Error("the old connection has ended before the new one stood")
				}
				if !anew.repeat(anew.respond, packetKeepAlive, 5*time.Second) {
					t.Fatal("no second connection")
				}
				second := f.events.peer(1)
				if second == first || second == nil || second.Addr() != test.from {
					t.Fatalf("the client has %v", second)
				}
				if !f.events.ended(1, ErrReplaced) {
					t.Error("the old connection was not ended once with ErrReplaced")
				}
				if test.slots == 1 && second.Index() != 0 {
					t.Errorf("slot %d of one", second.Index())
				}
				anew.repeat(func() { anew.payload("hello") }, packetKeepAlive, 5*time.Second)
				if f.events.got(1, "hello") == 0 {
					t.Error("nothing comes over the new connection")
				}
				if s := f.server.Stats(); s.Clients != 1 || s.Connects != 2 || s.Replaced != 1 || s.Kicked != 0 {
					t.Errorf("stats %+v", s)
				}
				if test.from != clientAddr(1) && test.loss == 0 && !old.await(packetDisconnect, time.Second) {
					t.Error("the old connection was not told")
				}
			})
		})
	}
}

// Whatever was recorded of the old connection is of no use at the same address under the new one.
func TestReplacedConnectionCannotBeReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 8, func(c *ServerConfig) { c.Replace = anyToken })
		defer f.server.Stop()
		old := f.connected(1)
		old.payload("once")
		old.conn.Close()
		anew := f.dial(clientAddr(1), f.token(spec(1)))
		if !anew.connect(time.Second) {
			t.Fatal("no second connection")
		}
		anew.conn.Close()
		stands := f.events.peer(1)
		for range 2 {
			for _, p := range slices.Concat(old.sent, anew.sent) {
				f.inject(clientAddr(1), p)
			}
		}
		if f.events.peer(1) != stands || f.events.got(1, "once") != 1 || f.server.Stats().Connects != 2 {
			t.Errorf("replays: %d payloads, stats %+v", f.events.got(1, "once"), f.server.Stats())
		}
	})
}

// Whether an old connection may be replaced is asked at the request, and again when the handshake is complete.
func TestReplaceDecides(t *testing.T) {
	for _, refuseAt := range []string{"request", "response"} {
		t.Run(refuseAt, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var may atomic.Bool
				f := serve(t, memnet.Options{}, 8, func(c *ServerConfig) {
					c.Replace = func(old *Peer, userData *[UserDataSize]byte) bool {
						if old.ClientID() != 1 || userData[1] != 9 {
							t.Errorf("asked about %v and %v", old, userData[:4])
						}
						return may.Load()
					}
				})
				defer f.server.Stop()
				f.connected(1)
				stands := f.events.peer(1)
				s := spec(1)
				s.UserData[1] = 9
				anew := f.dial(clientAddr(2), f.token(s))
				before := f.server.Stats().Ignored.AlreadyConnected
				if refuseAt == "response" {
					may.Store(true)
					anew.request()
					if !anew.await(packetChallenge, time.Second) {
						t.Fatal("no challenge")
					}
					may.Store(false)
					anew.respond()
				} else {
					anew.request()
				}
				if anew.drain(time.Second) != [packetTypes]int{} {
					t.Error("answered")
				}
				if f.server.Stats().Ignored.AlreadyConnected != before+1 || f.events.peer(1) != stands {
					t.Errorf("stats %+v", f.server.Stats())
				}
				may.Store(true)
				if !anew.connect(time.Second) {
					t.Error("refused although it may")
				}
			})
		})
	}
}

func TestReplacingHasBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 2, func(c *ServerConfig) { c.Replace = anyToken })
		defer f.server.Stop()
		other := f.connected(100)
		for n := range MaxTokensPerClient {
			if !f.dial(clientAddr(n), f.token(spec(1))).connect(time.Second) {
				t.Fatalf("connection %d refused", n+1)
			}
		}
		other.keepAlive()
		stands := f.events.peer(1)
		if f.dial(clientAddr(50), f.token(spec(1))).connect(time.Second) || f.events.peer(1) != stands {
			t.Error("a client connects with any number of tokens")
		}
		if f.server.Stats().Ignored.TooManyTokens == 0 {
			t.Error("too many tokens are not counted")
		}
		if f.dial(clientAddr(51), f.token(spec(2))).connect(time.Second) { // there is no slot that it could replace
			t.Error("a full server lets another client in")
		}
		if f.events.peer(1) != stands || f.events.peer(2) != nil || f.server.Stats().Denied == 0 {
			t.Errorf("stats %+v", f.server.Stats())
		}
	})
}

// A token of one client is of no use at the address of another who is connected, with and without Replace.
func TestAddressOfAnotherIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 8, func(c *ServerConfig) { c.Replace = anyToken })
		defer f.server.Stop()
		one := f.connected(1)
		stands := f.events.peer(1)
		one.conn.Close()
		if f.dial(clientAddr(1), f.token(spec(2))).connect(time.Second) || f.events.peer(1) != stands {
			t.Error("taken")
		}
		if f.server.Stats().Ignored.AlreadyConnected == 0 {
			t.Error("not counted")
		}
	})
}

// Clients that connect, connect anew, leave and fall silent in any order: the tables agree with each other, every
// Connected has its Disconnected, a client id never has two connections, and ErrReplaced comes right before the next.
func TestReplacingModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		actions := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [3]int {
			return [3]int{
				rapid.IntRange(0, 3).Draw(t, "action"), rapid.IntRange(1, 3).Draw(t, "client"),
				rapid.IntRange(1, 4).Draw(t, "address"),
			}
		}), 1, 25).Draw(rt, "actions")
		var fault error
		synctest.Test(t, func(t *testing.T) { fault = playReplacing(t, actions) })
		if fault != nil {
			rt.Fatal(fault)
		}
	})
}

// order is a Handler that checks the order of its calls.
type order struct {
	*recorder
	replaced uint64 // client whose Connected has to follow; 0 for none
	fault    error
}

func (o *order) Connected(p *Peer) {
	switch {
	case o.replaced != 0 && o.replaced != p.ClientID():
		o.fault = fmt.Errorf("client %d connected where %d had to follow", p.ClientID(), o.replaced)
	case o.peer(p.ClientID()) != nil:
		o.fault = fmt.Errorf("client %d has two connections", p.ClientID())
	}
	o.replaced = 0
	o.recorder.Connected(p)
}

func (o *order) Disconnected(p *Peer, why error) {
	if o.replaced != 0 {
		o.fault = fmt.Errorf("client %d disconnected where %d had to connect", p.ClientID(), o.replaced)
	}
	if o.peer(p.ClientID()) != p {
		o.fault = fmt.Errorf("client %d disconnected twice", p.ClientID())
	}
	if errors.Is(why, ErrReplaced) {
		o.replaced = p.ClientID()
	}
	o.recorder.Disconnected(p, why)
}

func playReplacing(t *testing.T, actions [][3]int) error {
	f := &fixture{t: t, network: memnet.New(memnet.Options{}), tokens: testRand(1)}
	conn, err := memnet.Listen[Message](f.network, testServer)
	if err != nil {
		return err
	}
	f.server, err = NewServer(ServerConfig{
		Conn: conn, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
		MaxClients: 2, Rand: testRand(2), Replace: anyToken,
	})
	if err != nil {
		return err
	}
	o := &order{recorder: newRecorder()}
	f.server.Start(o)
	at := map[int]*wireClient{} // by address
	for _, a := range actions {
		id, addr := uint64(a[1]), a[2]
		switch c := at[addr]; {
		case a[0] == 0 && c != nil:
			c.leave()
		case a[0] == 1:
			time.Sleep(6 * time.Second) // all fall silent
		default: // connect anew, where the address may be in use
			if c != nil {
				c.conn.Close()
			}
			at[addr] = f.dial(clientAddr(addr), f.token(spec(id)))
			at[addr].connect(300 * time.Millisecond)
		}
	}
	f.server.Stop()
	for _, c := range at {
		c.conn.Close()
	}
	s := f.server
	if o.fault == nil && (len(s.byAddr) != 0 || len(s.byID) != 0 || len(s.free) != 2 || o.connected() != 0 ||
		s.Stats().Clients != 0) {
		return fmt.Errorf("left behind: %d addresses, %d ids, %d free slots, stats %+v", len(s.byAddr), len(s.byID),
			len(s.free), s.Stats())
	}
	return o.fault
}
