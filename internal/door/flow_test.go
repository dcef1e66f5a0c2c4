package door

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

// crowd simulates clients at a door whose workers serve at a steady rate, in steps of ten milliseconds.
type crowd struct {
	*Door
	now     time.Time
	rate    int // requests per second
	credit  float64
	queue   []*visitor
	clients []*visitor
	due     agenda
	rng     *rand.Rand
}

// agenda is a heap of those who are to knock, the next one first.
type agenda []*visitor

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].next.Before(a[j].next) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(v any)        { *a = append(*a, v.(*visitor)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	v := (*a)[last]
	*a = (*a)[:last]
	return v
}

// visitor is a client who wants in.
type visitor struct {
	number int // among all clients
	knock  Knock
	next   time.Time // of the next knock
	// after returns how long the client waits when it is told to wait for so long; nil means as long as it is told.
	after func(told time.Duration) time.Duration
	// tickets: the client knows of them
	tickets bool
	tries   int
	told    []time.Duration
	seat    *Seat
	in      time.Time
}

const step = 10 * time.Millisecond

func newCrowd(t *testing.T, rate int, change func(*Config)) *crowd {
	t.Helper()
	c := &crowd{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), rate: rate, rng: rand.New(rand.NewPCG(1, 2))}
	cfg := Config{
		Queue: 200, World: 100_000, MaxAge: 25 * time.Second, Batch: 16, Pace: float64(rate), OriginShare: 100,
		OriginRegistrations: -1, Now: func() time.Time { return c.now },
		Jitter: func(n time.Duration) time.Duration { return time.Duration(c.rng.Int64N(int64(n))) },
		Line:   line.Config{Random: rand.NewChaCha8([32]byte{})},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if c.Door, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ring, err := line.NewKeyring(nil, c.now)
	if err != nil {
		t.Fatal(err)
	}
	c.SetKeyring(ring)
	return c
}

func (c *crowd) add(addr, name string, at time.Duration) *visitor {
	v := &visitor{number: len(c.clients), next: c.now.Add(at)}
	v.knock = Knock{Addr: netip.MustParseAddr(addr), Name: name, Want: Register}
	c.clients = append(c.clients, v)
	heap.Push(&c.due, v)
	return v
}

// run simulates for so long.
func (c *crowd) run(t *testing.T, lasts time.Duration) {
	t.Helper()
	for end := c.now.Add(lasts); c.now.Before(end); c.now = c.now.Add(step) {
		c.knocks(t)
		c.serve()
		c.Move()
	}
}

// knocks has those knock whose time has come, in the order of their numbers.
func (c *crowd) knocks(t *testing.T) {
	t.Helper()
	var come []*visitor
	for len(c.due) > 0 && !c.due[0].next.After(c.now) {
		come = append(come, heap.Pop(&c.due).(*visitor))
	}
	slices.SortFunc(come, func(a, b *visitor) int { return a.number - b.number })
	for _, v := range come {
		for v.seat == nil && !v.next.After(c.now) {
			c.knock(t, v)
		}
		if v.seat == nil {
			heap.Push(&c.due, v)
		}
	}
}

func (c *crowd) knock(t *testing.T, v *visitor) {
	v.tries++
	if v.tickets {
		v.knock.Holder = line.HolderOf([]byte(v.knock.Name))
	}
	seat, err := c.Knock(v.knock)
	if err == nil {
		v.seat = seat
		c.queue = append(c.queue, v)
		return
	}
	var refusal *rushgate.Refusal
	if !errors.As(err, &refusal) || refusal.RetryAfter <= 0 {
		t.Fatalf("refused with %v", err)
	}
	v.told = append(v.told, refusal.RetryAfter)
	wait := refusal.RetryAfter
	if v.tickets {
		wait = refusal.Place.PollAfter
		if refusal.Place.Ticket != "" {
			v.knock.Ticket = []byte(refusal.Place.Ticket)
		}
	}
	if v.after != nil {
		wait = v.after(wait)
	}
	v.next = c.now.Add(wait)
}

func (c *crowd) serve() {
	if len(c.queue) == 0 {
		c.Idle(Fast)
		c.credit = 0
		return
	}
	c.credit += float64(c.rate) * step.Seconds()
	n := min(int(c.credit), len(c.queue))
	c.credit -= float64(n)
	slices.SortStableFunc(c.queue, func(a, b *visitor) int { return a.seat.Turn().Compare(b.seat.Turn()) })
	for _, v := range c.queue[:n] {
		v.seat.Take()
		v.seat.Close(Inside)
		v.in = c.now
	}
	c.queue = c.queue[n:]
	c.Served(Fast, n)
}

func addr(i int) string {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
}

func waits(clients []*visitor, from func(*visitor) time.Time) (all []time.Duration, out int) {
	for _, v := range clients {
		if v.in.IsZero() {
			out++
			continue
		}
		all = append(all, v.in.Sub(from(v)))
	}
	slices.Sort(all)
	return all, out
}

// One origin that floods with many names gets no more than its share, and an honest player beside it is let in as if it
// were not there. It knocks 2500 times a second, with RUSHGATE_LONG=1 10,000 times, where 100 are served.
func TestFloodOfOneOriginLeavesRoomForOthers(t *testing.T) {
	c := newCrowd(t, 100, nil)
	again := 2 * time.Second
	if os.Getenv("RUSHGATE_LONG") != "" {
		again = 500 * time.Millisecond
	}
	for i := range 5000 { // a thousand a second, each back whatever it is told
		v := c.add("192.0.2.1", fmt.Sprint("sock-", i), time.Duration(i)*time.Millisecond)
		v.after = func(time.Duration) time.Duration { return again }
	}
	var honest []*visitor
	for i := range 300 { // ten a second
		honest = append(honest, c.add(addr(i), fmt.Sprint("player-", i), time.Duration(i)*100*time.Millisecond))
	}
	starts := map[*visitor]time.Time{}
	for _, v := range honest {
		starts[v] = v.next
	}
	c.run(t, 40*time.Second)
	all, out := waits(honest, func(v *visitor) time.Time { return starts[v] })
	if out > 0 {
		t.Fatalf("%d of %d honest players are not in", out, len(honest))
	}
	if median, worst := all[len(all)/2], all[len(all)-1]; median > 2*time.Second || worst > 6*time.Second {
		t.Errorf("honest players wait %v (median) and %v (worst)", median, worst)
	}
}

// Of two origins that flood, neither gets less than a third of the service. The first knocks 12,500 times a second,
// with RUSHGATE_LONG=1 25,000 times, where 100 are served.
func TestTwoFloodsShareTheService(t *testing.T) {
	c := newCrowd(t, 100, func(cfg *Config) { cfg.OriginFailures = -1 })
	var of [2][]*visitor
	again := 200 * time.Millisecond
	if os.Getenv("RUSHGATE_LONG") != "" {
		again = 100 * time.Millisecond
	}
	for i := range 2500 {
		for o := range 2 {
			// The second knocks a tenth as often as the first.
			v := c.add(addr(o), fmt.Sprint("sock-", o, "-", i), 0)
			v.after = func(time.Duration) time.Duration { return time.Duration(1+9*o) * again }
			of[o] = append(of[o], v)
		}
	}
	c.run(t, 20*time.Second)
	var served [2]int
	for o := range of {
		all, _ := waits(of[o], func(*visitor) time.Time { return c.now })
		served[o] = len(all)
	}
	if total := served[0] + served[1]; 3*served[0] < total || 3*served[1] < total || total < 1900 {
		t.Errorf("served %v of 2000", served)
	}
}

// Honest players beside an impatient address, which asks again and again for one name or many, need few tries. With
// RUSHGATE_LONG=1 it asks for 2000.
func TestTheImpatientPayForThemselves(t *testing.T) {
	tests := map[string]struct{ names int }{"nobody": {0}, "one name": {1}, "400 names": {400}}
	if os.Getenv("RUSHGATE_LONG") != "" {
		tests["50 names"], tests["2000 names"] = struct{ names int }{50}, struct{ names int }{2000}
	}
	for name, tt := range tests {
		c := newCrowd(t, 100, nil)
		for i := range tt.names {
			v := c.add("192.0.2.1", fmt.Sprint("sock-", i), 0)
			v.after = func(time.Duration) time.Duration { return 250 * time.Millisecond }
		}
		var honest []*visitor
		for i := range 4500 { // half as many again as can be served, for half a minute
			honest = append(honest, c.add(addr(i), fmt.Sprint("player-", i), time.Duration(i)*6667*time.Microsecond))
		}
		c.run(t, 90*time.Second)
		total, worst := 0, 0
		for _, v := range honest {
			if v.in.IsZero() {
				t.Fatalf("%s: an honest player is not in after %d tries: %v", name, v.tries, v.told)
			}
			total += v.tries
			worst = max(worst, v.tries)
		}
		average := float64(total) / float64(len(honest))
		t.Logf("%s: %.2f tries, the worst %d", name, average, worst)
		if average > 2.5 || worst > 4 {
			t.Errorf("%s: honest players need %.2f tries, the worst %d", name, average, worst)
		}
	}
}

// Clients are let in in the order in which they came first, whether they know of tickets or not, but for one batch and
// the few that come late to their turn.
func TestNobodyOvertakes(t *testing.T) {
	clients := 3000
	if os.Getenv("RUSHGATE_LONG") != "" {
		clients = 12_000
	}
	for name, tickets := range map[string]bool{"with tickets": true, "without": false} {
		c := newCrowd(t, 100, nil)
		for i := range clients { // four times as many as can be served, as long as they come
			v := c.add(addr(i), fmt.Sprint("player-", i), time.Duration(i)*2500*time.Microsecond)
			v.tickets = tickets
		}
		first := map[*visitor]time.Time{}
		for _, v := range c.clients {
			first[v] = v.next
		}
		c.run(t, 150*time.Second)
		tries := 0
		for _, v := range c.clients {
			if tries += v.tries; v.in.IsZero() {
				t.Fatalf("%s: not in after %d tries: %v", name, v.tries, v.told)
			}
		}
		slices.SortStableFunc(c.clients, func(a, b *visitor) int { return a.in.Compare(b.in) })
		over := 0 // clients that more than a batch came in before that had come later
		for i, v := range c.clients {
			n := 0
			for _, before := range c.clients[max(i-500, 0):i] {
				if first[before].After(first[v]) {
					n++
				}
			}
			if n > 16 {
				over++
			}
		}
		t.Logf("%s: %d of %d were overtaken by more than a batch, %.2f tries", name, over, len(c.clients),
			float64(tries)/float64(len(c.clients)))
		most := len(c.clients) / 1000
		if !tickets { // they ask but once, and so come to their turns a little late
			most = len(c.clients) / 4
		}
		if over > most {
			t.Errorf("%s: %d of %d were overtaken by more than a batch", name, over, len(c.clients))
		}
	}
}

// When the load ends early, newcomers wait no longer than what is left takes.
func TestWaitsShrinkWhenTheLoadEnds(t *testing.T) {
	c := newCrowd(t, 100, nil)
	for i := range 6000 { // a minute's worth at once
		v := c.add(addr(i), fmt.Sprint("player-", i), 0)
		v.after = func(told time.Duration) time.Duration { return time.Hour } // and gone for good
	}
	c.run(t, 16*time.Second)
	last := c.add(addr(9000), "last", 0)
	c.run(t, time.Second)
	if len(last.told) > 0 {
		t.Errorf("with nothing to do a newcomer is told to wait %v", last.told)
	}
	for i := range 400 { // a little rush: what was promised to those who are gone must not count for long
		c.add(addr(10_000+i), fmt.Sprint("late-", i), 0)
	}
	c.run(t, 75*time.Second)
	for _, v := range c.clients[6001:] {
		for _, told := range v.told {
			if told > 62*time.Second || v.in.IsZero() {
				t.Fatalf("in the little rush: told %v, in %v", v.told, !v.in.IsZero())
			}
		}
	}
}

// The process stands still for a minute in the middle of a rush: afterwards an idle door lets everybody in.
func TestADoorThatStoodStillOpensAgain(t *testing.T) {
	for _, still := range []time.Duration{10 * time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		c := newCrowd(t, 100, nil)
		for i := range 150 {
			c.add(addr(i), fmt.Sprint("player-", i), 0)
		}
		c.run(t, 100*time.Millisecond)
		c.now = c.now.Add(still)
		c.run(t, 20*time.Second)
		if pace := c.Stats().Pace; pace < 50 {
			t.Errorf("after %v the pace is taken for %.2f per second, it is 100", still, pace)
		}
		v := c.add(addr(1000), "newcomer", 0)
		c.run(t, time.Second)
		if v.tries != 1 || v.in.IsZero() {
			t.Errorf("after %v an idle door tells a newcomer %v", still, v.told)
		}
	}
}
