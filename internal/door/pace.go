package door

import (
	"math"
	"time"
)

const (
	// paceMemory is the time constant with which past throughput is forgotten.
	paceMemory = 10 * time.Second
	// seedWeight is how much busy time the estimate made at the start counts as. It has to outlast the first moments of
	// a burst, when accepting connections slows the workers down, and when most of the refused are given their moments:
	// promised too slow a pace then, they would come back to workers with nothing to do.
	seedWeight = 5 * time.Second
	// slowest is how many times longer than expected an interval may have taken and count as it is. What took longer says
	// that the process was stopped, the machine suspended or the store away, and nothing about the workers: the interval
	// counts as this long. A pace that has really fallen is known after some intervals all the same.
	slowest = 8
	// leastInterval is an interval that is never cut short, however fast the workers.
	leastInterval = 100 * time.Millisecond
)

// pace estimates how many requests per second the workers complete when they have all they can do. Times in which a
// worker waited for work say nothing about that and are left out, so after a quiet night the estimate is still that of
// the last rush.
type pace struct {
	done float64       // requests completed in busy time, decayed
	busy time.Duration // busy time, decayed
	last time.Time
	idle bool // a worker has run out of work since last
}

func newPace(perSecond float64) pace {
	return pace{done: perSecond * seedWeight.Seconds(), busy: seedWeight, idle: true}
}

// served notes that n requests have been completed.
func (p *pace) served(n int, now time.Time) {
	since := now.Sub(p.last)
	p.last = now
	if p.idle {
		p.idle = false
		return
	}
	expected := time.Duration(float64(n) / p.perSecond() * float64(time.Second))
	since = min(since, max(slowest*expected, leastInterval))
	decay := math.Exp(-float64(since) / float64(paceMemory))
	p.done = p.done*decay + float64(n)
	p.busy = time.Duration(float64(p.busy)*decay) + since
}

// perSecond returns the present estimate, which is never zero: an interval adds what was done in it, and cannot take
// away more than a share of what was done before.
func (p *pace) perSecond() float64 { return p.done / p.busy.Seconds() }

// takes returns how long n requests take at the present estimate.
func (p *pace) takes(n int) time.Duration { return perRequest(p.perSecond(), n) }

func perRequest(perSecond float64, n int) time.Duration {
	d := float64(n) / perSecond * float64(time.Second)
	return time.Duration(min(d, float64(math.MaxInt64/2)))
}
