package ready

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errAway = errors.New("away")

func staying() bool { return false }

func get(p *Probe) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
	return w
}

// The reason is one line without details, and draining comes first.
func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		draining bool
		err      error
		status   int
		body     string
	}{
		"all is well":        {false, nil, 200, "ok\n"},
		"store away":         {false, errAway, 503, "the store takes no writes\n"},
		"draining":           {true, nil, 503, "draining\n"},
		"draining, no store": {true, errAway, 503, "draining\n"},
	} {
		p := New(func() bool { return c.draining }, func(context.Context) error { return c.err })
		if w := get(p); w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s: %d %q, want %d %q", name, w.Code, w.Body, c.status, c.body)
		}
	}
}

// However many probes come, the store is asked once a second; draining shows at once.
func TestProbesDoNotHammerTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		var away, draining atomic.Bool
		p := New(draining.Load, func(context.Context) error {
			asked.Add(1)
			time.Sleep(100 * time.Millisecond)
			if away.Load() {
				return errAway
			}
			return nil
		})
		probe := func(want int, pings int64) {
			t.Helper()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if w := get(p); w.Code != want {
						t.Errorf("%d %s, want %d", w.Code, w.Body, want)
					}
				})
			}
			wg.Wait()
			if n := asked.Load(); n != pings {
				t.Errorf("the store was asked %d times, want %d", n, pings)
			}
		}
		probe(200, 1)
		away.Store(true)
		time.Sleep(999 * time.Millisecond)
		probe(200, 1)
		time.Sleep(time.Millisecond)
		probe(503, 2)
		away.Store(false)
		probe(503, 2)
		time.Sleep(time.Second)
		probe(200, 3)
		draining.Store(true)
		probe(503, 3)
	})
}

// A store that hangs is given a second; no caller waits longer, and one that goes away before leaves no mark.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(staying, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				start := time.Now()
				if w := get(p); w.Code != 503 || time.Since(start) != time.Second {
					t.Errorf("%d after %v", w.Code, time.Since(start))
				}
			})
		}
		wg.Wait()
	})
}

func TestProbeThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(staying, func(ctx context.Context) error {
			select {
			case <-time.After(500 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/readyz", nil))
		})
		time.Sleep(200 * time.Millisecond)
		if w := get(p); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		wg.Wait()
	})
}
