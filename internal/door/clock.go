package door

import (
	"net/netip"
	"time"
)

const (
	// MaxRetryAfter is the longest that a client is told to wait that was refused for lack of room.
	MaxRetryAfter = 60 * time.Second

	// maxMoments bounds how many promised moments are remembered, maxOriginMoments those of one origin.
	maxMoments       = 1 << 16
	maxOriginMoments = 1 << 11
	// momentGrace is how long after its moment a client is still let past those who hold none.
	momentGrace = 10 * time.Second
	// maxJitter and jitterShare bound what is added to a wait: the lesser of the two.
	maxJitter   = 250 * time.Millisecond
	jitterShare = 0.1
)

// leastRate is what is taken for the pace of workers that serve hardly any request, in requests per second.
var leastRate = 1 / MaxRetryAfter.Seconds()

// clock tells the refused when to come back. It is a virtual clock in the sense of the generic cell rate algorithm
// (ITU-T I.371): each refused client is promised the next free moment, one service time after the one before, so that
// the refused come back at the rate the workers can serve and not together.
//
// A client that asks again before its moment is told the same moment: asking costs the others nothing and gains
// nothing. Further clients behind an address that holds a moment are given moments one service time apart, and no
// earlier than a client of another address would be, which do not move the clock: one address, however many clients it
// has or pretends to have, pushes back itself alone.
//
// What has been promised and not yet used bounds the wait of the next: when the load ends early, so do the waits.
type clock struct {
	latest   time.Time // the last moment promised by the clock
	promises map[pair]time.Time
	origins  map[netip.Prefix]*originMoments
	ends     deadlines[pair] // of promises and their grace
	jitter   func(n time.Duration) time.Duration
}

// originMoments are those promised to the clients of one origin.
type originMoments struct {
	last time.Time
	open int // neither used nor forgotten
}

func newClock(jitter func(n time.Duration) time.Duration) clock {
	return clock{promises: make(map[pair]time.Time), origins: make(map[netip.Prefix]*originMoments), jitter: jitter}
}

// promise returns how long a client has to wait, when rate requests are served per second and the first free moment is
// backlog requests away.
func (c *clock) promise(who pair, now time.Time, rate float64, backlog int) time.Duration {
	c.forget(now)
	if at, ok := c.promises[who]; ok {
		if at.After(now) {
			return c.withJitter(at.Sub(now))
		}
		c.use(who) // it came in its time and found no room all the same: it is given another moment
	}
	rate = max(rate, leastRate)
	o := c.origins[who.origin]
	own := o != nil && o.last.After(now)
	at := c.next(now, rate, backlog)
	if own {
		if later := o.last.Add(perRequest(rate, 1)); later.After(at) {
			at = later
		}
	}
	if at.Sub(now) > MaxRetryAfter || c.ends.len() >= maxMoments || o != nil && o.open >= maxOriginMoments {
		return c.noMoment()
	}
	if !own {
		c.latest = at
	}
	if o == nil {
		o = &originMoments{}
		c.origins[who.origin] = o
	}
	o.last = at
	o.open++
	c.promises[who] = at
	c.ends.add(at.Add(momentGrace), who, now)
	return c.withJitter(at.Sub(now))
}

// next returns the next moment that can be promised to an origin without one: after all that have been, and when what
// is waiting has been served, but no later than it takes to serve all that wait or hold a promise.
func (c *clock) next(now time.Time, rate float64, backlog int) time.Time {
	at := c.latest.Add(perRequest(rate, 1))
	if last := now.Add(perRequest(rate, backlog+len(c.promises))); at.After(last) {
		at = last
	}
	if earliest := now.Add(perRequest(rate, backlog)); at.Before(earliest) {
		at = earliest
	}
	return at
}

// outlook returns what promise would tell an origin without a moment, but for the jitter. It promises nothing.
func (c *clock) outlook(now time.Time, rate float64, backlog int) time.Duration {
	c.forget(now)
	return min(c.next(now, max(rate, leastRate), backlog).Sub(now), MaxRetryAfter)
}

// noMoment is the wait when there is no moment left to promise: spread over the last part, or all would come as one.
func (c *clock) noMoment() time.Duration { return MaxRetryAfter - c.jitter(MaxRetryAfter/10) }

// yields reports whether a client has to leave room to others: moments lie ahead that were promised to them, and its
// own has not come, or it has none.
func (c *clock) yields(who pair, now time.Time) bool {
	c.forget(now)
	if at, ok := c.promises[who]; ok && !at.After(now) {
		return false
	}
	return len(c.promises) > 0 && c.latest.After(now)
}

// use takes note that a client has been let in, or that its moment is void.
func (c *clock) use(who pair) {
	if _, ok := c.promises[who]; !ok {
		return
	}
	delete(c.promises, who)
	if o := c.origins[who.origin]; o != nil {
		if o.open--; o.open <= 0 {
			delete(c.origins, who.origin)
		}
	}
}

func (c *clock) withJitter(d time.Duration) time.Duration {
	return min(d+c.jitter(min(maxJitter, time.Duration(float64(d)*jitterShare))+1), MaxRetryAfter)
}

// forget drops the promises whose moment and grace are over.
func (c *clock) forget(now time.Time) {
	for end, ok := c.ends.next(now); ok; end, ok = c.ends.next(now) {
		if at, ok := c.promises[end.key]; ok && at.Add(momentGrace).Equal(end.at) { // else it was used, perhaps made anew
			c.use(end.key)
		}
	}
}

// A Cause is why a client has to come back for which the door keeps no place.
type Cause int

// The causes.
const (
	// Draining: the node is going down; a client that comes back finds another process.
	Draining Cause = iota
	// StoreAway: the store has failed; the same attempt may succeed in a moment.
	StoreAway
	// WorldFull: there is no seat in the world.
	WorldFull
	// Crowded: the node is short of connections, or of room for calls to the tick.
	Crowded
	// UnderWay: what the client waits for is being done: the same attempt, the end of a session that is taken over, or
	// the judging of as many tries as may fail.
	UnderWay
)

// least is the shortest wait for each cause. What is told is spread up to twice as long, so that those who wait do not
// come together.
var least = map[Cause]time.Duration{
	Draining:  5 * time.Second,
	StoreAway: time.Second,
	WorldFull: 10 * time.Second,
	Crowded:   time.Second,
	UnderWay:  time.Second,
}

// later returns when to come back for a cause.
func (c *clock) later(cause Cause) time.Duration { return c.spread(least[cause]) }

// spread returns a wait from d up to twice as long.
func (c *clock) spread(d time.Duration) time.Duration { return d + c.jitter(d) }

// past returns a wait that is over by a tenth at most when d is: many may wait for the same end, and are not to come
// together.
func (c *clock) past(d time.Duration) time.Duration { return d + c.jitter(d/10+1) }
