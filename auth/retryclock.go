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
// before, so that the refused come back at the rate the node can serve and not together. An origin that asks again
// before its moment is reminded of it, and moves nothing.
type retryClock struct {
	mu      sync.Mutex
	next    time.Time // the last moment promised
	moments map[Origin]time.Time
	order   []moment // in order of time; the front is dropped as it passes
	jitter  func(n time.Duration) time.Duration
}

type moment struct {
	at     time.Time
	origin Origin
}

func newRetryClock() *retryClock {
	return &retryClock{moments: make(map[Origin]time.Time), jitter: rand.N[time.Duration]}
}

// Refuse returns how long o has to wait, when rate requests are served per second and the first free moment is
// backlog requests away.
func (c *retryClock) Refuse(o Origin, now time.Time, rate float64, backlog int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetPassed(now)
	if at, ok := c.moments[o]; ok && at.After(now) {
		return c.withJitter(at.Sub(now))
	}
	rate = max(rate, 1/MaxRetryAfter.Seconds())
	service := time.Duration(float64(time.Second) / rate)
	earliest := now.Add(time.Duration(float64(backlog) / rate * float64(time.Second)))
	at := c.next.Add(service)
	if at.Before(earliest) {
		at = earliest
	}
	if at.Sub(now) > MaxRetryAfter || len(c.order) >= maxMoments {
		// No moment left to promise. Spread over the last part, or all of these would come back as one.
		return MaxRetryAfter - c.jitter(MaxRetryAfter/10)
	}
	c.next = at
	c.moments[o] = at
	c.order = append(c.order, moment{at, o})
	return c.withJitter(at.Sub(now))
}

// Promised reports whether moments lie ahead that were promised to others than o: o's own has come, or o has none and
// nobody else's is outstanding.
func (c *retryClock) Promised(o Origin, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetPassed(now)
	if at, ok := c.moments[o]; ok && !at.After(now) {
		return false
	}
	return c.next.After(now)
}

// Admit forgets o's moment: it has been let in.
func (c *retryClock) Admit(o Origin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.moments, o)
}

func (c *retryClock) withJitter(d time.Duration) time.Duration {
	return min(d+c.jitter(min(maxJitter, time.Duration(float64(d)*jitterShare))+1), MaxRetryAfter)
}

func (c *retryClock) forgetPassed(now time.Time) {
	n := 0
	for n < len(c.order) && now.Sub(c.order[n].at) > momentGrace {
		m := c.order[n]
		if c.moments[m.origin].Equal(m.at) {
			delete(c.moments, m.origin)
		}
		n++
	}
	if c.order = c.order[n:]; len(c.order) == 0 {
		c.order = nil // give the passed ones' memory back
	}
}
