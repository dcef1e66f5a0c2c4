package line

import (
	"math"
	"time"
)

// Outlook is what a client that waits is told.
type Outlook struct {
	// Turn is the client's place: a queue behind the door is best kept in the order of turns.
	Turn time.Time
	// Place is how many have to be called up to and including this client, about; 0 if its turn has come.
	Place int
	// Low and High are between which the client will be let in, in nine cases of ten.
	Low, High time.Duration
	// Expected is when the turn is likely to have come: for a client that asks but once.
	Expected time.Duration
	// PollAfter is when the client is to ask again, a second at least. It is the less often the more wait, and is aimed at
	// the moment at which the turn comes.
	PollAfter time.Duration
}

const (
	// The interval that players are told. What makes it wrong is that the pace and the share of those who do not come
	// change while they wait.
	lowFactor, highFactor = 0.75, 1.3
	lowLess, highMore     = 1.0, 5.0 // seconds

	// pollLeast and pollMost bound what clients are told, in seconds.
	pollLeast, pollMost = 1.0, 3600.0
	// final is how many seconds before its turn a client is told to come just when that comes.
	final = 3.0
	// leastPolls is how often at least a client asks while it waits: with less it would miss its turn, or the line would
	// have to be told to wait for it.
	leastPolls = 4.0
	// late is how long after its turn a client is to come: those who come a little too early have to come twice.
	late = 0.25
	// onceLate has those who ask but once come when their turn has come even if the line is a little slower than thought:
	// a turn that has come is kept.
	onceLate = 1.05
	// finalSpread is what the last wait is spread by: hardly at all, for those who wait are spread by their turns.
	finalSpread = 0.02
)

// flow is how fast the line grows and moves.
type flow struct {
	pace     float64       // as told, per second
	last     time.Duration // the age at the last tick
	passed   float64       // between the last two ticks, in seconds
	moved    int64         // the tick at which the line last moved
	soon     int           // who came a little before their turns since the last tick
	soonLeft float64       // how many more may
	arrived  int           // since the last tick
	arrivals float64       // per second, over the last ten seconds
	burst    float64       // how many may be called now, see smooth
	// short and long measure how many are called per second while more wait, over half a minute and over ten: what is
	// near is told by the one, what is far by the other.
	short, long gauge
}

// gauge measures a rate, and forgets as time passes.
type gauge struct{ n, time, memory float64 }

// add notes n in so many seconds.
func (g *gauge) add(n, seconds float64) {
	keep := math.Exp(-seconds / g.memory)
	g.n, g.time = g.n*keep+n, g.time*keep+seconds
}

// rate returns the measured rate, or one that is expected as far as little has been measured.
func (g *gauge) rate(expected float64) float64 {
	const seed = 10 // seconds
	return (g.n + expected*seed) / (g.time + seed)
}

func newFlow(pace float64) flow {
	return flow{pace: max(pace, leastPace), moved: -callsKept, short: gauge{memory: 30}, long: gauge{memory: 600}}
}

// gap returns the time between two turns of one origin that has used up its share, in percent.
func (f *flow) gap(share int) time.Duration {
	return time.Duration(float64(time.Second) * 100 / (f.pace * float64(share)))
}

func (f *flow) tick(age time.Duration, pace float64) {
	f.passed = (age - f.last).Seconds()
	f.soonLeft = min(f.soonLeft+f.pace/2*f.passed, maxSoon)
	f.last = age
	if pace > 0 && !math.IsInf(pace, 1) { // else nothing is known
		f.pace = max(pace, leastPace)
	}
	if f.passed <= 0 {
		return
	}
	f.arrivals += (float64(f.arrived)/f.passed - f.arrivals) * (1 - math.Exp(-f.passed/10))
	f.arrived = 0
}

// smooth returns how many of so many are to be called now: those who are called together come together, and the room is
// to be filled within a second, beside what is let in meanwhile.
func (f *flow) smooth(want float64, room int) float64 {
	rate := f.pace*1.2 + float64(max(room, 0))
	f.burst = min(f.burst+rate*f.passed, max(rate*tickLength.Seconds(), 1))
	return min(want, f.burst)
}

// called notes how many were called at this tick, while more waited.
func (f *flow) called(n int, more bool, noShows float64) {
	if due := f.pace / (1 - noShows) * f.passed; more && due > 0 {
		called := min(float64(n+f.soon), 2*due+1) // filling the room at the start says nothing about the pace
		f.short.add(called, f.passed)
		f.long.add(called, f.passed)
	}
	f.soon = 0
}

// speed returns how many are called per second, about, over so many places of a tier.
func (l *Line) speed(tier, places int) float64 {
	f, part := &l.flow, l.part(tier)
	expected := f.pace / (1 - l.calls.noShows())
	short, long := f.short.rate(expected), f.long.rate(expected)
	far := float64(places) / (float64(places) + short*part*farAway)
	return part * math.Pow(short, 1-far) * math.Pow(long, far)
}

// farAway is for what wait, in seconds, either gauge counts as much.
const farAway = 60

// Outlook returns what the holder of a ticket is told while its turn has not come.
func (l *Line) Outlook(t *Ticket) Outlook {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	return l.outlook(l.placeOf(t))
}

// Newcomer returns what a client would be told that came now, without giving it a place.
func (l *Line) Newcomer() Outlook {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	return l.outlook(place{turn: l.clock.millis() + 1})
}

// Now returns the time of the line's clock, by which turns are given.
func (l *Line) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	return time.UnixMicro(l.clock.turn)
}

func (l *Line) outlook(p place) Outlook {
	turn := p.turn * 1000
	if !l.early() && l.track(p).come(turn) {
		return Outlook{Turn: time.UnixMilli(p.turn)}
	}
	return l.outlookOf(p, l.tiers[p.tier].before(turn))
}

// outlookOf returns what a client is told before which so many wait.
func (l *Line) outlookOf(p place, before int) Outlook {
	turn := p.turn * 1000
	speed := l.speed(p.tier, before)
	eta := (float64(before) + 0.5) / speed
	until := max(float64(l.opening()-l.clock.millis())/1000, 0)
	low, high := eta*lowFactor-lowLess, eta*highFactor+highMore
	if wait := float64(turn-l.clock.turn)/1e6 - until; p.ahead && wait > 0 {
		// Those who come until then are before this client, if there are so many that they have to wait.
		high = max(high, min((eta+l.flow.arrivals*wait/speed)*highFactor, wait+eta)+highMore)
	}
	low, high = max(low, 0)+until, high+until
	chance := l.random.Float64()
	return Outlook{
		Turn: time.UnixMilli(p.turn), Place: before + 1, Low: seconds(low), High: seconds(high),
		Expected:  seconds(max((eta+until)*onceLate+late, pollLeast) * (1 + finalSpread*chance)),
		PollAfter: l.pollAfter(eta+until, low, p.tier, chance),
	}
}

// pollAfter returns when a client is to ask again whose turn comes in so many seconds. Each waits for most of what is
// left, and then for most of what is left then, by a factor with which all together stay within the budget, and at the
// end for all of it: that is when it is called.
func (l *Line) pollAfter(eta, low float64, tier int, chance float64) time.Duration {
	if eta <= final {
		return seconds(pollWait(eta, 0, chance))
	}
	waiting := l.waiting()
	speed := l.speed(tier, waiting) / l.part(tier)
	whole := max(float64(waiting)/speed, eta)
	wait := eta - max(eta*l.pollFactor(whole, speed), 0.6*final)
	// However slow the line is just now, it may soon be as fast as it can be: no client is to miss its turn for that.
	soonest := eta * lowFactor * min(speed*(1-l.calls.noShows())/l.flow.pace, 1)
	if l.held.is { // it may be let go at any moment
		soonest = 0
	}
	wait = min(wait, low, soonest+l.cfg.Grace.Seconds()/2, l.pollMost())
	return seconds(max(wait*(1-0.05*chance), pollLeast))
}

// pollMost returns after how many seconds at most a client is to ask again.
func (l *Line) pollMost() float64 {
	if l.cfg.PollMost == 0 {
		return pollMost
	}
	return min(max(l.cfg.PollMost.Seconds(), float64(l.waiting())/float64(l.cfg.Requests)), pollMost)
}

// pollFactor returns which part of its wait a client has left each time that it is to ask again, when the whole line
// takes so many seconds at a speed.
func (l *Line) pollFactor(whole, speed float64) float64 {
	polls := max(0.8*float64(l.cfg.Requests)/speed, leastPolls)
	return min(math.Pow(1/max(whole, 2*final), 1/polls), 0.5)
}

// pollWait returns after how many seconds a client is to ask again whose turn comes in so many, when a part of them is
// to be left then; at the end, after all of them.
func pollWait(eta, factor, chance float64) float64 {
	if eta <= final {
		return max(eta+late, pollLeast) + finalSpread*chance
	}
	wait := min(eta-max(eta*factor, 0.6*final), eta*lowFactor-lowLess, pollMost)
	return max(wait*(1-0.05*chance), pollLeast)
}

// later returns when a client is to ask again for which there is no turn.
func (l *Line) later() time.Duration {
	wait := min(max(float64(l.waiting())/float64(l.cfg.Requests), 60), 600)
	return seconds(wait * (1 + l.random.Float64()))
}

func seconds(s float64) time.Duration {
	return time.Duration(min(max(s, 0)*float64(time.Second), math.MaxInt64/4))
}
