package realm

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

var nodeAddr = netip.MustParseAddrPort("192.0.2.1:40000")

// arena is a running realm with a channel on a network in memory.
type arena struct {
	*fixture
	network *memnet.Network
	conn    netcode.Conn // which stays open when a channel that has it is stopped
	channel *netcode.Server
	key     netcode.Key
	clients int
	hear    func(packet []byte)              // of the game's messages
	wrap    func(*plainWorld) rushgate.World // what a world is that the realm moves to
}

// kept is a socket that stays open, as one does of which another process has a descriptor too.
type kept struct{ netcode.Conn }

func (kept) Close() error { return nil }

func newArena(t *testing.T, network memnet.Options, change func(*Config)) *arena {
	t.Helper()
	a := &arena{network: memnet.New(network)}
	conn, err := memnet.Listen[netcode.Message](a.network, nodeAddr)
	if err != nil {
		t.Fatal(err)
	}
	if a.key, err = netcode.NewKey(nil); err != nil {
		t.Fatal(err)
	}
	a.conn = kept{conn}
	a.open(t, nil)
	a.fixture = newFixture(t, func(c *Config) {
		c.Channel, c.SnapshotWorkers = a.channel, 2
		if change != nil {
			change(c)
		}
	})
	t.Cleanup(func() { conn.Close() }) // after the realm's
	return a
}

// open makes the arena's channel.
func (a *arena) open(t *testing.T, state netcode.ServerState) {
	t.Helper()
	var err error
	a.channel, err = netcode.NewServer(netcode.ServerConfig{
		Conn: a.conn, ProtocolID: protocol.ID, Keys: []netcode.Key{a.key}, Addresses: []netip.AddrPort{nodeAddr},
		MaxClients: 64, Replace: MayReplace, State: state,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// enterLive brings a player inside the running realm.
func (a *arena) enterLive(t *testing.T, name string) rushgate.Session {
	t.Helper()
	r := a.live(t, name)
	if r.err != nil || r.count != 1 {
		t.Fatalf("%s: %+v", name, r)
	}
	return r.session
}

// playing is a client that acknowledges what it gets and remembers it.
type playing struct {
	client *netcode.Client
	done   chan struct{}
	hear   func(packet []byte) // of the game's messages

	mu        sync.Mutex
	snapshots []protocol.Snapshot
	sizes     []int
	failed    []error
	err       error // how it ended
}

// dial connects a session's player.
func (a *arena) dial(t *testing.T, s rushgate.Session) (*playing, error) {
	t.Helper()
	a.clients++
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 2}), uint16(1000+a.clients))
	token, err := netcode.NewConnectToken(netcode.TokenSpec{
		ProtocolID: protocol.ID, ClientID: uint64(s.Player), CreatedAt: time.Now(),
		ExpiresAt: time.Now().Add(30 * time.Second),
		Timeout:   10 * time.Second, Addresses: []netip.AddrPort{nodeAddr}, UserData: TokenUserData(s),
	}, &a.key, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := netcode.Dial(t.Context(), token, netcode.ClientOptions{
		Dial: func(_ context.Context, to netip.AddrPort) (net.Conn, error) { return a.network.Dial(from, to) },
	})
	if err != nil {
		return nil, err
	}
	p := &playing{client: c, done: make(chan struct{}), hear: a.hear}
	go p.run()
	t.Cleanup(func() { c.Close(); <-p.done })
	return p, nil
}

// play brings a player inside the running realm and connects.
func (a *arena) play(t *testing.T, name string) (rushgate.Session, *playing) {
	t.Helper()
	s := a.enterLive(t, name)
	p, err := a.dial(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

func (p *playing) run() {
	defer close(p.done)
	var decoder protocol.Decoder
	buf := make([]byte, netcode.MaxPayload)
	seq, received := uint32(0), 0
	for {
		n, err := p.client.Read(buf)
		if err != nil {
			p.mu.Lock()
			p.err = err
			p.mu.Unlock()
			return
		}
		if kind := protocol.KindOf(buf[:n]); p.hear != nil && kind != protocol.KindSnapshot {
			p.hear(buf[:n])
			continue
		}
		var s protocol.Snapshot
		err = decoder.Decode(buf[:n], &s)
		p.mu.Lock()
		if err != nil {
			p.failed = append(p.failed, err)
		} else {
			p.snapshots, p.sizes = append(p.snapshots, s), append(p.sizes, n)
		}
		p.mu.Unlock()
		if received++; err == nil && received%3 == 0 { // not every snapshot is acknowledged
			seq++
			p.client.Write(protocol.AppendIntent(nil, protocol.Intent{Seq: seq, Ack: s.Tick, Intent: rushgate.Intent{MoveX: 1}}))
		}
	}
}

// taken returns what has come since the last call.
func (p *playing) taken() (snapshots []protocol.Snapshot, sizes []int, failed []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	snapshots, sizes, failed = p.snapshots, p.sizes, p.failed
	p.snapshots, p.sizes, p.failed = nil, nil, nil
	return
}

func TestSnapshotsArriveAtTheirRate(t *testing.T) {
	for _, rate := range []int{1, 7, 20, 60} {
		synctest.Test(t, func(t *testing.T) {
			a := newArena(t, memnet.Options{Delay: 5 * time.Millisecond}, func(c *Config) { c.SnapshotRate = rate })
			var players []*playing
			for _, name := range []string{"alice", "bob", "carol"} {
				_, p := a.play(t, name)
				players = append(players, p)
			}
			time.Sleep(2 * time.Second)
			for _, p := range players {
				p.taken()
			}
			time.Sleep(10 * time.Second)
			for i, p := range players {
				got, sizes, failed := p.taken()
				if len(failed) != 0 || len(got) < 10*rate-1 || len(got) > 10*rate+1 {
					t.Errorf("rate %d: player %d got %d snapshots in 10 s, failed %v", rate, i, len(got), failed)
					continue
				}
				last := got[len(got)-1]
				if len(last.Entities) != 2 || last.Intent == 0 || last.Own.HP != 100 {
					t.Errorf("rate %d: the last snapshot is %+v", rate, last)
				}
				if sizes[len(sizes)-1] > 40 && rate >= 7 {
					t.Errorf("rate %d: %d bytes for what has not changed: not a delta", rate, sizes[len(sizes)-1])
				}
			}
			if st := a.Stats(); st.Connected != 3 || st.SnapshotsSkipped != 0 || st.Malformed != 0 || st.Intents == 0 {
				t.Errorf("stats %+v", st)
			}
			if err := a.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-players[0].done
			if !errors.Is(players[0].err, net.ErrClosed) {
				var state netcode.StateError
				if !errors.As(players[0].err, &state) || state.State != netcode.StateDisconnected {
					t.Errorf("after the realm stopped the client ended with %v", players[0].err)
				}
			}
		})
	}
}

func TestSnapshotsOverABadNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{Loss: 0.3, Duplicate: 0.1, Reorder: 0.2, Delay: 40 * time.Millisecond, Seed: 1}, nil)
		_, p := a.play(t, "alice")
		_, b := a.play(t, "bob")
		b.taken()
		time.Sleep(20 * time.Second)
		got, sizes, _ := p.taken()
		deltas := 0
		for i, s := range got {
			if s.Own.HP != 100 || len(s.Entities) > 0 && s.Entities[0].Name != "bob" {
				t.Fatalf("snapshot %d is %+v", i, s)
			}
			if len(s.Entities) == 1 && sizes[i] < 40 {
				deltas++
			}
		}
		if len(got) < 200 || deltas < len(got)/2 {
			t.Errorf("%d snapshots, %d of them deltas", len(got), deltas)
		}
	})
}

func TestConnectionKeepsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		_, p := a.play(t, "alice")
		time.Sleep(10 * DefaultSessionTimeout)
		if a.Players() != 1 {
			t.Fatal("a session with a connection has ended")
		}
		p.client.Close()
		time.Sleep(DefaultSessionTimeout - 2*time.Second)
		if a.Players() != 1 {
			t.Error("the session ended together with its connection")
		}
		time.Sleep(4 * time.Second)
		if st := a.Stats(); a.Players() != 0 || st.SessionsTimedOut != 1 || st.Connected != 0 {
			t.Errorf("%d inside after %v without a connection, %+v", a.Players(), DefaultSessionTimeout, st)
		}
	})
}

func TestEndOfTheSessionEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		s, p := a.play(t, "alice")
		if err := a.Logout(t.Context(), s.Token); err != nil {
			t.Fatal(err)
		}
		<-p.done
		if a.Stats().Connected != 0 {
			t.Errorf("%d connected after the logout", a.Stats().Connected)
		}
		// The token of a session that is over does not open the player's next one.
		ar, r := a.admit(t, "alice", "alice-2")
		a.Enter(ar)
		time.Sleep(time.Second)
		synctest.Wait()
		if r.err != nil {
			t.Fatal(r.err)
		}
		old, err := a.dial(t, s) // the handshake knows nothing of sessions
		if err != nil {
			t.Fatal(err)
		}
		<-old.done
		if got, _, _ := old.taken(); len(got) != 0 || a.Stats().Connected != 0 {
			t.Errorf("the token of an earlier session got %d snapshots", len(got))
		}
		fresh, err := a.dial(t, r.session)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got, _, _ := fresh.taken(); len(got) == 0 {
			t.Error("no snapshots for the next session")
		}
	})
}

func TestRenewMakesRoomForANewConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		s, old := a.play(t, "alice")
		renewed, err := a.Renew(s.Token)
		if err != nil || renewed.Player != s.Player || renewed.Ticket == s.Ticket {
			t.Fatalf("renewed %+v, %v", renewed, err)
		}
		time.Sleep(5 * time.Second)
		select {
		case <-old.done:
			t.Fatal("the connection has ended before there was another")
		default:
		}
		start := time.Now()
		p, err := a.dial(t, renewed)
		if err != nil {
			t.Fatal(err)
		}
		if wait := time.Since(start); wait > 200*time.Millisecond {
			t.Errorf("connecting anew took %v", wait)
		}
		<-old.done
		time.Sleep(time.Second)
		if got, _, _ := p.taken(); len(got) < 10 {
			t.Errorf("%d snapshots over the new connection", len(got))
		}
		if stale, err := a.dial(t, s); err == nil { // with the ticket from before the renewal
			<-stale.done
		}
		select {
		case <-p.done:
			t.Error("an old connect token ended the connection of a new one")
		default:
		}
		for range maxRenewals - 1 {
			if _, err := a.Renew(s.Token); err != nil {
				t.Fatalf("renewing: %v", err)
			}
		}
		_, err = a.Renew(s.Token)
		if refusal, ok := errors.AsType[*rushgate.Refusal](err); !ok || refusal.Reason != rushgate.RateLimited ||
			refusal.RetryAfter <= 0 {
			t.Errorf("renewing for ever: %v", err)
		} else {
			time.Sleep(refusal.RetryAfter)
			if _, err := a.Renew(s.Token); err != nil {
				t.Errorf("renewing after the wait: %v", err)
			}
		}
		if _, err := a.Renew("no such token"); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("an unknown token: %v", err)
		}
	})
}

// A player who connects anew, over whatever transport, has snapshots without a pause, goes on walking, and has the
// session's connection all the time.
func TestConnectingAnewLeavesNoGap(t *testing.T) {
	const move = 0.5
	walk := func(seq uint32) []byte {
		return protocol.AppendIntent(nil, protocol.Intent{Seq: seq, Intent: rushgate.Intent{MoveX: move}})
	}
	over := map[string]func(t *testing.T, a *arena, s rushgate.Session) func(seq uint32){
		"udp": func(t *testing.T, a *arena, s rushgate.Session) func(uint32) {
			p, err := a.dial(t, s)
			if err != nil {
				t.Fatal(err)
			}
			return func(seq uint32) { _ = p.client.Write(walk(seq)) }
		},
		"websocket": func(t *testing.T, a *arena, s rushgate.Session) func(uint32) {
			at, err := a.Attach(s.Token, tapes{}, &tape{})
			if err != nil {
				t.Fatal(err)
			}
			return func(seq uint32) { _ = at.Receive(walk(seq)) }
		},
	}
	for _, roads := range [][2]string{{"udp", "udp"}, {"udp", "websocket"}, {"websocket", "udp"}} {
		t.Run(roads[0]+" to "+roads[1], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var walks, stood atomic.Bool
				a := newArena(t, memnet.Options{Delay: 20 * time.Millisecond}, func(c *Config) {
					w := c.World.(*plainWorld)
					w.onApply = func(rushgate.PlayerID) {
						walks.Store(true)
						stood.Store(stood.Load() || w.last.MoveX == 0)
					}
				})
				s := a.enterLive(t, "alice")
				over[roads[0]](t, a, s)(1)
				time.Sleep(time.Second)
				renewed, err := a.Renew(s.Token)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				sent := a.Stats().Snapshots
				send := over[roads[1]](t, a, renewed)
				for seq := uint32(2); seq < 22; seq++ {
					send(seq)
					time.Sleep(50 * time.Millisecond)
				}
				synctest.Wait()
				if !walks.Load() || stood.Load() {
					t.Error("the player stood still in between")
				}
				if got := a.Stats().Snapshots - sent; got < 19 {
					t.Errorf("%d snapshots in about a second", got)
				}
			})
		})
	}
}

// TestPlayerLearnsWhatIsSaved checks that a snapshot tells of a death and a level only when the store has them.
func TestPlayerLearnsWhatIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		s, p := a.play(t, "alice")
		time.Sleep(time.Second)
		a.store.setFail(errors.New("away"))
		a.world.befall(s.Player, func(c *rushgate.Character) {
			c.Numbers["level"], c.Numbers["deaths"], c.Numbers["hp"] = 5, 1, 0
		})
		time.Sleep(time.Second)
		got, _, _ := p.taken()
		if own := got[len(got)-1].Own; own.Level != 1 || own.Deaths != 0 || own.HP != 100 || own.Flags != 0 {
			t.Errorf("told before it was saved: %+v", own)
		}
		a.store.setFail(nil)
		time.Sleep(10 * time.Second)
		got, _, _ = p.taken()
		if own := got[len(got)-1].Own; own.Level != 5 || own.Deaths != 1 || own.HP != 0 || own.Flags != flagDead {
			t.Errorf("told after it was saved: %+v", own)
		}
	})
}
