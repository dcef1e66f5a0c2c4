package identity

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAProofIsGoodOnceUntilItsTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := NewSeen(2, func() time.Time { return now })
	first := func(what string, want bool, wantErr error) {
		t.Helper()
		if ok, err := s.Once(t.Context(), what, now.Add(time.Minute)); ok != want || !errors.Is(err, wantErr) {
			t.Errorf("%s: %v, %v, want %v, %v", what, ok, err, want, wantErr)
		}
	}
	first("a", true, nil)
	first("a", false, nil)
	first("b", true, nil)
	first("c", false, ErrFull) // and neither a nor b is forgotten for it
	first("a", false, nil)
	now = now.Add(time.Minute)
	first("c", true, nil)
	first("a", true, nil)
}

func TestOfManyOneIsTheFirst(t *testing.T) {
	s := NewSeen(10, time.Now)
	var firsts atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if ok, _ := s.Once(t.Context(), "a", time.Now().Add(time.Hour)); ok {
				firsts.Add(1)
			}
		})
	}
	wg.Wait()
	if firsts.Load() != 1 {
		t.Errorf("%d were the first", firsts.Load())
	}
}

func TestWhatIsRememberedHasABound(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := NewSeen(3000, func() time.Time { return now })
	for i := range 20_000 {
		now = now.Add(time.Second)
		if ok, err := s.Once(t.Context(), fmt.Sprint(i), now.Add(100*time.Second)); !ok || err != nil {
			t.Fatal(i, ok, err)
		}
		if len(s.until) > 2048 {
			t.Fatalf("%d are remembered, of which 100 are of now", len(s.until))
		}
	}
}

func TestAnAttemptComesBackFromItsCookie(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := NewAttempt(now)
	b, err := ParseAttempt(a.Cookie())
	if err != nil || a != b {
		t.Fatalf("%v, %v", b, err)
	}
	if a.Derive("state", "x") == a.Derive("state", "y") || a.Derive("state", "x") == a.Derive("nonce", "x") ||
		a.Derive("state", "x") == NewAttempt(now).Derive("state", "x") || a.Derive("state", "x") != b.Derive("state", "x") {
		t.Error("what is derived is not the attempt's, the purpose's and the provider's own")
	}
	for _, at := range []time.Duration{-time.Minute, 0, AttemptLife} {
		if a.Expired(now.Add(at), time.Minute) {
			t.Errorf("expired after %v", at)
		}
	}
	if !a.Expired(now.Add(AttemptLife+time.Second), time.Minute) || !a.Expired(now.Add(-2*time.Minute), time.Minute) {
		t.Error("is good beyond its life")
	}
	if s := fmt.Sprintf("%v %+v %#v", a, a, a); s != "attempt attempt attempt" {
		t.Errorf("is shown as %s", s)
	}
}

func TestCookiesThatAreNone(t *testing.T) {
	good := NewAttempt(time.Unix(1_800_000_000, 0)).Cookie()
	for _, cookie := range []string{
		"", "a", good + "A", good[1:], good[:len(good)-1] + "=", "_" + good[1:], " " + good[1:],
	} {
		if _, err := ParseAttempt(cookie); !errors.Is(err, ErrState) {
			t.Errorf("%q: %v", cookie, err)
		}
	}
}

func FuzzParseAttempt(f *testing.F) {
	f.Add(NewAttempt(time.Unix(1_800_000_000, 0)).Cookie())
	f.Add("AAAAAGtJ\r\r\r\r\r\rMO8cmfuj8CpOLdo-aqI6bO-Uu82ES_UQLTauvi3g")
	f.Fuzz(func(t *testing.T, cookie string) {
		if a, err := ParseAttempt(cookie); err == nil && a.Cookie() != cookie {
			t.Fatalf("%q is read as %q", cookie, a.Cookie())
		}
	})
}
