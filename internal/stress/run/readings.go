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
	return m.Node.Run != earlier.Node.Run || m.Process.CPUSeconds < earlier.Process.CPUSeconds ||
		m.Tick.Ticks < earlier.Tick.Ticks
}

// apart returns how many seconds of the server lie between two moments of its clock, in milliseconds. Answers that came
// so many seconds apart stand in for that of a server that does not tell, or has only begun since: what it said may
// have been long on the way.
func apart(earlier, later, arrived float64) float64 {
	if earlier > 0 && later > earlier {
		return (later - earlier) / 1000
	}
	return arrived
}

// add takes the next reading, and returns what happened since the one before.
func (r *readings) add(m *serverMetrics, now time.Time) *report.ServerPoint {
	if m.restartedSince(r.last) {
		r.before, r.base, r.last = r.total(), new(serverMetrics), new(serverMetrics)
		r.base.Node, r.last.Node = m.Node, m.Node
		r.restarts++
	}
	p := &report.ServerPoint{
		Depth: m.Auth.Depth, Capacity: m.Auth.Capacity, Players: m.Tick.Players,
		Wait:     between(r.last.Auth.Wait, m.Auth.Wait),
		Lateness: between(r.last.Tick.Lateness, m.Tick.Lateness),
		Skipped:  m.Tick.Skipped - r.last.Tick.Skipped,
		RSS:      m.Process.RSSBytes,
	}
	arrived := now.Sub(r.at).Seconds()
	if d := apart(r.last.Process.UptimeMS, m.Process.UptimeMS, arrived); d > 0 {
		p.Length = d
		p.Cores = (m.Process.CPUSeconds - r.last.Process.CPUSeconds) / d
	}
	if c := cpuBetween(r.last.CPU, m.CPU); c != nil {
		earlier := 0.0
		if r.last.CPU != nil {
			earlier = r.last.CPU.Uptime
		}
		if d := apart(earlier, m.CPU.Uptime, arrived); d > 0 {
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

// fill puts the whole run into the report, beside that of other nodes.
func (r *readings) fill(rep *report.Report) {
	if r.restarts > 0 {
		rep.Note(fmt.Sprintf("the server was restarted during the run (%d): what it counted shortly before each is missing",
			r.restarts))
	}
	s := r.total()
	if other := rep.Server; other != nil {
		s = sumOf(other, &s)
	}
	rep.Server = &s
}

// sumOf returns what two nodes did in the same run.
func sumOf(a, b *report.Server) report.Server {
	s := report.Server{
		Auth: a.Auth.Plus(b.Auth), BatchSizes: a.BatchSizes.Plus(b.BatchSizes),
		Wait: merged(a.Wait, b.Wait), Load: merged(a.Load, b.Load), Derive: merged(a.Derive, b.Derive),
		Commit: merged(a.Commit, b.Commit), HashMS: max(a.HashMS, b.HashMS), Workers: a.Workers + b.Workers,
		Cores: a.Cores + b.Cores, Tick: a.Tick.Plus(b.Tick),
		Lateness: merged(a.Lateness, b.Lateness), Duration: merged(a.Duration, b.Duration),
		RSSBefore: a.RSSBefore + b.RSSBefore, RSSAtEnd: a.RSSAtEnd + b.RSSAtEnd, CPUSeconds: a.CPUSeconds + b.CPUSeconds,
	}
	if a.CPU != nil && b.CPU != nil {
		sum := a.CPU.Plus(*b.CPU)
		s.CPU = &sum
	}
	return s
}

// trim drops what is for computing, not for reading.
func trim(s *report.Server) {
	for _, l := range []*latency.Summary{&s.Wait, &s.Load, &s.Derive, &s.Commit, &s.Lateness, &s.Duration} {
		l.Buckets = ""
	}
}
