package awake

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newClock() (*Clock, *bytes.Buffer) {
	var log bytes.Buffer
	return New(nil, slog.New(slog.NewTextHandler(&log, nil))), &log
}

// run lets the process run for some time.
func run(c *Clock, d time.Duration) {
	for range d / beatInterval {
		time.Sleep(beatInterval)
		c.Beat()
	}
}

func TestTimeInWhichTheProcessStoodStillDoesNotCount(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name   string
		phases []time.Duration // run, stand still, run, stand still…
		ran    time.Duration
	}{
		{"never", []time.Duration{20 * s}, 20 * s},
		{"35 s", []time.Duration{3 * s, 35 * s, 2 * s}, 5 * s},
		{"two minutes", []time.Duration{s, 120 * s, s}, 2 * s},
		{"still unnoticed by the beat", []time.Duration{s, 9 * s}, s},
		{"twice in a row", []time.Duration{s, 9 * s, s / 5, 9 * s, s}, 2*s + s/5},
		{"a beat that is a little late", []time.Duration{s, s / 4, s}, 2*s + s/4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newClock()
				begun := time.Now()
				for i, d := range tt.phases {
					if i%2 == 0 {
						run(c, d)
					} else {
						time.Sleep(d)
					}
				}
				// A standstill counts for the beat in which it began.
				if got := c.Since(begun); got < tt.ran || got > tt.ran+3*beatInterval {
					t.Errorf("ran for %v, want %v", got, tt.ran)
				}
				if got := c.Since(begun) + c.Stood(begun); got != time.Since(begun) {
					t.Errorf("both together %v, want %v", got, time.Since(begun))
				}
			})
		})
	}
}

func TestWhatCameAfterAStandstillIsNotOlderForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClock()
		time.Sleep(time.Minute)
		c.Beat()
		later := time.Now()
		run(c, time.Second)
		if got := c.Since(later); got != time.Second {
			t.Errorf("%v, want 1s", got)
		}
	})
}

func TestMoreStandstillsThanAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClock()
		for range 3 * maxGaps {
			time.Sleep(10 * time.Second)
			c.Beat()
		}
		if n := len(c.seen.Load().gaps); n != maxGaps {
			t.Errorf("%d are remembered, want %d", n, maxGaps)
		}
	})
}

func TestAStepOfTheTimeOfDayIsLoggedOnceAndChangesNoDuration(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c, log := newClock()
			begun := time.Now()
			run(c, time.Second)
			c.wall = func() time.Time { return timeOfDay().Add(step) }
			run(c, time.Second)
			if got := c.Since(begun); got != 2*time.Second {
				t.Errorf("%v: ran for %v, want 2s", step, got)
			}
			if n := strings.Count(log.String(), "time of day has jumped"); n != 1 {
				t.Errorf("%v: logged %d times:\n%s", step, n, log.String())
			}
		})
	}
}

func TestAStandstillEndsNoContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClock()
		ctx, cancel := c.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		run(c, 5*time.Second)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatalf("after 5 s and a standstill: %v", ctx.Err())
		}
		run(c, 4*time.Second)
		if ctx.Err() != nil {
			t.Fatalf("after 9 s: %v", ctx.Err())
		}
		run(c, 2*time.Second)
		synctest.Wait()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Fatalf("after 11 s: %v", ctx.Err())
		}
		ended, cancel := c.WithTimeout(t.Context(), time.Second)
		cancel()
		if !errors.Is(ended.Err(), context.Canceled) {
			t.Fatalf("given up: %v", ended.Err())
		}
	})
}

// one is a listener with one connection.
type one struct {
	net.Listener
	conn net.Conn
}

func (l one) Accept() (net.Conn, error) { return l.conn, nil }

func TestAStandstillClosesNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClock()
		a, b := net.Pipe()
		defer b.Close()
		conn, err := c.Listener(one{conn: a}).Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		read := func() <-chan error {
			end := make(chan error, 1)
			go func() { _, err := conn.Read(make([]byte, 1)); end <- err }()
			return end
		}
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		end := read()
		run(c, 5*time.Second)
		time.Sleep(35 * time.Second)
		synctest.Wait()
		if _, err := b.Write([]byte{1}); err != nil { // waits for the reader, which has to be there still
			t.Fatal(err)
		}
		if err := <-end; err != nil {
			t.Fatalf("what waited through the standstill was not read: %v", err)
		}
		end = read()
		run(c, 6*time.Second)
		if err := <-end; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after 11 s: %v", err)
		}
		if err := conn.SetReadDeadline(time.Unix(1, 0)); err != nil { // how the HTTP server wakes a reader
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := <-read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("an order to stop: %v", err)
		}
	})
}

func TestAStandstillInTheMiddleOfAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClock()
		a, b := net.Pipe()
		defer b.Close()
		conn, _ := c.Listener(one{conn: a}).Accept()
		defer conn.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		end := make(chan error, 1)
		go func() { _, err := conn.Write([]byte("abcdef")); end <- err }()
		buf := make([]byte, 6)
		if n, err := b.Read(buf[:2]); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(35 * time.Second)
		synctest.Wait()
		for n := 2; n < 6; {
			k, err := b.Read(buf[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
		if err := <-end; err != nil || string(buf) != "abcdef" {
			t.Errorf("%q, %v", buf, err)
		}
	})
}

func TestANilClockTakesTheProcessToRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *Clock
		begun := time.Now()
		time.Sleep(time.Hour)
		if c.Since(begun) != time.Hour || c.Stood(begun) != 0 {
			t.Error(c.Since(begun), c.Stood(begun))
		}
		ctx, cancel := c.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(2 * time.Second)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Error(ctx.Err())
		}
	})
}

func TestStopEndsTheBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClock()
		begun := time.Now()
		c.Start()
		time.Sleep(time.Minute)
		if c.Stood(begun) != 0 {
			t.Error(c.Stood(begun))
		}
		c.Stop()
		c.Stop()
	})
}

func TestWhatPassesBeforeTheStartIsNoStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := newClock()
		begun := time.Now()
		time.Sleep(time.Minute)
		c.Start()
		time.Sleep(time.Second)
		c.Stop()
		if c.Stood(begun) != 0 || log.Len() > 0 {
			t.Errorf("stood still for %v, %q", c.Stood(begun), log)
		}
	})
}

// A clock that is set is doubted for a day, from the last time on; one that is kept right is not, nor is one of a
// process that stood still.
func TestTimeOfDayIsDoubtedOnceItWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClock()
		time.Sleep(time.Hour) // a standstill
		for _, step := range []time.Duration{time.Minute, -time.Minute, 0} {
			c.wall = func() time.Time { return timeOfDay().Add(step) }
			if !c.Steady() {
				t.Errorf("a step to %v makes it doubtful", step)
			}
		}
		const year = 365 * 24 * time.Hour
		for _, step := range []time.Duration{time.Hour, 0, -time.Hour, 0, year, 0, -year} {
			c.wall = func() time.Time { return timeOfDay().Add(step) }
			if c.Steady() {
				t.Errorf("a step to %v is not noticed", step)
			}
			time.Sleep(doubtFor - time.Second)
			if c.Steady() {
				t.Errorf("a step to %v is forgotten within a day", step)
			}
			time.Sleep(time.Second)
			if !c.Steady() {
				t.Errorf("a step to %v is doubted for more than a day", step)
			}
		}
		if !(*Clock)(nil).Steady() {
			t.Error("no clock is doubted")
		}
	})
}
