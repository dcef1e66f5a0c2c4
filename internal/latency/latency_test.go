package latency

import (
	"math"
	"sync"
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	var h Histogram
	if got := h.Summary(); got != (Summary{}) {
		t.Fatalf("empty histogram: %+v", got)
	}
	for i := 1; i <= 1000; i++ {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	s := h.Summary()
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > want/100 {
			t.Errorf("%s = %v ms, want %v within 1 %%", name, got, want)
		}
	}
	if s.Count != 1000 {
		t.Errorf("count = %d", s.Count)
	}
	near("min", s.Min, 1)
	near("avg", s.Mean, 500.5)
	near("p50", s.P50, 500)
	near("p90", s.P90, 900)
	near("p99", s.P99, 990)
	near("p99.9", s.P999, 999)
	near("max", s.Max, 1000)
	near("sum", s.Sum, 500500)
}

func TestOutOfRangeIsCountedAtTheEnds(t *testing.T) {
	var h Histogram
	h.Record(-time.Second)
	h.Record(59 * time.Minute)
	h.RecordN(time.Second, 0)
	if s := h.Summary(); s.Count != 2 || s.Min != 0 || s.Max < 58.5*60_000 || s.Max > 59.5*60_000 {
		t.Errorf("got %+v", s)
	}
	h.Record(24 * time.Hour)
	if s := h.Summary(); s.Count != 3 || s.Max < 59.5*60_000 || s.Sum != float64((59*time.Minute+Longest).Milliseconds()) {
		t.Errorf("got %+v", s)
	}
}

func TestConcurrentRecord(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				h.RecordN(time.Millisecond, 2)
			}
		})
	}
	wg.Wait()
	if s := h.Summary(); s.Count != 16000 {
		t.Errorf("count = %d, want 16000", s.Count)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	var h Histogram
	h.Init()
	if n := testing.AllocsPerRun(100, func() { h.Record(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations per Record", n)
	}
}

// What was recorded before is gone, looked at or not.
func TestReset(t *testing.T) {
	var h Histogram
	h.Reset()
	for range 3 {
		h.Record(time.Millisecond)
		_ = h.Summary()
		h.Record(time.Second)
		h.Reset()
		if s := h.Summary(); s != (Summary{}) {
			t.Fatalf("%+v", s)
		}
		h.Record(time.Minute)
		if s := h.Summary(); s.Count != 1 || s.Sum != 60_000 || s.Min < 59_000 {
			t.Fatalf("%+v", s)
		}
		h.Reset()
	}
}
