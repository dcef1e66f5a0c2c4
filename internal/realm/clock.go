package realm

import "time"

// clock wakes the tick when a step is due. It listens to two clocks and heeds the one that is first, because each is
// late where the other is not (BenchmarkClock measures both).
//
// A timer of the runtime is exact while the process is busy: the scheduler looks at its timers whenever a goroutine
// yields. In an idle process it is up to a millisecond late, since threads then sleep in the network poller, which
// counts in milliseconds. A timer of the system that the poller watches as if it were a socket is exact then, but late
// in a busy process, where no thread looks at the network while there is work.
type clock struct {
	timer *time.Timer
	pulse *pulse // nil where there is none
}

// newClock returns a clock whose first step is due in interval. Without a pulse there is only the runtime's timer.
func newClock(interval time.Duration, newPulse func(interval time.Duration) *pulse) *clock {
	c := &clock{timer: time.NewTimer(interval)}
	if newPulse != nil {
		c.pulse = newPulse(interval)
	}
	return c
}

// wait waits until due, which must be a whole number of intervals after the clock was made, and returns false if quit
// is closed before.
func (c *clock) wait(due time.Time, quit <-chan struct{}) bool {
	c.timer.Reset(time.Until(due))
	var beats <-chan struct{}
	if c.pulse != nil {
		beats = c.pulse.beats
	}
	for {
		select {
		case <-c.timer.C:
			return true
		case <-beats:
			if !time.Now().Before(due) { // otherwise it is the beat of a step that the timer has woken
				return true
			}
		case <-quit:
			return false
		}
	}
}

// stop ends the clock's goroutine and returns when that has happened.
func (c *clock) stop() {
	c.timer.Stop()
	if c.pulse != nil {
		c.pulse.stop()
	}
}
