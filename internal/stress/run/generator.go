package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
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

// startMetronome begins; now is time.Now, or the time as it passes for a process that a test stalls.
func startMetronome(now func() time.Time) *metronome {
	ctx, cancel := context.WithCancel(context.Background())
	m := &metronome{stop: cancel, begun: time.Now(), used: cpuSeconds()}
	m.wg.Go(func() {
		due := m.begun.Add(metronomeInterval)
		timer := time.NewTimer(metronomeInterval)
		defer timer.Stop()
		for {
			select {
			case <-timer.C: // whose time is when it fired, not when the metronome got round to receiving it
				due = m.beat(due, now())
				timer.Reset(time.Until(due))
			case <-ctx.Done():
				return
			}
		}
	})
	return m
}

// beat records all beats that were due by now, the first of them at that time, and returns when the next one is. One
// stall has made all of them late: to record one would hide it among the many that were in time.
func (m *metronome) beat(due, now time.Time) time.Time {
	for ; !due.After(now); due = due.Add(metronomeInterval) {
		m.lateness.Record(now.Sub(due))
	}
	return due
}

// end stops the metronome and fills the report, whose other parts are filled. The machine could not make that many
// connections.
func (m *metronome) end(rep *report.Report, unmade int) {
	m.stop()
	m.wg.Wait()
	g := &rep.Generator
	g.CPUSeconds, g.Available, g.PeakRSS = cpuSeconds()-m.used, runtime.GOMAXPROCS(0), peakRSS()
	if d := time.Since(m.begun).Seconds(); d > 0 {
		g.Cores = g.CPUSeconds / d
	}
	g.PeakCores = g.Cores // of a run too short for an interval; and no mean is above the peak

	for i := range max(0, len(rep.Timeline.Points)-1) { // the last one may be too short to tell
		g.PeakCores = max(g.PeakCores, rep.Timeline.Points[i].GeneratorCores)
	}
	g.Lateness = m.lateness.Summary()
	g.Bottleneck = bottleneck(rep, unmade)
}

// bottleneck says what makes the generator suspect, or nothing.
func bottleneck(r *report.Report, unmade int) string {
	var signs []string
	g := &r.Generator
	if ms := g.Lateness.P99; ms >= float64(suspectLateness.Milliseconds()) {
		signs = append(signs, fmt.Sprintf("its timers were %.0f ms late at p99", ms))
	}
	if ms := r.StartDelay.P99; ms >= float64(suspectStartDelay.Milliseconds()) {
		signs = append(signs, fmt.Sprintf("its players came %.0f ms late at p99", ms))
	}
	full, seconds := 0, 0.0
	for i := range r.Timeline.Points {
		if p := &r.Timeline.Points[i]; p.GeneratorCores >= suspectShare*float64(g.Available) {
			full++
			seconds += r.Timeline.LengthOf(p)
		}
	}
	if full >= suspectIntervals {
		signs = append(signs,
			fmt.Sprintf("it used all of its %d cores for %.0f s", g.Available, seconds))
	}
	if r.Flood != nil {
		if s := r.Flood.Limited(); s != "" {
			signs = append(signs, s)
		}
	}
	if unmade > 0 {
		signs = append(signs, fmt.Sprintf("it could not make %d connections, being out of open files or ports", unmade))
	}
	if signs == nil {
		return ""
	}
	return "The generator may have been the bottleneck: " + strings.Join(signs, "; ") + "."
}

// isShortage reports whether an error is that of a machine that can make no more connections.
func isShortage(err error) bool {
	no, ok := errors.AsType[syscall.Errno](err)
	return ok && (no == syscall.EMFILE || no == syscall.ENFILE || no == syscall.EADDRNOTAVAIL)
}
