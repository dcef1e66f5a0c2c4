package door

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// fixture is a door with a clock and no jitter.
type fixture struct {
	*Door
	now time.Time
}

func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	cfg := Config{
		Queue: 1000, World: 10_000, MaxAge: 25 * time.Second, Batch: 16, Pace: 1000,
		Now: func() time.Time { return f.now }, Jitter: func(time.Duration) time.Duration { return 0 },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.Door, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return f
}

// place knocks for a client that finds no room, and returns its place.
func (f *fixture) place(t *testing.T, addr, name string) rushgate.Place {
	t.Helper()
	_, err := f.Knock(Knock{Addr: netip.MustParseAddr(addr), Name: name})
	r, _ := errors.AsType[*rushgate.Refusal](err)
	if r == nil || r.Place.Number < 1 {
		t.Fatalf("told %v, want a place", err)
	}
	return r.Place
}

// login knocks and has the password judged at once; the reason is that of a refusal, or empty.
func (f *fixture) login(addr, name string, o Outcome) rushgate.Reason {
	return f.try(Knock{Addr: netip.MustParseAddr(addr), Name: name, Want: Login}, o)
}

func (f *fixture) try(k Knock, o Outcome) rushgate.Reason {
	seat, err := f.Knock(k)
	if err != nil {
		return rushgate.ReasonOf(err)
	}
	seat.Take()
	f.Served(Fast, 1)
	seat.Close(o)
	if o == Inside {
		f.Left(k.Name, Left)
	}
	return ""
}

// guesses has an attacker guess at a name from an address until refused, and returns how many were judged.
func (f *fixture) guesses(addr, name string, most int) (judged int) {
	for range most {
		if f.login(addr, name, Wrong) != "" {
			return judged
		}
		judged++
	}
	return judged
}

// 190 wrong passwords in parallel: those that are still being judged count.
func TestGuessesInFlightCount(t *testing.T) {
	f := newFixture(t, nil)
	var seats []*Seat
	for range 190 {
		if s, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"}); err == nil {
			seats = append(seats, s)
		} else if !errors.Is(err, rushgate.RateLimited) {
			t.Fatal(err)
		}
	}
	if len(seats) != FailureLimit {
		t.Errorf("%d guesses are judged at once, want %d", len(seats), FailureLimit)
	}
	for i, s := range seats {
		if began := s.Close(Wrong); (len(began) > 0) != (i == FailureLimit-1) {
			t.Errorf("failure %d begins %v", i+1, began)
		}
	}
	if n := f.guesses("192.0.2.1", "alice", 10); n != 0 {
		t.Errorf("%d more guesses after the lockout", n)
	}
}

// The same in parallel, over accounts and over addresses: each budget counts what is in flight.
func TestGuessesInFlightCountForOriginAndAccount(t *testing.T) {
	spread := map[string]struct {
		knock func(i int) Knock
		limit int
	}{
		"one address, many accounts": {func(i int) Knock {
			return Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: fmt.Sprint("player-", i)}
		}, DefaultOriginFailures},
		"many addresses, one account": {func(i int) Knock {
			return Knock{Addr: netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), Name: "alice"}
		}, SlowLimit},
		"one address, names probed": {func(i int) Knock {
			return Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: fmt.Sprint("player-", i), Want: Register}
		}, DefaultOriginFailures},
	}
	for name, tt := range spread {
		f := newFixture(t, nil)
		judged := 0
		for i := range 500 {
			if _, err := f.Knock(tt.knock(i)); err == nil {
				judged++
			}
		}
		if judged != tt.limit {
			t.Errorf("%s: %d at once, want %d", name, judged, tt.limit)
		}
	}
}

// Four guesses and one's own login, over and over: a success forgives the failures at that account alone.
func TestSuccessForgivesNothingElse(t *testing.T) {
	f := newFixture(t, nil)
	judged, limited := 0, 0
	for range 20 {
		for range 4 {
			if f.login("192.0.2.1", "alice", Wrong) == "" {
				judged++
			} else {
				limited++
			}
		}
		if reason := f.login("192.0.2.1", "mallory", Inside); reason != "" {
			t.Fatalf("the attacker's own account: %v", reason)
		}
		f.now = f.now.Add(time.Second)
	}
	if judged > FailureLimit || limited == 0 {
		t.Errorf("%d guesses judged, %d refused", judged, limited)
	}
}

// Right passwords and registrations in between end no lockout.
func TestSuccessEndsNoLockout(t *testing.T) {
	f := newFixture(t, nil)
	f.guesses("192.0.2.1", "alice", 10)
	for i := range 50 {
		f.login("192.0.2.1", "mallory", Inside)
		k := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: fmt.Sprint("sock-", i), Want: Register}
		if reason := f.try(k, Inside); reason != "" {
			t.Fatalf("registration %d: %v", i, reason)
		}
		if n := f.guesses("192.0.2.1", "alice", 1); n != 0 {
			t.Fatalf("a guess is judged after %d successes", i+1)
		}
	}
	f.now = f.now.Add(LockoutTime)
	if n := f.guesses("192.0.2.1", "alice", 10); n != FailureLimit {
		t.Errorf("after the lockout %d guesses, want %d", n, FailureLimit)
	}
}

// A success does forgive the player's own typos.
func TestSuccessForgivesOnesOwnTypos(t *testing.T) {
	f := newFixture(t, nil)
	for range 4 {
		for range FailureLimit - 1 {
			if reason := f.login("192.0.2.1", "alice", Wrong); reason != "" {
				t.Fatalf("a typo: %v", reason)
			}
		}
		if reason := f.login("192.0.2.1", "alice", Inside); reason != "" {
			t.Fatalf("the right password: %v", reason)
		}
	}
}

// Guesses at one account from many addresses are slowed, ever more, and the owner gets in.
func TestStrangersAtOneAccountAreSlowed(t *testing.T) {
	tests := map[string]func(i int) string{
		"100 addresses":                func(i int) string { return fmt.Sprintf("198.51.100.%d", i%100) },
		"200 IPv6 networks of one /48": func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i%200) },
		"a new address for each":       func(i int) string { return fmt.Sprintf("2001:db8:%x:%x::1", i%60000, i/60000) },
	}
	for name, from := range tests {
		f := newFixture(t, nil)
		if reason := f.login("192.0.2.1", "alice", Inside); reason != "" {
			t.Fatal(reason)
		}
		judged := 0
		for i := range 2880 { // a day, every half minute
			if f.login(from(i), "alice", Wrong) == "" {
				judged++
			}
			f.now = f.now.Add(30 * time.Second)
			if i%120 == 0 {
				if reason := f.login("192.0.2.1", "alice", Inside); reason != "" {
					t.Fatalf("%s: the owner at home is told %v", name, reason)
				}
			}
		}
		if judged < SlowLimit || judged > 1000 {
			t.Errorf("%s: %d guesses judged in a day, want hundreds", name, judged)
		}
	}
}

// Between guesses the waits of strangers grow, up to a bound, and begin anew after a quiet day.
func TestStrangersWaitEverLonger(t *testing.T) {
	f := newFixture(t, nil)
	var waits []time.Duration
	for i := range 200 {
		addr := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		seat, err := f.Knock(Knock{Addr: addr, Name: "alice"})
		if err == nil {
			seat.Close(Wrong)
			continue
		}
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != rushgate.RateLimited {
			t.Fatal(err)
		}
		waits = append(waits, refusal.RetryAfter)
		f.now = f.now.Add(refusal.RetryAfter)
	}
	for i, want := range []time.Duration{30, 60, 120, 240, 480, 900, 900} {
		if waits[i] != want*time.Second {
			t.Fatalf("waits %v, want the %dth to be %ds", waits, i+1, want)
		}
	}
	f.now = f.now.Add(strikeMemory + maxGuard)
	f.guesses("203.0.113.1", "alice", 1)
	for i := range 2 * SlowLimit {
		f.login(fmt.Sprintf("203.0.113.%d", i+2), "alice", Wrong)
	}
	if locks := f.Lockouts(10); len(locks) == 0 || locks[0].Until.Sub(f.now) != minGuard {
		t.Errorf("after a quiet day: %+v", locks)
	}
}

// Five typos of one player behind a shared address lock that player there, and no other.
func TestTyposLockOneAccountAtOneAddress(t *testing.T) {
	f := newFixture(t, nil)
	if n := f.guesses("192.0.2.1", "mallory", 10); n != FailureLimit {
		t.Fatalf("%d failures, want %d", n, FailureLimit)
	}
	if reason := f.login("192.0.2.1", "alice", Inside); reason != "" {
		t.Errorf("another player at that address: %v", reason)
	}
	if reason := f.login("192.0.2.2", "mallory", Inside); reason != "" {
		t.Errorf("that player elsewhere: %v", reason)
	}
	if reason := f.login("192.0.2.1", "mallory", Inside); reason != rushgate.RateLimited {
		t.Errorf("that player there: %v", reason)
	}
	if wait := f.wait(t, "192.0.2.1", "mallory"); wait != LockoutTime {
		t.Errorf("told to wait %v, want %v", wait, LockoutTime)
	}
}

func (f *fixture) wait(t *testing.T, addr, name string) time.Duration {
	t.Helper()
	_, err := f.Knock(Knock{Addr: netip.MustParseAddr(addr), Name: name})
	var refusal *rushgate.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("not refused: %v", err)
	}
	return refusal.RetryAfter
}

// An address is locked out of all accounts only for failures that are spread over many, and not of those known there.
func TestSpreadFailuresLockTheAddress(t *testing.T) {
	f := newFixture(t, nil)
	if reason := f.login("192.0.2.1", "resident", Inside); reason != "" {
		t.Fatal(reason)
	}
	for i := range DefaultOriginFailures { // two at each account but the last: it is accounts that count
		for range min(2, DefaultOriginFailures-i) {
			if reason := f.login("192.0.2.1", fmt.Sprint("victim-", i), Wrong); reason != "" {
				t.Fatalf("account %d: %v", i+1, reason)
			}
		}
		if i == DefaultOriginFailures-2 {
			if reason := f.login("192.0.2.1", "newcomer", Inside); reason != "" {
				t.Fatalf("one account before the limit: %v", reason)
			}
		}
	}
	if reason := f.login("192.0.2.1", "victim-x", Wrong); reason != rushgate.RateLimited {
		t.Errorf("one account more: %v", reason)
	}
	k := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "account-x", Want: Register}
	if reason := f.try(k, Inside); reason != rushgate.RateLimited {
		t.Errorf("a registration: %v", reason)
	}
	for _, known := range []string{"resident", "newcomer"} {
		if reason := f.login("192.0.2.1", known, Inside); reason != "" {
			t.Errorf("%s, who is known there: %v", known, reason)
		}
	}
	if reason := f.login("192.0.2.2", "victim-1", Inside); reason != "" {
		t.Errorf("a victim elsewhere: %v", reason)
	}
}

// 7,000 names probed through registration: taken names count against the address.
func TestProbedNamesCount(t *testing.T) {
	f := newFixture(t, nil)
	learned := 0
	for i := range 7000 {
		k := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: fmt.Sprint("name-", i), Want: Register}
		if f.try(k, Taken) == "" {
			learned++
		}
		f.now = f.now.Add(time.Millisecond)
	}
	if learned != DefaultOriginFailures {
		t.Errorf("%d names learned, want %d", learned, DefaultOriginFailures)
	}
}

// Guesses from the networks of one IPv6 customer count together, at a larger budget.
func TestWiderNetworksCountTogether(t *testing.T) {
	f := newFixture(t, nil)
	judged := map[string]int{}
	for i := range 5000 {
		for prefix, from := range map[string]string{
			"/56": fmt.Sprintf("2001:db8:0:%x::1", i%256),
			"/48": fmt.Sprintf("2001:db9:0:%x::1", i%65536),
		} {
			if f.login(from, fmt.Sprint("victim-", prefix, i), Wrong) == "" {
				judged[prefix]++
			}
		}
	}
	if judged["/56"] != 2*DefaultOriginFailures || judged["/48"] != 4*DefaultOriginFailures {
		t.Errorf("judged %v, want %d and %d", judged, 2*DefaultOriginFailures, 4*DefaultOriginFailures)
	}
}

// What is not judged, or is our own fault, counts against no player.
func TestOnlyFailuresCount(t *testing.T) {
	for _, o := range []Outcome{NotJudged, Right, Inside} {
		f := newFixture(t, nil)
		for i := range 500 {
			if reason := f.login("192.0.2.1", "alice", o); reason != "" {
				t.Fatalf("outcome %d, try %d: %v", o, i, reason)
			}
			if reason := f.login("192.0.2.1", fmt.Sprint("player-", i), o); reason != "" {
				t.Fatalf("outcome %d, try %d: %v", o, i, reason)
			}
		}
	}
}

// A lockout is begun once, listed, and lifted with what began it.
func TestLockoutsAreListedAndLifted(t *testing.T) {
	f := newFixture(t, nil)
	f.guesses("192.0.2.1", "alice", 10)
	for i := range SlowLimit {
		f.login(fmt.Sprintf("198.51.100.%d", i), "bob", Wrong)
	}
	for i := range DefaultOriginFailures {
		f.login("203.0.113.1", fmt.Sprint("victim-", i), Wrong)
	}
	locks := f.Lockouts(10)
	want := []struct{ kind, origin, name string }{
		{"origin", "203.0.113.1/32", ""}, {"account", "invalid Prefix", "bob"}, {"pair", "192.0.2.1/32", "alice"},
	}
	if len(locks) != len(want) {
		t.Fatalf("%d lockouts: %+v", len(locks), locks)
	}
	for i, l := range locks {
		if l.Kind.String() != want[i].kind || l.Origin.String() != want[i].origin || l.Name != want[i].name {
			t.Errorf("lockout %d: %+v, want %v", i, l, want[i])
		}
		if _, err := f.Lift(l.ID); err != nil {
			t.Errorf("lift %+v: %v", l, err)
		}
		if _, err := f.Lift(l.ID); !errors.Is(err, ErrNoLockout) {
			t.Errorf("lifted twice: %v", err)
		}
	}
	s := f.Stats()
	if s.Locked != 0 || s.Lockouts["pair"] != 1 || s.Lockouts["origin"] != 1 || s.Lockouts["account"] != 1 {
		t.Errorf("stats %+v", s)
	}
	for addr, name := range map[string]string{"192.0.2.1": "alice", "203.0.113.1": "victim-x", "198.51.100.77": "bob"} {
		if reason := f.login(addr, name, Wrong); reason != "" {
			t.Errorf("%s at %s after the lift: %v", addr, name, reason)
		}
	}
	if n := len(f.Lockouts(10)); n != 0 {
		t.Errorf("one more failure begins %d lockouts again", n)
	}
}

// A guard that is lifted begins anew: the next one has strangers wait no longer than the first did.
func TestLiftedGuardBeginsAnew(t *testing.T) {
	f := newFixture(t, nil)
	for range 3 {
		for i := range SlowLimit {
			f.login(fmt.Sprintf("198.51.100.%d", i), "alice", Wrong)
		}
		locks := f.Lockouts(1)
		if len(locks) != 1 || locks[0].Until.Sub(f.now) != minGuard {
			t.Fatalf("the guard: %+v", locks)
		}
		if _, err := f.Lift(locks[0].ID); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(2 * FailureWindow)
	}
}

// However many addresses knock with however many names, the memory is bounded, and the lockouts go on. With
// RUSHGATE_LONG=1 a million knock.
func TestMemoryIsBoundedAgainstManyOrigins(t *testing.T) {
	remember, origins := 1000, 10_000
	if os.Getenv("RUSHGATE_LONG") != "" {
		remember, origins = remembered, 1_000_000
	}
	f := newFixture(t, func(c *Config) { c.remember = remember })
	f.guesses("192.0.2.1", "alice", 10)
	for i := range origins {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if seat, err := f.Knock(Knock{Addr: addr, Name: fmt.Sprint("name-", i)}); err == nil {
			seat.Close(Wrong)
		}
	}
	b := &f.budgets
	for name, n := range map[string]int{
		"pairs": b.pairs.len(), "accounts": b.accounts.len(), "networks": b.networks.len(), "known": b.known.len(),
		"lockouts": len(b.lockouts.running), "seats": len(f.places.byName),
	} {
		if n > remember {
			t.Errorf("%d %s are remembered, want at most %d", n, name, remember)
		}
	}
	if n := f.guesses("192.0.2.1", "alice", 1); n != 0 {
		t.Error("a flood has undone a lockout")
	}
}
