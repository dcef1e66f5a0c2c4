package run

import (
	"fmt"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// readings makes of the server's metrics, which count since its start, what happened from one reading to the next and
// during the whole run, in which the server may have been restarted.
type readings struct {
	first *serverMetrics // of the run
	base  *serverMetrics // since the server's last start, or the first of the run
	last  *serverMetrics
	at    time.Time // of the last one

	before   report.Server // what happened until the last restart
	restarts int
}

// restartedSince reports whether the server was restarted between an earlier reading and m.
func (m *serverMetrics) restartedSince(earlier *serverMetrics) bool {
	return m.Process.CPUSeconds < earlier.Process.CPUSeconds || m.Tick.Ticks < earlier.Tick.Ticks
}

// add takes the next reading, and returns what happened since the one before.
func (r *readings) add(m *serverMetrics, now time.Time) *report.ServerPoint {
	if m.restartedSince(r.last) {
		r.before, r.base, r.last = r.total(), new(serverMetrics), new(serverMetrics)
		r.restarts++
	}
	p := &report.ServerPoint{
		Depth: m.Auth.Depth, Capacity: m.Auth.Capacity, Players: m.Tick.Players,
		Wait:     between(r.last.Auth.Wait, m.Auth.Wait),
		Lateness: between(r.last.Tick.Lateness, m.Tick.Lateness),
		Skipped:  m.Tick.Skipped - r.last.Tick.Skipped,
		RSS:      m.Process.RSSBytes,
	}
	if d := now.Sub(r.at).Seconds(); d > 0 {
		p.Cores = (m.Process.CPUSeconds - r.last.Process.CPUSeconds) / d
		if c := cpuBetween(r.last.CPU, m.CPU); c != nil {
			cores := c.Times(1 / d)
			p.CPU = &cores
		}
	}
	r.last, r.at = m, now
	return p
}

// between returns what was recorded between two summaries, nothing if they do not tell.
func between(a, b latency.Summary) latency.Summary {
	s, err := b.Since(a)
	if err != nil {
		return latency.Summary{}
	}
	return s
}

// total returns what happened in the run up to the last reading.
func (r *readings) total() report.Server {
	a, b, before := r.base, r.last, &r.before
	cpu := cpuBetween(a.CPU, b.CPU)
	if cpu != nil && before.CPU != nil {
		sum := cpu.Plus(*before.CPU)
		cpu = &sum
	}
	return report.Server{
		CPU:        cpu,
		Auth:       b.Auth.Counters.Since(a.Auth.Counters).Plus(before.Auth),
		BatchSizes: b.Auth.BatchSize.Since(a.Auth.BatchSize).Plus(before.BatchSizes),
		Wait:       throughout(before.Wait, a.Auth.Wait, b.Auth.Wait),
		Load:       throughout(before.Load, a.Auth.Load, b.Auth.Load),
		Derive:     throughout(before.Derive, a.Auth.Derive, b.Auth.Derive),
		Commit:     throughout(before.Commit, a.Auth.Commit, b.Auth.Commit),
		HashMS:     b.Auth.HashMS,
		Workers:    b.Auth.Workers,
		Cores:      b.Process.Cores,
		Tick:       b.Tick.Since(a.Tick.TickCounters).Plus(before.Tick),
		Lateness:   throughout(before.Lateness, a.Tick.Lateness, b.Tick.Lateness),
		Duration:   throughout(before.Duration, a.Tick.Duration, b.Tick.Duration),
		RSSBefore:  r.first.Process.RSSBytes,
		RSSAtEnd:   b.Process.RSSBytes,
		CPUSeconds: b.Process.CPUSeconds - a.Process.CPUSeconds + before.CPUSeconds,
	}
}

// throughout returns what was recorded until the last restart and since then between two summaries. A server that does
// not tell the figures of an interval is taken at its word for those since its start.
func throughout(before, a, b latency.Summary) latency.Summary {
	s, err := b.Since(a)
	if err != nil {
		return b
	}
	if s, err = s.Merge(before); err != nil {
		return b
	}
	return s
}

// fill puts the whole run into the report.
func (r *readings) fill(rep *report.Report) {
	if r.restarts > 0 {
		rep.Note(fmt.Sprintf("the server was restarted during the run (%d): what it counted shortly before each is missing",
			r.restarts))
	}
	s := r.total()
	for _, l := range []*latency.Summary{&s.Wait, &s.Load, &s.Derive, &s.Commit, &s.Lateness, &s.Duration} {
		l.Buckets = "" // for computing, not for reading
	}
	rep.Server = &s
}
