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
	rest     time.Duration // length of the last point, which is shorter than the others
	used     float64       // CPU seconds of the generator so far
	knocks   flood.Counts  // so far

	mu     sync.Mutex
	server *report.ServerPoint // what the server said since the last point, or nil
	told   int                 // how many times
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
		p = together(t.server, p, float64(t.told))
	}
	t.server = p
	t.told++
}

func (t *timeline) record(ctx context.Context) {
	timer := time.NewTimer(t.interval)
	defer timer.Stop()
	begin := t.run.tally.loadBegan()
	for from := time.Duration(0); ; {
		select {
		case <-timer.C:
			t.point(from, t.interval)
			from += t.interval
			t.thin()
			timer.Reset(time.Until(begin.Add(from + t.interval)))
		case <-ctx.Done():
			if t.rest = time.Since(begin) - from; t.rest > 0 {
				t.point(from, t.rest)
			}
			return
		}
	}
}

// point closes the interval that began at from.
func (t *timeline) point(from, length time.Duration) {
	p := t.run.tally.closeInterval()
	p.At = from.Seconds()
	p.Playing = int(t.run.play.connected.Load())
	used := cpuSeconds()
	p.GeneratorCores, t.used = (used-t.used)/length.Seconds(), used
	if t.run.flood != nil {
		c := t.run.flood.Counts()
		knocks := knocksOf(c.Since(t.knocks))
		p.Knocks, t.knocks = &knocks, c
	}
	t.mu.Lock()
	p.Server, t.server, t.told = t.server, nil, 0
	t.mu.Unlock()
	t.points = append(t.points, p)
}

// loadBegan returns when the load began.
func (t *tally) loadBegan() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.began
}

// closeInterval returns what happened since the last time, and how many are where now.
func (t *tally) closeInterval() report.Point {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.interval
	p := report.Point{
		Started: l.started, Answers: l.answers,
		FirstAnswer: l.firstAnswer.Detailed(), Success: l.success.Detailed(), Probe: l.probe.Detailed(),
		StartDelay: l.startDelay.Detailed(),
		Pending:    t.counts.knocking, Inside: t.counts.inside,
	}
	l.reset()
	return p
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
	p.At, p.Started = a.At, a.Started+b.Started
	p.Answers.Add(a.Answers)
	p.FirstAnswer, p.Success = merged(a.FirstAnswer, b.FirstAnswer), merged(a.Success, b.Success)
	p.Probe, p.StartDelay = merged(a.Probe, b.Probe), merged(a.StartDelay, b.StartDelay)
	p.GeneratorCores = (a.GeneratorCores + b.GeneratorCores) / 2
	if a.Knocks != nil && b.Knocks != nil {
		knocks := a.Knocks.Plus(*b.Knocks)
		p.Knocks = &knocks
	}
	switch {
	case b.Server == nil:
		p.Server = a.Server
	case a.Server != nil:
		p.Server = together(a.Server, b.Server, 1)
	}
	return p
}

// together returns what the server said at two successive times as one, if a stands for so many times as much time as
// b.
func together(a, b *report.ServerPoint, times float64) *report.ServerPoint {
	s := *b
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
		p, length := &t.points[i], t.interval
		if i == len(t.points)-1 && t.rest > 0 {
			length = t.rest
		}
		if middle := p.At + length.Seconds()/2; p.Server == nil || middle < ph.From || middle >= ph.To {
			continue
		}
		told = true
		lateness, skipped = merged(lateness, p.Server.Lateness), skipped+p.Server.Skipped
		cpu = cpuTogether(cpu, p.Server.CPU, weight)
		weight++
	}
	if !told {
		return
	}
	lateness.Buckets = ""
	ph.Lateness, ph.Skipped, ph.CPU = &lateness, &skipped, cpu
}
