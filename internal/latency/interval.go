package latency

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ErrNoInterval is wrapped by the errors of [Summary.Since].
var ErrNoInterval = errors.New("latency: no interval between the summaries")

// Detailed is [Histogram.Summary] with its Buckets: about ten bytes for each one that is not empty.
func (h *Histogram) Detailed() Summary {
	hist, sum := h.export()
	return detail(hist, sum)
}

// detail is summarise with the buckets.
func detail(hist *hdrhistogram.Histogram, sum time.Duration) Summary {
	s := summarise(hist, sum)
	if hist == nil {
		return s
	}
	var b []byte
	for _, bar := range hist.Distribution() {
		if bar.Count > 0 {
			b = strconv.AppendInt(b, bar.From, 10)
			b = strconv.AppendInt(append(b, ':'), bar.Count, 10)
			b = append(b, ' ')
		}
	}
	s.Buckets = strings.TrimSuffix(string(b), " ")
	return s
}

// Since returns the figures of what was recorded between an earlier summary of the same histogram and s, both from
// [Histogram.Detailed], with Buckets. The error wraps [ErrNoInterval] if one has no buckets, or if s has less than the
// earlier one in some bucket or in Sum, as after a restart. A restart cannot be told if s has caught up in all of them
// by then; the figures are meaningless in that case.
func (s Summary) Since(earlier Summary) (Summary, error) {
	counts, err := parseBuckets(s)
	if err != nil {
		return Summary{}, err
	}
	before, err := parseBuckets(earlier)
	if err != nil {
		return Summary{}, err
	}
	if s.Sum < earlier.Sum {
		return Summary{}, fmt.Errorf("%w: the earlier one has a greater sum", ErrNoInterval)
	}
	for us, n := range before {
		counts[us] -= n
	}
	hist := newHist()
	for us, n := range counts {
		if n < 0 {
			return Summary{}, fmt.Errorf("%w: the earlier one has more at %d µs", ErrNoInterval, us)
		}
		if n > 0 {
			_ = hist.RecordValues(us, n) // within the range, as parseBuckets has checked
		}
	}
	if hist.TotalCount() == 0 {
		return Summary{}, nil
	}
	return detail(hist, time.Duration((s.Sum-earlier.Sum)*float64(time.Millisecond))), nil
}

// parseBuckets reads the buckets of a summary, which may have come over a network.
func parseBuckets(s Summary) (map[int64]int64, error) {
	counts := make(map[int64]int64)
	total := int64(0)
	for field := range strings.FieldsSeq(s.Buckets) {
		us, n, _ := strings.Cut(field, ":")
		value, err1 := strconv.ParseInt(us, 10, 64)
		count, err2 := strconv.ParseInt(n, 10, 64)
		if err1 != nil || err2 != nil || value < 0 || value > int64(highest) || count <= 0 || count > s.Count-total {
			return nil, fmt.Errorf("%w: bucket %.40q", ErrNoInterval, field)
		}
		counts[value] += count
		total += count
	}
	if s.Count > 0 && s.Buckets == "" {
		return nil, fmt.Errorf("%w: one has no buckets", ErrNoInterval)
	}
	if total != s.Count {
		return nil, fmt.Errorf("%w: buckets of %d out of %d", ErrNoInterval, total, s.Count)
	}
	return counts, nil
}
