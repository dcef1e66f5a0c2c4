package auth

import (
	"math"
	"sync"
	"time"
)

const (
	// rateMemory is the time constant with which past throughput is forgotten.
	rateMemory = 10 * time.Second
	// seedWeight is how much busy time the estimate made at the start counts as. It has to outlast the first moments of
	// a burst, when accepting connections slows the workers down, and when most of the refused are given their moments:
	// promised too slow a pace then, they would come back to workers with nothing to do.
	seedWeight = 5 * time.Second
)

// drainRate estimates how many requests per second the workers complete when they have all they can do. Times in
// which a worker waited for work say nothing about that and are left out, so after a quiet night the estimate is
// still that of the last rush.
type drainRate struct {
	mu   sync.Mutex
	done float64       // requests completed in busy time, decayed
	busy time.Duration // busy time, decayed
	last time.Time
	idle bool // a worker has run out of work since last
}

func newDrainRate(perSecond float64) *drainRate {
	return &drainRate{done: perSecond * seedWeight.Seconds(), busy: seedWeight, idle: true}
}

// Idle notes that a worker had to wait.
func (r *drainRate) Idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = true
}

// Done notes that n requests have been completed.
func (r *drainRate) Done(n int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := now.Sub(r.last)
	r.last = now
	if r.idle {
		r.idle = false
		return
	}
	decay := math.Exp(-float64(since) / float64(rateMemory))
	r.done = r.done*decay + float64(n)
	r.busy = time.Duration(float64(r.busy)*decay) + since
}

// PerSecond returns the present estimate.
func (r *drainRate) PerSecond() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done / r.busy.Seconds()
}
