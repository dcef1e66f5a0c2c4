package line

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// stand is a line under a test's clock.
type stand struct {
	*Line
	tb      testing.TB
	wall    time.Time
	elapsed time.Duration
	cfg     Config
	runs    int
}

func newStand(tb testing.TB, change func(*Config)) *stand {
	tb.Helper()
	s := &stand{tb: tb, wall: noon, cfg: Config{Pace: 10}}
	if change != nil {
		change(&s.cfg)
	}
	s.start(nil)
	return s
}

// start begins a run, from a state if it is not nil.
func (s *stand) start(state []byte) {
	s.tb.Helper()
	s.runs++
	cfg := s.cfg
	cfg.State, cfg.Random = state, rand.NewChaCha8([32]byte{byte(s.runs), byte(s.runs >> 8)})
	cfg.Now = func() time.Time { return s.wall }
	cfg.Elapsed = func() time.Duration { return s.elapsed }
	s.Line = mustLine(s.tb, cfg)
}

// pass lets time pass, with ticks that find so much room.
func (s *stand) pass(d time.Duration, room int) {
	const step = 100 * time.Millisecond
	for ; d > 0; d -= step {
		s.wall, s.elapsed = s.wall.Add(min(d, step)), s.elapsed+min(d, step)
		s.Tick(room, s.cfg.Pace)
	}
}

func originOf(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// take takes n tickets for players of so many origins, one each few milliseconds.
func (s *stand) take(n int, tier uint8) []Ticket {
	s.tb.Helper()
	var all []Ticket
	for i := range n {
		s.wall, s.elapsed = s.wall.Add(3*time.Millisecond), s.elapsed+3*time.Millisecond
		t, _, err := s.Take(Ask{Origin: originOf(int(s.serial)), Tier: tier, Holder: Holder{byte(i)}})
		if err != nil {
			s.tb.Fatal(err)
		}
		all = append(all, t)
	}
	return all
}

func (s *stand) redeem(t *Ticket) error {
	_, err := s.Redeem(t, t.Holder)
	return err
}

func (s *stand) want(what string, got, want error) {
	s.tb.Helper()
	if !errors.Is(got, want) {
		s.tb.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestATicketIsRedeemedOnceInItsTime(t *testing.T) {
	s := newStand(t, nil)
	tickets := s.take(5, 0)
	o, err := s.Redeem(&tickets[2], tickets[2].Holder)
	s.want("before its turn", err, ErrNotYet)
	if o.Place != 3 || o.PollAfter < time.Second || o.High <= o.Low {
		t.Errorf("outlook %+v", o)
	}
	s.pass(10*time.Second, -20)
	s.want("without room", s.redeem(&tickets[4]), ErrNotYet)
	s.pass(2*time.Second, 5)
	_, err = s.Redeem(&tickets[0], Holder{99})
	s.want("another's", err, ErrNotHolder)
	wrong := tickets[0]
	wrong.Line = ForWorld
	s.want("for another line", s.redeem(&wrong), ErrWrongLine)
	future := tickets[0]
	future.Issued = s.wall.Add(clockSkew + time.Second)
	s.want("of the future", s.redeem(&future), ErrFuture)
	s.want("in its time", s.redeem(&tickets[0]), nil)
	s.want("twice", s.redeem(&tickets[0]), ErrUsed)
	s.GiveBack(&tickets[0])
	s.want("given back", s.redeem(&tickets[0]), nil)
	s.pass(DefaultGrace-20*time.Second, 5)
	s.want("late, within the grace", s.redeem(&tickets[1]), nil)
	s.pass(20*time.Second, 5)
	s.want("after the grace", s.redeem(&tickets[2]), ErrExpired)
	if c := s.Stats(); c.Redeemed != 3 || c.GivenBack != 1 || c.Used != 1 || c.Expired != 1 || c.NotHolder != 1 ||
		c.Future != 1 || c.WrongLine != 1 {
		t.Errorf("counts %+v", c.Counts)
	}
}

// The wall clock steps by an hour, either way, in a run and across restarts; or the process stands still for as long.
// No ticket is refused, turns never go back, and no one has to wait longer.
func TestAClockThatStepsHarmsNoPlayer(t *testing.T) {
	steps := map[string]func(s *stand){
		"forward":  func(s *stand) { s.wall = s.wall.Add(time.Hour) },
		"back":     func(s *stand) { s.wall = s.wall.Add(-time.Hour) },
		"standing": func(s *stand) { s.wall, s.elapsed = s.wall.Add(time.Hour), s.elapsed+time.Hour },
		"forward and back": func(s *stand) {
			s.wall = s.wall.Add(time.Hour)
			s.pass(30*time.Second, 0)
			s.wall = s.wall.Add(-time.Hour)
		},
		"restart":              func(s *stand) { s.start(s.State()) },
		"restart an hour on":   func(s *stand) { state := s.State(); s.wall = s.wall.Add(time.Hour); s.start(state) },
		"restart an hour back": func(s *stand) { state := s.State(); s.wall = s.wall.Add(-time.Hour); s.start(state) },
		"restart a day on":     func(s *stand) { state := s.State(); s.wall = s.wall.Add(24 * time.Hour); s.start(state) },
		"restart, no state":    func(s *stand) { s.start(nil) },
	}
	for name, step := range steps {
		s := newStand(t, nil)
		s.take(1, 0)
		s.pass(2*time.Second, 20)
		called := s.take(10, 0)
		s.pass(2*time.Second, 20)
		before := s.take(50, 0)
		step(s)
		s.pass(time.Second, 0)
		after := s.take(50, 0)
		for i := range called {
			s.want(name+": called before", s.redeem(&called[i]), nil)
		}
		if last := before[len(before)-1].Turn; after[0].Turn.Before(last) && name != "restart, no state" {
			t.Errorf("%s: a turn of %v after one of %v", name, after[0].Turn, last)
		}
		waiting := append(before, after...)
		for waited := 0; len(waiting) > 0; waited++ {
			if waited > 200 {
				t.Fatalf("%s: %d wait after 20 s", name, len(waiting))
			}
			s.pass(100*time.Millisecond, 2)
			for len(waiting) > 0 {
				err := s.redeem(&waiting[0])
				if errors.Is(err, ErrNotYet) {
					break
				}
				s.want(name, err, nil)
				waiting = waiting[1:]
			}
		}
	}
}

// A line's clock that is ahead of the wall's, or behind, comes together with it, and never goes back.
func TestTheClockComesTogetherWithTheWall(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, -time.Second, time.Second, time.Hour} {
		s := newStand(t, nil)
		s.wall = s.wall.Add(off)
		last := int64(0)
		for range 3 * 3600 {
			s.pass(time.Second, 0)
			if s.clock.turn < last {
				t.Fatalf("%v: the clock went back", off)
			}
			last = s.clock.turn
		}
		d := time.Duration(s.clock.turn-s.wall.UnixMicro()) * time.Microsecond
		if d.Abs() > 200*time.Millisecond {
			t.Errorf("%v off, after three hours %v", off, d)
		}
	}
}

// The process is killed with a state that is a second old.
func TestEveryTicketIsHonouredAfterAKill(t *testing.T) {
	s := newStand(t, func(c *Config) { c.Pace = 100 })
	var all []Ticket
	for range 30 {
		all = append(all, s.take(300, 0)...)
		s.pass(100*time.Millisecond, 10)
	}
	saved := s.State()
	for range 6 { // what is given out within a second
		all = append(all, s.take(50, 0)...)
		s.pass(20*time.Millisecond, 10)
	}
	s.start(saved)
	all = append(all, s.take(300, 0)...)
	next, most := 0, 0
	for range 3000 {
		s.pass(100*time.Millisecond, 50)
		for next < len(all) && s.redeem(&all[next]) == nil {
			next++
		}
		come := 0
		for i := next; i < len(all); i++ {
			if err := s.redeem(&all[i]); errors.Is(err, ErrExpired) || errors.Is(err, ErrUsed) {
				t.Fatalf("ticket %d: %v", i, err)
			} else if err == nil {
				s.GiveBack(&all[i])
				come++
			} else if come == 0 {
				break
			}
		}
		if most = max(most, come); next == len(all) {
			break
		}
	}
	if next < len(all) || most > 64 {
		t.Errorf("%d of %d have come in, up to %d out of order", next, len(all), most)
	}
}

func TestAnOriginThatAsksForMany(t *testing.T) {
	s := newStand(t, func(c *Config) { c.Pace = 100 })
	ask := func(origin string) (Ticket, error) {
		tk, _, err := s.Take(Ask{Origin: netip.MustParsePrefix(origin)})
		return tk, err
	}
	var last time.Time
	for i := range 1000 {
		tk, err := ask("192.0.2.1/32")
		if err != nil {
			t.Fatal(err)
		}
		if i < lenient && !tk.Turn.Equal(tk.Issued) {
			t.Fatalf("turn %d lies ahead", i)
		}
		if i > lenient {
			if d := tk.Turn.Sub(last); d < 40*time.Millisecond || d > 210*time.Millisecond {
				t.Fatalf("turn %d is %v after the one before, want about 100 ms", i, d)
			}
		}
		last = tk.Turn
	}
	if d := last.Sub(noon); d < 90*time.Second || d > 160*time.Second {
		t.Errorf("the thousandth turn is %v ahead, want about 98 s", d)
	}
	if tk, err := ask("192.0.2.2/32"); err != nil || !tk.Turn.Equal(tk.Issued) {
		t.Errorf("a neighbour is given %v, %v", tk.Turn, err)
	}
	known := Ask{Origin: netip.MustParsePrefix("192.0.2.1/32"), Alone: true}
	if tk, _, err := s.Take(known); err != nil || !tk.Turn.Equal(tk.Issued) {
		t.Errorf("a device that is known is given %v, %v", tk.Turn, err)
	}
	ahead := 0
	for i := range 1000 { // a thousand networks of one customer
		tk, err := ask(fmt.Sprintf("2001:db8:0:%x::/64", i))
		if err != nil {
			t.Fatal(err)
		}
		if !tk.Turn.Equal(tk.Issued) {
			ahead++
		}
	}
	if ahead < 900 {
		t.Errorf("a customer with a /48 is given %d turns at once", 1000-ahead)
	}
}

func TestTurnsBeyondTheHorizonAreNotGiven(t *testing.T) {
	s := newStand(t, nil) // 10 per second, so that an origin has one
	var err error
	asked := 0
	for ; err == nil && asked < 100_000; asked++ {
		_, _, err = s.Take(Ask{Origin: originOf(1)})
	}
	s.want("far beyond the horizon", err, ErrTooMany)
	if want := int(Horizon / time.Second); asked < want*3/4 || asked > want+lenient+1 {
		t.Errorf("%d turns are given, want about %d", asked, want)
	}
	s.take(1, 0)
	waiting := s.waiting()
	_, _, err = s.Take(Ask{Origin: originOf(1)})
	s.want("again", err, ErrTooMany)
	if s.waiting() != waiting {
		t.Error("a turn that was not given is counted")
	}
}

// Turns that lie ahead are called before their time if no others wait, and others are before them if they come.
func TestTurnsThatLieAheadFillTheRoom(t *testing.T) {
	s := newStand(t, nil)
	var flood []Ticket
	for range 200 {
		tk, _, err := s.Take(Ask{Origin: originOf(1)})
		if err != nil {
			t.Fatal(err)
		}
		flood = append(flood, tk)
	}
	s.pass(5*time.Second, 20)
	in := 0
	for i := range flood {
		if s.redeem(&flood[i]) == nil {
			in++
		}
	}
	if in < 30 {
		t.Errorf("%d have come in while there was room for 20 and more", in)
	}
	honest := s.take(20, 0)
	s.pass(3*time.Second, 10)
	for i := range honest[:10] {
		s.want("an honest player", s.redeem(&honest[i]), nil)
	}
}

func TestClientsWithoutTicketsKeepTheirTurn(t *testing.T) {
	s := newStand(t, nil)
	come := func(i int, account string) (Outlook, error) { return s.Come(originOf(i), account, false) }
	first, err := come(1, "ann")
	s.want("a newcomer", err, ErrNotYet)
	s.take(30, 0)
	for range 50 {
		o, err := come(1, "ann")
		s.want("asking again", err, ErrNotYet)
		if o.Place != first.Place {
			t.Fatalf("asking again moves from place %d to %d", first.Place, o.Place)
		}
	}
	if n := s.waiting(); n != 31 {
		t.Errorf("%d wait, want 31", n)
	}
	if o, err := come(1, "bob"); !errors.Is(err, ErrNotYet) || o.Place != 32 {
		t.Errorf("another account: %+v, %v", o, err)
	}
	if s.Came(originOf(1), "ann") {
		t.Error("came before its turn")
	}
	s.pass(3*time.Second, 10)
	_, err = come(1, "ann")
	s.want("in its time", err, nil)
	_, err = come(1, "ann")
	s.want("again, since it did not come in", err, nil)
	if !s.Came(originOf(1), "ann") || s.Came(originOf(1), "ann") {
		t.Error("a turn is used once")
	}
	s.take(100, 0)
	o, err := come(1, "ann")
	s.want("a newcomer again", err, ErrNotYet)
	if o.Place < 100 {
		t.Errorf("at place %d", o.Place)
	}
}

// However many clients without tickets come, the memory is bounded, and most keep their turns.
func TestManyClientsWithoutTickets(t *testing.T) {
	s := newStand(t, func(c *Config) { c.Pace = 100 })
	n := knownEntries * 3 / 2
	for i := range n {
		_, _ = s.Come(originOf(i), "x", false)
	}
	kept := 0
	for i := range knownEntries / 2 {
		if s.known.find(s.known.key(originOf(i), "x")) != nil {
			kept++
		}
	}
	if kept < knownEntries/2*9/10 {
		t.Errorf("of the first %d only %d are remembered", knownEntries/2, kept)
	}
}

func TestTiersShareThePace(t *testing.T) {
	s := newStand(t, func(c *Config) { c.Weights, c.Line = []int{1, 3, 6}, ForWorld })
	var waiting [3][]Ticket
	for tier := range waiting {
		waiting[tier] = s.take(600, uint8(tier))
	}
	served := func(d time.Duration) (n [3]int) {
		for range int(d / (100 * time.Millisecond)) {
			s.pass(100*time.Millisecond, 1)
			for tier := range waiting {
				for len(waiting[tier]) > 0 && s.redeem(&waiting[tier][0]) == nil {
					waiting[tier] = waiting[tier][1:]
					n[tier]++
				}
			}
		}
		return n
	}
	n := served(30 * time.Second)
	total := n[0] + n[1] + n[2]
	for tier, want := range []float64{0.1, 0.3, 0.6} {
		if got := float64(n[tier]) / float64(total); got < want-0.05 || got > want+0.05 {
			t.Errorf("tier %d has %.2f of %d, want %.2f", tier, got, total, want)
		}
	}
	waiting[2] = nil
	s.tiers[2].plain = newTrack(s.clock.millis() * 1000)
	s.tiers[2].plain.passes.note(s.clock.millis()*1000, s.clock.tick(), 0)
	n = served(20 * time.Second)
	if got := float64(n[0]) / float64(n[0]+n[1]); got < 0.2 || got > 0.3 {
		t.Errorf("without the third, the first has %.2f, want 0.25", got)
	}
}

func TestEarlyComersAreShuffled(t *testing.T) {
	s := newStand(t, func(c *Config) {
		c.Opens, c.Window, c.Pace = noon.Add(30*time.Second), time.Minute, 100
	})
	early := s.take(2000, 0)
	s.pass(10*time.Second, 50)
	inOrder, firstHalf := 0, 0
	for i := range early {
		tk := &early[i]
		if tk.Turn.Before(s.cfg.Opens.Add(-time.Minute)) || !tk.Turn.Before(s.cfg.Opens) {
			t.Fatalf("turn %v is not within the window", tk.Turn)
		}
		if tk.Turn.Before(s.cfg.Opens.Add(-30 * time.Second)) {
			firstHalf++
		}
		if i > 0 && early[i-1].Turn.Before(tk.Turn) {
			inOrder++
		}
		s.want("before the opening", s.redeem(tk), ErrNotYet)
	}
	if inOrder < 900 || inOrder > 1100 || firstHalf < 900 || firstHalf > 1100 {
		t.Errorf("of 2000, %d in order, %d in the first half", inOrder, firstHalf)
	}
	if o := s.Outlook(&early[0]); o.Low < 10*time.Second {
		t.Errorf("before the opening: %+v", o)
	}
	if d := s.Document(0); d.Opens != s.cfg.Opens.UnixMilli() || s.Admits(1000) {
		t.Errorf("before the opening: %+v", d)
	}
	s.pass(15*time.Second, 50)
	late := s.take(20, 0)
	for s.waiting() > 150 {
		s.pass(100*time.Millisecond, 50)
	}
	s.want("who came late, while the last of the early wait", s.redeem(&late[19]), ErrNotYet)
	s.pass(5*time.Second, 50)
	for i := range early {
		s.want("after the opening", s.redeem(&early[i]), nil)
	}
	s.want("who came late", s.redeem(&late[0]), nil)
}

// A client finds its own place by the document within a few percent, wherever it is.
func TestTheDocumentTellsEveryPlace(t *testing.T) {
	s := newStand(t, func(c *Config) { c.Pace = 100 })
	rng := rand.New(rand.NewPCG(1, 1))
	var all []Ticket
	for burst := range 200 { // some seconds with many, some with few
		all = append(all, s.take(1+rng.IntN(1+burst%7*50), 0)...)
		s.pass(time.Duration(rng.IntN(1000))*time.Millisecond, 0)
	}
	s.pass(2*time.Second, 100)
	d := s.Document(0)
	if len(d.Marks) > MaxMarks || d.Waiting != s.waiting() {
		t.Fatalf("%+v", d)
	}
	for i := range all {
		want := s.Outlook(&all[i]).Place
		got, wait, waits := PlaceOf(d, all[i].Turn)
		if waits != (want > 0) && want > 2 {
			t.Fatalf("ticket %d: place %d, want %d", i, got, want)
		}
		if off := got - want; want > 0 && (off > 40+want/5 || off < -40-want/5) {
			t.Errorf("ticket %d: place %d, want %d", i, got, want)
		}
		if want > 1000 && wait < time.Second {
			t.Errorf("place %d in %v", want, wait)
		}
	}
	if place, _, _ := PlaceOf(d, s.wall.Add(time.Hour)); place != d.Waiting+1 {
		t.Errorf("behind all: place %d of %d", place, d.Waiting)
	}
	if _, _, waits := PlaceOf(Document{Serving: 5}, time.UnixMilli(4)); waits {
		t.Error("a turn that has come waits")
	}
}

// Players come for a hundred minutes and wait, clients of every kind have been there, and the whole takes less than
// 8 MiB, however many they are: with RUSHGATE_LONG=1 a million.
func TestAMillionWaitInEightMiB(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	players := 100_000
	if os.Getenv("RUSHGATE_LONG") != "" {
		players = 1_000_000
	}
	apart := 100 * time.Minute / time.Duration(players)
	before := heap()
	s := newStand(t, func(c *Config) { c.Pace = 166 })
	for i := range players {
		s.wall, s.elapsed = s.wall.Add(apart), s.elapsed+apart
		tk, _, err := s.Take(Ask{Origin: originOf(i)})
		if err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			s.redeemed.add(&tk, 0, 1<<30)
			_, _ = s.Come(originOf(i), "x", false)
		}
		if i%10 == 0 {
			s.Tick(-1000, 166)
		}
	}
	if n := s.waiting(); n < players {
		t.Fatalf("%d wait", n)
	}
	used := heap() - before
	state := s.State()
	t.Logf("%.2f MiB, a state of %d bytes", float64(used)/(1<<20), len(state))
	if used > 8<<20 {
		t.Errorf("%d bytes are used", used)
	}
	if len(state) > 20_000 {
		t.Errorf("the state has %d bytes", len(state))
	}
	runtime.KeepAlive(s)
}

// A line that is called from many goroutines is for the race detector.
func TestManyGoroutines(t *testing.T) {
	l := mustLine(t, Config{Pace: 100, Weights: []int{1, 2}})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				tk, _, err := l.Take(Ask{Origin: originOf(i), Tier: uint8(i % 2), Holder: Holder{byte(g)}})
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = l.Redeem(&tk, tk.Holder)
				l.GiveBack(&tk)
				_, _ = l.Come(originOf(i), "x", false)
				l.Came(originOf(i), "x")
				l.Tick(10, 100)
				l.Outlook(&tk)
				l.Document(0)
				l.Stats()
				l.Admits(1)
				l.State()
			}
		})
	}
	wg.Wait()
}

func TestConfigsThatAreRefused(t *testing.T) {
	for name, cfg := range map[string]Config{
		"grace": {Grace: time.Second}, "long grace": {Grace: 2 * time.Hour}, "share": {Share: 101},
		"weight": {Weights: []int{0}},
		"tiers":  {Weights: make([]int, MaxTiers+1)}, "requests": {Requests: -1}, "window": {Window: -1}, "pace": {Pace: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: %+v is taken", name, cfg)
		}
	}
}

// TestModel holds a small line to a list of its players: turns come in order, each ticket is redeemed once, and counts
// are right.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStand(t, func(c *Config) { c.Pace, c.Weights = 20, []int{1, 4} })
		type player struct {
			t    Ticket
			used bool
		}
		var all []*player
		rt.Repeat(map[string]func(*rapid.T){
			"take": func(rt *rapid.T) {
				o := originOf(rapid.IntRange(0, 40).Draw(rt, "origin"))
				tk, _, err := s.Take(Ask{Origin: o, Tier: uint8(rapid.IntRange(0, 1).Draw(rt, "tier"))})
				if err != nil {
					rt.Fatal(err)
				}
				all = append(all, &player{t: tk})
			},
			"pass": func(rt *rapid.T) {
				room := rapid.IntRange(0, 5).Draw(rt, "room")
				s.pass(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms"))*time.Millisecond, room)
			},
			"step": func(rt *rapid.T) {
				s.wall = s.wall.Add(time.Duration(rapid.IntRange(-3600, 3600).Draw(rt, "s")) * time.Second)
			},
			"restart": func(rt *rapid.T) {
				for _, p := range all {
					if p.used { // within its grace it could be used again
						p.t.Serial = 1 << 60
					}
				}
				s.start(s.State())
			},
			"redeem": func(rt *rapid.T) {
				if len(all) == 0 {
					return
				}
				p := all[rapid.IntRange(0, len(all)-1).Draw(rt, "player")]
				if p.t.Serial == 1<<60 {
					return
				}
				switch err := s.redeem(&p.t); {
				case err == nil && p.used:
					rt.Fatal("a ticket was redeemed twice")
				case err == nil:
					p.used = true
				case errors.Is(err, ErrUsed) != p.used:
					rt.Fatal(err)
				case errors.Is(err, ErrFuture) || errors.Is(err, ErrNotHolder) || errors.Is(err, ErrWrongLine):
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				sum := 0
				for i := range s.tiers {
					for _, r := range []*track{&s.tiers[i].plain, &s.tiers[i].ahead} {
						n := 0
						r.each(func(_ int64, k int) { n += k })
						if n != r.waiting {
							rt.Fatalf("%d wait, counted %d", r.waiting, n)
						}
						sum += n
					}
					if b := s.tiers[i].before(maxMillis * 1000); b != s.tiers[i].waiting() {
						rt.Fatalf("%d before the end, %d wait", b, s.tiers[i].waiting())
					}
				}
				if sum > len(all) {
					rt.Fatalf("%d wait of %d", sum, len(all))
				}
				s.Document(0)
			},
		})
	})
}

func BenchmarkTake(b *testing.B) {
	s := newStand(b, func(c *Config) { c.Pace = 166 })
	ring := testRing(b, 1)
	buf := make([]byte, 0, TicketSize)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.wall, s.elapsed = s.wall.Add(20*time.Microsecond), s.elapsed+20*time.Microsecond
		tk, _, err := s.Take(Ask{Origin: originOf(i)})
		if err != nil {
			b.Fatal(err)
		}
		buf = ring.Seal(buf[:0], &tk)
	}
}

// BenchmarkRedeem is what it costs to tell a player who waits among a million where it stands.
func BenchmarkRedeem(b *testing.B) {
	s := newStand(b, func(c *Config) { c.Pace = 166 })
	var last Ticket
	for i := range 1_000_000 {
		s.wall, s.elapsed = s.wall.Add(6*time.Millisecond), s.elapsed+6*time.Millisecond
		last, _, _ = s.Take(Ask{Origin: originOf(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Redeem(&last, last.Holder)
	}
}

// Players who come in lumps, all in one part of their slices, do not pass for no-shows: all of them come when they are
// called.
func TestLumpsAreNoNoShows(t *testing.T) {
	s := newStand(t, func(c *Config) { c.Pace = 100 })
	var waiting []Ticket
	for step := range 900 { // of a tenth of a second
		if step%5 == 0 && step < 600 {
			for i := range 60 {
				ticket, _, err := s.Take(Ask{Origin: originOf(60*step + i), Holder: Holder{1}})
				if err != nil {
					t.Fatal(err)
				}
				waiting = append(waiting, ticket)
			}
		}
		waiting = slices.DeleteFunc(waiting, func(ticket Ticket) bool {
			_, err := s.Redeem(&ticket, ticket.Holder)
			return err == nil
		})
		s.pass(100*time.Millisecond, 2)
	}
	if got := s.Stats(); len(waiting) > 0 || got.NoShows > 0.06 || got.Outstanding > 0 {
		t.Errorf("%d wait, %.2f are taken for no-shows, %d for late; all came", len(waiting), got.NoShows, got.Outstanding)
	}
}
