package latency

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Bucket is how many durations there are of about one length.
type Bucket struct {
	Micros int64 // the least that the bucket stands for
	Count  int64
}

// Distribution returns the buckets of a summary of [Histogram.Detailed], shortest first. The error wraps
// [ErrNoInterval] if it has none although it counts something, or if they make no sense.
func (s Summary) Distribution() ([]Bucket, error) {
	counts, err := parseBuckets(s)
	if err != nil {
		return nil, err
	}
	list := make([]Bucket, 0, len(counts))
	for _, us := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, Bucket{us, counts[us]})
	}
	return list, nil
}

// Merge returns the figures of what was recorded in two histograms, whose summaries are both from [Histogram.Detailed],
// with Buckets. The error is that of [Summary.Distribution].
func (s Summary) Merge(other Summary) (Summary, error) {
	switch {
	case s.Count == 0:
		return other, nil
	case other.Count == 0:
		return s, nil
	}
	hist := newHist()
	for _, half := range []Summary{s, other} {
		counts, err := parseBuckets(half)
		if err != nil {
			return Summary{}, fmt.Errorf("merging: %w", err)
		}
		for us, n := range counts {
			_ = hist.RecordValues(us, n) // within the range, as parseBuckets has checked
		}
	}
	return detail(hist, time.Duration((s.Sum+other.Sum)*float64(time.Millisecond))), nil
}
