package run

import (
	"context"
	"fmt"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// playBegins takes the figures that those of the end of the play are compared with.
func (o *observer) playBegins(ctx context.Context, rep *report.Report) {
	o.playAt = time.Now()
	for _, n := range o.nodes { // the report says why there are none
		m, err := n.metrics(ctx)
		if err != nil {
			rep.Note(fmt.Sprintf("no figures of the server from the beginning of the play: %v", err))
			return
		}
		n.play = m
	}
}

// playEnds reads the figures again.
func (o *observer) playEnds(ctx context.Context, rep *report.Report) {
	var sum *report.PlayServer
	for _, n := range o.nodes {
		if n.play == nil {
			return
		}
		m, err := n.metrics(ctx)
		switch {
		case err != nil:
			rep.Note(fmt.Sprintf("no figures of the server from the end of the play: %v", err))
			return
		case m.restartedSince(n.play):
			rep.Note("no figures of the server of the play: it was restarted")
			return
		}
		s := played(n.play, m, time.Since(o.playAt), rep)
		if sum != nil {
			s.Seconds = max(s.Seconds, sum.Seconds)
			s.Cores, s.RSS, s.Tick = s.Cores+sum.Cores, s.RSS+sum.RSS, s.Tick.Plus(sum.Tick)
			s.Snapshots, s.SnapshotsSkipped = s.Snapshots+sum.Snapshots, s.SnapshotsSkipped+sum.SnapshotsSkipped
			s.Lateness, s.Duration = both(s.Lateness, sum.Lateness), both(s.Duration, sum.Duration)
		}
		sum = s
	}
	rep.Play.Server = sum
}

// both returns two summaries as one, nil if one is.
func both(a, b *latency.Summary) *latency.Summary {
	if a == nil || b == nil {
		return nil
	}
	s := merged(*a, *b)
	return &s
}

// played returns what a node did between two readings that came so long apart.
func played(a, b *serverMetrics, arrived time.Duration, rep *report.Report) *report.PlayServer {
	s := &report.PlayServer{
		Seconds: apart(a.Process.UptimeMS, b.Process.UptimeMS, arrived.Seconds()), RSS: b.Process.RSSBytes,
		Tick: b.Tick.Since(a.Tick.TickCounters), Snapshots: b.Tick.Snapshots - a.Tick.Snapshots,
		SnapshotsSkipped: b.Tick.SnapshotsSkipped - a.Tick.SnapshotsSkipped,
	}
	if s.Seconds > 0 {
		s.Cores = (b.Process.CPUSeconds - a.Process.CPUSeconds) / s.Seconds
	}
	s.Lateness = interval(rep, "lateness", a.Tick.Lateness, b.Tick.Lateness)
	s.Duration = interval(rep, "duration", a.Tick.Duration, b.Tick.Duration)
	return s
}

// interval returns the figures of what was recorded between two summaries.
func interval(rep *report.Report, what string, a, b latency.Summary) *latency.Summary {
	s, err := b.Since(a)
	if err != nil {
		rep.Note(fmt.Sprintf("tick %s during the play unknown: %v", what, err))
		return nil
	}
	return &s
}
