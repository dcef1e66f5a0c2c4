package latency

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// What happened between two summaries is what a histogram of its own would have shown.
func TestSince(t *testing.T) {
	var all, later Histogram
	random := rand.New(rand.NewPCG(1, 2))
	record := func(n int, hs ...*Histogram) {
		for range n {
			d := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
			for _, h := range hs {
				h.Record(d)
			}
		}
	}
	for _, before := range []int{0, 5000} {
		record(before, &all)
		earlier := overTheWire(t, all.Detailed())
		if got, err := earlier.Since(earlier); err != nil || got != (Summary{}) {
			t.Errorf("nothing happened: %+v, %v", got, err)
		}
		later = Histogram{}
		record(3000, &all, &later)
		got, err := overTheWire(t, all.Detailed()).Since(earlier)
		want := later.Detailed()
		if d := got.Sum - want.Sum; err != nil || d > 1e-3 || d < -1e-3 {
			t.Errorf("after %d: sum %v, want %v; %v", before, got.Sum, want.Sum, err)
		}
		got.Sum, got.Mean, want.Sum, want.Mean = 0, 0, 0, 0
		if got != want {
			t.Errorf("after %d: %+v, want %+v", before, got, want)
		}
		if merged, err := got.Merge(earlier); err != nil || merged.Buckets != all.Detailed().Buckets {
			t.Errorf("after %d: what was before and after is not the whole: %v", before, err)
		}
	}
}

func overTheWire(t *testing.T, s Summary) (out Summary) {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSinceOfWhatDoesNotBelongTogether(t *testing.T) {
	var a, b Histogram
	a.Record(time.Millisecond)
	b.RecordN(time.Second, 2)
	for name, pair := range map[string][2]Summary{
		"restarted":     {b.Detailed(), a.Detailed()},
		"lesser sum":    {{Count: 2, Sum: 1, Buckets: "1:2"}, {Count: 1, Sum: 2, Buckets: "1:1"}},
		"no buckets":    {a.Summary(), {}},
		"none earlier":  {a.Detailed(), a.Summary()},
		"no colon":      {{Count: 1, Buckets: "12"}, {}},
		"no number":     {{Count: 1, Buckets: "x:1"}, {}},
		"negative":      {{Count: 1, Buckets: "1:-1 2:2"}, {}},
		"out of range":  {{Count: 1, Buckets: "3600000001:1"}, {}},
		"overflow":      {{Count: 1, Buckets: "1:9223372036854775807 2:9223372036854775807 3:3"}, {}},
		"wrong total":   {{Count: 9, Buckets: "1:1"}, {}},
		"not a bucket ": {{Count: 1, Buckets: ":"}, {}},
	} {
		if got, err := pair[0].Since(pair[1]); !errors.Is(err, ErrNoInterval) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
