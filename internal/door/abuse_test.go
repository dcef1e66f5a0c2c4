package door

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// fill has players come in from an address, and returns how many there are.
func (f *fixture) fill(addr func(i int) string, n int) (in int) {
	for i := range n {
		k := Knock{Addr: netip.MustParseAddr(addr(i)), Name: fmt.Sprint("sock-", addr(i), "-", i), Want: Register}
		if seat, err := f.Knock(k); err == nil {
			seat.Take()
			seat.Close(Inside)
			in++
		}
	}
	return in
}

// One address, or one customer of an IPv6 provider, cannot hold all places of a world; a small one is a household's.
func TestOneOriginLeavesRoomInTheWorld(t *testing.T) {
	one := func(int) string { return "192.0.2.1" }
	tests := map[string]struct {
		world, share, want int
		addr               func(i int) string
	}{
		"one address":           {200, 50, 100, one},
		"a smaller share":       {200, 10, 20, one},
		"no share":              {200, 100, 200, one},
		"a household":           {16, 50, 16, one},
		"a little more":         {20, 50, 16, one},
		"two networks of a /56": {200, 50, 150, func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i%2) }},
		"many networks of a /48": {200, 50, 175, func(i int) string {
			return fmt.Sprintf("2001:db8:0:%x::1", i%200*256)
		}},
		"addresses of no one customer": {200, 50, 200, addr},
	}
	for name, tt := range tests {
		f := newFixture(t, func(c *Config) { c.World, c.OriginShare, c.OriginRegistrations = tt.world, tt.share, -1 })
		if in := f.fill(tt.addr, 300); in != tt.want {
			t.Errorf("%s: %d of %d places, want %d", name, in, tt.world, tt.want)
		}
		if reason := f.login("198.51.100.1", "alice", Inside); (reason == "") != (tt.want < tt.world) {
			t.Errorf("%s: another player is told %q", name, reason)
		}
	}
}

// A place counts for the origin from which the player is inside now.
func TestPlaceMovesWithThePlayer(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.World, c.OriginShare = 40, 50 })
	f.fill(func(int) string { return "192.0.2.1" }, 20)
	for i := range 20 { // all come again from elsewhere
		seat, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.2"), Name: fmt.Sprint("sock-192.0.2.1-", i)})
		if err != nil {
			t.Fatal(err)
		}
		seat.Close(Inside)
	}
	if reason := f.login("192.0.2.1", "newcomer", Inside); reason != "" {
		t.Errorf("at the first address, where nobody is inside any more: %v", reason)
	}
	if reason := f.login("192.0.2.2", "newcomer-2", Inside); reason != rushgate.ServerBusy {
		t.Errorf("at the second, which holds its share: %v", reason)
	}
}

// Registrations count against the address, those that are under way too.
func TestRegistrationsAreBounded(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.OriginRegistrations = 10 })
	addr := netip.MustParseAddr("192.0.2.1")
	var seats []*Seat
	for i := range 30 {
		if seat, err := f.Knock(Knock{Addr: addr, Name: fmt.Sprint("sock-", i), Want: Register}); err == nil {
			seats = append(seats, seat)
		}
	}
	if len(seats) != 10 {
		t.Fatalf("%d registrations at once, want 10", len(seats))
	}
	for _, seat := range seats {
		seat.Close(Inside)
	}
	_, err := f.Knock(Knock{Addr: addr, Name: "one-more", Want: Register})
	var refusal *rushgate.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != rushgate.RateLimited || refusal.RetryAfter != RegistrationWindow/10 {
		t.Errorf("the next one: %v %+v", err, refusal)
	}
	f.now = f.now.Add(RegistrationWindow / 10)
	if _, err := f.Knock(Knock{Addr: addr, Name: "one-more", Want: Register}); err != nil {
		t.Errorf("when it was told to come back: %v", err)
	}
	if reason := f.login("192.0.2.1", "sock-1", Right); reason != "" {
		t.Errorf("a login: %v", reason)
	}
}

// However many addresses log in to an account of theirs, an owner stays known at home.
func TestSuccessesElsewhereDoNotMakeTheOwnerAStranger(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.remember = 1000 })
	f.login("192.0.2.1", "alice", Inside)
	f.guesses("192.0.2.66", "bob", 4)
	for i := range 10_000 {
		f.login(fmt.Sprintf("2001:db8:0:%x::1", i), "mallory", Right)
	}
	for i := range SlowLimit {
		f.login(fmt.Sprintf("198.51.100.%d", i), "alice", Wrong)
	}
	if reason := f.login("192.0.2.1", "alice", Inside); reason != "" {
		t.Errorf("the owner at home is told %v", reason)
	}
	if n := f.guesses("192.0.2.66", "bob", 10); n != 1 {
		t.Errorf("%d more guesses: the successes have pushed out the failures before", n)
	}
}

// An account is known at the last few origins from which it has logged in.
func TestAccountIsKnownAtItsLastOrigins(t *testing.T) {
	f := newFixture(t, nil)
	for i := range knownOrigins + 1 {
		f.login(fmt.Sprintf("192.0.2.%d", i), "alice", Inside)
	}
	f.login("192.0.2.1", "alice", Inside)
	for i := range knownOrigins + 1 {
		k := Knock{Addr: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)), Name: "alice"}
		if known := f.budgets.isKnown(f.budgets.pair(&k)); known != (i > 0) {
			t.Errorf("known at origin %d: %v", i, known)
		}
	}
}

// Slow guesses from an address where the account is known, such as a neighbour's behind the same one, are bounded too.
func TestSlowGuessesFromAKnownOriginAreBounded(t *testing.T) {
	f := newFixture(t, nil)
	judged := 0
	for i := range 1440 { // a day
		if i%60 == 0 {
			f.login("192.0.2.1", "alice", Inside)
		}
		judged += f.guesses("192.0.2.1", "alice", 4)
		f.now = f.now.Add(61 * time.Second)
	}
	if judged > 1000 || f.Stats().Lockouts["pair"] == 0 {
		t.Errorf("%d guesses in a day, %d lockouts", judged, f.Stats().Lockouts["pair"])
	}
}

// An address that has a place is no way ahead of those at other addresses.
func TestAPlaceIsNoWayAhead(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Queue, c.Pace, c.Batch = 20, 100, 1 })
	for i := range 5000 {
		f.Knock(Knock{Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Name: fmt.Sprint("p", i)})
		f.now = f.now.Add(time.Millisecond)
		if i == 30 {
			f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "m0"})
		}
	}
	second, honest := f.place(t, "192.0.2.1", "m1"), f.place(t, "192.0.2.2", "honest")
	if second.Number < 4000 || second.Number < honest.Number*9/10 {
		t.Errorf("the second client of an address is told %+v, one of another address %+v", second, honest)
	}
}

// An origin with many players inside is no way past the line for all of them at once: those who come back have its
// share of the queue, and wait for the rest as all others do.
func TestSeatsOfOneOriginDoNotFillTheQueue(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Queue, c.OriginFailures = 200, -1 })
	owner := func(i int) Knock { return Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: fmt.Sprint("m", i)} }
	for i := range 200 {
		seat, err := f.Knock(owner(i))
		if err != nil {
			t.Fatal(err)
		}
		seat.Take()
		seat.Close(Inside)
		f.now = f.now.Add(time.Second)
	}
	if _, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.2"), Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	in := 0
	for i := range 200 {
		if _, err := f.Knock(owner(i)); err == nil {
			in++
		}
	}
	if in < 1 || in > 2*modest {
		t.Errorf("%d of 200 players of one origin have come into a queue of 200 that others use", in)
	}
}

// A takeover that waited in the queue for long keeps the seat of the session that it ends; one that has proved nothing
// keeps none.
func TestTakeoverKeepsTheSeat(t *testing.T) {
	for outcome, kept := range map[Outcome]bool{Right: true, Wrong: false} {
		f := newFixture(t, func(c *Config) { c.World = 1 })
		k := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice", Takeover: true}
		seat, _ := f.Knock(k)
		seat.Close(Inside)
		seat, _ = f.Knock(k)
		f.now = f.now.Add(2 * claimLasts)
		seat.Close(outcome)
		f.now = f.now.Add(time.Second)
		f.Left("alice", TakenOver)
		if reason := f.login("192.0.2.2", "bob", NotJudged); (reason == rushgate.ServerBusy) != kept {
			t.Errorf("after outcome %d a newcomer is told %q", outcome, reason)
		}
		f.now = f.now.Add(DefaultSeatHold)
		if reason := f.login("192.0.2.2", "bob", NotJudged); reason != "" {
			t.Errorf("when the hold is over a newcomer is told %q", reason)
		}
	}
	f := newFixture(t, func(c *Config) { c.World = 1 }) // and one that was long ago keeps none
	k := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice", Takeover: true}
	seat, _ := f.Knock(k)
	seat.Close(Inside)
	seat, _ = f.Knock(k)
	seat.Close(Right)
	f.now = f.now.Add(claimLasts + time.Second)
	f.Left("alice", TakenOver) // by another node, say
	if reason := f.login("192.0.2.2", "bob", NotJudged); reason != "" {
		t.Errorf("a newcomer is told %q", reason)
	}
}

// The seat of a player on the way back is kept until the moment that the player was told, but for a stranger's sake it
// is not kept longer.
func TestAHeldSeatOutlastsThePromise(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.World, c.Queue, c.Pace, c.Batch, c.MaxAge, c.SeatHold = 40, 20, 0.5, 1, time.Hour, 20*time.Second
	})
	knock := func(i int) Knock {
		return Knock{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Name: fmt.Sprint("p", i)}
	}
	for i := range 40 {
		seat, err := f.Knock(knock(i))
		if err != nil {
			t.Fatal(err)
		}
		seat.Take()
		seat.Close(Inside)
	}
	for i := range 40 {
		f.Left(knock(i).Name, Silent)
	}
	for i := range 38 {
		f.Knock(knock(i))
		f.now = f.now.Add(time.Millisecond)
	}
	told := f.place(t, "10.0.0.39", "p39").High
	if told <= 20*time.Second {
		t.Fatalf("told %v, which the hold covers anyway", told)
	}
	f.place(t, "192.0.2.1", "p38")
	f.now = f.now.Add(told)
	f.Stats()
	if own := f.places.byName[f.budgets.name("p39")]; own == nil {
		t.Error("a player comes back as told, and the seat is gone")
	}
	if own := f.places.byName[f.budgets.name("p38")]; own != nil {
		t.Error("a stranger's knock has kept a seat")
	}
}

// The typos of players who are known at an address do not prolong its lockout.
func TestKnownAccountsDoNotProlongALockout(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 300 {
		f.login("192.0.2.1", fmt.Sprint("resident-", i), Inside)
	}
	for i := range DefaultOriginFailures {
		f.login("192.0.2.1", fmt.Sprint("victim-", i), Wrong)
	}
	ends := f.now.Add(LockoutTime)
	for i := range 300 {
		f.now = f.now.Add(time.Second)
		f.login("192.0.2.1", fmt.Sprint("resident-", i), Wrong)
	}
	if locks := f.Lockouts(1); f.now.Before(ends) && (len(locks) != 1 || !locks[0].Until.Equal(ends)) {
		t.Errorf("the lockout was to end at %v: %+v", ends, locks)
	}
	f.now = ends
	if reason := f.login("192.0.2.1", "newcomer", Inside); reason != "" {
		t.Errorf("when it has ended: %v", reason)
	}
}

// However many pairs are locked, an operator sees the networks and accounts first, and the counts agree.
func TestLockoutsOfManyAreShownFirst(t *testing.T) {
	f := newFixture(t, nil)
	for i := range SlowLimit {
		f.login(fmt.Sprintf("198.51.100.%d", i), "bob", Wrong)
	}
	for i := range 90 {
		f.guesses("203.0.113.1", fmt.Sprint("victim-", i), 10)
	}
	if locks := f.Lockouts(50); len(locks) != 50 || locks[0].Kind != AccountGuarded || locks[1].Kind != PairLocked {
		t.Errorf("%d are shown, the first of kind %v", len(locks), locks[0].Kind)
	}
	if s, all := f.Stats(), f.Lockouts(1000); s.Locked != len(all) {
		t.Errorf("%d run, %d are listed", s.Locked, len(all))
	}
	f.now = f.now.Add(minGuard)
	if s, all := f.Stats(), f.Lockouts(1000); s.Locked != 90 || len(all) != 90 {
		t.Errorf("when the guard has ended %d run, %d are listed", s.Locked, len(all))
	}
	for i := range 2 * guardBurst {
		f.login(fmt.Sprintf("198.51.100.%d", 100+i), "bob", Wrong)
	}
	if n := f.Stats().Lockouts["account"]; n != 2 {
		t.Errorf("%d guards have begun, want 2", n)
	}
}

// The slow lane takes in no more than it can serve in time, and an origin's share of it.
func TestSlowLaneIsBounded(t *testing.T) {
	tests := map[string]struct {
		pace float64
		addr func(i int) string
		want int
	}{
		"by its places":     {100, addr, slowRoom},
		"by the time":       {1, addr, 25},
		"never to nothing":  {0.001, addr, 1},
		"for one address":   {100, func(int) string { return "192.0.2.1" }, 22},
		"for one IPv6 /64":  {100, func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, 22},
		"for many networks": {100, func(i int) string { return fmt.Sprintf("2001:%x::1", i+0xdb8) }, slowRoom},
	}
	for name, tt := range tests {
		f := newFixture(t, func(c *Config) { c.SlowPace = tt.pace })
		taken := 0
		for i := range 60 {
			seat, err := f.Knock(Knock{Addr: netip.MustParseAddr(tt.addr(i)), Name: fmt.Sprint("import-", i)})
			if err != nil {
				t.Fatal(err)
			}
			seat.Take()
			var refusal *rushgate.Refusal
			if err := seat.Slow(); err == nil {
				taken++
			} else if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy || refusal.RetryAfter <= 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if taken != tt.want {
			t.Errorf("%s: the lane has taken %d, want %d", name, taken, tt.want)
		}
	}
}

// Guesses at a name that no account has do not keep a player from registering it, and a repeated registration counts as
// the guess that it may be.
func TestGuessesDoNotStopARegistration(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 2 * SlowLimit {
		f.login(fmt.Sprintf("198.51.100.%d", i), "alice", Unknown)
	}
	seat, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice", Want: Register})
	if err != nil {
		t.Fatalf("the registration: %v", err)
	}
	if err := seat.Guess(); !errors.Is(err, rushgate.RateLimited) {
		t.Errorf("if it is the repetition of another: %v", err)
	}
	seat.Close(NotJudged)
	judged := 0
	for range 20 {
		seat, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "bob", Want: Register})
		if err != nil {
			t.Fatal(err)
		}
		if seat.Guess() == nil {
			if err := seat.Guess(); err != nil { // which is charged once
				t.Errorf("said twice: %v", err)
			}
			judged++
			seat.Close(Wrong)
		}
		seat.Close(NotJudged)
	}
	if judged != FailureLimit {
		t.Errorf("%d repeated registrations are judged, want %d", judged, FailureLimit)
	}
}

// Where many clients wait for the same end, or for a place that only one of them will get, they are told different
// times.
func TestWaitsOfManyAreSpread(t *testing.T) {
	crowd := func(c *Config) { c.Jitter = nil }
	tests := map[string]func() *fixture{
		"a locked network": func() *fixture {
			f := newFixture(t, crowd)
			for i := range DefaultOriginFailures {
				f.login("192.0.2.1", fmt.Sprint("victim-", i), Wrong)
			}
			return f
		},
		"a guarded account": func() *fixture {
			f := newFixture(t, crowd)
			for i := range SlowLimit {
				f.login(fmt.Sprintf("198.51.100.%d", i), "player-0", Wrong)
			}
			return f
		},
		"a full world": func() *fixture {
			f := newFixture(t, func(c *Config) { crowd(c); c.World = 1 })
			f.fill(func(int) string { return "192.0.2.2" }, 1)
			return f
		},
		"a node that drains": func() *fixture { f := newFixture(t, crowd); f.Close(); return f },
	}
	for name, make := range tests {
		f := make()
		told := map[time.Duration]bool{}
		for i := range 50 {
			player := i
			if name == "a guarded account" {
				player = 0
			}
			told[f.wait(t, "192.0.2.1", fmt.Sprint("player-", player)).Round(time.Millisecond)] = true
		}
		if len(told) < 40 {
			t.Errorf("%s: 50 clients are told only %d times", name, len(told))
		}
	}
}

// A player with a seat comes past the line, when an answer was lost or after a drop, but not again and again.
func TestAPlayerInsideDoesNotCrowdOutTheLine(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Queue, c.Pace, c.Batch = 4, 10, 1 })
	alice := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"}
	seat, err := f.Knock(alice)
	if err != nil {
		t.Fatal(err)
	}
	seat.Close(Inside)
	var queue []*Seat
	for i := range 20 { // the first four find room in the queue, then there is a line
		if seat, err := f.Knock(Knock{Addr: netip.MustParseAddr(addr(i)), Name: fmt.Sprint("p", i)}); err == nil {
			queue = append(queue, seat)
		}
	}
	queue[0].Take() // there is room for one of those who wait
	past := 0
	for range 10 {
		if seat, err := f.Knock(alice); err == nil {
			seat.Close(Right)
			past++
		}
	}
	if len(queue) != 4 || past != 1 {
		t.Errorf("with %d in the queue the player came past the line %d times", len(queue), past)
	}
}
