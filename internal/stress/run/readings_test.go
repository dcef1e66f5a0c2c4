package run

import (
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// life is a server between two starts, as its metrics show it.
type life struct {
	m                                          serverMetrics
	wait, load, derive, commit, late, duration latency.Histogram
}

// witness is what a run should have seen of some lives, recorded as it happened.
type witness struct {
	life
	random *rand.Rand
}

// work has a server do n things, and puts them on record if they will be seen.
func (l *life) work(n int, on *witness, visible bool) {
	both := []*life{l}
	if visible {
		both = append(both, &on.life)
	}
	for range n {
		d := func() time.Duration {
			return time.Duration(on.random.ExpFloat64() * float64(5*time.Millisecond)).Truncate(time.Microsecond)
		}
		wait, load, derive, commit, late, duration := d(), d(), d(), d(), d(), d()
		for _, b := range both {
			b.wait.Record(wait)
			b.load.Record(load)
			b.derive.Record(derive)
			b.commit.Record(commit)
			b.late.Record(late)
			b.duration.Record(duration)
			b.count()
		}
	}
}

// count raises each counter by a number of its own.
func (l *life) count() {
	c, t, m := &l.m.Auth.Counters, &l.m.Tick.TickCounters, &l.m
	if c.Fail == nil {
		c.Fail, m.Auth.BatchSize = map[string]int64{}, map[string]int64{}
	}
	c.Queued, c.Processed, c.Expired, c.RejectedBusy = c.Queued+1, c.Processed+2, c.Expired+3, c.RejectedBusy+4
	c.RateLimited, c.Success = c.RateLimited+5, c.Success+6
	c.Fail["bad-credentials"]++
	m.Auth.BatchSize["16"] += 2
	if c.Queued%7 == 1 { // some lives know it and some do not
		c.Fail["internal-error"]++
		m.Auth.BatchSize["1"]++
	}
	t.Ticks, t.Late, t.Skipped, t.Panics, t.Overruns = t.Ticks+7, t.Late+8, t.Skipped+9, t.Panics+10, t.Overruns+11
	m.Process.CPUSeconds += 0.125
}

// metrics returns what a server says now.
func (l *life) metrics(rss int64, buckets bool) *serverMetrics {
	m := l.m
	m.Auth.Counters.Fail, m.Auth.BatchSize = maps.Clone(m.Auth.Counters.Fail), maps.Clone(m.Auth.BatchSize)
	m.Auth.HashMS, m.Auth.Workers, m.Process.Cores, m.Process.RSSBytes = float64(rss), int(rss), int(2*rss), rss
	m.Auth.Depth, m.Auth.Capacity, m.Tick.Players = 1, 2, 3
	m.Auth.Wait, m.Auth.Load = l.wait.Detailed(), l.load.Detailed()
	m.Auth.Derive, m.Auth.Commit = l.derive.Detailed(), l.commit.Detailed()
	m.Tick.Lateness, m.Tick.Duration = l.late.Detailed(), l.duration.Detailed()
	if !buckets {
		for _, s := range []*latency.Summary{&m.Auth.Wait, &m.Auth.Load, &m.Auth.Derive, &m.Auth.Commit, &m.Tick.Lateness,
			&m.Tick.Duration} {
			s.Buckets = ""
		}
	}
	return &m
}

// same compares summaries. Their sums come by way of other sums.
func same(t *testing.T, what string, got, want latency.Summary) {
	t.Helper()
	if math.Abs(got.Sum-want.Sum) > 1e-3 || math.Abs(got.Mean-want.Mean) > 1e-3 {
		t.Errorf("%s: sum %v, mean %v; want %v, %v", what, got.Sum, got.Mean, want.Sum, want.Mean)
	}
	got.Sum, got.Mean, want.Sum, want.Mean = 0, 0, 0, 0
	if got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// A server that restarts twice is seen through all its lives, but for what it did after the last look at each.
func TestReadingsOfAServerThatRestarts(t *testing.T) {
	all := &witness{random: rand.New(rand.NewPCG(1, 2))}
	now := time.Unix(1000, 0)
	server := new(life)
	server.work(500, all, false) // before the run
	first := server.metrics(100, true)
	r := &readings{first: first, base: first, last: first, at: now}
	var sum report.ServerPoint
	look := func(rss int64) *report.ServerPoint {
		now = now.Add(2 * time.Second)
		p := r.add(server.metrics(rss, true), now)
		sum.Skipped, sum.Cores = sum.Skipped+p.Skipped, sum.Cores+p.Cores
		sum.Wait, sum.Lateness = merged(sum.Wait, p.Wait), merged(sum.Lateness, p.Lateness)
		return p
	}
	for _, n := range []int{300, 0, 40} {
		server.work(n, all, true)
		look(101)
	}
	for range 2 {
		server.work(30, all, false) // and it dies
		server = new(life)
		server.work(20, all, true)
		p := look(90)
		if p.Wait.Count != 20 || p.Skipped != 20*9 || p.Cores != 20*0.125/2 {
			t.Errorf("after a restart: %+v", p)
		}
		if p.RSS != 90 || p.Depth != 1 || p.Capacity != 2 || p.Players != 3 {
			t.Errorf("after a restart: %+v", p)
		}
		server.work(200, all, true)
		look(95)
	}

	got, want := r.total(), all.metrics(0, true)
	same(t, "wait", got.Wait, want.Auth.Wait)
	same(t, "load", got.Load, want.Auth.Load)
	same(t, "derive", got.Derive, want.Auth.Derive)
	same(t, "commit", got.Commit, want.Auth.Commit)
	same(t, "lateness", got.Lateness, want.Tick.Lateness)
	same(t, "duration", got.Duration, want.Tick.Duration)
	same(t, "wait of all points", sum.Wait, want.Auth.Wait)
	same(t, "lateness of all points", sum.Lateness, want.Tick.Lateness)
	const n = 300 + 40 + 2*(20+200)
	if got.Tick != (report.TickCounters{Ticks: 7 * n, Late: 8 * n, Skipped: 9 * n, Panics: 10 * n, Overruns: 11 * n}) ||
		sum.Skipped != 9*n {
		t.Errorf("ticks: %+v; %d in all points", got.Tick, sum.Skipped)
	}
	a := got.Auth
	if a.Queued != n || a.Processed != 2*n || a.Expired != 3*n || a.RejectedBusy != 4*n || a.RateLimited != 5*n ||
		a.Success != 6*n {
		t.Errorf("auth: %+v", a)
	}
	// The work before the run and between the lives has shifted every seventh time.
	sevenths := a.Fail["internal-error"]
	if a.Fail["bad-credentials"] != n || got.BatchSizes["16"] != 2*n || sevenths != got.BatchSizes["1"] || sevenths < n/7 {
		t.Errorf("failures: %v; batches: %v", a.Fail, got.BatchSizes)
	}
	if got.CPUSeconds != n*0.125 || sum.Cores*2 != n*0.125 {
		t.Errorf("%v CPU seconds, %v in all points", got.CPUSeconds, sum.Cores*2)
	}
	if got.RSSBefore != 100 || got.RSSAtEnd != 95 || got.HashMS != 95 || got.Workers != 95 || got.Cores != 190 {
		t.Errorf("%+v", got)
	}

	before := 7
	rep := report.Report{OK: 5, PlayersBefore: &before, Scenario: report.Ramp}
	r.fill(&rep)
	trim(rep.Server)
	rep.Derive(r.restarts > 0)
	if len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "restarted during the run (2)") || rep.ExpectedAtEnd != nil {
		t.Errorf("notes %q, %v players expected", rep.Notes, rep.ExpectedAtEnd)
	}
	s := rep.Server
	if s.Wait.Count != n ||
		s.Wait.Buckets+s.Load.Buckets+s.Derive.Buckets+s.Commit.Buckets+s.Lateness.Buckets+s.Duration.Buckets != "" {
		t.Errorf("%+v", s)
	}
}

// A server without buckets tells no intervals: what it says counts since its start.
func TestReadingsOfAServerWithoutBuckets(t *testing.T) {
	all := &witness{random: rand.New(rand.NewPCG(1, 2))}
	server := new(life)
	server.work(100, all, false)
	first := server.metrics(1, false)
	r := &readings{first: first, base: first, last: first, at: time.Unix(1000, 0)}
	look := func() {
		t.Helper()
		r.add(server.metrics(1, false), r.at.Add(time.Second))
	}
	server.work(50, all, true)
	p := r.add(server.metrics(1, false), r.at.Add(time.Second))
	if p.Wait != (latency.Summary{}) || p.Lateness != (latency.Summary{}) || p.Skipped != 50*9 {
		t.Errorf("%+v", p)
	}
	if got := r.total(); got.Wait != r.last.Auth.Wait || got.Wait.Count != 150 || got.Auth.Queued != 50 {
		t.Errorf("%+v", got)
	}
	rep := new(report.Report)
	if r.fill(rep); len(rep.Notes) != 0 || r.restarts != 0 {
		t.Errorf("notes: %q", rep.Notes)
	}

	server = new(life) // restarted, and idle at first
	look()
	if got := r.total(); got.Wait.Count != 150 || got.Auth.Queued != 50 || got.Tick.Ticks != 50*7 {
		t.Errorf("idle after a restart: %+v", got)
	}
	server.work(10, all, true)
	look()
	if got := r.total(); got.Wait != r.last.Auth.Wait || got.Wait.Count != 10 || got.Auth.Queued != 60 ||
		got.Tick.Ticks != 60*7 {
		t.Errorf("busy after a restart: %+v", got)
	}
}

// Whichever tells of it: a system may not tell the time that a process has used, and a server may have no ticks.
func TestRestartedSince(t *testing.T) {
	with := func(cpu float64, ticks int64) *serverMetrics {
		m := new(serverMetrics)
		m.Process.CPUSeconds, m.Tick.Ticks = cpu, ticks
		return m
	}
	for name, tt := range map[string]struct {
		earlier, later *serverMetrics
		want           bool
	}{
		"goes on":       {with(1, 60), with(2, 120), false},
		"stands still":  {with(1, 60), with(1, 60), false},
		"starts again":  {with(2, 120), with(1, 60), true},
		"no CPU time":   {with(0, 120), with(0, 60), true},
		"no ticks":      {with(2, 0), with(1, 0), true},
		"nothing known": {with(0, 0), with(0, 0), false},
	} {
		if got := tt.later.restartedSince(tt.earlier); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
