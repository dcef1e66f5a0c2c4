// Package cpuclock reads how much CPU time has been used: by this process, and by the thread that a goroutine runs on.
// What parts of a process use can so be measured where the scheduler of the runtime keeps no account.
package cpuclock

import "time"

// Stopwatch measures the CPU time of a piece of work that runs on one goroutine without blocking. The goroutine may be
// moved to another thread in between; such a piece is measured as nothing, or as no more than the time that passed.
type Stopwatch struct {
	cpu  time.Duration
	wall time.Time
}

// Start returns a running stopwatch.
func Start() Stopwatch { return Stopwatch{Thread(), time.Now()} }

// Elapsed returns the CPU time since the start.
func (s Stopwatch) Elapsed() time.Duration {
	return min(max(Thread()-s.cpu, 0), time.Since(s.wall))
}

// Wall returns when the stopwatch was started.
func (s Stopwatch) Wall() time.Time { return s.wall }
