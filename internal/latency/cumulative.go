package latency

import (
	"math"
	"slices"
	"time"
)

// Cumulative is what a histogram holds, counted against bounds, as Prometheus wants it.
type Cumulative struct {
	// Count is the number of all durations.
	Count uint64
	// Sum is exact.
	Sum time.Duration
	// AtMost has for each bound the number of durations that were no longer. Those that exceed a bound by less than a
	// hundredth of it may be among them.
	AtMost []uint64
}

// Cumulative counts all durations recorded so far against bounds, which must be in ascending order.
func (h *Histogram) Cumulative(bounds []time.Duration) Cumulative {
	hist, sum := h.export()
	c := Cumulative{Sum: sum, AtMost: make([]uint64, len(bounds))}
	if hist == nil {
		return c
	}
	for _, bar := range hist.Distribution() {
		c.count(bounds, bar.From, bar.Count)
	}
	c.accumulate()
	return c
}

// Cumulative is [Histogram.Cumulative] of a summary from [Histogram.Detailed]. The error wraps [ErrNoInterval] if its
// Buckets do not make up its Count.
func (s Summary) Cumulative(bounds []time.Duration) (Cumulative, error) {
	counts, err := parseBuckets(s)
	if err != nil {
		return Cumulative{}, err
	}
	c := Cumulative{
		Sum:    time.Duration(math.Round(s.Sum * float64(time.Millisecond))),
		AtMost: make([]uint64, len(bounds)),
	}
	for us, n := range counts {
		c.count(bounds, us, n)
	}
	c.accumulate()
	return c, nil
}

// count adds durations to the first bound that they do not exceed.
func (c *Cumulative) count(bounds []time.Duration, us, n int64) {
	c.Count += uint64(n)
	if i, _ := slices.BinarySearch(bounds, time.Duration(us)*time.Microsecond); i < len(bounds) {
		c.AtMost[i] += uint64(n)
	}
}

// accumulate makes each bound count what those below it do.
func (c *Cumulative) accumulate() {
	for i := 1; i < len(c.AtMost); i++ {
		c.AtMost[i] += c.AtMost[i-1]
	}
}
