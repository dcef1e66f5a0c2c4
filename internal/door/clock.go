package door

import "time"

// clock tells clients when to come back for whom there is no place in the line.
type clock struct {
	jitter func(n time.Duration) time.Duration
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
