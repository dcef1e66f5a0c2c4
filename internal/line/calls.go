package line

import (
	"math"
	"time"
)

const (
	// callsKept is for how many ticks a player who was called is expected: 30 s. One who has not come by then is a
	// no-show, and is let in all the same within the grace.
	callsKept = 120
	cohorts   = 128
	// backKept is for how many ticks a client is expected that found no room and was told to come again in a second.
	backKept = 6
	// shareMemory is over how many calls the share of no-shows is measured, lagMemory over how many how fast players come.
	shareMemory = 1000.0
	lagMemory   = 500.0
	// leastShare is what is taken for the share of no-shows when there are hardly any: that of those who have not come
	// for long is then still taken for such.
	leastShare = 0.01
)

// calls keep the books of those who were called and have not come.
type calls struct {
	cohorts [cohorts]cohort
	settled int64 // the last tick whose cohort was written off
	// gone and seen are no-shows and calls, decayed: their quotient is the share of no-shows.
	gone, seen float64
	// lags is which part of those who come does so how many ticks after it was called; decayed, of sum 1.
	lags [callsKept]float64
}

// cohort is those who were called within one tick, and those who were sent back in it.
type cohort struct{ called, left, back int }

// newCalls returns books in which players come after a second on average: that is the shortest that they are told.
// Where they ask every so often, they come half of that later.
func newCalls(tick int64, pollMost time.Duration) calls {
	c := calls{settled: tick - callsKept, gone: 5, seen: 100}
	c.setLag(4 + float64(pollMost/2/tickLength))
	return c
}

// setLag has players come after so many ticks on average.
func (c *calls) setLag(mean float64) {
	mean = max(mean, 0.5)
	rest := 1.0
	for i := range c.lags {
		next := math.Exp(-float64(i+1) / mean)
		c.lags[i] = rest - next
		rest = next
	}
}

// lag returns how many ticks players take to come once called, on average.
func (c *calls) lag() (mean float64) {
	for i, part := range c.lags {
		mean += part * (float64(i) + 0.5)
	}
	return mean
}

func (c *calls) at(tick int64) *cohort { return &c.cohorts[uint64(tick)%cohorts] }

// settle writes off those who were called too long ago.
func (c *calls) settle(tick int64) {
	c.settled = max(c.settled, tick-callsKept-cohorts) // what was before has been overwritten
	for c.settled < tick-callsKept {
		c.settled++
		w := c.at(c.settled)
		if w.called > 0 {
			keep := math.Exp(-float64(w.called) / shareMemory)
			c.gone = c.gone*keep + float64(w.left)
			c.seen = c.seen*keep + float64(w.called)
		}
		*w = cohort{}
	}
}

func (c *calls) call(n int, tick int64) {
	w := c.at(tick)
	w.called += n
	w.left += n
}

// came notes that a player who was called at a tick has come.
func (c *calls) came(called, now int64) {
	age := now - called
	if age < 0 || age >= callsKept {
		return
	}
	w := c.nearest(called, now)
	if w == nil {
		return
	}
	w.left--
	for i := range c.lags {
		c.lags[i] *= 1 - 1/lagMemory
	}
	c.lags[age] += 1 / lagMemory
}

// nearest returns those who were called nearest to a tick and of whom any have not come. The watermark moves by parts
// of slices, as if turns were spread evenly in them: where they come in lumps, more come of one tick than were counted
// as called in it, and less of the next. Without this, those would pass for no-shows.
func (c *calls) nearest(called, now int64) *cohort {
	for off := range int64(callsKept) {
		for _, tick := range [...]int64{called - off, called + off} {
			if tick > now-callsKept && tick <= now && c.at(tick).left > 0 {
				return c.at(tick)
			}
		}
	}
	return nil
}

// sentBack notes that a player who came has found no room, and will come again in a second.
func (c *calls) sentBack(now int64) { c.at(now).back++ }

// noShows returns the share of those called who do not come.
func (c *calls) noShows() float64 {
	return min(max(c.gone/c.seen, leastShare), 0.95)
}

// expected returns how many of those who were called and have not come are still to be reckoned with. The longer ago
// that one was called, the more likely is it a no-show, and not one who is slow.
func (c *calls) expected(tick int64) (n float64) {
	gone := c.noShows()
	slow := 1 - gone // the part of those called that comes, and later than at an age
	for age := range int64(callsKept) {
		w := c.at(tick - age)
		if w.left > 0 {
			n += float64(w.left) * slow / (slow + gone)
		}
		if age < backKept {
			n += float64(w.back)
		}
		slow = max(slow-(1-gone)*c.lags[age], 0)
	}
	return n
}

// outstanding returns how many were called and have neither come nor been written off.
func (c *calls) outstanding() (n int) {
	for i := range c.cohorts {
		n += c.cohorts[i].left
	}
	return n
}
