package redis

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// call makes a call through the breaker and reports whether it was let through.
func (b *breaker) call(t *testing.T, o outcome) bool {
	t.Helper()
	trial, err := b.allow()
	if err != nil {
		if !errors.Is(err, rushgate.ErrUnavailable) {
			t.Fatalf("refused with %v, want %v", err, rushgate.ErrUnavailable)
		}
		return false
	}
	b.done(trial, o, nil)
	return true
}

func TestBreakerOpensAfterFailuresInARow(t *testing.T) {
	b := &breaker{log: quiet()}
	for _, o := range []outcome{failed, failed, answered, failed, abandoned, failed} {
		if !b.call(t, o) {
			t.Fatal("refused before three failures in a row")
		}
	}
	if !b.call(t, failed) {
		t.Fatal("the third failure was refused")
	}
	if b.call(t, answered) {
		t.Fatal("let through after three failures in a row")
	}
}

func TestBreakerLetsOneTrialThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{log: quiet()}
		for range breakAfter {
			b.call(t, failed)
		}
		for trial, o := range []outcome{failed, abandoned, failed} {
			time.Sleep(trialEvery - time.Nanosecond)
			if b.call(t, answered) {
				t.Fatalf("let through before trial %d is due", trial)
			}
			time.Sleep(time.Nanosecond)
			if isTrial, err := b.allow(); !isTrial || err != nil {
				t.Fatalf("trial %d: %v, %v", trial, isTrial, err)
			}
			time.Sleep(time.Hour)      // a second one does not join the first, however long it takes
			b.done(false, failed, nil) // what was let through before it opened is no trial
			if b.call(t, answered) {
				t.Fatalf("two at once in trial %d", trial)
			}
			b.done(true, o, nil)
		}
		time.Sleep(trialEvery)
		if !b.call(t, answered) {
			t.Fatal("the last trial was refused")
		}
		for range breakAfter - 1 {
			if !b.call(t, failed) {
				t.Fatal("refused after a trial that was answered")
			}
		}
		if b.open || b.openings != 1 {
			t.Errorf("open %v after %d openings", b.open, b.openings)
		}
	})
}

// The names are part of what a node exports.
func TestStatsInJSON(t *testing.T) {
	got, err := json.Marshal(rushgate.Health{Open: true, Failures: 1, Openings: 2, Pending: 3})
	if want := `{"open":true,"failures":1,"openings":2,"pending":3}`; err != nil || string(got) != want {
		t.Errorf("stats are %s, %v; want %s", got, err, want)
	}
}
