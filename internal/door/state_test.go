package door

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
)

// moved returns another door that goes on in place of this one, whose clock says something else.
func (f *fixture) moved(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	state := f.State()
	return newFixtureAt(t, f.now.Add(time.Hour), func(cfg *Config) {
		cfg.State = state
		if change != nil {
			change(cfg)
		}
	})
}

func newFixtureAt(t testing.TB, now time.Time, change func(*Config)) *fixture {
	f := &fixture{now: now}
	var cfg Config
	newFixture(t, func(c *Config) { cfg = *c })
	cfg.Now = func() time.Time { return f.now }
	change(&cfg)
	var err error
	if f.Door, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLockoutsGoOnInTheNextDoor(t *testing.T) {
	f := newFixture(t, nil)
	f.login("192.0.2.1", "alice", Right)
	if n := f.guesses("192.0.2.7", "alice", 100); n != FailureLimit {
		t.Fatalf("%d guesses", n)
	}
	f.guesses("192.0.2.8", "alice", FailureLimit-1)
	f.now = f.now.Add(time.Second)
	g := f.moved(t, nil)
	before := f.Lockouts(10)
	if after := g.Lockouts(10); len(after) != 1 || after[0].ID != before[0].ID || after[0].Name != "alice" ||
		after[0].Origin != before[0].Origin {
		t.Errorf("lockouts %+v, before %+v", after, before)
	}
	if n := g.guesses("192.0.2.7", "alice", 100); n != 0 {
		t.Errorf("%d further guesses from where guessing is locked", n)
	}
	if n := g.guesses("192.0.2.8", "alice", 100); n != 1 {
		t.Errorf("%d further guesses where one is left", n)
	}
	if r := g.login("192.0.2.1", "alice", Right); r != "" {
		t.Errorf("the player, who is known there, hears %q", r)
	}
	g.now = g.now.Add(LockoutTime - 2*time.Second)
	if r := g.login("192.0.2.7", "alice", Right); r != rushgate.RateLimited {
		t.Errorf("before the lockout is over: %q", r)
	}
	g.now = g.now.Add(2 * time.Second)
	if r := g.login("192.0.2.7", "alice", Right); r != "" {
		t.Errorf("afterwards: %q", r)
	}
	g.guesses("192.0.2.9", "bob", 100)
	if after := g.Lockouts(10); len(after) != 1 || after[0].ID <= before[0].ID {
		t.Errorf("lockouts %+v, before %+v", after, before)
	}
}

// A guard that has begun to wait longer and longer does not begin anew.
func TestGuardsGoOnInTheNextDoor(t *testing.T) {
	f := newFixture(t, nil)
	guess := func(f *fixture, from, n int) (judged int) {
		for i := range n {
			if f.login(fmt.Sprintf("198.51.%d.%d", 100+from, i), "alice", Wrong) == "" {
				judged++
			}
		}
		return judged
	}
	if n := guess(f, 0, 100); n != SlowLimit {
		t.Fatalf("%d strangers could guess", n)
	}
	f = f.moved(t, nil)
	if n := guess(f, 1, 100); n != 0 {
		t.Errorf("%d more strangers could guess", n)
	}
	f.now = f.now.Add(minGuard)
	if n := guess(f, 2, 100); n != guardBurst {
		t.Errorf("%d strangers could guess after the wait", n)
	}
	f = f.moved(t, nil)
	f.now = f.now.Add(minGuard + time.Second)
	if n := guess(f, 3, 100); n != 0 {
		t.Errorf("the second wait is no longer than the first: %d could guess", n)
	}
}

func TestPlacesInTheWorldGoOnInTheNextDoor(t *testing.T) {
	small := func(cfg *Config) { cfg.World, cfg.OriginShare, cfg.SeatHold = 3, 100, time.Minute }
	f := newFixture(t, small)
	enter := func(f *fixture, name string) rushgate.Reason {
		seat, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: name})
		if err != nil {
			return rushgate.ReasonOf(err)
		}
		seat.Take()
		seat.Close(Inside)
		return ""
	}
	for _, name := range []string{"ann", "bob", "cy"} {
		if r := enter(f, name); r != "" {
			t.Fatal(r)
		}
	}
	f.Left("bob", Silent)
	f.now = f.now.Add(50 * time.Second)
	f = f.moved(t, small)
	if s := f.Stats(); s.Seats != 3 || s.Held != 1 {
		t.Errorf("%+v", s)
	}
	if r := enter(f, "dan"); r != rushgate.ServerBusy {
		t.Errorf("a newcomer hears %q", r)
	}
	if r := enter(f, "bob"); r != "" {
		t.Errorf("the player whose place is kept hears %q", r)
	}
	f.Left("bob", Silent)
	f.Left("cy", Left)
	f = f.moved(t, small)
	f.now = f.now.Add(time.Minute)
	f.Move()
	if s := f.Stats(); s.Seats != 1 || s.Held != 0 {
		t.Errorf("when the time is over %+v", s)
	}
	f.Left("ann", Left)
	if s := f.Stats(); s.Seats != 0 || len(f.places.networks) != 0 {
		t.Errorf("when the last has left %+v, %v", s, f.places.networks)
	}
}

// A world that has become smaller goes on with those who are inside.
func TestNextDoorMayHaveFewerSeats(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 20 {
		seat, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		seat.Take()
		seat.Close(Inside)
	}
	f = f.moved(t, func(cfg *Config) { cfg.World, cfg.remember = 10, 4 })
	if s := f.Stats(); s.Seats != 20 {
		t.Errorf("%+v", s)
	}
	if r := f.login("192.0.2.9", "another", Right); r != rushgate.ServerBusy {
		t.Errorf("a newcomer hears %q", r)
	}
}

func TestPlacesInBothLinesGoOnInTheNextDoor(t *testing.T) {
	w := newBusyWorld(t, 1, nil)
	first, second, third := newHopeful(1), newHopeful(2), newHopeful(3)
	if err := w.login(first); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*hopeful{second, third} {
		if _, placed := v.told(w.login(v)); !placed {
			t.Fatal("no place")
		}
		w.now = w.now.Add(time.Second)
	}
	ring, state := w.ring.Load(), w.State()
	next := newBusyWorld(t, 1, func(cfg *Config) { cfg.State = state })
	next.SetKeyring(ring)
	next.now = w.now.Add(time.Second)
	if n := next.WorldDocument().Waiting; n != 2 {
		t.Errorf("%d wait", n)
	}
	if place, placed := third.told(next.enter(third)); !placed || place.Number != 2 {
		t.Errorf("the last is told %+v", place)
	}
}

func TestStateThatDoesNotFitIsRefused(t *testing.T) {
	f := newFixture(t, nil)
	f.guesses("192.0.2.7", "alice", 100)
	f.login("192.0.2.1", "bob", Inside)
	good := f.State()
	change := func(how func(*state)) []byte {
		var s state
		if err := packed.Parse(good, func(c *packed.Codec) { s.describe(c, f.now) }); err != nil {
			t.Fatal(err)
		}
		how(&s)
		return packed.Append(nil, func(c *packed.Codec) { s.describe(c, f.now) })
	}
	for name, b := range map[string][]byte{
		"nothing":               {},
		"cut off":               good[:len(good)-1],
		"a byte more":           append(slices.Clone(good), 0),
		"a ring of six":         change(func(s *state) { s.pairs[0].value.next = FailureLimit }),
		"a level below zero":    change(func(s *state) { s.accounts[0].value.level = -1 }),
		"a kind of its own":     change(func(s *state) { s.lockouts[0].Kind = 3 }),
		"a lockout to come":     change(func(s *state) { s.lockouts[0].ID = s.lastLockout + 1 }),
		"no pace":               change(func(s *state) { s.paces[0].busy = 0 }),
		"less than free":        change(func(s *state) { s.freed = -1 }),
		"no line":               change(func(s *state) { s.line = nil }),
		"a line that is none":   change(func(s *state) { s.worldLine = []byte("line") }),
		"a pace that is no sum": change(func(s *state) { s.paces[1].done *= 1e300; s.paces[1].done *= 1e300 }),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := f.cfg
			cfg.State = b
			if _, err := New(cfg); !errors.Is(err, ErrBadState) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzDoorState(f *testing.F) {
	d := newFixture(f, nil)
	d.guesses("192.0.2.7", "alice", 100)
	d.login("2001:db8::1", "bob", Wrong)
	seat, _ := d.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "carol"})
	seat.Close(Inside)
	f.Add(d.State())
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := d.cfg
		cfg.State = b
		next, err := New(cfg)
		if err != nil {
			return
		}
		for _, k := range []Knock{
			{Addr: netip.MustParseAddr("192.0.2.7"), Name: "alice"},
			{Addr: netip.MustParseAddr("2001:db8::1"), Name: "bob", Want: Register},
		} {
			if seat, err := next.Knock(k); err == nil {
				seat.Close(Wrong)
			}
		}
		next.Left("carol", Silent)
		next.Move()
		cfg.State = next.State()
		if _, err := New(cfg); err != nil {
			t.Fatalf("what was restored and saved is refused: %v", err)
		}
	})
}

// BenchmarkState measures a door of which a flood has filled all that it remembers.
func BenchmarkState(b *testing.B) {
	f := newFixture(b, nil)
	for i := range remembered {
		who := pair{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), uint64(i)}
		f.budgets.wrong(charge{who: who, guesses: true}, "", f.now)
		f.budgets.know(who)
	}
	var state []byte
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			state = f.State()
		}
		b.ReportMetric(float64(len(state)), "bytes")
	})
	b.Run("restore", func(b *testing.B) {
		cfg := f.cfg
		cfg.State = state
		for b.Loop() {
			if _, err := New(cfg); err != nil {
				b.Fatal(err)
			}
		}
	})
}
