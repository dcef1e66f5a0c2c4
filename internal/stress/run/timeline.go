package run

import (
	"context"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/flood"
	"github.com/rushgate/rushgate/internal/stress/report"
)

const (
	timelineInterval = time.Second
	// maxPoints bounds a timeline: when it is reached, the intervals become twice as long.
	maxPoints = 900
)

// timeline records the run interval by interval.
type timeline struct {
	run  *run
	stop context.CancelFunc
	wg   sync.WaitGroup

	// Owned by the goroutine, then by the caller of halt.
	interval time.Duration
	points   []report.Point
	used     float64      // CPU seconds of the generator so far
	knocks   flood.Counts // so far

	mu     sync.Mutex
	server *report.ServerPoint // what the server said since the last point, or nil
}

// startTimeline begins a timeline at the beginning of the load. The server is asked how it is as long as it goes on.
func startTimeline(ctx context.Context, r *run, look *observer) *timeline {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &timeline{run: r, stop: cancel, interval: timelineInterval, used: cpuSeconds()}
	t.wg.Go(func() { look.watch(ctx, timelineInterval, t.tell) })
	t.wg.Go(func() { t.record(ctx) })
	return t
}

// tell takes what the server said. There is more than one such reading to a point when its interval has grown.
func (t *timeline) tell(p *report.ServerPoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != nil {
		p = together(t.server, p)
	}
	t.server = p
}

func (t *timeline) record(ctx context.Context) {
	timer := time.NewTimer(t.interval)
	defer timer.Stop()
	begin := t.run.tally.loadBegan()
	from := time.Duration(0)
	for {
		select {
		case <-timer.C:
			from = t.point(from, begin)
			t.thin()
			timer.Reset(time.Until(begin.Add(t.next(from))))
		case <-ctx.Done():
			if time.Since(begin) > from {
				t.point(from, begin)
			}
			return
		}
	}
}

// next returns when the interval is to end that has begun at from: such that intervals do not drift, and are not of
// moments after one that was long.
func (t *timeline) next(from time.Duration) time.Duration {
	return (from + t.interval/2).Truncate(t.interval) + t.interval
}

// point closes the interval that began at from, at whatever time it has become since the load began, which it returns.
func (t *timeline) point(from time.Duration, begin time.Time) (to time.Duration) {
	p, now := t.run.tally.closeInterval()
	to = now.Sub(begin)
	used := cpuSeconds()
	length := max(to-from, time.Microsecond) // never 0, of which no JSON could be made
	p.At, p.Length = from.Seconds(), length.Seconds()
	p.Playing = int(t.run.play.connected.Load())
	p.GeneratorCores, t.used = (used-t.used)/length.Seconds(), used
	if t.run.flood != nil {
		c := t.run.flood.Counts()
		knocks := knocksOf(c.Since(t.knocks))
		p.Knocks, t.knocks = &knocks, c
	}
	t.mu.Lock()
	p.Server, t.server = t.server, nil
	t.mu.Unlock()
	t.points = append(t.points, p)
	return to
}

// loadBegan returns when the load began.
func (t *tally) loadBegan() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.began
}

// closeInterval returns what happened since the last time, how many are where now, and when that is.
func (t *tally) closeInterval() (p report.Point, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = time.Now()
	l := &t.interval
	p = report.Point{
		Started: l.started, Answers: l.answers,
		FirstAnswer: l.firstAnswer.Detailed(), Success: l.success.Detailed(), Probe: l.probe.Detailed(),
		StartDelay: l.startDelay.Detailed(),
		Pending:    t.counts.knocking, Inside: t.counts.inside,
	}
	l.reset()
	return p, now
}

// thin makes one point of each two when there are too many.
func (t *timeline) thin() {
	if len(t.points) < maxPoints {
		return
	}
	half := t.points[:0]
	for i := 0; i+1 < len(t.points); i += 2 {
		half = append(half, joined(&t.points[i], &t.points[i+1]))
	}
	t.points, t.interval = half, 2*t.interval
}

// joined returns two successive points as one.
func joined(a, b *report.Point) report.Point {
	p := *b
	p.At, p.Length, p.Started = a.At, a.Length+b.Length, a.Started+b.Started
	p.Answers.Add(a.Answers)
	p.FirstAnswer, p.Success = merged(a.FirstAnswer, b.FirstAnswer), merged(a.Success, b.Success)
	p.Probe, p.StartDelay = merged(a.Probe, b.Probe), merged(a.StartDelay, b.StartDelay)
	if p.Length > 0 {
		p.GeneratorCores = (a.GeneratorCores*a.Length + b.GeneratorCores*b.Length) / p.Length
	}
	if a.Knocks != nil && b.Knocks != nil {
		knocks := a.Knocks.Plus(*b.Knocks)
		p.Knocks = &knocks
	}
	switch {
	case b.Server == nil:
		p.Server = a.Server
	case a.Server != nil:
		p.Server = together(a.Server, b.Server)
	}
	return p
}

// together returns what the server said at two successive times as one.
func together(a, b *report.ServerPoint) *report.ServerPoint {
	s := *b
	s.Length = a.Length + b.Length
	times := share(a.Length, b.Length)
	s.Wait, s.Lateness = merged(a.Wait, b.Wait), merged(a.Lateness, b.Lateness)
	s.Skipped += a.Skipped
	s.Cores = (times*a.Cores + b.Cores) / (times + 1)
	s.CPU = cpuTogether(a.CPU, b.CPU, times)
	return &s
}

// merged returns two summaries as one. What was measured by this process always merges; a server's figures that make no
// sense do not.
func merged(a, b latency.Summary) latency.Summary {
	s, err := a.Merge(b)
	if err != nil {
		return b
	}
	return s
}

// halt stops recording.
func (t *timeline) halt() {
	t.stop()
	t.wg.Wait()
}

// fill puts a timeline that was halted into the report, whose phases are filled.
func (t *timeline) fill(rep *report.Report) {
	for i := range rep.Phases {
		t.fillPhase(&rep.Phases[i])
	}
	rep.Timeline.IntervalSeconds = t.interval.Seconds()
	for i := range t.points {
		p := &t.points[i]
		for _, s := range []*latency.Summary{&p.FirstAnswer, &p.Success, &p.Probe, &p.StartDelay} {
			s.Buckets = "" // those of the whole run are enough
		}
		if p.Server != nil {
			p.Server.Wait.Buckets, p.Server.Lateness.Buckets = "", ""
		}
	}
	rep.Timeline.Points = append(rep.Timeline.Points, t.points...)
}

// fillPhase adds what the server said during a phase, to the next whole interval.
func (t *timeline) fillPhase(ph *report.Phase) {
	var lateness latency.Summary
	var skipped int64
	var cpu *report.CPU
	told, weight := false, 0.0
	for i := range t.points {
		p := &t.points[i]
		if middle := p.At + p.Length/2; p.Server == nil || middle < ph.From || middle >= ph.To {
			continue
		}
		told = true
		lateness, skipped = merged(lateness, p.Server.Lateness), skipped+p.Server.Skipped
		cpu = cpuTogether(cpu, p.Server.CPU, share(weight, p.Server.Length))
		weight += p.Server.Length
	}
	if !told {
		return
	}
	lateness.Buckets = ""
	ph.Lateness, ph.Skipped, ph.CPU = &lateness, &skipped, cpu
}
