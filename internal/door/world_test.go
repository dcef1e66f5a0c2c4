package door

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

// hopeful is a player of a full world, as its client holds it.
type hopeful struct {
	n             int
	addr          netip.Addr
	name, secret  string
	ticket, proof string
	turn          time.Time
	asks          time.Time // when its client asks again; zero: it has gone for ever
	inside, done  bool
	leaves        time.Time
}

func newHopeful(n int) *hopeful {
	return &hopeful{
		n: n, addr: netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), name: fmt.Sprintf("player-%d", n),
		secret: fmt.Sprintf("secret-of-player-%d", n),
	}
}

// busyWorld is a door with a small world behind it, in which players wait, drop and come back.
type busyWorld struct {
	*Door
	now   time.Time
	world int
	in    map[string]bool // names with a seat
	most  int             // who were inside at once
}

func newBusyWorld(t rapid.TB, seats int, change func(*Config)) *busyWorld {
	w := &busyWorld{
		now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), world: seats, in: map[string]bool{},
	}
	cfg := Config{
		Queue: 200, World: seats, MaxAge: 25 * time.Second, Batch: 4, Pace: 100, SeatHold: time.Second,
		Now: func() time.Time { return w.now }, Jitter: func(time.Duration) time.Duration { return 0 },
		Line:      line.Config{Random: rand.NewChaCha8([32]byte{1})},
		WorldLine: line.Config{Random: rand.NewChaCha8([32]byte{2})},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.Door, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ring, err := line.NewKeyring(nil, w.now)
	if err != nil {
		t.Fatal(err)
	}
	w.SetKeyring(ring)
	return w
}

// told takes note of a refusal, and reports whether it has a place.
func (v *hopeful) told(err error) (rushgate.Place, bool) {
	var r *rushgate.Refusal
	if !errors.As(err, &r) || r.Place.Number == 0 {
		return rushgate.Place{}, false
	}
	if r.Place.Ticket != "" {
		v.ticket, v.proof = r.Place.Ticket, r.Place.Proof
	}
	v.turn = r.Place.Turn
	return r.Place, true
}

// login logs a player in that is to wait; it is inside if the error is nil.
func (w *busyWorld) login(v *hopeful) error {
	seat, err := w.Knock(Knock{
		Addr: v.addr, Name: v.name, Wait: true, Holder: line.HolderOf([]byte(v.secret)),
	})
	if err != nil {
		return err
	}
	seat.Take()
	if err := seat.Sit(Proven{Player: uint64(v.n), Name: v.name}); err != nil {
		seat.Close(Right)
		return err
	}
	w.goIn(v, seat)
	return nil
}

// enter has a player come that has waited.
func (w *busyWorld) enter(v *hopeful) error {
	pass, err := w.Recognise(line.HolderOf([]byte(v.secret)), v.ticket, v.proof)
	if err != nil {
		return err
	}
	seat, err := w.Enter(Knock{Addr: v.addr}, pass)
	if err != nil {
		return err
	}
	seat.Take()
	w.goIn(v, seat)
	return nil
}

func (w *busyWorld) goIn(v *hopeful, s *Seat) {
	s.Close(Inside)
	v.inside, w.in[v.name] = true, true
	w.most = max(w.most, len(w.in))
}

func (w *busyWorld) leave(v *hopeful, how Departure) {
	v.inside = false
	delete(w.in, v.name)
	w.Left(v.name, how)
}

// In a world that stays full for an hour, with players who drop out for a while or for ever: seats are never oversold
// and seldom empty, no player who stays starves, and each is let in by its one login. Those who were called and find no
// seat ask each second, and whoever asks first has the next: so a few are overtaken by several others. With
// RUSHGATE_LONG=1 a hundred such worlds are tried.
func TestAFullWorldIsServedInTurn(t *testing.T) {
	worlds := 1
	if os.Getenv("RUSHGATE_LONG") != "" {
		worlds = 100
	}
	for seed := range worlds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { serveAFullWorld(t, byte(seed)) })
	}
}

func serveAFullWorld(t *testing.T, seed byte) {
	const seats, players = 20, 400
	w := newBusyWorld(t, seats, func(c *Config) { c.WorldLine.Random = rand.NewChaCha8([32]byte{seed}) })
	random := rand.New(rand.NewPCG(1, uint64(seed)))
	var all, order []*hopeful
	var occupied, ticks, lost int
	drops := map[*hopeful]bool{}
	for step := 0; ; step++ {
		w.now = w.now.Add(100 * time.Millisecond)
		w.Move()
		if len(all) < players && step%5 == 0 { // two come each second
			v := newHopeful(len(all) + 1)
			all = append(all, v)
			if err := w.login(v); err != nil {
				p, placed := v.told(err)
				if !placed {
					t.Fatalf("player %d: %v", v.n, err)
				}
				v.asks = w.now.Add(p.PollAfter)
				switch random.IntN(10) {
				case 0: // goes for ever
					v.asks, v.done = time.Time{}, true
				case 1: // comes back after a while, which may be late
					v.asks, drops[v] = v.asks.Add(time.Minute), true
				}
			} else {
				v.leaves = w.now.Add(time.Duration(20+random.IntN(40)) * time.Second)
			}
		}
		waiting, open := 0, 0
		for _, v := range all {
			switch {
			case v.inside && !w.now.Before(v.leaves):
				w.leave(v, Left)
				v.done = true
			case v.inside || v.done:
			default:
				waiting++
				if w.now.Before(v.asks) {
					break
				}
				err := w.enter(v)
				if err == nil {
					v.leaves = w.now.Add(time.Duration(20+random.IntN(40)) * time.Second)
					order = append(order, v)
					break
				}
				p, placed := v.told(err)
				if !placed {
					t.Fatalf("player %d: %v", v.n, err)
				}
				if p.Lost != "" {
					lost++
				}
				v.asks = w.now.Add(p.PollAfter)
			}
			if !v.done {
				open++
			}
		}
		if s := w.Stats(); s.Seats > seats || len(w.in) > seats {
			t.Fatalf("%d seats, %d inside a world of %d", s.Seats, len(w.in), seats)
		}
		if waiting > seats {
			occupied, ticks = occupied+len(w.in), ticks+1
		}
		if open == 0 && len(all) == players {
			break
		}
		if step > 10*3600 {
			t.Fatalf("%d wait after an hour: %+v", waiting, w.Stats().WorldLine)
		}
	}
	if lost > 0 {
		t.Errorf("%d of those who stayed have lost their places", lost)
	}
	if used := float64(occupied) / float64(seats*ticks); used < 0.85 {
		t.Errorf("while many waited, only %.0f%% of the seats were taken", 100*used)
	}
	var overtaken []int // by how many each was who stayed
	for i, v := range order {
		n := 0
		for _, before := range order[:i] {
			if before.turn.After(v.turn) {
				n++
			}
		}
		if !drops[v] {
			overtaken = append(overtaken, n)
		}
	}
	slices.Sort(overtaken)
	if p95, most := overtaken[len(overtaken)*95/100], overtaken[len(overtaken)-1]; p95 > seats/2 || most > 2*seats {
		t.Errorf("one in twenty was overtaken by %d, one by %d", p95, most)
	}
	if len(order) < players/2 {
		t.Errorf("only %d waited", len(order))
	}
}

// When all who wait have gone, the world is open to newcomers again within a short time.
func TestAFullWorldOpensWhenAllWhoWaitedHaveGone(t *testing.T) {
	w := newBusyWorld(t, 2, nil)
	var inside []*hopeful
	for n := range 200 {
		v := newHopeful(n + 1)
		if w.login(v) == nil {
			inside = append(inside, v)
		}
		w.now = w.now.Add(100 * time.Millisecond)
	}
	if len(inside) != 2 {
		t.Fatalf("%d inside", len(inside))
	}
	w.leave(inside[0], Left)
	knock := func() error {
		s, err := w.Knock(Knock{Addr: netip.MustParseAddr("198.51.100.1"), Name: "newcomer"})
		if err == nil {
			s.Close(NotJudged)
		}
		return err
	}
	if err := knock(); rushgate.ReasonOf(err) != rushgate.ServerBusy {
		t.Errorf("a newcomer before those who wait: %v", err)
	}
	for range 200 {
		w.now = w.now.Add(100 * time.Millisecond)
		w.Move()
	}
	if err := knock(); err != nil {
		t.Errorf("20 s after all have gone: %v", err)
	}
}

// A player with a seat comes back to it however many wait: inside, held after a drop, or on the way in.
func TestASeatIsTheOwnersWhileOthersWait(t *testing.T) {
	w := newBusyWorld(t, 1, func(c *Config) { c.SeatHold = 2 * time.Minute })
	a, b := newHopeful(1), newHopeful(2)
	if err := w.login(a); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Second)
	if _, placed := b.told(w.login(b)); !placed {
		t.Fatal("the world is not full")
	}
	w.leave(a, Silent)
	for range 600 {
		w.now = w.now.Add(100 * time.Millisecond)
		w.Move()
	}
	if _, placed := b.told(w.enter(b)); !placed {
		t.Error("a seat that is held was given away")
	}
	if err := w.login(a); err != nil {
		t.Errorf("its owner: %v", err)
	}
	w.leave(a, Silent)
	for range 1300 {
		w.now = w.now.Add(100 * time.Millisecond)
		w.Move()
	}
	if err := w.enter(b); err != nil {
		t.Errorf("when it is no longer held: %v", err)
	}
}

// An origin with its share of the seats does not keep others waiting by players of its own.
func TestOneOriginDoesNotHoldUpTheWorldsLine(t *testing.T) {
	w := newBusyWorld(t, 40, func(c *Config) { c.OriginShare = 50 })
	crowd := netip.MustParseAddr("198.51.100.1")
	var others []*hopeful
	for n := range 40 {
		v := newHopeful(n + 1)
		if n < 19 {
			v.addr = crowd
		} else {
			others = append(others, v)
		}
		if err := w.login(v); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(100 * time.Millisecond)
	}
	var waiting []*hopeful
	for n := range 10 { // of the crowd, when it has room for one more
		v := newHopeful(n + 101)
		v.addr = crowd
		if _, placed := v.told(w.login(v)); !placed {
			t.Fatal("no place")
		}
		w.now = w.now.Add(100 * time.Millisecond)
		waiting = append(waiting, v)
	}
	last := newHopeful(200)
	if _, placed := last.told(w.login(last)); !placed {
		t.Fatal("no place")
	}
	for i := range 5 {
		w.leave(others[i], Left)
	}
	in := false
	for range 300 {
		w.now = w.now.Add(100 * time.Millisecond)
		w.Move()
		for _, v := range waiting {
			if !v.inside {
				v.told(w.enter(v))
			}
		}
		if !in {
			in = w.enter(last) == nil
		}
	}
	if !in {
		t.Errorf("one of another origin waits for those of one that has its share: %+v", w.Stats())
	}
	if n := len(w.in); n > w.world {
		t.Errorf("%d inside", n)
	}
}

// Whatever is done to a full world, in whatever order: seats are neither oversold nor lost, no proof opens a second
// seat, and when all have gone nothing is left.
func TestWorldModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newBusyWorld(t, rapid.IntRange(1, 3).Draw(t, "seats"), nil)
		var players []*hopeful
		for n := range rapid.IntRange(1, 6).Draw(t, "players") {
			v := newHopeful(n + 1)
			v.addr = newHopeful(n % 3).addr
			players = append(players, v)
		}
		any := func(t *rapid.T) *hopeful { return rapid.SampledFrom(players).Draw(t, "player") }
		var open []*Seat
		t.Repeat(map[string]func(*rapid.T){
			"login": func(t *rapid.T) {
				if v := any(t); !v.inside {
					v.told(w.login(v))
				}
			},
			"enter": func(t *rapid.T) {
				v := any(t)
				if v.ticket == "" || v.inside {
					return
				}
				err := w.enter(v)
				if r := rushgate.ReasonOf(err); err != nil && r != rushgate.ServerBusy && r != rushgate.BadCredentials {
					t.Fatalf("told %v", err)
				}
				v.told(err)
			},
			"enter and fail": func(t *rapid.T) {
				v := any(t)
				if v.ticket == "" {
					return
				}
				pass, err := w.Recognise(line.HolderOf([]byte(v.secret)), v.ticket, v.proof)
				if err != nil {
					return
				}
				s, err := w.Enter(Knock{Addr: v.addr, Takeover: rapid.Bool().Draw(t, "takeover")}, pass)
				if err == nil {
					s.Close(rapid.SampledFrom([]Outcome{NotJudged, Right, Revoked}).Draw(t, "outcome"))
				}
			},
			"knock and stay": func(t *rapid.T) {
				v := any(t)
				s, err := w.Knock(Knock{Addr: v.addr, Name: v.name, Wait: true, Holder: line.HolderOf([]byte(v.secret))})
				if err == nil {
					open = append(open, s)
				}
			},
			"close": func(t *rapid.T) {
				if len(open) > 0 {
					open[0].Close(rapid.SampledFrom([]Outcome{NotJudged, Wrong, Right}).Draw(t, "outcome"))
					open = open[1:]
				}
			},
			"leave": func(t *rapid.T) {
				if v := any(t); v.inside {
					w.leave(v, Departure(rapid.IntRange(0, 2).Draw(t, "departure")))
				}
			},
			"wait": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "tenths") {
					w.now = w.now.Add(100 * time.Millisecond)
					w.Move()
				}
			},
			"wait long": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(0, 1200).Draw(t, "s")) * time.Second)
			},
			"": func(t *rapid.T) {
				if s := w.Stats(); s.Seats > w.world || len(w.in) > s.Seats {
					t.Fatalf("%d seats, %d inside a world of %d", s.Seats, len(w.in), w.world)
				}
			},
		})
		for _, s := range open {
			s.Close(NotJudged)
		}
		for _, v := range players {
			if v.inside {
				w.leave(v, Left)
			}
		}
		for range 1200 {
			w.now = w.now.Add(time.Second)
			w.Move()
		}
		s := w.Stats()
		if n := s.WorldLine.Outstanding; s.Queued+s.InHand+s.Seats+s.Held+n != 0 || w.full(w.now) {
			t.Fatalf("when all have gone: %+v", s)
		}
		if n := len(w.queue.networks) + len(w.places.networks); n != 0 {
			t.Fatalf("%d networks are still counted", n)
		}
	})
}
