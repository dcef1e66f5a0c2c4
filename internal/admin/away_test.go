package admin

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// outage is a history of a store whose calls and pings a test decides.
type outage struct {
	*History
	total atomic.Pointer[Reading]
	ping  func(context.Context) error
	pings atomic.Int64
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := new(outage)
	o.total.Store(&Reading{StoreCalls: 1, StoreTime: time.Second})
	o.History = NewHistory(func() Reading { return *o.total.Load() }, func(ctx context.Context) error {
		o.pings.Add(1)
		return o.ping(ctx)
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
		o.ping = func(context.Context) error { return errors.New("away") }
		for i, c := range []struct {
			calls, failed int64
			each          time.Duration
			away          bool
			ms            float64
			pings         int64
		}{
			{10, 0, 5 * time.Millisecond, false, 5, 0},
			{10, 1, 6 * time.Millisecond, false, 6, 0},
			{1000, 1000, 0, true, 6, 1},
			{0, 0, 0, true, 6, 2},
			{3, 2, 0, true, 6, 3}, // the third was given up by its caller
		} {
			s := o.sample(t, c.calls, c.failed, c.each)
			if s.StoreAway != c.away || s.StoreMS != c.ms || o.pings.Load() != c.pings {
				t.Errorf("sample %d: away %v, %v ms, %d pings; want %+v", i, s.StoreAway, s.StoreMS, o.pings.Load(), c)
			}
		}
		o.ping = func(context.Context) error { return nil }
		o.sample(t, 0, 0, 0)
		for range 10 {
			if s := o.sample(t, 0, 0, 0); s.StoreAway || s.State != Open || o.pings.Load() != 4 {
				t.Errorf("it is back, but %s after %d pings", s.State, o.pings.Load())
			}
		}
	})
}

// A store that hangs holds up neither the samples nor the end.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		o.ping = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
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
