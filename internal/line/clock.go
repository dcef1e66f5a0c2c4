package line

import "time"

const (
	// slack is by how much the line's clock may differ from the wall clock and still run as fast.
	slack = 100_000 // microseconds
	// longestStep is the longest that may pass between two looks at the clock while the process runs. What is beyond it
	// says that the process stood still, and that no client could come meanwhile.
	longestStep = 5 * time.Second
)

// clock is the line's own. Turns are given by it, so that it never goes back, nor leaps when the wall clock is set
// while the node runs: by as much as it differs from that it runs at half or double speed, until the two are together
// again and the nodes of a fleet with each other. Age is how long the line has been running, less the time in which the
// process stood still; the grace of those who come late is counted by it.
type clock struct {
	wall    func() time.Time
	elapsed func() time.Duration
	last    time.Duration // what elapsed returned
	turn    int64         // the line's clock, in microseconds since 1970
	age     time.Duration
}

// newClock returns a clock that has already come as far as a time, in microseconds, if that is later than the wall's.
func newClock(wall func() time.Time, elapsed func() time.Duration, saved int64) clock {
	return clock{wall: wall, elapsed: elapsed, last: elapsed(), turn: max(saved, wallMicros(wall))}
}

func wallMicros(wall func() time.Time) int64 { return int64(millis(wall())) * 1000 }

// read brings the clock up to date.
func (c *clock) read() {
	at := c.elapsed()
	passed := at - c.last
	if passed <= 0 {
		return
	}
	c.last = at
	c.age += min(passed, longestStep)
	step, wall := passed.Microseconds(), wallMicros(c.wall)
	next := c.turn + step
	switch {
	case next > wall+slack:
		next = max(c.turn+step/2, wall)
	case next < wall-slack:
		next = min(c.turn+2*step, wall)
	}
	c.turn = min(next, maxMillis*1000)
}

// millis returns the time of the line in whole milliseconds.
func (c *clock) millis() int64 { return c.turn / 1000 }

// tick is the age in quarters of a second.
func (c *clock) tick() int64 { return int64(c.age / tickLength) }

const tickLength = 250 * time.Millisecond
