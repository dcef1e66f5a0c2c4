package doorman

import (
	"context"
	"sync"
	"time"
)

const (
	// hashShare is the part of the cores that hashing has for itself whenever logins wait.
	hashShare = 0.5
	// leastShare is the part of the cores that the door has in any case, so that a client is told at once even while
	// everything else asks for more than there is.
	leastShare = 0.05
	// saved is for how long CPU time that was not used may be saved up.
	saved = 2 * time.Millisecond
	// slice is the most CPU time that the door uses at a stretch: the tick waits for no more.
	slice = 300 * time.Microsecond
	// longestRest bounds a rest, after which it is judged anew how much the door may use.
	longestRest = 5 * time.Millisecond
)

// Usage is what a [Share] measures the CPU by: totals since the start of the process.
type Usage struct {
	Process time.Duration // of the whole process
	Hash    time.Duration // for hashing
}

// Share divides the CPU between the door and what waits behind it. The tick and the players inside take what they need.
// Of the rest, whenever logins wait, hashing has at least half of the cores, and the door what is left; when none
// waits, the door has all it can use. What the door may not use now waits in the kernel's queue of connections, and
// costs nothing there.
//
// All of it is measured with the CPU clocks of threads, in what each part has used: what the system adds on top, for
// packets that come in, is nobody's, and is taken from all.
type Share struct {
	// Cores is how many cores the process has. Workers is how many hash at once at most.
	Cores, Workers int
	// Usage returns what has been used so far. Required.
	Usage func() Usage
	// Waiting reports whether logins wait or are being hashed. Required.
	Waiting func() bool

	mu     sync.Mutex
	last   time.Time
	usage  Usage
	own    time.Duration // used by the door since last
	credit time.Duration
	rate   float64 // CPU seconds per second that are granted
}

// refill grants the door what it may use until now, and reports whether it may go on.
func (s *Share) refill(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := now.Sub(s.last)
	if s.last.IsZero() || !s.Waiting() {
		s.last, s.usage, s.own = now, s.Usage(), 0
		s.credit, s.rate = s.most(), float64(s.Cores)
		return true
	}
	if passed < slice { // too short to measure by
		return s.credit > 0
	}
	usage := s.Usage()
	others := (usage.Process - s.usage.Process) - (usage.Hash - s.usage.Hash) - s.own
	s.rate = s.leaves(max(others.Seconds(), 0) / passed.Seconds())
	s.credit = min(s.credit+time.Duration(s.rate*float64(passed)), s.most())
	s.last, s.usage, s.own = now, usage, 0
	return s.credit > 0
}

// leaves returns how many cores are left for the door while logins wait, and others than hashing use so many.
func (s *Share) leaves(others float64) float64 {
	cores := float64(s.Cores)
	left := cores - min(cores*hashShare, float64(s.Workers)) - others
	return min(max(left, cores*leastShare), cores)
}

func (s *Share) most() time.Duration { return time.Duration(s.Cores) * saved }

// spend charges the door for what it has used.
func (s *Share) spend(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own += d
	s.credit -= d
}

// rest returns how long it takes until the door may use a slice again.
func (s *Share) rest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credit > 0 || s.rate <= 0 {
		return 0
	}
	return min(time.Duration(float64(slice-s.credit)/s.rate), longestRest)
}

// wait returns when the door may use the CPU, and false if ctx has ended before.
func (s *Share) wait(ctx context.Context) bool {
	for ctx.Err() == nil && !s.refill(time.Now()) {
		time.Sleep(max(s.rest(), slice))
	}
	return ctx.Err() == nil
}
