package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// shared is a fleet's values in memory. It imports no store, which are above.
type shared struct {
	rushgate.Fleet
	mu     sync.Mutex
	values map[string][]byte
	away   atomic.Bool
	reads  atomic.Int64
}

func newShared() *shared { return &shared{values: make(map[string][]byte)} }

func (s *shared) Shared(_ context.Context, name string) ([]byte, error) {
	s.reads.Add(1)
	if s.away.Load() {
		return nil, rushgate.ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.values[name]), nil
}

func (s *shared) SwapShared(_ context.Context, name string, before, after []byte) (bool, error) {
	if s.away.Load() {
		return false, rushgate.ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.values[name]; !bytes.Equal(now, before) && !bytes.Equal(now, after) {
		return false, nil
	}
	s.values[name] = bytes.Clone(after)
	return true, nil
}

func newKeeper(store rushgate.Fleet, log *bytes.Buffer) *Keeper {
	if log == nil {
		log = new(bytes.Buffer)
	}
	return New(Config{Store: store, Logger: slog.New(slog.NewTextHandler(log, nil))})
}

func began(t *testing.T, store rushgate.Fleet) *Keeper {
	t.Helper()
	k := newKeeper(store, nil)
	k.Begin(t.Context())
	k.Start()
	t.Cleanup(k.Stop)
	return k
}

func rangeOf(t testing.TB, s string) netip.Prefix {
	t.Helper()
	p, err := ParseRange(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryNodeGoesByAChangeWithinHalfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShared()
		one, other := began(t, store), began(t, store)
		time.Sleep(time.Second)

		opens := time.Now().Add(time.Hour)
		shut := State{Mode: rushgate.ModeClosed, Message: "Soon back", OpensAt: opens, By: "ann"}
		if _, err := one.SetMode(t.Context(), shut); err != nil {
			t.Fatal(err)
		}
		b, err := one.Ban(t.Context(), Ban{
			Range: rangeOf(t, "203.0.113.0/24"), Text: "spam", Until: rushgate.Forever(), By: "ann",
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := one.Edit(t.Context(), Staff, []string{"Ann", "bob"}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		synctest.Wait()
		r := other.Rules()
		if !r.Closed() || r.Message != "Soon back" || !r.OpensAt.Equal(opens.Truncate(time.Millisecond)) || r.By != "ann" {
			t.Errorf("another node has the mode %+v", r.State)
		}
		got := r.Banned(netip.MustParseAddr("203.0.113.9"), Device{}, "mallory", time.Now())
		if got == nil || got.ID != b.ID || got.Text != "spam" {
			t.Errorf("another node has the ban %+v, want %+v", got, b)
		}
		if names := r.Names(Staff); !slices.Equal(names, []string{"ann", "bob"}) {
			t.Errorf("another node has the staff %q", names)
		}

		if _, err := other.Lift(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := other.SetMode(t.Context(), State{Mode: rushgate.ModeOpen}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		synctest.Wait()
		if r := one.Rules(); r.Closed() || len(r.Bans()) != 0 || len(r.Names(Staff)) != 2 {
			t.Errorf("after all was taken back a node has %+v with %d bans and staff %q", r.State, len(r.Bans()), r.Names(Staff))
		}
	})
}

func TestANodeReadsOneValueWhileNothingIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShared()
		k := began(t, store)
		if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("d"), Until: rushgate.Forever()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second + 10*time.Millisecond)
		before := store.reads.Load()
		time.Sleep(allEvery / 2)
		if got, want := store.reads.Load()-before, int64(allEvery/2/lookEvery); got > want {
			t.Errorf("%d reads in %v, want %d at most", got, allEvery/2, want)
		}
	})
}

func TestAChangeIsFoundThoughNobodySaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShared()
		k := began(t, store)
		b := Ban{ID: "abc", Device: DeviceOf("d"), Until: rushgate.Forever(), At: time.Now().Truncate(time.Millisecond)}
		store.mu.Lock()
		store.values[bansName] = marshalBans(1, []Ban{b}) // its node died before it wrote of that
		store.mu.Unlock()
		time.Sleep(allEvery + lookEvery)
		synctest.Wait()
		if k.Rules().Banned(netip.Addr{}, DeviceOf("d"), "", time.Now()) == nil {
			t.Errorf("a ban that is %v old is not in force", allEvery)
		}
		if _, err := k.SetMode(t.Context(), State{Mode: rushgate.ModeOpen}); err != nil {
			t.Fatal(err)
		}
		if m, err := parseMode(store.values[modeName]); err != nil || m.bans != 1 {
			t.Errorf("the next change says that bans have revision %d (%v), want 1", m.bans, err)
		}
	})
}

func TestRulesStayWhileTheStoreIsAwayOrHasWhatCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(*shared){
		"away":           func(s *shared) { s.away.Store(true) },
		"newer mode":     func(s *shared) { s.values[modeName] = []byte(`{"version":2,"mode":"open","secret":"x"}`) },
		"damaged":        func(s *shared) { s.values[modeName] = []byte(`{"version":1,"mode":"ajar","secret":"x"}`) },
		"lost":           func(s *shared) { clear(s.values) },
		"newer bans too": func(s *shared) { s.values[bansName] = []byte(`{"version":3}`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, log := newShared(), new(bytes.Buffer)
				k := newKeeper(store, log)
				k.Begin(t.Context())
				k.Start()
				if _, err := k.SetMode(t.Context(), State{Mode: rushgate.ModeClosed}); err != nil {
					t.Fatal(err)
				}
				if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("d"), Until: rushgate.Forever()}); err != nil {
					t.Fatal(err)
				}
				store.mu.Lock()
				spoil(store)
				store.mu.Unlock()
				time.Sleep(2 * allEvery)
				k.Stop()
				if r := k.Rules(); !r.Closed() || r.Banned(netip.Addr{}, DeviceOf("d"), "", time.Now()) == nil {
					t.Errorf("the rules have become %+v", r.State)
				}
				if k.Current() {
					t.Error("the rules count as those of the fleet")
				}
				if n := strings.Count(log.String(), "level="); n != 1 || strings.Contains(log.String(), "secret") {
					t.Errorf("the log has %d lines, want one without what is stored:\n%s", n, log)
				}
			})
		})
	}
}

func TestWhatTheStoreHasLostIsWrittenAgain(t *testing.T) {
	store := newShared()
	k := newKeeper(store, nil)
	if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("d"), Until: rushgate.Forever()}); err != nil {
		t.Fatal(err)
	}
	clear(store.values)
	if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("e"), Until: rushgate.Forever()}); err != nil {
		t.Fatal(err)
	}
	if _, bans, err := parseBans(store.values[bansName]); err != nil || len(bans) != 2 {
		t.Errorf("the store has %d bans (%v), want both", len(bans), err)
	}
}

func TestAValueOfANewerVersionIsNotOverwritten(t *testing.T) {
	store := newShared()
	newer := []byte(`{"version":2,"revision":9}`)
	store.values[bansName] = newer
	_, err := newKeeper(store, nil).Ban(t.Context(), Ban{Device: DeviceOf("d"), Until: rushgate.Forever()})
	if !errors.Is(err, ErrNewer) || !bytes.Equal(store.values[bansName], newer) {
		t.Errorf("the ban: %v, and the store has %s", err, store.values[bansName])
	}
}

func TestBansEndByThemselvesAndAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShared()
		k := newKeeper(store, nil)
		if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("d"), Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if k.Rules().Banned(netip.Addr{}, DeviceOf("d"), "", time.Now()) != nil {
			t.Error("a ban that is over is in force")
		}
		if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("e"), Until: rushgate.Forever()}); err != nil {
			t.Fatal(err)
		}
		if bans := k.Rules().Bans(); len(bans) != 1 || bans[0].Device != DeviceOf("e") {
			t.Errorf("there are the bans %+v", bans)
		}
		if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("f"), Until: time.Now()}); !errors.Is(err, ErrInvalid) {
			t.Errorf("a ban that is over: %v", err)
		}
		if _, err := k.Lift(t.Context(), "nobody"); !errors.Is(err, ErrUnknownBan) {
			t.Errorf("lifting no ban: %v", err)
		}
	})
}

// A clock that was set by a year makes no ban be forgotten: once it is right again, the ban is in force.
func TestStepsOfTheClockDropNoBan(t *testing.T) {
	now, steady := time.Now(), true
	k := New(Config{Store: newShared(), Now: func() time.Time { return now }, Steady: func() bool { return steady }})
	ban := func(device string, until time.Time) {
		t.Helper()
		if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf(device), Until: until}); err != nil {
			t.Fatal(err)
		}
	}
	right := now
	ban("d", right.Add(30*24*time.Hour))
	for _, step := range []time.Duration{time.Hour, -time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		now, steady = right.Add(step), false
		ban("e", rushgate.Forever())
		now = right
		if k.Rules().Banned(netip.Addr{}, DeviceOf("d"), "", now) == nil {
			t.Errorf("after a step by %v and back, the ban is gone", step)
		}
	}
}

func TestModesLetIn(t *testing.T) {
	store := newShared()
	k := newKeeper(store, nil)
	for list, name := range map[List]string{Staff: "Ann", Allowed: "Bob"} {
		if _, err := k.Edit(t.Context(), list, []string{name}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for mode, want := range map[rushgate.Mode][]string{
		rushgate.ModeOpen: {"ann", "bob", "eve"}, rushgate.ModeClosed: nil, rushgate.ModeStaff: {"ann"},
		rushgate.ModeAllowlist: {"ann", "bob"},
	} {
		if _, err := k.SetMode(t.Context(), State{Mode: mode}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"ann", "bob", "eve"} {
			if k.Rules().Lets(name) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s lets in %q, want %q", mode, got, want)
		}
	}
	if names, err := k.Edit(t.Context(), Staff, nil, []string{"ANN", "nobody"}); err != nil || len(names) != 0 {
		t.Errorf("taking a name from a list: %q, %v", names, err)
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	k := newKeeper(newShared(), nil)
	for _, s := range []State{
		{}, {Mode: "ajar"}, {Mode: rushgate.ModeOpen, Message: "hello"}, {Mode: rushgate.ModeOpen, Out: true},
		{Mode: rushgate.ModeClosed, Message: "two\nlines"}, {Mode: rushgate.ModeClosed, Message: "\xff"},
		{Mode: rushgate.ModeClosed, Message: "\u202etxet"}, {Mode: rushgate.ModeClosed, Message: strings.Repeat("x", 257)},
		{Mode: rushgate.ModeClosed, OpensAt: time.UnixMilli(-1)},
	} {
		if _, err := k.SetMode(t.Context(), s); !errors.Is(err, ErrInvalid) {
			t.Errorf("mode %+v: %v", s, err)
		}
	}
	for _, s := range []string{
		"", "x", "0.0.0.0/0", "10.0.0.0/7", "2001::/15", "::/16", "2001:db8::/65", "::ffff:10.0.0.0/103", "::ffff:0:0/95",
		"fe80::1%eth0",
	} {
		if p, err := ParseRange(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("range %q: %v, %v", s, p, err)
		}
	}
	for s, want := range map[string]string{
		"203.0.113.7": "203.0.113.7/32", "::ffff:203.0.113.7": "203.0.113.7/32", "203.0.113.7/24": "203.0.113.0/24",
		"::ffff:203.0.113.7/120": "203.0.113.0/24", "::ffff:10.0.0.0/104": "10.0.0.0/8",
		"2001:db8::1": "2001:db8::/64", "2001:db8::/48": "2001:db8::/48",
	} {
		if p, err := ParseRange(s); err != nil || p.String() != want {
			t.Errorf("range %q: %v, %v", s, p, err)
		}
	}
	for _, b := range []Ban{
		{}, {Range: netip.MustParsePrefix("10.0.0.1/24")},
		{Range: netip.MustParsePrefix("10.0.0.0/24"), Device: DeviceOf("d")},
		{Device: DeviceOf("d"), Text: strings.Repeat("x", rushgate.MaxDisabledReason+1)},
		{Device: DeviceOf("d"), Except: []string{"ann"}}, {Device: DeviceOf("d"), Reason: "a\nb"},
	} {
		b.Until = rushgate.Forever()
		if _, err := k.Ban(t.Context(), b); !errors.Is(err, ErrInvalid) {
			t.Errorf("ban %+v: %v", b, err)
		}
	}
}

func TestBansAndListsAreBounded(t *testing.T) {
	store := newShared()
	bans := make([]Ban, MaxBans)
	for i := range bans {
		bans[i] = Ban{
			ID: fmt.Sprintf("b%d", i), Device: DeviceOf(fmt.Sprint(i)), Until: rushgate.Forever(), At: time.UnixMilli(1),
		}
	}
	store.values[bansName] = marshalBans(1, bans)
	k := newKeeper(store, nil)
	if len(store.values[bansName]) <= rushgate.MaxSharedLen {
		if _, err := k.Ban(t.Context(), Ban{Device: DeviceOf("d"), Until: rushgate.Forever()}); !errors.Is(err, ErrFull) {
			t.Errorf("one more than %d bans: %v", MaxBans, err)
		}
	}
	clear(store.values)
	var names []string
	for i := range MaxListed + 1 {
		names = append(names, fmt.Sprintf("player%05d", i))
	}
	if _, err := k.Edit(t.Context(), Allowed, names, nil); !errors.Is(err, ErrFull) {
		t.Errorf("%d names: %v", len(names), err)
	}
}

// TestRangesFindWhatEachNetworkContains compares with the network's own word.
func TestRangesFindWhatEachNetworkContains(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1e9, 0)
	for range 300 {
		bans := make(map[netip.Prefix]*Ban)
		for range 1 + rnd.IntN(12) {
			p := randomRange(rnd)
			b := &Ban{ID: p.String(), Range: p, Until: rushgate.Forever()}
			if rnd.IntN(4) == 0 {
				b.Until = now
			}
			if rnd.IntN(4) == 0 {
				b.Except = []string{"ann"}
			}
			bans[p] = b
		}
		var r ranges
		for _, b := range bans {
			r.add(b)
		}
		r.build()
		for range 200 {
			addr, name := randomAddr(rnd), []string{"ann", "bob", ""}[rnd.IntN(3)]
			want := false
			for p, b := range bans {
				want = want || p.Contains(addr.Unmap()) && b.concerns(name, now)
			}
			if got := r.find(addr, name, now); (got != nil) != want || got != nil && !got.Range.Contains(addr.Unmap()) {
				t.Fatalf("%v for %q: found %+v, want one: %t, of %v", addr, name, got, want, bans)
			}
		}
	}
}

// randomAddr is one of few, so that networks meet.
func randomAddr(rnd *rand.Rand) netip.Addr {
	if rnd.IntN(2) == 0 {
		first := []byte{0, 10, 255}[rnd.IntN(3)]
		a := netip.AddrFrom4([4]byte{first, byte(rnd.IntN(2)) * 255, byte(rnd.IntN(4)), byte(rnd.IntN(256))})
		if rnd.IntN(2) == 0 {
			return netip.AddrFrom16(a.As16())
		}
		return a
	}
	var b [16]byte
	b[0], b[1] = []byte{0x20, 0xff}[rnd.IntN(2)], byte(rnd.IntN(2))*255
	b[2], b[7] = byte(rnd.IntN(2))*255, byte(rnd.IntN(4))
	b[15] = byte(rnd.IntN(256))
	return netip.AddrFrom16(b)
}

func randomRange(rnd *rand.Rand) netip.Prefix {
	a := randomAddr(rnd).Unmap()
	bits := 8 + rnd.IntN(25)
	if a.Is6() {
		bits = 16 + rnd.IntN(49)
	}
	p, _ := a.Prefix(bits)
	return p
}

func TestDecisionsAllocateNothing(t *testing.T) {
	r := many(t, MaxBans)
	addr, d, now := netip.MustParseAddr("10.1.2.3"), DeviceOf("x"), time.Now()
	if n := testing.AllocsPerRun(100, func() { r.Banned(addr, d, "ann", now); r.Lets("ann") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func many(t testing.TB, n int) *Rules {
	t.Helper()
	bans := make([]Ban, n)
	for i := range bans {
		bans[i] = Ban{
			ID: fmt.Sprintf("b%d", i), Until: rushgate.Forever(), At: time.UnixMilli(1),
			Range: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i), 0}), 24),
		}
	}
	return newRules(mode{State: State{Mode: rushgate.ModeOpen}}, bans, lists{})
}

func BenchmarkBanned(b *testing.B) {
	r := many(b, MaxBans)
	addr, d, now := netip.MustParseAddr("10.7.200.3"), DeviceOf("x"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		r.Banned(addr, d, "ann", now)
	}
}

func TestWhatIsStoredStaysReadable(t *testing.T) {
	const (
		storedMode = `{"version":1,"mode":"staff","message":"Ünwell","opens_at":1800000000000,"out":true,"by":"ann",` +
			`"at":1700000000000,"bans":3,"lists":2}`
		storedBans = `{"version":1,"revision":3,"bans":[{"id":"aa","range":"10.0.0.0/8","except":["bob"],"text":"spam",` +
			`"until":1900000000000,"by":"ann","at":1700000000000,"reason":"bots"},` +
			`{"id":"bb","device":"00112233445566778899aabbccddeeff","at":1700000000000}]}`
		storedLists = `{"version":1,"revision":2,"staff":["ann"],"allowed":["bob","eve"]}`
	)
	m, err := parseMode([]byte(storedMode))
	if err != nil || string(m.marshal()) != storedMode {
		t.Errorf("the mode is %+v, %v", m, err)
	}
	revision, bans, err := parseBans([]byte(storedBans))
	if err != nil || string(marshalBans(revision, bans)) != storedBans {
		t.Errorf("the bans are %+v, %v", bans, err)
	}
	revision, l, err := parseLists([]byte(storedLists))
	if err != nil || string(marshalLists(revision, l)) != storedLists {
		t.Errorf("the lists are %+v, %v", l, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"mode":"closed","message":"x","bans":1}`))
	f.Add([]byte(`{"version":1,"revision":3,"bans":[{"id":"aa","range":"10.0.0.0/8","at":1700000000000}]}`))
	f.Add([]byte(`{"version":1,"revision":2,"staff":["ann"],"allowed":["bob"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseMode(b); err == nil {
			if again, err := parseMode(m.marshal()); err != nil || again != m {
				t.Errorf("%s is %+v, and then %+v, %v", b, m, again, err)
			}
		}
		if revision, bans, err := parseBans(b); err == nil {
			written := marshalBans(revision, bans)
			if _, again, err := parseBans(written); err != nil || len(again) != len(bans) {
				t.Errorf("%s is %+v, and then %+v, %v", b, bans, again, err)
			}
			newRules(mode{}, bans, lists{}).Banned(netip.MustParseAddr("10.0.0.1"), Device{}, "", time.Now())
		}
		if revision, l, err := parseLists(b); err == nil {
			if _, again, err := parseLists(marshalLists(revision, l)); err != nil || !slices.Equal(again.staff, l.staff) {
				t.Errorf("%s is %+v, and then %+v, %v", b, l, again, err)
			}
		}
	})
}

// Names of accounts that go are taken off all lists and exceptions, in whichever way an operator has written them; the
// rest stays, bans that have ended too.
func TestForget(t *testing.T) { synctest.Test(t, testForget) }

func testForget(t *testing.T) {
	s, ctx := newShared(), t.Context()
	k := newKeeper(s, nil)
	now := time.Now()
	k.cfg.Now = func() time.Time { return now }
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(k.SetMode(ctx, State{Mode: rushgate.ModeStaff}))
	must(k.Edit(ctx, Staff, []string{"Ann", "bob", "ﾕｷ"}, nil))
	must(k.Edit(ctx, Allowed, []string{"ann", "carol"}, nil))
	must(k.Ban(ctx, Ban{
		Range: netip.MustParsePrefix("203.0.113.0/24"), Except: []string{"ann", "carol"}, Until: now.Add(time.Minute),
	}))
	now = now.Add(-time.Hour) // the ban has ended by the clock of who forgets
	if err := Forget(ctx, s, nil); err != nil {
		t.Fatal(err)
	}
	got, err := Mentioned(ctx, s, []string{"ann", "ユキ", "dave"})
	if err != nil || !slices.Equal(got, []string{"ann", "ユキ"}) {
		t.Errorf("mentioned are %q, %v", got, err)
	}
	for range 2 {
		if err := Forget(ctx, s, []string{"ann", "ユキ", "dave"}); err != nil {
			t.Fatal(err)
		}
	}
	k.look(ctx)
	r := k.Rules()
	carol := []string{"carol"}
	if staff, allowed := r.Names(Staff), r.Names(Allowed); !slices.Equal(staff, []string{"bob"}) ||
		!slices.Equal(allowed, carol) || len(r.Bans()) != 1 || !slices.Equal(r.Bans()[0].Except, carol) {
		t.Errorf("left are %q, %q and %+v", staff, allowed, r.Bans())
	}
	if r.Lets("ann") || r.Lets("ユキ") || !r.Lets("bob") {
		t.Error("who has the name of an account that is gone is let in")
	}
	s.values[listName] = []byte("damaged")
	if err := Forget(ctx, s, []string{"bob"}); !errors.Is(err, ErrBadValue) {
		t.Errorf("from a list that cannot be read: %v", err)
	}
}

// Once names are forgotten no node knows them any more, so that they may be given to others: nor does one that has not
// been told, because who changed the lists last died before saying so.
func TestForgottenOnEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx := newShared(), t.Context()
		nodes := []*Keeper{began(t, store), began(t, store)}
		if _, err := nodes[0].Edit(ctx, Staff, []string{"ann", "bob"}, nil); err != nil {
			t.Fatal(err)
		}
		known := func(name string) (n int) {
			synctest.Wait()
			for _, k := range nodes {
				if k.Rules().Mentions(name) {
					n++
				}
			}
			return n
		}
		time.Sleep(lookEvery + lookEvery/10)
		if n := known("ann"); n != 2 {
			t.Fatalf("%d of 2 nodes know ann", n)
		}
		if err := Forget(ctx, store, []string{"ann"}); err != nil {
			t.Fatal(err)
		}
		if n := known("ann"); n != 0 {
			t.Errorf("forgotten, and %d nodes know ann", n)
		}
		store.mu.Lock()
		revision, _, _ := parseLists(store.values[listName])
		store.values[listName] = marshalLists(revision+1, lists{})
		store.mu.Unlock()
		if got, err := Mentioned(ctx, store, []string{"bob"}); err != nil || len(got) != 0 {
			t.Errorf("mentioned are %q, %v", got, err)
		}
		if n := known("bob"); n != 0 {
			t.Errorf("%d nodes know bob, who is on no list", n)
		}
		ended, cancel := context.WithCancel(ctx)
		if _, err := nodes[0].Edit(ctx, Staff, []string{"carol"}, nil); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(settled/2, cancel)
		if err := Forget(ended, store, []string{"carol"}); !errors.Is(err, context.Canceled) {
			t.Errorf("cut short, when a node may know carol still: %v", err)
		}
	})
}
