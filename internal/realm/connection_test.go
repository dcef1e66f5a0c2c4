package realm

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/protocol"
)

// tape is a connection that keeps what it is told.
type tape struct {
	mu        sync.Mutex
	snapshots int
	packets   [][]byte // of messages of the game
	decoder   protocol.Decoder
	last      protocol.Snapshot
	ended     []Cause
	received  time.Time
}

func (c *tape) Disconnect(why Cause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = append(c.ended, why)
}

func (c *tape) LastReceived() time.Time { return c.received }

// tapes is the transport of tapes.
type tapes struct{}

func (tapes) Name() string      { return "tape" }
func (tapes) Lossless() bool    { return true }
func (tapes) NewSender() Sender { return tapes{} }
func (tapes) Flush()            {}

func (tapes) Send(to Connection, snapshot []byte) error {
	c := to.(*tape)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ended) > 0 {
		return net.ErrClosed
	}
	c.snapshots++
	return c.decoder.Decode(snapshot, &c.last)
}

func (tapes) SendMessages(to Connection, packet []byte) error {
	c := to.(*tape)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packets = append(c.packets, slices.Clone(packet))
	return nil
}

// causes returns why it was to end.
func (c *tape) causes() []Cause {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// only reports whether the connection was ended, for this reason alone.
func (c *tape) only(why Cause) bool {
	ended := c.causes()
	return len(ended) == 1 && ended[0] == why
}

func TestAttach(t *testing.T) {
	for name, channel := range map[string]bool{"beside a channel": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newArena(t, memnet.Options{}, func(c *Config) {
					if !channel {
						c.Channel = nil
					}
				})
				s, c := a.enterLive(t, "alice"), &tape{received: time.Now()}
				at, err := a.Attach(s.Token, tapes{}, c)
				if err != nil {
					t.Fatal(err)
				}
				_ = at.Receive(protocol.AppendIntent(nil, protocol.Intent{Seq: 7, Intent: rushgate.Intent{MoveX: 1}}))
				if err := at.Receive([]byte("nonsense")); !errors.Is(err, protocol.ErrVersion) {
					t.Errorf("nonsense: %v", err)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if st := a.Stats(); st.Connected != 1 || st.Intents != 1 || st.Malformed != 1 || c.snapshots < 19 ||
					c.last.Intent != 7 {
					t.Errorf("%d snapshots, the last %+v, stats %+v", c.snapshots, c.last, st)
				}
				at.Detach()
				if a.Stats().Connected != 0 {
					t.Errorf("%d connected", a.Stats().Connected)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if a.world.last != (rushgate.Intent{}) || len(c.causes()) != 0 {
					t.Errorf("the player goes on with %+v, ended for %v", a.world.last, c.causes())
				}
				if _, err := a.Attach("no such token", tapes{}, c); !errors.Is(err, rushgate.BadCredentials) {
					t.Errorf("an unknown token: %v", err)
				}
			})
		})
	}
}

// Whatever came before, the session has the newest connection, and no other counts.
func TestConnectionsReplaceEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		s, datagrams := a.play(t, "alice")
		first, second := &tape{}, &tape{}
		at, err := a.Attach(s.Token, tapes{}, first)
		if err != nil {
			t.Fatal(err)
		}
		<-datagrams.done
		if _, err := a.Attach(s.Token, tapes{}, second); err != nil || !first.only(Replaced) {
			t.Fatalf("%v, the first ended for %v", err, first.causes())
		}
		_ = at.Receive(protocol.AppendIntent(nil, protocol.Intent{Seq: 1, Intent: rushgate.Intent{MoveY: 1}}))
		time.Sleep(time.Second)
		synctest.Wait()
		if a.world.last.MoveY != 0 || second.snapshots < 19 || len(second.causes()) != 0 {
			t.Errorf("%+v was applied, %d snapshots, ended for %v", a.world.last, second.snapshots, second.causes())
		}
		at.Detach()
		if stale, err := a.dial(t, s); err == nil { // with the login's token
			<-stale.done
		}
		renewed, err := a.Renew(s.Token)
		if err != nil || len(second.causes()) != 0 {
			t.Fatalf("renewed: %v, ended for %v", err, second.causes())
		}
		p, err := a.dial(t, renewed)
		if err != nil || !second.only(Replaced) {
			t.Fatalf("connected anew: %v, ended for %v", err, second.causes())
		}
		time.Sleep(time.Second)
		if got, _, _ := p.taken(); len(got) < 10 {
			t.Errorf("%d snapshots over the last connection", len(got))
		}
	})
}

// Attaching and renewing count together.
func TestAttachingIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		last := &tape{}
		for i := range maxRenewals {
			var err error
			if i%2 == 0 {
				_, err = f.Renew(s.Token)
			} else {
				last = &tape{}
				_, err = f.Attach(s.Token, tapes{}, last)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := f.Attach(s.Token, tapes{}, &tape{})
		refusal, ok := errors.AsType[*rushgate.Refusal](err)
		if !ok || refusal.Reason != rushgate.RateLimited || refusal.RetryAfter != ConnectWindow {
			t.Errorf("attaching for ever: %v", err)
		}
		if len(last.causes()) != 0 {
			t.Errorf("an attempt that was refused ended the connection for %v", last.causes())
		}
	})
}

func TestEndsOfSessionsReachTheConnection(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*testing.T, *fixture, rushgate.Session)
		want Cause
	}{
		"logout": {func(t *testing.T, f *fixture, s rushgate.Session) { go f.Logout(t.Context(), s.Token) }, SessionEnded},
		"silence": {func(_ *testing.T, f *fixture, _ rushgate.Session) {
			time.Sleep(DefaultSessionTimeout)
		}, SessionEnded},
		"stop": {func(t *testing.T, f *fixture, _ rushgate.Session) { f.Stop(t.Context()) }, Stopping},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				r, c1 := f.live(t, "alice"), &tape{}
				if _, err := f.Attach(r.session.Token, tapes{}, c1); err != nil {
					t.Fatal(err)
				}
				c.end(t, f, r.session)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if !c1.only(c.want) {
					t.Errorf("ended for %v, want %v", c1.causes(), c.want)
				}
				if _, err := f.Attach(r.session.Token, tapes{}, c1); !errors.Is(err, rushgate.BadCredentials) {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

// A session that ends while a connection is attached leaves none behind.
func TestAttachToASessionThatEnds(t *testing.T) {
	f := newFixture(t, nil)
	s := f.enter(t, "alice")
	held, _ := f.tokens.get(s.Token)
	f.leave(held, Left, nil)
	f.tokens.add(s.Token, held) // as found just before it was removed
	if _, err := f.Attach(s.Token, tapes{}, &tape{}); !errors.Is(err, rushgate.BadCredentials) || held.link.Load() != nil {
		t.Errorf("%v, a connection: %v", err, held.link.Load() != nil)
	}
}

// drain is a connection that takes every snapshot.
type drain struct{ b []byte }

func (*drain) Disconnect(Cause)        {}
func (*drain) LastReceived() time.Time { return epoch }

// drains is the transport of drains.
type drains struct{}

func (drains) Name() string      { return "drain" }
func (drains) Lossless() bool    { return false }
func (drains) NewSender() Sender { return drains{} }
func (drains) Flush()            {}

func (drains) Send(to Connection, snapshot []byte) error {
	d := to.(*drain)
	d.b = append(d.b[:0], snapshot...)
	return nil
}

func (drains) SendMessages(Connection, []byte) error { return nil }

// crowd returns what makes the snapshots of so many players for a frame.
func crowd(t testing.TB, players int) (frame func()) {
	f := newFixture(t, func(c *Config) { c.SessionTimeout, c.SnapshotWorkers = time.Hour, 1 })
	v := &view{}
	for i := range players {
		s := f.enter(t, fmt.Sprintf("player-%d", i))
		f.world.players[s.Player].X = float64(i)
		held := f.players[s.Player]
		v.recipients = append(v.recipients,
			recipient{link: newLink(drains{}, &drain{}, held, DefaultSnapshotRate), self: none})
	}
	fill := f.world.View(nil)
	frame = func() {
		v.tick++
		v.entities = append(v.entities[:0], fill...)
		for i := range v.recipients {
			v.recipients[i].ack = v.tick - 1
		}
		f.snapshots.prepare(v)
		f.snapshots.sendShare(f.snapshots.workers[0])
	}
	for range 2 * protocol.MaxBase { // until every baseline has its room
		frame()
	}
	return frame
}

func TestSnapshotsAllocateNothing(t *testing.T) {
	frame := crowd(t, 20)
	if n := testing.AllocsPerRun(200, frame); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// BenchmarkSnapshots is a frame of snapshots for connections that cost nothing themselves.
func BenchmarkSnapshots(b *testing.B) {
	for _, players := range []int{100, 1000} {
		b.Run(fmt.Sprintf("players=%d", players), func(b *testing.B) {
			frame := crowd(b, players)
			b.ReportAllocs()
			for b.Loop() {
				frame()
			}
		})
	}
}
