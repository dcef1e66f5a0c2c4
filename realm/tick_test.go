package realm

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

func TestTickHandlesACappedNumberOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10
		f := newFixture(t, func(c *Config) { c.MessagesPerTick = limit })
		s := f.enter(t, "alice")
		// An endless source: each message handled makes room for another one at once.
		f.world.onCall = func(method string) {
			if method == "Apply" {
				f.SubmitIntent(s.Token, rushgate.Intent{})
			}
		}
		for range inboxTicks * limit {
			if err := f.SubmitIntent(s.Token, rushgate.Intent{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.SubmitIntent(s.Token, rushgate.Intent{}); !errors.Is(err, rushgate.ServerBusy) || !errors.Is(err, ErrInboxFull) {
			t.Errorf("a full inbox: %v", err)
		}
		for i := range 5 {
			f.Tick()
			if want := (i + 1) * limit; f.world.applied != want {
				t.Errorf("after %d ticks %d messages were handled, want %d", i+1, f.world.applied, want)
			}
		}
		if f.Stats().InboxFull != 1 {
			t.Errorf("stats %+v", f.Stats())
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
		f.SubmitIntent(s.Token, rushgate.Intent{})
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
			t.Errorf("after a short stall: %d ticks, %d late, %d skipped, %d overruns", got.Ticks, got.Late, got.Skipped, got.Overruns)
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
	token := f.inside[0].token
	n := testing.AllocsPerRun(1000, func() {
		f.SubmitIntent(token, rushgate.Intent{MoveX: 1})
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
