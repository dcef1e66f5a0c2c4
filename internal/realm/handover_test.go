package realm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/packed"
	"github.com/rushgate/rushgate/protocol"
	"github.com/rushgate/rushgate/world"
)

// freeze freezes the realm, which is given ten seconds for it, and returns its state.
func (f *fixture) freeze(t testing.TB) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := f.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	state, err := f.State()
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// next returns a realm of a state, which has yet to be started, with a world of its own and the same store.
func (f *fixture) next(t testing.TB, state []byte, change func(*Config)) *fixture {
	t.Helper()
	plain := &plainWorld{players: make(map[rushgate.PlayerID]*rushgate.Character)}
	next := newFixture(t, func(c *Config) {
		c.World, c.Store, c.State = plain, f.store, state
		if change != nil {
			change(c)
		}
	})
	next.world, next.store, next.names = plain, f.store, f.names
	return next
}

// move has another realm, which runs, go on in place of the arena's, after so long.
func (a *arena) move(t *testing.T, takes time.Duration) *arena {
	t.Helper()
	state := a.freeze(t)
	connections, err := a.channel.State()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(takes)
	next := &arena{network: a.network, conn: a.conn, key: a.key, clients: a.clients, hear: a.hear, wrap: a.wrap}
	next.open(t, connections)
	next.fixture = a.next(t, state, func(c *Config) {
		c.Channel, c.SnapshotWorkers = next.channel, 2
		if a.wrap != nil {
			c.World = a.wrap(c.World.(*plainWorld))
		}
	})
	a.Leave()
	next.Start()
	return next
}

// gaps returns the longest time between two snapshots as the ticks tell it, and fails for what no client would take.
func (p *playing) check(t *testing.T, name string, others int) (snapshots []protocol.Snapshot) {
	t.Helper()
	snapshots, _, failed := p.taken()
	if len(failed) > 0 {
		t.Errorf("%s: %d snapshots cannot be decoded, the first for %v", name, len(failed), failed[0])
	}
	last := uint32(0)
	for _, s := range snapshots {
		seen := make(map[uint64]bool)
		for _, e := range s.Entities {
			if seen[e.ID] {
				t.Errorf("%s: %q is there twice in tick %d", name, e.Name, s.Tick)
			}
			seen[e.ID] = true
		}
		if len(s.Entities) != others || s.Tick <= last {
			t.Errorf("%s: %d others in tick %d, which comes after %d", name, len(s.Entities), s.Tick, last)
		}
		last = s.Tick
	}
	return snapshots
}

func TestMovedRealmGoesOnWithItsPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{Delay: 5 * time.Millisecond}, nil)
		alice, pa := a.play(t, "alice")
		_, pb := a.play(t, "bob")
		carol := a.enterLive(t, "carol")
		browser := &tape{received: time.Now()}
		if _, err := a.Attach(carol.Token, tapes{}, browser); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		pa.taken()
		pb.taken()
		time.Sleep(3 * time.Second)
		before := [2][]protocol.Snapshot{pa.check(t, "alice", 2), pb.check(t, "bob", 2)}
		b := a.move(t, 50*time.Millisecond)
		if !browser.only(Moved) {
			t.Errorf("the other transport's connection has ended for %v", browser.causes())
		}
		time.Sleep(3 * time.Second)
		for i, p := range []*playing{pa, pb} {
			after := p.check(t, fmt.Sprint("player ", i), 2)
			if n := len(after); n < 57 || n > 63 {
				t.Errorf("player %d has %d snapshots of three seconds", i, n)
			}
			was, is := before[i][len(before[i])-1], after[len(after)-1]
			if is.Intent < was.Intent+15 || after[0].Intent < was.Intent {
				t.Errorf("player %d: intent %d was applied, after the move %d and then %d", i, was.Intent, after[0].Intent,
					is.Intent)
			}
		}
		synctest.Wait()
		if b.world.last.MoveX != 1 || b.world.entered != 0 || b.Players() != 3 {
			t.Errorf("%+v, %d have entered, %d are inside", b.world.last, b.world.entered, b.Players())
		}
		if c, _, err := b.Character(t.Context(), alice.Token); err != nil || c.Name != "alice" {
			t.Errorf("%+v, %v", c, err)
		}
		if _, _, err := a.Character(t.Context(), alice.Token); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("the realm that was left says %v", err)
		}
		again := &tape{received: time.Now()}
		if _, err := b.Attach(carol.Token, tapes{}, again); err != nil {
			t.Errorf("the player whose connection could not be moved does not come back: %v", err)
		}
		renewed, err := b.Renew(alice.Token)
		if err != nil || renewed.Ticket <= alice.Ticket || renewed.Ticket == carol.Ticket {
			t.Errorf("%+v after %+v, %v", renewed, alice, err)
		}
		if n := b.store.saves(); n > 3 {
			t.Errorf("%d saves", n)
		}
		if err := b.Stop(t.Context()); err != nil || b.online(t) != 0 {
			t.Errorf("%d are left inside, %v", b.online(t), err)
		}
	})
}

// What a snapshot after the move takes: a whole one, and then changes again.
func TestSnapshotsAfterAMoveAreWholeOnceAndThenDeltas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		_, p := a.play(t, "alice")
		a.play(t, "bob")
		time.Sleep(2 * time.Second)
		p.taken()
		a.move(t, 0)
		time.Sleep(2 * time.Second)
		_, sizes, failed := p.taken()
		const whole, later = 30, 6 // bytes with another's name; snapshots after which what was whole is acknowledged
		if len(failed) > 0 || len(sizes) < 35 || slices.Max(sizes[:later]) < whole || slices.Max(sizes[later:]) > whole {
			t.Errorf("%v bytes, %v", sizes, failed)
		}
	})
}

// A player hears of a death only when the store has it, whichever process tells it.
func TestWhatIsNotSavedIsSavedAfterTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		s, p := a.play(t, "alice")
		bob := a.enterLive(t, "bob")
		time.Sleep(time.Second)
		a.store.setFail(errors.New("the store is away"))
		a.world.befall(s.Player, func(c *rushgate.Character) { c.Numbers["deaths"]++; c.Numbers["hp"] = 0 })
		left := make(chan error, 1)
		go func() { left <- a.Logout(t.Context(), bob.Token) }()
		time.Sleep(time.Second)
		b := a.move(t, time.Second)
		if err := <-left; !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a logout that could not be saved hears %v", err)
		}
		time.Sleep(time.Second)
		got, _, _ := p.taken()
		if last := got[len(got)-1]; last.Own.Deaths != 0 || last.Own.HP != 100 || last.Own.Flags&flagDead != 0 {
			t.Errorf("the player is told %+v of what is not saved", last.Own)
		}
		if n := b.online(t); n != 2 || b.Players() != 1 {
			t.Errorf("%d have a lease, %d are inside", n, b.Players())
		}
		a.store.setFail(nil)
		time.Sleep(10 * time.Second)
		got, _, _ = p.taken()
		if last := got[len(got)-1]; last.Own.Deaths != 1 || last.Own.Flags&flagDead == 0 {
			t.Errorf("the player is told %+v", last.Own)
		}
		if n := b.online(t); n != 1 {
			t.Errorf("%d have a lease", n)
		}
		characters, err := a.store.LoadCharacters(t.Context(), []string{"alice"})
		if err != nil || characters[0].Numbers["deaths"] != 1 {
			t.Errorf("%+v, %v", characters, err)
		}
	})
}

// A realm that was thawed goes on as if nothing had been, also when the other one has run for a while.
func TestRealmGoesOnAfterAMoveThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		alice, p := a.play(t, "alice")
		bob, _ := a.play(t, "bob")
		time.Sleep(time.Second)
		for range 3 {
			state := a.freeze(t)
			connections, err := a.channel.State()
			if err != nil {
				t.Fatal(err)
			}
			dead := &arena{network: a.network, conn: a.conn, key: a.key}
			dead.open(t, connections)
			dead.fixture = a.next(t, state, func(c *Config) { c.Channel = dead.channel })
			p.taken()
			dead.world.players[bob.Player].X = 9 // what comes of the worlds is not the same
			dead.Start()
			time.Sleep(500 * time.Millisecond)
			dead.freeze(t) // so that it says nothing when it ends
			synctest.Wait()
			others := p.check(t, "of the other realm", 1)
			if _, err := dead.channel.State(); err != nil {
				t.Fatal(err)
			}
			dead.Leave()
			time.Sleep(100 * time.Millisecond) // what it has said last is on its way
			others = append(others, p.check(t, "of the other realm", 1)...)

			skipped := a.Stats().Skipped
			a.Thaw()
			a.Thaw()
			time.Sleep(2 * time.Second)
			got := p.check(t, "of the realm that goes on", 1)
			if len(got) < 38 || len(got) > 42 {
				t.Fatalf("%d snapshots in two seconds", len(got))
			}
			if before := others[len(others)-1]; got[0].Tick <= before.Tick || before.Entities[0].X != protocol.Fixed(9) {
				t.Errorf("after %+v comes %+v", before, got[0])
			}
			for _, s := range got {
				if s.Entities[0].X != 0 {
					t.Fatalf("the player sees what was in the other world: %+v", s)
				}
			}
			if first, last := got[0].Intent, got[len(got)-1].Intent; last < first+5 {
				t.Errorf("intents from %d to %d", first, last)
			}
			if now := a.Stats().Skipped; now != skipped {
				t.Errorf("%d steps count as skipped", now-skipped)
			}
		}
		if err := a.Logout(t.Context(), alice.Token); err != nil {
			t.Error(err)
		}
	})
}

// A call of the store that hangs is waited for, and then the realm goes on.
func TestRealmIsNotFrozenWhileASaveIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &sluggishStore{}
		f := newFixture(t, func(c *Config) {
			store.Store = c.Store
			c.Store = store
		})
		r := f.live(t, "alice")
		store.hang(8 * time.Second)
		f.world.befall(r.session.Player, func(c *rushgate.Character) { c.Numbers["level"]++ })
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := f.Freeze(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "saves") {
			t.Errorf("got %v", err)
		}
		before := f.Stats().Ticks
		time.Sleep(time.Second)
		if n := f.Stats().Ticks - before; n < 59 {
			t.Errorf("%d ticks in a second", n)
		}
		store.hang(0)
		time.Sleep(10 * time.Second)
		f.freeze(t)
		f.Thaw()
		if c, _, err := f.Character(t.Context(), r.session.Token); err != nil || c.Numbers["level"] != 2 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// sluggishStore takes its time for saves.
type sluggishStore struct {
	Store
	mu    sync.Mutex
	takes time.Duration
}

func (s *sluggishStore) hang(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = d
}

func (s *sluggishStore) Save(ctx context.Context, saves []rushgate.Save) ([]error, error) {
	s.mu.Lock()
	d := s.takes
	s.mu.Unlock()
	select {
	case <-time.After(d):
		return s.Store.Save(ctx, saves)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCallsWaitWhileTheRealmIsFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		alice := f.live(t, "alice").session
		calls := map[string]func(context.Context) error{
			"character": func(ctx context.Context) error { _, _, err := f.Character(ctx, alice.Token); return err },
			"renew":     func(context.Context) error { _, err := f.Renew(alice.Token); return err },
			"attach":    func(context.Context) error { _, err := f.Attach(alice.Token, tapes{}, &tape{}); return err },
			"find":      func(ctx context.Context) error { _, err := f.Find(ctx, alice.Player); return err },
			"logout":    func(ctx context.Context) error { return f.Logout(ctx, alice.Token) },
		}
		call := func(ctx context.Context, name string) <-chan error {
			done := make(chan error, 1)
			go func() { done <- calls[name](ctx) }()
			time.Sleep(time.Second)
			return done
		}
		for _, name := range []string{"character", "renew", "attach", "find"} {
			f.freeze(t)
			done := call(t.Context(), name)
			select {
			case err := <-done:
				t.Errorf("%s does not wait: %v", name, err)
			default:
			}
			f.Thaw()
			if err := <-done; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		f.freeze(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := <-call(ctx, "character"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that is given up: %v", err)
		}
		waiting := make(map[string]<-chan error)
		for name := range calls {
			waiting[name] = call(t.Context(), name)
		}
		a, r := f.admit(t, "bob", "bob-1")
		f.Enter(a)
		f.Leave()
		for name, done := range waiting {
			if err := <-done; !errors.Is(err, rushgate.ServerBusy) {
				t.Errorf("%s, when the realm is left: %v", name, err)
			}
		}
		if !errors.Is(r.err, rushgate.ServerBusy) || r.count != 1 {
			t.Errorf("an arrival hears %+v", r)
		}
		if err := f.Stop(t.Context()); err != nil || f.online(t) != 2 || f.store.saves() != 0 {
			t.Errorf("the realm that was left has saved %d, %d are inside, %v", f.store.saves(), f.online(t), err)
		}
		f.Leave()
		f.Thaw()
	})
}

// An arrival that came while the realm stood still is let in when it goes on, or by the next one when it comes again.
func TestArrivalDuringAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.live(t, "alice")
		state := f.freeze(t)
		a, r := f.admit(t, "bob", "bob-1")
		f.Enter(a)
		time.Sleep(time.Second)
		if r.count != 0 {
			t.Errorf("the arrival is answered %+v", r)
		}
		next := f.next(t, state, nil)
		f.Leave()
		next.Start()
		if !errors.Is(r.err, rushgate.ServerBusy) {
			t.Errorf("the arrival is answered %+v", r)
		}
		again, r := next.admit(t, "bob", "bob-1") // the same attempt
		if !again.Resumed {
			t.Error("the lease was not this instance's")
		}
		next.Enter(again)
		time.Sleep(time.Second)
		synctest.Wait()
		if r.err != nil || next.Players() != 2 {
			t.Errorf("%+v, %d inside", r, next.Players())
		}
	})
}

func TestSilenceGoesOnAfterAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.live(t, "alice")
		time.Sleep(20*time.Second - time.Second)
		state := f.freeze(t)
		time.Sleep(time.Hour)
		next := f.next(t, state, nil)
		f.Leave()
		next.Start()
		time.Sleep(8 * time.Second)
		if next.Players() != 1 {
			t.Fatal("the session has ended before its time")
		}
		time.Sleep(4 * time.Second)
		if next.Players() != 0 || next.online(t) != 0 {
			t.Error("the session goes on")
		}
	})
}

// fixedWorld is no Checkpointer.
type fixedWorld struct{ rushgate.World }

func TestWhatCannotBeMovedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.World = fixedWorld{c.World} })
		f.live(t, "alice")
		if err := f.Freeze(t.Context()); !errors.Is(err, ErrFixedWorld) {
			t.Errorf("a world without checkpoints: %v", err)
		}
		if _, err := f.State(); err == nil {
			t.Error("the state of a realm that runs")
		}
		f.Leave()
		f.Thaw()
		if f.Players() != 1 {
			t.Error("the player is gone")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.live(t, "alice")
		f.world.onCall = func(method string) {
			if method == "Checkpoint" {
				panic("not now")
			}
		}
		if err := f.Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := f.Freeze(t.Context()); err == nil {
			t.Error("frozen twice")
		}
		if _, err := f.State(); err == nil {
			t.Error("the state of a world that panics")
		}
		f.Thaw()
		before := f.Stats().Ticks
		time.Sleep(time.Second)
		if f.Stats().Ticks-before < 59 {
			t.Error("the realm does not go on")
		}
	})
}

func TestStateThatDoesNotFitIsRefused(t *testing.T) {
	f := newFixture(t, nil)
	f.enter(t, "alice")
	f.enter(t, "bob")
	good := f.freeze(t)
	now := time.Now()
	change := func(how func(*state)) []byte {
		var s state
		if err := packed.Parse(good, func(c *packed.Codec) { s.describe(c, now) }); err != nil {
			t.Fatal(err)
		}
		how(&s)
		return packed.Append(nil, func(c *packed.Codec) { s.describe(c, now) })
	}
	for name, b := range map[string][]byte{
		"nothing":                  {},
		"cut off":                  good[:len(good)-1],
		"a byte more":              append(slices.Clone(good), 0),
		"another instance":         change(func(s *state) { s.instance.Run = "2" }),
		"a world that is none":     change(func(s *state) { s.world = []byte("[]") }),
		"a player twice":           change(func(s *state) { s.sessions[1].player = s.sessions[0].player }),
		"a token twice":            change(func(s *state) { s.sessions[1].token = s.sessions[0].token }),
		"no token":                 change(func(s *state) { s.sessions[1].token = "" }),
		"nobody":                   change(func(s *state) { s.sessions[1].player = 0 }),
		"who is not in the world":  change(func(s *state) { s.sessions[1].player, s.sessions[1].saved.ID = 99, 99 }),
		"another's character":      change(func(s *state) { s.sessions[1].saved.ID = s.sessions[0].player }),
		"a state beyond the last":  change(func(s *state) { s.sessions[1].state = stateEnded + 1 }),
		"heard of in the future":   change(func(s *state) { s.sessions[1].silent = -1 }),
		"a text that is too large": change(func(s *state) { s.sessions[1].name = strings.Repeat("x", maxText+1) }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{
				World: &plainWorld{players: map[rushgate.PlayerID]*rushgate.Character{}}, Store: f.store, Instance: here, State: b,
			})
			if !errors.Is(err, ErrBadState) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := New(Config{World: fixedWorld{&plainWorld{}}, Store: f.store, Instance: here, State: good}); err == nil {
		t.Error("a world that cannot be moved was")
	}
	if next := f.next(t, good, nil); next.Players() != 2 {
		t.Errorf("%d inside", next.Players())
	}
}

// Whatever happens, and however often the realm is moved: in the end the store has what befell the players, no lease is
// left, and no player was told of what was not saved.
func TestMovesLoseNothing(t *testing.T) {
	small := func(c *Config) { c.MessagesPerTick, c.SnapshotWorkers = 1, 1 } // which is made soon
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, small)
		defer func() { f.Stop(context.Background()) }()
		type player struct {
			token  string
			deaths int
		}
		inside := make(map[string]*player)
		attempts := 0
		drawName := func(rt *rapid.T) string { return rapid.SampledFrom([]string{"ann", "bob", "cy"}).Draw(rt, "name") }
		rt.Repeat(map[string]func(*rapid.T){
			"enter": func(rt *rapid.T) {
				name := drawName(rt)
				if inside[name] != nil {
					rt.Skip("inside")
				}
				attempts++
				f.store.setFail(nil)
				if err := f.saver.round(t.Context()); err != nil { // who has left must be gone
					rt.Fatal(err)
				}
				f.Tick()
				a, r := f.admit(t, name, fmt.Sprint(name, attempts))
				f.Enter(a)
				f.Tick()
				if r.err != nil {
					rt.Fatalf("%s: %v", name, r.err)
				}
				inside[name] = &player{r.session.Token, int(a.Character.Numbers["deaths"])}
			},
			"die": func(rt *rapid.T) {
				name := drawName(rt)
				p := inside[name]
				if p == nil {
					rt.Skip("not inside")
				}
				p.deaths++
				f.world.befall(f.names[name].ID, func(c *rushgate.Character) { c.Numbers["deaths"]++ })
				f.Tick()
			},
			"leave": func(rt *rapid.T) {
				name := drawName(rt)
				if inside[name] == nil {
					rt.Skip("not inside")
				}
				f.leave(f.players[f.names[name].ID], Left, nil)
				delete(inside, name)
			},
			"save": func(rt *rapid.T) {
				f.store.setFail(nil)
				if err := f.saver.round(t.Context()); err != nil {
					rt.Fatal(err)
				}
				f.Tick()
			},
			"fail to save": func(*rapid.T) {
				f.store.setFail(errors.New("away"))
				_ = f.saver.round(t.Context())
			},
			"move": func(rt *rapid.T) {
				next := f.next(t, f.freeze(t), small)
				f.Leave()
				f = next
			},
			"fail to move": func(rt *rapid.T) {
				f.freeze(t)
				f.Thaw()
			},
			"": func(rt *rapid.T) {
				if f.Players() != len(inside) {
					rt.Fatalf("%d inside, want %d", f.Players(), len(inside))
				}
				for name, p := range inside {
					s, ok := f.tokens.get(p.token)
					if !ok || s.name != name {
						rt.Fatalf("%s has no session", name)
					}
					stored, err := f.store.LoadCharacters(t.Context(), []string{name})
					if err != nil || s.told.deaths > stored[0].Numbers["deaths"] {
						rt.Fatalf("%s is told of %d deaths, %+v is stored, %v", name, s.told.deaths, stored, err)
					}
				}
			},
		})
		f.store.setFail(nil)
		if err := f.Stop(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if f.online(t) != 0 {
			rt.Fatalf("%d leases are left", f.online(t))
		}
		for name, p := range inside {
			stored, err := f.store.LoadCharacters(t.Context(), []string{name})
			if err != nil || stored[0].Numbers["deaths"] != int64(p.deaths) {
				rt.Fatalf("%s died %d times, %+v is stored, %v", name, p.deaths, stored, err)
			}
		}
	})
}

func FuzzRealmState(f *testing.F) {
	fix, talks := newChat(f, nil)
	fix.enter(f, "alice")
	fix.enter(f, "bob")
	talks.tell(rushgate.Message{Data: []byte("hello"), Reliable: true})
	fix.Tick()
	fix.players[1].talk.Load().heard = []said{{[]byte("hello"), true}}
	fix.leave(fix.inside[1], Left, nil)
	f.Add(fix.freeze(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := New(Config{
			World: &chat{plainWorld: &plainWorld{players: map[rushgate.PlayerID]*rushgate.Character{}}}, Store: fix.store,
			Instance: here, State: b, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return
		}
		r.Tick()
		r.Tick()
		if err := r.Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.State(); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkState measures what stands between two snapshots in a move, but for the channel's part.
func BenchmarkState(b *testing.B) {
	const players = 1000
	f := newFixture(b, func(c *Config) { c.World = world.New(world.Default(), 1) })
	for n := range players {
		f.enter(b, fmt.Sprint("player", n))
	}
	if err := f.Freeze(b.Context()); err != nil {
		b.Fatal(err)
	}
	var state []byte
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			var err error
			if state, err = f.State(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(state)), "bytes")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			r, err := New(Config{World: world.New(world.Default(), 1), Store: f.store, Instance: here, State: state})
			if err != nil || r.Players() != players {
				b.Fatal(err)
			}
		}
	})
}
