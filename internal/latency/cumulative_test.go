package latency

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

var bounds = []time.Duration{
	100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second,
}

func TestCumulative(t *testing.T) {
	var h Histogram
	if got := h.Cumulative(bounds); !reflect.DeepEqual(got, Cumulative{AtMost: make([]uint64, len(bounds))}) {
		t.Errorf("empty histogram: %+v", got)
	}
	for _, d := range []time.Duration{0, 100 * time.Microsecond, 102 * time.Microsecond, time.Millisecond,
		1100 * time.Microsecond, 10 * time.Second, time.Minute} {
		h.RecordN(d, 3)
	}
	want := Cumulative{
		Count: 21, Sum: 3 * (70*time.Second + 2302*time.Microsecond), AtMost: []uint64{6, 12, 15, 15, 15, 18},
	}
	for range 2 { // looking changes nothing
		if got := h.Cumulative(bounds); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := h.Cumulative(nil); got.Count != want.Count || got.Sum != want.Sum || len(got.AtMost) != 0 {
		t.Errorf("without bounds: %+v", got)
	}
}

// The counts are those of the durations themselves, but for what is within a hundredth of a bound; and a detailed
// summary yields what the histogram does. It is looked at now and then, which must not lose anything.
func TestCumulativeOfMany(t *testing.T) {
	var h Histogram
	random := rand.New(rand.NewPCG(3, 4))
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(50*time.Millisecond)).Truncate(time.Microsecond)
		all = append(all, d)
		h.Record(d)
		if i%1000 == 0 {
			h.Cumulative(bounds)
			h.Summary()
		}
	}
	got := h.Cumulative(bounds)
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	if got.Count != uint64(len(all)) || got.Sum != sum || !slices.IsSorted(got.AtMost) {
		t.Errorf("got %+v, want %d in %v", got, len(all), sum)
	}
	for i, bound := range bounds {
		var low, high uint64
		for _, d := range all {
			if d <= bound {
				low++
			}
			if d <= bound+bound/100 {
				high++
			}
		}
		if n := got.AtMost[i]; n < low || n > high {
			t.Errorf("%d are at most %v, want %d to %d", n, bound, low, high)
		}
	}
	if fromSummary, err := h.Detailed().Cumulative(bounds); err != nil || !reflect.DeepEqual(fromSummary, got) {
		t.Errorf("of the summary: %+v, %v; want %+v", fromSummary, err, got)
	}
	if _, err := h.Summary().Cumulative(bounds); err == nil {
		t.Error("a summary without buckets was counted")
	}
}

// Who looks while others record sees each duration once.
func TestLookingWhileRecording(t *testing.T) {
	const writers, each = 4, 5000
	var h Histogram
	var wg, lookers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		lookers.Go(func() {
			var last Cumulative
			for {
				c := h.Cumulative(bounds)
				if c.Count < last.Count || c.Sum < last.Sum || c.Sum != time.Duration(c.Count)*time.Millisecond {
					t.Errorf("%+v after %+v", c, last)
				}
				last = c
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range writers {
		wg.Go(func() {
			for range each {
				h.Record(time.Millisecond)
			}
		})
	}
	wg.Wait()
	close(done)
	lookers.Wait()
	if c := h.Cumulative(bounds); c.Count != writers*each {
		t.Errorf("%d recorded, want %d", c.Count, writers*each)
	}
}
