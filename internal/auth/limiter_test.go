package auth

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func origin(s string) Origin { return OriginOf(netip.MustParseAddr(s)) }

func TestOriginOf(t *testing.T) {
	tests := []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"::1", "127.0.0.1", false},
	}
	for _, tt := range tests {
		if got := origin(tt.a) == origin(tt.b); got != tt.same {
			t.Errorf("%s and %s the same origin: %v, want %v", tt.a, tt.b, got, tt.same)
		}
	}
}

func TestLimiterLocksOutAfterFiveFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, o := NewLimiter(0), origin("192.0.2.1")
		for i := range FailureLimit {
			if d := l.LockedFor(o); d != 0 {
				t.Fatalf("locked out for %v after %d failures", d, i)
			}
			l.Failure(o)
			time.Sleep(time.Second)
		}
		if d := l.LockedFor(o); d != LockoutTime-time.Second {
			t.Errorf("locked out for %v, want %v", d, LockoutTime-time.Second)
		}
		if d := l.LockedFor(origin("192.0.2.2")); d != 0 {
			t.Errorf("a neighbour is locked out for %v", d)
		}
		time.Sleep(LockoutTime - time.Second - 1)
		if d := l.LockedFor(o); d != 1 {
			t.Errorf("a nanosecond before its end the lockout lasts %v more", d)
		}
		time.Sleep(time.Nanosecond)
		if d := l.LockedFor(o); d != 0 {
			t.Errorf("the lockout has not ended: %v", d)
		}
		l.Failure(o)
		if d := l.LockedFor(o); d != 0 {
			t.Errorf("one failure after a lockout locks out again: %v", d)
		}
	})
}

func TestLimiterForgetsOldFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, o := NewLimiter(0), origin("192.0.2.1")
		// Five in 60.004 s, again and again: never five within the window.
		for i := range 40 {
			l.Failure(o)
			time.Sleep(FailureWindow/(FailureLimit-1) + time.Millisecond)
			if d := l.LockedFor(o); d != 0 {
				t.Fatalf("locked out after failure %d", i+1)
			}
		}
	})
}

func TestLimiterSuccessClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, o := NewLimiter(0), origin("192.0.2.1")
		for range 10 {
			for range FailureLimit - 1 {
				l.Failure(o)
			}
			l.Success(o)
		}
		if d := l.LockedFor(o); d != 0 {
			t.Errorf("locked out for %v although each success cleared", d)
		}
		for range FailureLimit {
			l.Failure(o)
		}
		l.Success(o)
		if d := l.LockedFor(o); d != 0 {
			t.Errorf("a success during the lockout did not end it: %v", d)
		}
	})
}

func TestLimiterMemoryIsBoundedAndLockoutsOutlastFloods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 100
		l, victim := NewLimiter(size), origin("192.0.2.1")
		for range FailureLimit {
			l.Failure(victim)
		}
		for i := range 100 * size {
			o := OriginOf(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
			for range FailureLimit - 1 { // as much as can be done without being locked out
				l.Failure(o)
			}
		}
		if s := l.Stats(); s.Failing > size || s.Locked != 1 || l.recent.Len() != s.Failing {
			t.Errorf("after a flood: %+v, want at most %d failing and 1 locked", s, size)
		}
		if l.LockedFor(victim) == 0 {
			t.Error("a flood of failures from other addresses ended a lockout")
		}
		// Even lockouts are bounded, and the one to give way is the one that ends first.
		for i := range size + 10 {
			for range FailureLimit {
				l.Failure(OriginOf(netip.AddrFrom4([4]byte{11, 0, 0, byte(i)})))
			}
		}
		if s := l.Stats(); s.Locked != size || l.lockouts.Len() != size {
			t.Errorf("after a flood of lockouts: %+v, want %d locked", s, size)
		}
	})
}

// The model remembers everything; with room for all origins the limiter must agree with it.
func TestLimiterModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(*testing.T) {
			l := NewLimiter(0)
			origins := make([]Origin, 4)
			for i := range origins {
				origins[i] = origin(fmt.Sprintf("192.0.2.%d", i))
			}
			fails := map[Origin][]time.Time{}
			until := map[Origin]time.Time{}
			some := rapid.SampledFrom(origins)
			rt.Repeat(map[string]func(*rapid.T){
				"fail": func(rt *rapid.T) {
					o, now := some.Draw(rt, "o"), time.Now()
					l.Failure(o)
					f := append(fails[o], now)
					fails[o] = f
					if n := len(f); n >= FailureLimit && now.Sub(f[n-FailureLimit]) <= FailureWindow {
						until[o] = now.Add(LockoutTime)
					}
				},
				"succeed": func(rt *rapid.T) {
					o := some.Draw(rt, "o")
					l.Success(o)
					delete(fails, o)
					delete(until, o)
				},
				"wait": func(rt *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(0, 100_000).Draw(rt, "ms")) * time.Millisecond)
				},
				"": func(rt *rapid.T) {
					for _, o := range origins {
						want := max(0, time.Until(until[o]))
						if got := l.LockedFor(o); got != want {
							rt.Fatalf("LockedFor(%v) = %v, want %v", o, got, want)
						}
					}
				},
			})
		})
	})
}
