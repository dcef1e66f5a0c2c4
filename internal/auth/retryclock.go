package auth

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// MaxRetryAfter is the longest that a refused client is told to wait.
	MaxRetryAfter = 60 * time.Second

	// maxMoments bounds how many promised moments are remembered.
	maxMoments = 1 << 16
	// momentGrace is how long after its moment an origin is still let past those who hold none.
	momentGrace = 10 * time.Second
	// maxJitter and jitterShare bound what is added to a wait: the lesser of the two.
	maxJitter   = 250 * time.Millisecond
	jitterShare = 0.1
)

// retryClock tells the refused when to come back. It is a virtual clock in the sense of the generic cell rate
// algorithm (ITU-T I.371): each refused origin is promised the next free moment, one service time after the one
// before, so that the refused come back at the rate the node can serve and not together.
//
// An origin that asks again before its moment may be somebody impatient, or one of many players behind one address. It
// is given a moment one service time after its last one, which spreads the many, and does not move the clock, which
// keeps the impatient from pushing back everybody else.
type retryClock struct {
	mu       sync.Mutex
	next     time.Time // the last moment promised by the clock
	promises map[Origin]*promise
	order    []due // when to forget promises, soonest first
	jitter   func(n time.Duration) time.Duration
}

// promise is what an origin has been told.
type promise struct {
	first, last time.Time
	open        int // moments promised and not yet used
}

type due struct {
	at     time.Time
	origin Origin
}

func newRetryClock() *retryClock {
	return &retryClock{promises: make(map[Origin]*promise), jitter: rand.N[time.Duration]}
}

// Refuse returns how long o has to wait, when rate requests are served per second and the first free moment is
// backlog requests away.
func (c *retryClock) Refuse(o Origin, now time.Time, rate float64, backlog int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetPassed(now)
	rate = max(rate, leastRate)
	p := c.promises[o]
	if p != nil && p.last.After(now) {
		at := p.last.Add(service(rate))
		if at.Sub(now) > MaxRetryAfter {
			return c.noMoment()
		}
		p.last = at
		p.open++
		return c.withJitter(at.Sub(now))
	}
	at := c.nextFree(now, rate, backlog)
	if at.Sub(now) > MaxRetryAfter || len(c.order) >= maxMoments {
		return c.noMoment()
	}
	c.next = at
	if p == nil {
		c.order = append(c.order, due{at, o})
	}
	c.promises[o] = &promise{first: at, last: at, open: 1}
	return c.withJitter(at.Sub(now))
}

// leastRate is what is taken for the rate of a server that serves hardly anybody, in requests per second.
var leastRate = 1 / MaxRetryAfter.Seconds()

// service is the time between two moments at a rate.
func service(rate float64) time.Duration { return time.Duration(float64(time.Second) / rate) }

// nextFree returns the next moment that can be promised to an origin without one: after all that have been, and when what
// is waiting has been served. The caller has the lock.
func (c *retryClock) nextFree(now time.Time, rate float64, backlog int) time.Time {
	at := c.next.Add(service(rate))
	if earliest := now.Add(time.Duration(float64(backlog) / rate * float64(time.Second))); at.Before(earliest) {
		return earliest
	}
	return at
}

// noMoment is the wait when there is no moment left to promise: spread over the last part, or all would come as one.
func (c *retryClock) noMoment() time.Duration { return MaxRetryAfter - c.jitter(MaxRetryAfter/10) }

// Promised reports whether moments lie ahead that were promised to others than o: o's own has come, or o has none and
// nobody else's is outstanding.
func (c *retryClock) Promised(o Origin, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetPassed(now)
	if p := c.promises[o]; p != nil && p.open > 0 && !p.first.After(now) {
		return false
	}
	return c.next.After(now)
}

// Admit uses up one of o's moments: it has been let in.
func (c *retryClock) Admit(o Origin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.promises[o]; p != nil && p.open > 0 {
		p.open--
	}
}

func (c *retryClock) withJitter(d time.Duration) time.Duration {
	return min(d+c.jitter(min(maxJitter, time.Duration(float64(d)*jitterShare))+1), MaxRetryAfter)
}

// forgetPassed forgets promises whose last moment is over. Each origin stands in order once.
func (c *retryClock) forgetPassed(now time.Time) {
	for len(c.order) > 0 && now.Sub(c.order[0].at) > momentGrace {
		o := c.order[0].origin
		c.order = c.order[1:]
		if p := c.promises[o]; now.Sub(p.last) > momentGrace {
			delete(c.promises, o)
		} else {
			c.order = append(c.order, due{p.last, o}) // perhaps behind some that are later: it is forgotten the later
		}
	}
	if len(c.order) == 0 {
		c.order = nil // give the passed ones' memory back
	}
}
