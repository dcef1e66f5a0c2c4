package realm

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/awake"
)

// Nothing runs between the beats and ticks that this test makes, as in a process that was stopped.
func TestTimeInWhichTheProcessStoodStillEndsNoSession(t *testing.T) {
	for _, pauses := range [][]time.Duration{
		{9 * time.Second}, {12 * time.Second}, {35 * time.Second}, {2 * time.Minute}, {20 * time.Second, 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			clock := awake.New(nil, slog.New(slog.DiscardHandler))
			f := newFixture(t, func(c *Config) { c.Clock = clock })
			run := func(d time.Duration) {
				for range d / (100 * time.Millisecond) {
					time.Sleep(100 * time.Millisecond)
					clock.Beat()
					f.Tick()
				}
			}
			s := f.enter(t, "anna")
			run(20 * time.Second)
			for _, d := range pauses {
				time.Sleep(d)
				f.Tick() // before the clock has noticed by itself
				run(time.Second)
			}
			if f.Players() != 1 {
				t.Fatalf("after %v and 20 s of silence the session has ended", pauses)
			}
			f.save(t)
			if p, err := f.store.Presence(t.Context(), []string{"anna"}); err != nil || p[0].Node != here.Node {
				t.Errorf("after %v the lease is %+v, %v", pauses, p, err)
			}
			run(10 * time.Second)
			if f.Players() != 0 {
				t.Errorf("after %v and 30 s of silence the session has not ended", pauses)
			}
			if _, _, err := f.Character(t.Context(), s.Token); err == nil {
				t.Error("its token is good")
			}
		})
	}
}
