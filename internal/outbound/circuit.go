package outbound

import (
	"sync"
	"time"
)

// verdict is what a call says of its target.
type verdict int

const (
	good    verdict = iota
	bad             // it did not answer, or not in time, or that it cannot
	limited         // it answers that there have been too many calls
	none            // the caller gave up too early to say
)

// leastRest is the least time that a caller is told to wait.
const leastRest = time.Second

// circuit leaves a target alone that has failed so many times in a row: closed, it lets all calls pass; open, none
// until a time; then one, which closes it or opens it for twice as long.
type circuit struct {
	limit          int
	first, longest time.Duration

	mu     sync.Mutex
	failed int           // in a row, while it is closed
	rest   time.Duration // for how long it was opened last; 0 while it is closed
	until  time.Time     // the end of that
	trying bool          // one call is let pass to see
}

// open reports whether no call would be let pass, and when to come back.
func (c *circuit) open(now time.Time) (after time.Duration, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refuses(now)
}

func (c *circuit) refuses(now time.Time) (after time.Duration, open bool) {
	if c.rest == 0 || !now.Before(c.until) && !c.trying {
		return 0, false
	}
	return max(c.until.Sub(now), leastRest), true
}

// enter reports whether a call may pass, whether it is the one that tries, and when to come back otherwise.
func (c *circuit) enter(now time.Time) (try bool, after time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if after, open := c.refuses(now); open {
		return false, after, false
	}
	c.trying = c.rest > 0
	return c.trying, 0, true
}

// leave says how a call ended that entered. Hint is for how long the target wants to be left alone, or 0. Of calls that
// were under way when the circuit opened, what they say comes too late.
func (c *circuit) leave(now time.Time, try bool, v verdict, hint time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rest > 0 && !try {
		return
	}
	c.trying = false
	switch {
	case v == none:
	case v == good:
		c.failed, c.rest = 0, 0
	case try:
		c.openFor(now, max(2*c.rest, hint))
	case v == limited:
		c.openFor(now, max(c.first, hint))
	default:
		if c.failed++; c.failed >= c.limit {
			c.openFor(now, max(c.first, hint))
		}
	}
}

func (c *circuit) openFor(now time.Time, rest time.Duration) {
	c.failed, c.rest = 0, min(rest, c.longest)
	c.until = now.Add(c.rest)
}

// isOpen is for metrics: a target that is tried counts as one that is left alone.
func (c *circuit) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rest > 0
}
