package report

import "maps"

// AuthCounters are those of package auth, in requests.
type AuthCounters struct {
	Queued       int64  `json:"queued"`        // accepted into the queue
	Processed    int64  `json:"processed"`     // taken through to an answer
	Expired      int64  `json:"expired"`       // dropped as stale
	RejectedBusy int64  `json:"rejected_busy"` // refused with server-busy
	RateLimited  int64  `json:"rate_limited"`  // refused with rate-limited
	Success      int64  `json:"success"`       // let into the world
	Fail         Counts `json:"fail"`          // by reason
}

// TickCounters are those of package realm, in ticks.
type TickCounters struct {
	Ticks    int64 `json:"ticks"`    // steps made
	Late     int64 `json:"late"`     // begun an interval late or more
	Skipped  int64 `json:"skipped"`  // given up because too many were due at once
	Panics   int64 `json:"panics"`   // calls of the world that panicked
	Overruns int64 `json:"overruns"` // that took longer than their interval
}

// Since returns what was counted since a.
func (c AuthCounters) Since(a AuthCounters) AuthCounters {
	return AuthCounters{
		Queued:       c.Queued - a.Queued,
		Processed:    c.Processed - a.Processed,
		Expired:      c.Expired - a.Expired,
		RejectedBusy: c.RejectedBusy - a.RejectedBusy,
		RateLimited:  c.RateLimited - a.RateLimited,
		Success:      c.Success - a.Success,
		Fail:         c.Fail.Since(a.Fail),
	}
}

// Since returns what was counted since a.
func (c TickCounters) Since(a TickCounters) TickCounters {
	return TickCounters{
		Ticks:    c.Ticks - a.Ticks,
		Late:     c.Late - a.Late,
		Skipped:  c.Skipped - a.Skipped,
		Panics:   c.Panics - a.Panics,
		Overruns: c.Overruns - a.Overruns,
	}
}

// Plus returns the sums of both.
func (c AuthCounters) Plus(a AuthCounters) AuthCounters {
	return AuthCounters{
		Queued:       c.Queued + a.Queued,
		Processed:    c.Processed + a.Processed,
		Expired:      c.Expired + a.Expired,
		RejectedBusy: c.RejectedBusy + a.RejectedBusy,
		RateLimited:  c.RateLimited + a.RateLimited,
		Success:      c.Success + a.Success,
		Fail:         c.Fail.Plus(a.Fail),
	}
}

// Plus returns the sums of both.
func (c TickCounters) Plus(a TickCounters) TickCounters {
	return TickCounters{
		Ticks:    c.Ticks + a.Ticks,
		Late:     c.Late + a.Late,
		Skipped:  c.Skipped + a.Skipped,
		Panics:   c.Panics + a.Panics,
		Overruns: c.Overruns + a.Overruns,
	}
}

// Counts are numbers by what was counted.
type Counts map[string]int64

// Since returns the entries that have grown since a, by how much.
func (c Counts) Since(a Counts) Counts {
	grown := make(Counts)
	for k, n := range c {
		if d := n - a[k]; d != 0 {
			grown[k] = d
		}
	}
	return grown
}

// Plus returns the sums of two sets of counters.
func (c Counts) Plus(a Counts) Counts {
	sum := maps.Clone(c)
	for k, n := range a {
		sum[k] += n
	}
	return sum
}
