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
	if o.readings == nil {
		return // the report says why
	}
	m, err := o.metrics(ctx)
	if err != nil {
		rep.Note(fmt.Sprintf("no server metrics from the beginning of the play: %v", err))
		return
	}
	o.play, o.playAt = m, time.Now()
}

// playEnds reads the figures again.
func (o *observer) playEnds(ctx context.Context, rep *report.Report) {
	a := o.play
	if a == nil {
		return
	}
	b, err := o.metrics(ctx)
	if err != nil {
		rep.Note(fmt.Sprintf("no server metrics from the end of the play: %v", err))
		return
	}
	if b.restartedSince(a) {
		rep.Note("no server metrics of the play: the server was restarted")
		return
	}
	s := &report.PlayServer{
		Seconds: time.Since(o.playAt).Seconds(), RSS: b.Process.RSSBytes,
		Tick: b.Tick.Since(a.Tick.TickCounters), Snapshots: b.Tick.Snapshots - a.Tick.Snapshots,
		SnapshotsSkipped: b.Tick.SnapshotsSkipped - a.Tick.SnapshotsSkipped,
	}
	if s.Seconds > 0 {
		s.Cores = (b.Process.CPUSeconds - a.Process.CPUSeconds) / s.Seconds
	}
	s.Lateness = interval(rep, "lateness", a.Tick.Lateness, b.Tick.Lateness)
	s.Duration = interval(rep, "duration", a.Tick.Duration, b.Tick.Duration)
	rep.Play.Server = s
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
