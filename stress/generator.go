package stress

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

const metronomeInterval = 10 * time.Millisecond

// What makes a generator suspect: its own delays, or cores that are all in use.
const (
	suspectLateness   = 50 * time.Millisecond  // of its timers, p99
	suspectStartDelay = 100 * time.Millisecond // of its players, p99
	suspectShare      = 0.9                    // of the cores
	suspectIntervals  = 3                      // with that share
)

// metronome measures how late this process is: what it measures of the server may be wrong by as much.
type metronome struct {
	lateness latency.Histogram
	stop     context.CancelFunc
	wg       sync.WaitGroup
	begun    time.Time
	used     float64 // CPU seconds at the start
}

func startMetronome() *metronome {
	ctx, cancel := context.WithCancel(context.Background())
	m := &metronome{stop: cancel, begun: time.Now(), used: cpuSeconds()}
	m.wg.Go(func() {
		due := m.begun.Add(metronomeInterval)
		timer := time.NewTimer(metronomeInterval)
		defer timer.Stop()
		for {
			select {
			case now := <-timer.C:
				m.lateness.Record(max(0, now.Sub(due)))
				due = due.Add(metronomeInterval)
				if behind := now.Sub(due); behind > 0 {
					due = due.Add(behind.Truncate(metronomeInterval) + metronomeInterval)
				}
				timer.Reset(time.Until(due))
			case <-ctx.Done():
				return
			}
		}
	})
	return m
}

// end stops the metronome and fills the report, whose other parts are filled.
func (m *metronome) end(rep *Report) {
	m.stop()
	m.wg.Wait()
	g := &rep.Generator
	g.CPUSeconds, g.Available, g.PeakRSS = cpuSeconds()-m.used, runtime.GOMAXPROCS(0), peakRSS()
	if d := time.Since(m.begun).Seconds(); d > 0 {
		g.Cores = g.CPUSeconds / d
	}
	for i := range max(0, len(rep.Timeline.Points)-1) { // the last one may be too short to tell
		g.PeakCores = max(g.PeakCores, rep.Timeline.Points[i].GeneratorCores)
	}
	g.Lateness = m.lateness.Summary()
	g.Bottleneck = rep.bottleneck()
}

// bottleneck says what makes the generator suspect, or nothing.
func (r *Report) bottleneck() string {
	var signs []string
	g := &r.Generator
	if ms := g.Lateness.P99; ms >= float64(suspectLateness.Milliseconds()) {
		signs = append(signs, fmt.Sprintf("its timers were %.0f ms late at p99", ms))
	}
	if ms := r.StartDelay.P99; ms >= float64(suspectStartDelay.Milliseconds()) {
		signs = append(signs, fmt.Sprintf("its players came %.0f ms late at p99", ms))
	}
	full := 0
	for i := range r.Timeline.Points {
		if r.Timeline.Points[i].GeneratorCores >= suspectShare*float64(g.Available) {
			full++
		}
	}
	if full >= suspectIntervals {
		signs = append(signs, fmt.Sprintf("it used all of its %d cores for %.0f s", g.Available, float64(full)*r.Timeline.IntervalSeconds))
	}
	if slices.ContainsFunc(shortages, func(e syscall.Errno) bool {
		return slices.ContainsFunc(r.Notes, func(n string) bool {
			return strings.Contains(n, e.Error()) && !strings.HasPrefix(n, sharedSource)
		})
	}) {
		signs = append(signs, "it ran out of open files or ports")
	}
	if signs == nil {
		return ""
	}
	return "The generator may have been the bottleneck: " + strings.Join(signs, "; ") + "."
}

// shortages are the errors of a machine that can make no more connections.
var shortages = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL}
