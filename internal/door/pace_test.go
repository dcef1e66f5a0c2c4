package door

import (
	"testing"
	"time"
)

// The estimate follows what the workers do when they are busy, and quiet times change nothing.
func TestPaceFollowsTheWorkers(t *testing.T) {
	p, now := newPace(100), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	near := func(what string, want float64) {
		t.Helper()
		if got := p.perSecond(); got < 0.98*want || got > 1.1*want {
			t.Errorf("%s: %.1f per second, want about %v", what, got, want)
		}
	}
	near("before anything is known", 100)
	serve := func(n int, every time.Duration, times int) {
		for range times {
			now = now.Add(every)
			p.served(n, now)
		}
	}
	serve(16, 100*time.Millisecond, 600)
	near("after a minute at 160", 160)
	for range 100 {
		p.idle = true
		serve(1, 10*time.Second, 1)
	}
	near("after a quiet time", 160)
	serve(4, 100*time.Millisecond, 600)
	near("after a minute at 40", 40)
}

// However long a process stands still, one interval moves the estimate by less than half.
func TestNoSingleIntervalMovesThePaceBeyondReason(t *testing.T) {
	for _, still := range []time.Duration{time.Second, time.Minute, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		for _, n := range []int{1, 16} {
			p, now := newPace(100), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
			p.served(n, now)
			p.served(n, now.Add(still))
			if got := p.perSecond(); got < 50 || got > 200 {
				t.Errorf("%d served after %v: the pace is taken for %.2f per second, it was 100", n, still, got)
			}
		}
	}
}
