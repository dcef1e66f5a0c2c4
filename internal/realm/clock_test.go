package realm

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/pbkdf2x"
)

func TestClockIsNeverEarlyAndEnds(t *testing.T) {
	for name, pulse := range map[string]func(time.Duration) *pulse{"timer": nil, "timer and pulse": newPulse} {
		t.Run(name, func(t *testing.T) {
			const interval = 2 * time.Millisecond
			due := time.Now().Add(interval)
			c := newClock(interval, pulse)
			quit := make(chan struct{})
			for range 50 {
				if !c.wait(due, quit) {
					t.Fatal("the clock ended by itself")
				}
				if early := time.Until(due); early > 0 {
					t.Fatalf("woken %v early", early)
				}
				due = due.Add(interval)
			}
			close(quit)
			if c.wait(time.Now().Add(time.Hour), quit) {
				t.Error("woken although told to quit")
			}
			c.stop()
		})
	}
}

// BenchmarkClock measures how late each clock wakes the tick in an idle process and beside derivations that keep every
// core busy. Run it with -benchtime 600x for ten seconds' worth of ticks each.
func BenchmarkClock(b *testing.B) {
	for _, load := range []string{"idle", "hashing"} {
		for _, clock := range []struct {
			name  string
			pulse func(time.Duration) *pulse
		}{{"timer", nil}, {"timer+pulse", newPulse}} {
			b.Run(load+"/"+clock.name, func(b *testing.B) {
				if load == "hashing" {
					defer hash()()
				}
				measureClock(b, clock.pulse)
			})
		}
	}
}

// hash keeps every core busy with derivations, as the workers of a rush do, until the result is called.
func hash() (stop func()) {
	quit := make(chan struct{})
	var derivations sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		derivations.Go(func() {
			over := func() bool {
				select {
				case <-quit:
					return true
				default:
					return false
				}
			}
			for !over() {
				lanes := make([]*pbkdf2x.Lane, 16)
				for i := range lanes {
					lanes[i] = &pbkdf2x.Lane{Password: []byte("password"), Salt: []byte("salt"), Iterations: 100_000, Stop: over}
				}
				pbkdf2x.Kernel{}.Derive(lanes)
			}
		})
	}
	return func() { close(quit); derivations.Wait() }
}

func measureClock(b *testing.B, pulse func(time.Duration) *pulse) {
	due := time.Now().Add(rushgate.TickInterval)
	c := newClock(rushgate.TickInterval, pulse)
	defer c.stop()
	var late []time.Duration
	for b.Loop() {
		c.wait(due, nil)
		late = append(late, time.Since(due))
		due = due.Add(rushgate.TickInterval)
	}
	slices.Sort(late)
	for name, share := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99, "max-ms": 1} {
		b.ReportMetric(late[int(share*float64(len(late)-1))].Seconds()*1000, name)
	}
}
