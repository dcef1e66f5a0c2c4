package handover

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A process that is stopped after "go" and continued later must not take the other for silent, and kill it, while its
// answer waits to be read.
func TestTimeInWhichThisProcessDidNotRunIsNoSilence(t *testing.T) {
	for _, limit := range []time.Duration{0, slice / 2, slice, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{in: make(chan heard, 1)}
			stopped := false
			w.since = func(began time.Time) time.Duration {
				if stopped {
					return time.Since(began)
				}
				stopped = true // the timer has ended while the process was stopped, and what was said is read only now
				time.AfterFunc(slice/10, func() { w.in <- heard{message: message{kind: sayDone}} })
				return 35 * time.Second
			}
			if _, err := w.hear(context.Background(), limit, sayDone); err != nil {
				t.Errorf("limit %v: %v", limit, err)
			}
		})
	}
}

func TestWhatHasBeenHeardIsNeverLate(t *testing.T) {
	for range 100 {
		w := &wire{in: make(chan heard, 1), since: time.Since}
		w.in <- heard{message: message{kind: sayDone}}
		if _, err := w.hear(context.Background(), 0, sayDone); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSilenceIsNoticedInTime(t *testing.T) {
	for _, limit := range []time.Duration{slice / 2, slice, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			w := &wire{in: make(chan heard), since: time.Since}
			_, err := w.hear(context.Background(), limit, sayDone)
			if took := time.Since(began); !errors.Is(err, errLate) || took > limit+slice {
				t.Errorf("limit %v: %v after %v", limit, err, took)
			}
		})
	}
}
