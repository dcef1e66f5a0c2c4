// Package latency records durations into HdrHistograms that many goroutines may share.
package latency

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Longest is the longest duration that is told from longer ones, which count as this long.
const Longest = time.Hour

// Range and precision: a microsecond to an hour with two significant figures, 27 KiB a histogram, 80 KiB once it has
// been looked at. Durations outside are counted at the nearest end.
const (
	lowest  = 1                          // µs
	highest = Longest / time.Microsecond // µs
	figures = 2
)

// Histogram counts durations. The zero value is ready to use; all methods may be called from many goroutines.
// Recording allocates nothing after the first call.
type Histogram struct {
	mu   sync.Mutex              // held for moments only, see export
	hist *hdrhistogram.Histogram // what was recorded since the last look
	sum  time.Duration           // of everything

	looking sync.Mutex              // taken before mu
	earlier *hdrhistogram.Histogram // what was recorded before the last look
	spare   *hdrhistogram.Histogram // empty; takes the place of hist with the next look
}

// Record counts one duration.
func (h *Histogram) Record(d time.Duration) { h.RecordN(d, 1) }

// RecordN counts the same duration n times.
func (h *Histogram) RecordN(d time.Duration, n int) {
	if n <= 0 {
		return
	}
	d = min(max(d, 0), Longest)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.init()
	if h.hist.RecordValues(d.Microseconds(), int64(n)) == nil {
		h.sum += d * time.Duration(n)
	}
}

// Init allocates the histogram's memory now rather than with the first Record.
func (h *Histogram) Init() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.init()
}

// Reset forgets what was recorded and keeps the memory.
func (h *Histogram) Reset() {
	h.looking.Lock()
	defer h.looking.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hist := range []*hdrhistogram.Histogram{h.hist, h.earlier} {
		if hist != nil {
			hist.Reset()
		}
	}
	h.sum = 0
}

func (h *Histogram) init() {
	if h.hist == nil {
		h.hist = newHist()
	}
}

func newHist() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, int64(highest), figures) }

// Summary is what a histogram holds, in milliseconds. Percentiles are accurate to two significant figures.
type Summary struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min_ms"`
	Mean  float64 `json:"avg_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
	// Sum is exact; it tells totals such as time spent hashing.
	Sum float64 `json:"sum_ms"`
	// Buckets is the histogram itself, of which [Summary.Since] computes what happened between two summaries: numbers
	// of durations by µs, as in "20:153 21:99". Only [Histogram.Detailed] fills it.
	Buckets string `json:"buckets,omitempty"`
}

// Summary returns the figures of all durations recorded so far.
func (h *Histogram) Summary() Summary { return summarise(h.export()) }

// export copies what has been recorded. Under the lock that recording takes, histograms change places and nothing is
// copied or allocated: a tick may be waiting to record, and a goroutine that allocates may be made to help the
// garbage collector.
func (h *Histogram) export() (*hdrhistogram.Histogram, time.Duration) {
	h.looking.Lock()
	defer h.looking.Unlock()
	if h.spare == nil {
		h.earlier, h.spare = newHist(), newHist()
	}
	recent, sum := h.exchange(h.spare)
	if recent == nil {
		return nil, 0
	}
	h.earlier.Merge(recent)
	recent.Reset()
	h.spare = recent
	if h.earlier.TotalCount() == 0 {
		return nil, 0
	}
	return h.earlier.Clone(), sum
}

// exchange puts an empty histogram in the place of the one recorded into, if there is one, and returns that.
func (h *Histogram) exchange(empty *hdrhistogram.Histogram) (*hdrhistogram.Histogram, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	recent := h.hist
	if recent != nil {
		h.hist = empty
	}
	return recent, h.sum
}

// summarise returns the figures of a histogram, nil being an empty one.
func summarise(hist *hdrhistogram.Histogram, sum time.Duration) Summary {
	if hist == nil {
		return Summary{}
	}
	ms := func(us int64) float64 { return float64(us) / 1000 }
	n := hist.TotalCount()
	return Summary{
		Count: n,
		Min:   ms(hist.Min()),
		Mean:  sum.Seconds() * 1000 / float64(n),
		P50:   ms(hist.ValueAtPercentile(50)),
		P90:   ms(hist.ValueAtPercentile(90)),
		P99:   ms(hist.ValueAtPercentile(99)),
		P999:  ms(hist.ValueAtPercentile(99.9)),
		Max:   ms(hist.Max()),
		Sum:   sum.Seconds() * 1000,
	}
}
