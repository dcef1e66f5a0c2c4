package admin

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// outage is a history of a store whose calls and pings a test decides.
type outage struct {
	*History
	total atomic.Pointer[Reading]
	away  atomic.Bool // the store takes no writes
	hangs atomic.Bool // the question is not answered
	pings atomic.Int64
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := new(outage)
	o.total.Store(&Reading{StoreCalls: 1, StoreTime: time.Second})
	o.History = NewHistory(func() Reading { return *o.total.Load() }, func(ctx context.Context) bool {
		o.pings.Add(1)
		if o.hangs.Load() {
			<-ctx.Done()
			return false
		}
		return !o.away.Load()
	})
	o.Start()
	t.Cleanup(o.Stop)
	synctest.Wait()
	return o
}

// sample returns the next sample, between which and the last one there were some calls.
func (o *outage) sample(t *testing.T, calls, failed int64, each time.Duration) (s Sample) {
	t.Helper()
	r := *o.total.Load()
	r.Ticks += rushgate.TickRate
	r.StoreCalls += calls
	r.StoreErrors += failed
	r.StoreTime += time.Duration(calls) * each
	o.total.Store(&r)
	time.Sleep(SampleInterval)
	synctest.Wait()
	if err := json.Unmarshal(o.after(0).now, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A store is away from when its calls fail until it answers, whether or not anybody calls it.
func TestStoreComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		o.away.Store(true)
		for i, c := range []struct {
			calls, failed int64
			each          time.Duration
			away          bool
			ms            float64
			pings         int64
		}{
			{10, 0, 5 * time.Millisecond, false, 5, 0},
			{1000, 1000, 0, true, 5, 1},
			{0, 0, 0, true, 5, 2},
			{3, 2, 0, true, 5, 3}, // the third was given up by its caller
		} {
			s := o.sample(t, c.calls, c.failed, c.each)
			if s.StoreAway != c.away || s.StoreMS != c.ms || o.pings.Load() != c.pings {
				t.Errorf("sample %d: away %v, %v ms, %d pings; want %+v", i, s.StoreAway, s.StoreMS, o.pings.Load(), c)
			}
		}
		o.away.Store(false)
		o.sample(t, 0, 0, 0)
		for range 9 {
			if s := o.sample(t, 0, 0, 0); s.StoreAway || s.State != Open || o.pings.Load() != 4 {
				t.Errorf("it is back, but %s after %d pings", s.State, o.pings.Load())
			}
		}
	})
}

// A store that reads and does not write, as on a full disk, is one that lets no player in. One write that fails raises
// the question; where no player comes it is asked all the same.
func TestStoreThatOnlyReadsIsAway(t *testing.T) {
	for name, failed := range map[string]int64{"a write fails": 1, "no call fails": 0} {
		synctest.Test(t, func(t *testing.T) {
			o := newOutage(t)
			for range 10 {
				if s := o.sample(t, 3, 0, 0); s.State != Open {
					t.Errorf("%s: %s at first", name, s.State)
				}
			}
			o.away.Store(true)
			start := time.Now()
			for o.sample(t, 3, failed, 0).State == Open && time.Since(start) < time.Minute {
			}
			limit := CheckInterval + 2*SampleInterval
			if failed > 0 {
				limit = 2 * SampleInterval
			}
			if took := time.Since(start); took > limit {
				t.Errorf("%s: shown after %v", name, took)
			}
			for range 30 {
				if s := o.sample(t, 3, failed, 0); s.State != StoreAway || !s.StoreAway {
					t.Errorf("%s: %s while nothing can be written", name, s.Headline)
				}
			}
			o.away.Store(false)
			o.sample(t, 3, 0, 0)
			if s := o.sample(t, 3, 0, 0); s.State != Open {
				t.Errorf("%s: there is room again, but %s", name, s.Headline)
			}
		})
	}
}

// A store that hangs holds up neither the samples nor the end.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		o.hangs.Store(true)
		for i := range int64(10) {
			s := o.sample(t, 1, 1, 0)
			if !s.StoreAway || o.after(0).last != i+1 || o.pings.Load() > i+1 {
				t.Errorf("after %d s: away %v, sample %d, %d pings", i+1, s.StoreAway, o.after(0).last, o.pings.Load())
			}
		}
		start := time.Now()
		o.Stop()
		if took := time.Since(start); took != 0 {
			t.Errorf("the end took %v", took)
		}
	})
}
