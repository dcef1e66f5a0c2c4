package line

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// simStart is when simulations begin.
var simStart = time.UnixMilli(1_795_000_000_000)

// sim simulates players who wait at the doors of a fleet, in virtual time.
type sim struct {
	tb     testing.TB
	rng    *rand.Rand
	now    time.Duration
	events []simEvent // a heap
	nodes  []*simNode
	ring   *Keyring

	players  []*simPlayer
	arriving int // players who have not come yet

	seconds []int // requests by second
}

// simNode is a door with a queue in the order of turns, and workers who take batches.
type simNode struct {
	line   *Line
	skew   time.Duration
	queue  []simQueued // a heap by turn
	limit  int
	pace   float64
	drift  float64 // of the pace
	credit float64

	waited, idle float64 // service that could have been given while players waited, and was not
	noRoom       int     // players whose turn had come and who found no room
	peakWaiting  int
}

type simQueued struct {
	turn int64
	p    *simPlayer
}

type simPlayer struct {
	came, in  time.Duration // in: when a worker took the request; 0: not yet
	low, high time.Duration // as first told, from then on
	told      time.Duration // when
	ticket    Ticket
	rank      int // in the order of tickets given by the node
	node      int
	origin    netip.Prefix
	holder    Holder
	hasTicket bool
	leaves    time.Duration // goes for good; 0: does not
	drops     time.Duration // loses its connection
	away      time.Duration // for so long
	dropped   bool
	direct    bool
	flood     bool
	legacy    bool // knows nothing of tickets
	redeemed  bool
	lost      bool // was told that the ticket is no good
	polls     int
	name      string
	moves     bool // asks another node the second time
}

type simEvent struct {
	at time.Duration
	p  *simPlayer // nil: the doors' tick
}

const simTick = 50 * time.Millisecond

func newSim(tb testing.TB, seed uint64, nodes int, pace float64, change func(*Config)) *sim {
	tb.Helper()
	s := &sim{tb: tb, rng: rand.New(rand.NewPCG(seed, 7)), ring: testRing(tb, 1)}
	for i := range nodes {
		n := &simNode{limit: max(200, int(1.2*pace)), pace: pace, skew: time.Duration(i) * 80 * time.Millisecond, drift: 1}
		cfg := Config{
			Pace: pace, Now: func() time.Time { return simStart.Add(s.now + n.skew) },
			Elapsed: func() time.Duration { return s.now }, Random: rand.NewChaCha8([32]byte{byte(seed), byte(i)}),
		}
		if change != nil {
			change(&cfg)
		}
		n.line = mustLine(tb, cfg)
		s.nodes = append(s.nodes, n)
	}
	s.push(simEvent{})
	return s
}

func mustLine(tb testing.TB, cfg Config) *Line {
	tb.Helper()
	l, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func (s *sim) push(e simEvent) { s.events = pushHeap(s.events, e, simEvent.before) }

func (s *sim) pop() (first simEvent) {
	first, s.events = popHeap(s.events, simEvent.before)
	return first
}

func (e simEvent) before(o simEvent) bool { return e.at < o.at }

// pushHeap adds an element to a binary heap, popHeap takes the first from it: those of container/heap, which would
// allocate for each of some millions.
func pushHeap[T any](h []T, e T, before func(a, b T) bool) []T {
	h = append(h, e)
	i := len(h) - 1
	for i > 0 && before(h[i], h[(i-1)/2]) {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		i = (i - 1) / 2
	}
	return h
}

func popHeap[T any](h []T, before func(a, b T) bool) (first T, rest []T) {
	first, n := h[0], len(h)-1
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return first, h
		}
		if c+1 < n && before(h[c+1], h[c]) {
			c++
		}
		if !before(h[c], h[i]) {
			return first, h
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// add has a player come at a time.
func (s *sim) add(at time.Duration) *simPlayer {
	i := len(s.players)
	p := &simPlayer{came: at, node: s.rng.IntN(len(s.nodes)), rank: -1}
	p.origin = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	p.holder = Holder{byte(i), byte(i >> 8), byte(i >> 16), 1}
	s.players = append(s.players, p)
	s.arriving++
	s.push(simEvent{at, p})
	return p
}

// run simulates until nobody waits, or for so long.
func (s *sim) run(limit time.Duration) {
	for s.now < limit {
		e := s.pop()
		s.now = e.at
		if e.p != nil {
			s.poll(e.p)
			continue
		}
		waiting := 0
		for _, n := range s.nodes {
			waiting += s.tick(n)
		}
		if waiting == 0 && s.arriving == 0 && len(s.events) == 0 {
			return
		}
		s.push(simEvent{at: s.now + simTick})
	}
}

// tick serves for one tick, and moves the line.
func (s *sim) tick(n *simNode) (waiting int) {
	if n.drift = n.drift + s.rng.NormFloat64()*0.002 + (1-n.drift)*0.001; n.drift < 0.8 {
		n.drift = 0.8
	}
	n.drift = min(n.drift, 1.2)
	waiting = n.line.waiting()
	n.peakWaiting = max(n.peakWaiting, waiting)
	work := n.pace * n.drift * simTick.Seconds()
	n.credit += work
	for n.credit >= 16 || n.credit >= 1 && len(n.queue) > 0 && len(n.queue) < 16 {
		take := min(16, len(n.queue), int(n.credit))
		if take == 0 {
			break
		}
		for range take {
			q := n.popQueue()
			q.p.in = s.now
		}
		n.credit -= float64(take)
	}
	if waiting > 0 {
		n.waited += work
		if n.credit > 16 {
			n.idle += n.credit - 16
		}
	}
	n.credit = min(n.credit, 16)
	n.line.Tick(n.limit/2-len(n.queue), n.pace*(1+0.05*s.rng.NormFloat64()))
	return waiting + len(n.queue)
}

func (n *simNode) pushQueue(q simQueued) { n.queue = pushHeap(n.queue, q, simQueued.before) }

func (n *simNode) popQueue() (first simQueued) {
	first, n.queue = popHeap(n.queue, simQueued.before)
	return first
}

func (q simQueued) before(o simQueued) bool { return q.turn < o.turn }

// rtt is how long a request is under way.
func (s *sim) rtt() time.Duration {
	return 10*time.Millisecond + time.Duration(s.rng.ExpFloat64()*float64(40*time.Millisecond))
}

// poll is one request of a player's.
func (s *sim) poll(p *simPlayer) {
	if p.leaves > 0 && s.now >= p.leaves {
		if p.polls == 0 {
			s.arriving--
		}
		return // closed the game
	}
	if !p.dropped && p.drops > 0 && s.now >= p.drops {
		p.dropped = true
		s.push(simEvent{s.now + p.away, p})
		return
	}
	if p.polls++; p.polls == 1 {
		s.arriving--
	}
	for len(s.seconds) <= int(s.now/time.Second) {
		s.seconds = append(s.seconds, 0)
	}
	s.seconds[s.now/time.Second]++
	if p.moves && p.polls == 2 {
		p.node = 1 - p.node
		p.rank = -1 // it is out of order there
	}
	n := s.nodes[p.node]
	switch {
	case p.legacy:
		s.come(n, p)
	case p.hasTicket:
		s.redeem(n, p)
	case len(n.queue) < n.limit && n.line.Admits(n.limit/2-len(n.queue)):
		p.direct = true
		n.pushQueue(simQueued{s.now.Milliseconds() + simStart.UnixMilli(), p})
	default:
		s.take(n, p)
	}
}

func (s *sim) take(n *simNode, p *simPlayer) {
	t, o, err := n.line.Take(Ask{Origin: p.origin, Holder: p.holder})
	if err != nil {
		if !errors.Is(err, ErrTooMany) {
			s.tb.Fatal(err)
		}
		return
	}
	p.ticket, p.hasTicket, p.low, p.high, p.told = t, true, o.Low, o.High, s.now
	p.rank = int(t.Serial)
	s.wait(p, o)
}

func (s *sim) wait(p *simPlayer, o Outlook) {
	if o.PollAfter < time.Second {
		s.tb.Fatalf("told to ask again after %v", o.PollAfter)
	}
	s.push(simEvent{s.now + s.rtt() + o.PollAfter, p})
}

func (s *sim) redeem(n *simNode, p *simPlayer) {
	o, err := n.line.Redeem(&p.ticket, p.holder)
	switch {
	case err == nil && len(n.queue) >= n.limit:
		n.noRoom++
		s.push(simEvent{s.now + s.rtt() + n.line.GiveBack(&p.ticket), p})
	case err == nil:
		if p.redeemed {
			s.tb.Fatal("a ticket was redeemed twice")
		}
		p.redeemed = true
		n.line.LetIn(&p.ticket)
		n.pushQueue(simQueued{p.ticket.Turn.UnixMilli(), p})
		s.cheat(n, p)
	case errors.Is(err, ErrNotYet):
		s.wait(p, o)
	default:
		p.lost = true
	}
}

// cheat shows that a ticket that was used is worthless, and so is one that is altered or foreign or another's.
func (s *sim) cheat(n *simNode, p *simPlayer) {
	if s.rng.IntN(20) != 0 {
		return
	}
	if _, err := n.line.Redeem(&p.ticket, p.holder); !errors.Is(err, ErrUsed) {
		s.tb.Fatalf("a ticket that was used: %v", err)
	}
	if _, err := n.line.Redeem(&p.ticket, Holder{}); !errors.Is(err, ErrNotHolder) {
		s.tb.Fatalf("another's ticket: %v", err)
	}
	b := s.ring.Seal(nil, &p.ticket)
	if t, err := s.ring.Open(b); err != nil || t != p.ticket {
		s.tb.Fatalf("%+v is opened as %+v, %v", p.ticket, t, err)
	}
	b[s.rng.IntN(len(b))] ^= 1
	if _, err := s.ring.Open(b); err == nil {
		s.tb.Fatal("an altered ticket is opened")
	}
}

func (s *sim) come(n *simNode, p *simPlayer) {
	o, err := n.line.Come(p.origin, p.name, false)
	switch {
	case err == nil && len(n.queue) >= n.limit:
		n.noRoom++
		s.push(simEvent{s.now + time.Second, p})
	case err == nil:
		if !n.line.Came(p.origin, p.name) {
			s.tb.Fatal("a turn that has come is not known")
		}
		p.redeemed = true
		n.pushQueue(simQueued{o.Turn.UnixMilli(), p})
	case errors.Is(err, ErrNotYet):
		if p.told == 0 {
			p.low, p.high, p.told = o.Low, o.High, s.now
		}
		s.wait(p, o)
	}
}

// simReport is what came of a simulation.
type simReport struct {
	in, lost, left int
	etaHits        float64
	overtaken      int // by how many with later turns who are not of the same batch, at the worst
	overtakenP99   int
	overtakenP999  int
	idle           float64
	noRoom         float64
	median         time.Duration
	peakRequests   int
	polls          float64
	peakWaiting    int
	width          float64 // of the interval first told, as a share of the wait
}

func (s *sim) report() simReport {
	var r simReport
	var waits []time.Duration
	hits, told, polls := 0, 0, 0
	var width float64
	for _, p := range s.players {
		switch {
		case p.flood:
			continue
		case p.lost:
			r.lost++
		case p.in == 0:
			r.left++
		default:
			r.in++
			waits = append(waits, p.in-p.came)
			if !p.direct && !p.dropped && p.told > 0 {
				told++
				polls += p.polls
				if w := p.in - p.told; p.low <= w && w <= p.high {
					hits++
				}
				if p.in-p.told > time.Minute {
					width += float64(p.high-p.low) / float64(p.in-p.told)
				}
			}
		}
	}
	slices.Sort(waits)
	if len(waits) > 0 {
		r.median = waits[len(waits)/2]
	}
	if told > 0 {
		r.etaHits, r.polls, r.width = float64(hits)/float64(told), float64(polls)/float64(told), width/float64(told)
	}
	r.overtaken, r.overtakenP999, r.overtakenP99 = s.overtakings()
	var idle, waited float64
	noRoom, redeemed := 0, int64(0)
	for _, n := range s.nodes {
		idle, waited, noRoom = idle+n.idle, waited+n.waited, noRoom+n.noRoom
		redeemed += n.line.counts.Redeemed
		r.peakWaiting = max(r.peakWaiting, n.peakWaiting)
	}
	r.idle, r.noRoom = idle/max(waited, 1), float64(noRoom)/max(float64(redeemed), 1)
	r.peakRequests = s.peakPolls()
	return r
}

// peakPolls returns the most requests of players who wait in a second, over ten seconds.
func (s *sim) peakPolls() (peak int) {
	first := make([]int, len(s.seconds))
	for _, p := range s.players {
		if sec := int(p.came / time.Second); sec < len(first) && p.polls > 0 {
			first[sec]++
		}
	}
	sum := 0
	for i, n := range s.seconds {
		if sum += n - first[i]; i >= 10 {
			sum -= s.seconds[i-10] - first[i-10]
			peak = max(peak, sum/10)
		}
	}
	return peak
}

// overtakings returns by how many of the same node each player who came when told was overtaken: the most, all but one
// in a thousand, and all but one in a hundred.
func (s *sim) overtakings() (most, p999, p99 int) {
	var all []int
	for i := range s.nodes {
		var order []*simPlayer
		for _, p := range s.players {
			if p.node == i && p.rank >= 0 && p.in > 0 && !p.flood && !p.dropped {
				order = append(order, p)
			}
		}
		slices.SortStableFunc(order, func(a, b *simPlayer) int { // those of one batch are served together
			if a.in != b.in {
				return int(a.in - b.in)
			}
			return a.rank - b.rank
		})
		ranks := 0
		for _, p := range order {
			ranks = max(ranks, p.rank+1)
		}
		tree := make([]int32, ranks+1)
		for n, p := range order {
			before := 0 // served before, with an earlier turn
			for j := p.rank + 1; j > 0; j &= j - 1 {
				before += int(tree[j])
			}
			all = append(all, n-before)
			for j := p.rank + 1; j <= ranks; j += j & -j {
				tree[j]++
			}
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		return 0, 0, 0
	}
	return all[len(all)-1], all[len(all)*999/1000], all[len(all)*99/100]
}

// launch adds players who come within so long, three times as many at the beginning: some leave for good, some lose
// their connection for a while.
func (s *sim) launch(players int, within, patience time.Duration) {
	for range players {
		at := time.Duration(s.rng.Float64() * float64(within))
		if s.rng.IntN(100) < 30 { // three in ten come in the first tenth of the time
			at /= 10
		}
		p := s.add(at + time.Second)
		switch s.rng.IntN(100) {
		case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19:
			p.leaves = p.came + time.Duration(s.rng.Float64()*float64(patience))
		case 20, 21, 22:
			p.drops = p.came + time.Duration(s.rng.Float64()*float64(patience))
			p.away = time.Duration(s.rng.Float64() * float64(5*time.Minute))
		}
	}
}

// check holds what came of a simulation to what a line promises.
func (s *sim) check() simReport {
	r := s.report()
	s.tb.Logf("%+v in %v", r, s.now.Round(time.Second))
	left := 0
	for _, p := range s.players {
		if p.in == 0 && p.leaves == 0 && !p.flood && !p.lost {
			left++
		}
	}
	if left > 0 || r.lost > 0 {
		s.tb.Errorf("%d players are not in, %d have lost their places", left, r.lost)
	}
	start := 0.0 // those who come first are told to come again in a second
	for _, n := range s.nodes {
		start = max(start, 1.5*n.pace/max(n.waited, 1))
	}
	if r.idle > 0.01+start {
		s.tb.Errorf("workers were idle for %.2f%% of the time while players waited", 100*r.idle)
	}
	if r.etaHits < 0.9 {
		s.tb.Errorf("%.1f%% came in within the time that they were told first", 100*r.etaHits)
	}
	s.checkPromises()
	if r.noRoom > 0.02 {
		s.tb.Errorf("%.2f%% of those who were called found no room", 100*r.noRoom)
	}
	return r
}

// checkPromises holds what the lines say of their promises to what became of them.
func (s *sim) checkPromises() {
	var said Promises
	for _, n := range s.nodes {
		p := n.line.Stats().Promises
		said.Kept, said.Early, said.Late = said.Kept+p.Kept, said.Early+p.Early, said.Late+p.Late
		said.Away += p.Away
	}
	kept, stayed, all := 0, 0, 0
	for _, p := range s.players {
		if p.redeemed && p.told > 0 && !p.moves {
			all++
			in := p.in - p.told
			if p.low <= in && in <= p.high {
				kept++
			}
			if in <= p.high || !p.dropped {
				stayed++
			}
		}
	}
	judged := said.Kept + said.Early + said.Late
	share, want := float64(said.Kept)/float64(judged), float64(kept)/float64(stayed)
	if math.Abs(share-want) > 0.03 || math.Abs(float64(judged+said.Away)/float64(all)-1) > 0.1 {
		s.tb.Errorf("promises %+v, kept %.3f; of %d players %.3f", said, share, all, want)
	}
}

// Many times as many players as a door lets in come at once. Those who do as they are told come in in the order of
// their turns, 99 of 100 to a batch of 16, in about the time that they were told; those who lose their connection for a
// while keep their place; and the workers have something to do all the time. With RUSHGATE_LONG=1 it is a million
// players in an hour.
func TestLaunchDay(t *testing.T) {
	players, pace, within, patience := 20_000, 166.0, 12*time.Second, 100*time.Second
	if os.Getenv("RUSHGATE_LONG") != "" {
		players, pace, within, patience = 1_000_000, 280, 10*time.Minute, time.Hour
	}
	s := newSim(t, 1, 1, pace, nil)
	s.launch(players, within, patience)
	s.run(3 * time.Hour)
	r := s.check()
	if r.peakWaiting < players*3/4 {
		t.Errorf("no more than %d have waited", r.peakWaiting)
	}
	if limit := int((leastPolls + 2) * pace / 0.8); r.peakRequests > max(DefaultRequests, limit) {
		t.Errorf("%d requests a second, want %d at most", r.peakRequests, limit)
	}
	if r.overtakenP99 > 16 || r.overtakenP999 > 100 {
		t.Errorf("one in a hundred is overtaken by %d, one in a thousand by %d", r.overtakenP99, r.overtakenP999)
	}
}

// A slow door has a long line, too.
func TestASlowDoor(t *testing.T) {
	s := newSim(t, 5, 1, 20, nil)
	s.launch(2000, 20*time.Second, time.Hour)
	s.run(3 * time.Hour)
	if r := s.check(); r.peakRequests > DefaultRequests || r.overtakenP999 > 16 {
		t.Errorf("%d requests a second, one in a thousand is overtaken by %d", r.peakRequests, r.overtakenP999)
	}
}

// Two nodes with clocks 80 ms apart honour each other's tickets.
func TestTwoNodesHonourEachOthersTickets(t *testing.T) {
	s := newSim(t, 2, 2, 100, nil)
	s.launch(4000, 6*time.Second, time.Minute)
	for i, p := range s.players {
		if i%10 == 0 {
			p.moves = true // asks the other node from its second request on
		}
	}
	s.run(time.Hour)
	s.check()
	for i, n := range s.nodes {
		if n.line.counts.Future+n.line.counts.Expired > 0 {
			t.Errorf("node %d: %+v", i, n.line.counts)
		}
	}
}

// An address that asks for 10,000 turns beside a thousand honest players costs them next to nothing.
func TestOneAddressCannotTakeTheLine(t *testing.T) {
	median := func(flood int) time.Duration {
		s := newSim(t, 3, 1, 100, nil)
		s.launch(1500, 3*time.Second, time.Hour)
		for range flood {
			p := s.add(time.Second + time.Duration(s.rng.Float64()*float64(2*time.Second)))
			p.flood, p.origin = true, netip.MustParsePrefix("192.0.2.1/32")
		}
		s.run(time.Hour)
		return s.report().median
	}
	without, with := median(0), median(10_000)
	t.Logf("the median wait is %v without, and %v with the flood", without, with)
	if float64(with) > 1.2*float64(without) {
		t.Errorf("the median wait is %v without, and %v with the flood", without, with)
	}
}

// The workers stop in the middle of a rush, for minutes. Those who wait do not ask more often than they should, no
// more are called, and none misses its turn when the line goes on.
func TestALineThatStandsStill(t *testing.T) {
	s := newSim(t, 5, 1, 100, nil)
	s.launch(4000, 4*time.Second, time.Hour)
	n := s.nodes[0]
	s.run(30 * time.Second)
	n.pace = 0
	s.run(time.Minute)
	called := n.line.counts.Called
	s.run(5 * time.Minute)
	sum := 0
	for _, k := range s.seconds[60:] {
		sum += k
	}
	if perSecond := sum / len(s.seconds[60:]); perSecond > DefaultRequests {
		t.Errorf("%d requests a second while nothing moves", perSecond)
	}
	if more := n.line.counts.Called - called; more > 200 {
		t.Errorf("%d more were called while nothing moved", more)
	}
	n.pace = 100
	s.run(time.Hour)
	if r := s.report(); r.lost > 0 || r.in < 3500 {
		t.Errorf("%d are in, %d have lost their place", r.in, r.lost)
	}
}

// Clients that know nothing of tickets are in the same order.
func TestOldClientsAreInTheSameOrder(t *testing.T) {
	s := newSim(t, 4, 1, 100, nil)
	s.launch(3000, 6*time.Second, time.Hour)
	for i, p := range s.players {
		if i%3 == 0 {
			p.legacy, p.name = true, fmt.Sprint("player-", i)
		}
	}
	s.run(time.Hour)
	s.check()
	var waits [2]time.Duration
	var n [2]time.Duration
	for _, p := range s.players {
		if p.leaves == 0 && p.drops == 0 && p.told > 0 {
			k := 0
			if p.legacy {
				k = 1
			}
			waits[k] += p.in - p.came
			n[k]++
		}
	}
	if a, b := waits[0]/n[0], waits[1]/n[1]; b > a*11/10+time.Second || a > b*11/10+time.Second {
		t.Errorf("with tickets players wait %v on average, without %v", a, b)
	}
}
