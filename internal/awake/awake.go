// Package awake measures how long the process ran. A process that was stopped (SIGSTOP, a debugger, a frozen cgroup, a
// virtual machine that was paused or moved) finds that the monotonic clock has gone on without it, and would take its
// own absence for the silence of everyone else.
package awake

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// beatInterval is the time between two beats of a clock.
	beatInterval = 100 * time.Millisecond
	// lateness is how late a beat may be in a process that runs.
	lateness = 500 * time.Millisecond
	// Gaps are remembered for maxAge, longer than any session lasts without a word, maxGaps of them at most.
	maxAge  = 2 * time.Hour
	maxGaps = 64
	// stepTolerance is by how much the time of day may go its own way within a beat: daemons that keep it right by slewing
	// never come near it.
	stepTolerance = time.Second
	// A step of more than bigStep makes the time of day doubtful for doubtFor: long enough for who looks after the
	// machine to put it right.
	bigStep  = 5 * time.Minute
	doubtFor = 24 * time.Hour
)

// Clock knows when the process stood still. It beats, and where a beat is late nothing else ran either. A nil Clock
// takes the process to have run always. Its methods are safe for concurrent use.
type Clock struct {
	now    func() time.Time
	wall   func() time.Time // the time of day
	logger *slog.Logger
	seen   atomic.Pointer[seen]

	mu   sync.Mutex // of Beat
	stop chan struct{}
	once sync.Once
	beat sync.WaitGroup
}

// seen is what a clock knows. It is never changed, only replaced.
type seen struct {
	last time.Time // when it beat
	wall time.Time // the same by the time of day
	gaps []gap     // in their order

	stepped time.Time // when the time of day made a big step last; zero: never
}

// gap is a time in which the process stood still.
type gap struct{ from, to time.Time }

// New returns a clock whose now tells the time, with a monotonic reading; nil means [time.Now]. The logger hears of
// each standstill, and of each step of the time of day. The clock beats from [Clock.Start] on, or when Beat is called.
func New(now func() time.Time, logger *slog.Logger) *Clock {
	if now == nil {
		now = time.Now
	}
	c := &Clock{now: now, wall: timeOfDay, logger: logger, stop: make(chan struct{})}
	c.seen.Store(&seen{last: now(), wall: c.wall()})
	return c
}

// timeOfDay returns the time without its monotonic reading.
func timeOfDay() time.Time { return time.Now().Round(0) }

// Start has the clock beat by itself until Stop. What has passed since it was made is no standstill: a node that starts
// has other things to do.
func (c *Clock) Start() {
	c.mu.Lock()
	old := c.seen.Load()
	c.seen.Store(&seen{last: c.now(), wall: c.wall(), gaps: old.gaps, stepped: old.stepped})
	c.mu.Unlock()
	c.beat.Go(func() {
		ticker := time.NewTicker(beatInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				c.Beat()
			case <-c.stop:
				return
			}
		}
	})
}

// Stop ends what Start has started, and returns when it has ended. It is idempotent.
func (c *Clock) Stop() {
	c.once.Do(func() { close(c.stop) })
	c.beat.Wait()
}

// Beat notes that the process runs.
func (c *Clock) Beat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, old := c.now(), c.seen.Load()
	next := &seen{last: now, wall: c.wall(), gaps: old.gaps, stepped: old.stepped}
	gap, late := old.gap(now)
	if late {
		next.gaps = remember(old.gaps, gap)
	}
	step := next.wall.Sub(old.wall) - now.Sub(old.last)
	if step.Abs() > bigStep {
		next.stepped = now
	}
	c.seen.Store(next)
	if late {
		c.logger.Warn("the process stood still; that counts as no player's silence",
			"for", gap.to.Sub(gap.from).Round(time.Millisecond))
	}
	if step.Abs() > stepTolerance {
		c.logger.Warn("the time of day has jumped, because the clock was set or the machine was suspended; "+
			"sessions and connect tokens do not go by it", "by", step.Round(time.Millisecond))
	}
}

// Steady reports whether the time of day is good for what cannot be undone, such as deleting what has been kept for
// long enough: it has not jumped by more than some minutes for a day, or since the clock was made.
func (c *Clock) Steady() bool {
	if c == nil {
		return true
	}
	c.Beat()
	s := c.seen.Load()
	return s.stepped.IsZero() || s.last.Sub(s.stepped) >= doubtFor
}

// gap returns the standstill that has been going on, or has just ended, at a time.
func (s *seen) gap(now time.Time) (gap, bool) {
	return gap{s.last.Add(beatInterval), now}, now.Sub(s.last) > lateness
}

// remember returns gaps with one more, and without those that no longer matter.
func remember(gaps []gap, last gap) []gap {
	for len(gaps) >= maxGaps || len(gaps) > 0 && last.to.Sub(gaps[0].to) > maxAge {
		gaps = gaps[1:]
	}
	return append(gaps[:len(gaps):len(gaps)], last)
}

// Stood returns for how much of the time since t, which has a monotonic reading, the process stood still. Of what lies
// further back than two hours it knows nothing.
func (c *Clock) Stood(t time.Time) time.Duration {
	if c == nil {
		return 0
	}
	return c.stood(t, c.now())
}

func (c *Clock) stood(t, now time.Time) (sum time.Duration) {
	s := c.seen.Load()
	add := func(g gap) {
		if t.After(g.from) {
			g.from = t
		}
		sum += max(0, g.to.Sub(g.from))
	}
	if g, late := s.gap(now); late {
		add(g)
	}
	for i := len(s.gaps) - 1; i >= 0 && s.gaps[i].to.After(t); i-- {
		add(s.gaps[i])
	}
	return sum
}

// Since is [time.Since] less the time for which the process stood still.
func (c *Clock) Since(t time.Time) time.Duration {
	if c == nil {
		return time.Since(t)
	}
	now := c.now()
	return now.Sub(t) - c.stood(t, now)
}

// WithTimeout is [context.WithTimeout], but for the time for which the process stands still, which does not count. The
// context it returns has no deadline to be asked for.
func (c *Clock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if c == nil {
		return context.WithTimeout(parent, d)
	}
	ctx, cancel := context.WithCancelCause(parent)
	begun := c.now()
	var timer *time.Timer
	timer = time.AfterFunc(maxAge, func() {
		if left := d - c.Since(begun); left > 0 {
			timer.Reset(left)
			return
		}
		cancel(context.DeadlineExceeded)
	})
	timer.Reset(d)
	return running{ctx}, func() { timer.Stop(); cancel(context.Canceled) }
}

// running is a context that ends with an error of its own for a deadline.
type running struct{ context.Context }

func (r running) Err() error {
	err := r.Context.Err()
	if err != nil && errors.Is(context.Cause(r.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}
