package auth

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func newExactClock() *retryClock {
	c := newRetryClock()
	c.jitter = func(n time.Duration) time.Duration {
		if n == MaxRetryAfter/10 {
			return MaxRetryAfter - noMoment
		}
		return 0
	}
	return c
}

// noMoment is what a clock without jitter answers when it has no moment to promise.
const noMoment = MaxRetryAfter - 1

func TestRetryClockGivesEachTheNextMoment(t *testing.T) {
	c, now := newExactClock(), time.Now()
	for i, want := range []time.Duration{time.Second, 1100 * time.Millisecond, 1200 * time.Millisecond} {
		if got := c.Refuse(OriginOf(addr(i)), now, 10, 10); got != want {
			t.Errorf("refusal %d: %v, want %v", i, got, want)
		}
	}
	// Asking again early does not move the clock for others: it puts off the one who asks, or spreads the many who
	// share an address.
	later := now.Add(500 * time.Millisecond)
	for i := range 100 {
		if got, want := c.Refuse(OriginOf(addr(0)), later, 10, 10), time.Duration(600+100*i)*time.Millisecond; got != want {
			t.Fatalf("asked again after 500 ms: %v, want %v", got, want)
		}
	}
	if got := c.Refuse(OriginOf(addr(3)), later, 10, 8); got != 800*time.Millisecond {
		t.Errorf("the next one: %v, want 800ms", got)
	}
	// Asking again when the moment has come and there is still no place moves on.
	if got := c.Refuse(OriginOf(addr(1)), now.Add(1100*time.Millisecond), 10, 1); got != 300*time.Millisecond {
		t.Errorf("refused at its moment: %v, want 300ms", got)
	}
}

func TestRetryClockPromises(t *testing.T) {
	c, now := newExactClock(), time.Now()
	mine, other := OriginOf(addr(1)), OriginOf(addr(2))
	if c.Promised(other, now) {
		t.Error("a fresh clock has promised something")
	}
	wait := c.Refuse(mine, now, 10, 10)
	if !c.Promised(other, now) || !c.Promised(mine, now) {
		t.Error("a moment ahead is not a promise to those who come before it")
	}
	c.Refuse(OriginOf(addr(3)), now, 10, 10)
	due := now.Add(wait)
	if c.Promised(mine, due) {
		t.Error("an origin whose moment has come is held back")
	}
	if !c.Promised(other, due) {
		t.Error("an origin without a moment goes before one with")
	}
	if c.Promised(other, due.Add(time.Minute)) {
		t.Error("promises that have passed still hold")
	}
	c.Admit(mine)
	if !c.Promised(mine, due) {
		t.Error("a moment can be used twice")
	}
}

func TestRetryClockIsBounded(t *testing.T) {
	c, now := newRetryClock(), time.Now()
	for i := range 3 * maxMoments {
		if d := c.Refuse(OriginOf(addr(i)), now, 1e6, 1); d <= 0 || d > MaxRetryAfter {
			t.Fatalf("refusal %d: %v", i, d)
		}
	}
	if len(c.promises) > maxMoments || len(c.order) > maxMoments {
		t.Errorf("%d promises remembered, want at most %d", len(c.promises), maxMoments)
	}
	c.Promised(OriginOf(addr(0)), now.Add(2*MaxRetryAfter))
	if len(c.promises) != 0 || len(c.order) != 0 {
		t.Errorf("%d promises and %d entries remembered after all have passed", len(c.promises), len(c.order))
	}
}

// Without the test's stand-in, waits carry a little jitter, later and never earlier.
func TestRetryClockJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		d := newRetryClock().Refuse(OriginOf(addr(1)), time.Now(), 10, 100)
		if d < 10*time.Second || d > 10*time.Second+maxJitter {
			t.Fatalf("a wait of 10 s became %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 10 {
		t.Errorf("100 waits have only %d lengths", len(seen))
	}
}

// Whatever the order of events: a wait is positive and at most MaxRetryAfter, first moments of different origins are a
// service time apart, and so are the moments of one origin.
func TestRetryClockModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, now := newExactClock(), time.Now()
		const rate = 8
		const service = time.Second / rate
		promised := map[int]time.Time{} // the last moment of each origin
		var last time.Time              // of the clock
		t.Repeat(map[string]func(*rapid.T){
			"refuse": func(t *rapid.T) {
				i := rapid.IntRange(0, 20).Draw(t, "origin")
				d := c.Refuse(OriginOf(addr(i)), now, rate, rapid.IntRange(1, 100).Draw(t, "backlog"))
				at := now.Add(d)
				if d <= 0 || d > MaxRetryAfter {
					t.Fatalf("wait %v", d)
				}
				if before, ok := promised[i]; ok && before.After(now) {
					if d != noMoment && !at.Equal(before.Add(service)) {
						t.Fatalf("origin %d was promised %v, now %v", i, before, at)
					}
				} else if d != noMoment {
					if !last.IsZero() && at.Sub(last) < service {
						t.Fatalf("moments only %v apart", at.Sub(last))
					}
					last = at
				}
				if d != noMoment {
					promised[i] = at
				}
			},
			"admit": func(t *rapid.T) { c.Admit(OriginOf(addr(rapid.IntRange(0, 20).Draw(t, "origin")))) },
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				if len(c.order) != len(c.promises) {
					t.Fatalf("%d promises, %d times to forget them", len(c.promises), len(c.order))
				}
			},
		})
	})
}

func TestDrainRate(t *testing.T) {
	r, now := newDrainRate(100), time.Now()
	if got := r.PerSecond(); got != 100 {
		t.Fatalf("before anything is known: %v, want the estimate 100", got)
	}
	r.Done(16, now)
	for range 600 { // a minute of 16 each 100 ms
		now = now.Add(100 * time.Millisecond)
		r.Done(16, now)
	}
	if got := r.PerSecond(); got < 159 || got > 161 {
		t.Errorf("after a minute at 160/s: %v", got)
	}
	for range 100 { // a quiet time: one login every ten seconds
		r.Idle()
		now = now.Add(10 * time.Second)
		r.Done(1, now)
	}
	if got := r.PerSecond(); got < 159 || got > 161 {
		t.Errorf("a quiet time changed the estimate to %v", got)
	}
	for range 600 {
		now = now.Add(100 * time.Millisecond)
		r.Done(4, now)
	}
	if got := r.PerSecond(); got < 39 || got > 45 {
		t.Errorf("after a minute at 40/s: %v", got)
	}
}
