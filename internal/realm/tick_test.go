package realm

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

func TestTickHandlesACappedNumberOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10
		f := newFixture(t, func(c *Config) { c.MessagesPerTick = limit })
		links := make(map[rushgate.PlayerID]*countingLink)
		for i := range inboxTicks * limit {
			s := f.enter(t, fmt.Sprintf("player-%d", i))
			links[s.Player] = f.link(s)
		}
		// An endless source: a player who has been served asks again at once.
		f.world.onApply = func(id rushgate.PlayerID) { links[id].send(rushgate.Intent{}) }
		for _, l := range links {
			l.send(rushgate.Intent{})
		}
		last := f.enter(t, "last")
		if f.world.applied != limit {
			t.Errorf("a tick handled %d messages, want %d", f.world.applied, limit)
		}
		// The inbox is full: a call is answered none the less, and counts.
		if got := f.me(t, last.Token); got.err != nil {
			t.Errorf("a call beside a full inbox: %v", got.err)
		}
		if want := 2*limit - 1; f.world.applied != want {
			t.Errorf("%d intents applied, want %d", f.world.applied, want)
		}
		f.world.onApply = nil
		delivered := make(chan struct{})
		go func() { f.link(last).send(rushgate.Intent{}); close(delivered) }()
		synctest.Wait()
		select {
		case <-delivered:
			t.Error("an intent went into a full inbox")
		default:
		}
		for i := range inboxTicks {
			f.Tick()
			if want := (i+3)*limit - 1; f.world.applied != want {
				t.Errorf("after %d more ticks %d messages were handled, want %d", i+1, f.world.applied, want)
			}
		}
		<-delivered
		f.Tick()
		if want := (inboxTicks + 2) * limit; f.world.applied != want {
			t.Errorf("%d intents applied in all, want %d", f.world.applied, want)
		}
	})
}

func TestOnePlayerTakesOnePlaceInTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.MessagesPerTick = 2 })
		s := f.enter(t, "flooder")
		l := f.link(s)
		for range 20_000 { // without a tick in between: more than the inbox holds would block here
			l.send(rushgate.Intent{MoveX: float32(l.seq)})
		}
		l.f.deliver(l.link, protocol.Intent{Seq: 7}) // late, or sent twice
		f.Tick()
		if f.world.applied != 1 || f.world.last.MoveX != 19_999 || l.applied != 20_000 {
			t.Errorf("%d applied, the last %+v, number %d; want the newest only", f.world.applied, f.world.last, l.applied)
		}
		for range queriesAtOnce + 5 {
			go f.Character(t.Context(), s.Token)
		}
		synctest.Wait()
		if got := f.Stats().InboxFull; got != 5 {
			t.Errorf("%d of the player's calls were refused, want 5", got)
		}
		if err := f.Logout(t.Context(), s.Token); !errors.Is(err, rushgate.ServerBusy) || !errors.Is(err, ErrInboxFull) {
			t.Errorf("one call too many: %v", err)
		}
		for range queriesAtOnce {
			f.Tick()
		}
		if got := f.me(t, s.Token); got.err != nil {
			t.Errorf("after the calls were answered: %v", got.err)
		}
	})
}

func TestWorldThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		f.world.players[s.Player].X = 1
		f.world.onCall = func(string) { panic("a bug in the game") }
		bob, r := f.admit(t, "bob", "bob-1")
		f.Enter(bob)
		f.link(s).send(rushgate.Intent{})
		f.Tick()
		f.Tick()
		if !errors.Is(r.err, rushgate.InternalError) || f.Players() != 1 {
			t.Errorf("entering: %v with %d players inside", r.err, f.Players())
		}
		if got := f.Stats(); got.Panics != 5 || got.Ticks != 3 { // Apply, Enter and its undoing by Leave, two Steps
			t.Errorf("panics %d in %d ticks, want 5 in 3", got.Panics, got.Ticks)
		}
		if got := f.me(t, s.Token); !errors.Is(got.err, rushgate.InternalError) {
			t.Errorf("a query: %v", got.err)
		}
		// The player can still leave, with the last copy that is known to be good, and bob's lease is free.
		time.Sleep(DefaultSessionTimeout)
		f.Tick()
		f.save(t)
		if f.Players() != 0 || f.online(t) != 0 {
			t.Errorf("%d inside, %d online", f.Players(), f.online(t))
		}
	})
}

func TestWorldThatRefusesAPlayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.World = &refusingWorld{} })
		a, r := f.admit(t, "alice", "alice-1")
		f.Enter(a)
		f.Tick()
		f.save(t)
		if !errors.Is(r.err, rushgate.InternalError) || f.online(t) != 0 {
			t.Errorf("got %v with %d online, want internal-error and the lease free", r.err, f.online(t))
		}
	})
}

type refusingWorld struct{ plainWorld }

func (*refusingWorld) Enter(rushgate.Character) error { return errors.New("no such zone") }

func TestOverrunIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.world.onCall = func(method string) {
			if method == "Step" {
				time.Sleep(2 * rushgate.TickInterval)
			}
		}
		f.Tick()
		if got := f.Stats(); got.Overruns != 1 || got.Duration.Count != 1 {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestLoopKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		var stall atomic.Int64 // in nanoseconds, once
		f.world.onCall = func(method string) {
			if method == "Step" {
				time.Sleep(time.Duration(stall.Swap(0)))
			}
		}
		f.Start()
		time.Sleep(10*time.Second + rushgate.TickInterval/2)
		if got := f.Stats(); got.Ticks != 600 || got.Late != 0 || got.Skipped != 0 {
			t.Errorf("in ten seconds: %d ticks, %d late, %d skipped", got.Ticks, got.Late, got.Skipped)
		}
		// A stall of three ticks is made up for; of one of thirty most are given up.
		stall.Store(int64(3 * rushgate.TickInterval))
		time.Sleep(time.Second)
		if got := f.Stats(); got.Ticks != 660 || got.Skipped != 0 || got.Late == 0 || got.Overruns != 1 {
			t.Errorf("after a short stall: %d ticks, %d late, %d skipped, %d overruns", got.Ticks, got.Late, got.Skipped,
				got.Overruns)
		}
		stall.Store(int64(30 * rushgate.TickInterval))
		time.Sleep(time.Second)
		if got := f.Stats(); got.Ticks+got.Skipped != 720 || got.Skipped < 20 || got.Skipped > 25 {
			t.Errorf("after a long stall: %d ticks, %d skipped", got.Ticks, got.Skipped)
		}
		f.Stop(t.Context())
	})
}

func TestTickAllocatesNothing(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
	for i := range 100 {
		f.enter(t, fmt.Sprintf("player-%d", i))
	}
	f.nextScan, f.nextRefresh = time.Now().Add(time.Hour), time.Now().Add(time.Hour) // once a second, not once a tick
	l := f.link(rushgate.Session{Player: f.inside[0].player})
	n := testing.AllocsPerRun(1000, func() {
		l.send(rushgate.Intent{MoveX: 1})
		f.Tick()
	})
	if n != 0 {
		t.Errorf("%v allocations per tick", n)
	}
}

func BenchmarkTick(b *testing.B) {
	for _, players := range []int{0, 1000, 5000} {
		b.Run(fmt.Sprintf("players=%d", players), func(b *testing.B) {
			f := newFixture(b, func(c *Config) { c.SessionTimeout = time.Hour })
			for i := range players {
				f.enter(b, fmt.Sprintf("player-%d", i))
			}
			b.ReportAllocs()
			for b.Loop() {
				f.Tick()
			}
		})
	}
}
