package run

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// record lets something happen in each of so many seconds, or in some of them, and returns the timeline of it and what
// the server said in all.
func record(t *testing.T, secs, every int) (*timeline, *latency.Histogram) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	exp := func(mean time.Duration) time.Duration {
		return time.Duration(random.ExpFloat64() * float64(mean)).Truncate(time.Microsecond)
	}
	r := new(run)
	begin := time.Now()
	r.tally.begin(begin, report.PhaseArrivals)
	ctx, cancel := context.WithCancel(t.Context())
	tl := &timeline{run: r, stop: cancel, interval: timelineInterval, used: cpuSeconds()}
	tl.wg.Go(func() { tl.record(ctx) })
	ticks := new(latency.Histogram)
	time.Sleep(500 * time.Millisecond)
	for i := range secs {
		said := &report.ServerPoint{Length: 1, Skipped: 2, Cores: 1.5, Depth: i}
		if i%every == 0 {
			for range 1 + random.IntN(3) {
				r.tally.start(exp(time.Millisecond))
				each := report.Answers{
					In: 1, Busy: 2, RateLimited: 3, Expired: 4, Refused: 5, TimedOut: 6, Dropped: 7, GaveUp: 8,
				}
				r.tally.answer(client.Answer{}, each, true, false, exp(time.Second))
				r.tally.admitted(1, time.Now(), exp(2*time.Second))
			}
			probed := exp(time.Millisecond)
			r.tally.into(func(l *ledger) { l.probe.Record(probed) })
			late := new(latency.Histogram)
			for range 60 {
				d := exp(100 * time.Microsecond)
				late.Record(d)
				ticks.Record(d)
			}
			said.Lateness, said.Wait = late.Detailed(), late.Detailed()
		}
		tl.tell(said)
		if i < secs-1 {
			time.Sleep(time.Second)
		}
	}
	time.Sleep(250 * time.Millisecond)
	r.tally.close(time.Now())
	tl.halt()
	return tl, ticks
}

// A run that is longer than a timeline has points has fewer and longer ones. Nothing is lost in them.
func TestLongTimeline(t *testing.T) {
	for _, tt := range []struct {
		secs, every, points int
		interval            time.Duration
	}{
		{10, 1, 10, time.Second},
		{900, 90, 900, time.Second},
		{905, 5, 450 + 3, 2 * time.Second}, // 900 s, then 900 to 902, 904 and the rest
		{4000, 90, 500, 8 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			tl, ticks := record(t, tt.secs, tt.every)
			if len(tl.points) != tt.points || tl.interval != tt.interval || len(tl.points) > maxPoints {
				t.Fatalf("%d s: %d points of %v", tt.secs, len(tl.points), tl.interval)
			}
			var sum report.Point
			var said report.ServerPoint
			for i, p := range tl.points {
				if p.At != float64(i)*tt.interval.Seconds() {
					t.Fatalf("point %d is at %v s", i, p.At)
				}
				sum = joined(&sum, &p)
				if p.Server == nil {
					t.Fatalf("point %d knows nothing of the server", i)
				}
				said.Skipped += p.Server.Skipped
				said.Wait, said.Lateness = merged(said.Wait, p.Server.Wait), merged(said.Lateness, p.Server.Lateness)
				if p.Server.Cores != 1.5 {
					t.Errorf("point %d: %v cores", i, p.Server.Cores)
				}
			}
			whole := &tl.run.tally.whole
			if sum.Started != whole.started || sum.Answers != whole.answers {
				t.Errorf("%+v of %d, %+v", sum, whole.started, whole.answers)
			}
			if sum.Inside != whole.started || sum.Pending != 0 || whole.started < tt.secs/tt.every {
				t.Errorf("%+v of %d", sum, whole.started)
			}
			same(t, "first answer", sum.FirstAnswer, whole.firstAnswer.Detailed())
			same(t, "success", sum.Success, whole.success.Detailed())
			same(t, "probe", sum.Probe, whole.probe.Detailed())
			same(t, "start delay", sum.StartDelay, whole.startDelay.Detailed())
			same(t, "lateness", said.Lateness, ticks.Detailed())
			same(t, "wait", said.Wait, ticks.Detailed())
			if last := tl.points[len(tl.points)-1].Server.Depth; said.Skipped != int64(2*tt.secs) || last != tt.secs-1 {
				t.Errorf("%d ticks skipped, depth %d at the end", said.Skipped, last)
			}
			checkFilled(t, tl, tt.secs, ticks.Detailed())
		})
	}
}

// checkFilled puts a timeline of one phase into a report.
func checkFilled(t *testing.T, tl *timeline, secs int, ticks latency.Summary) {
	t.Helper()
	rep := newReport(&Config{})
	tl.run.tally.fill(rep)
	tl.fill(rep)
	if len(rep.Phases) != 1 || rep.Phases[0].Lateness == nil || *rep.Phases[0].Skipped != int64(2*secs) {
		t.Fatalf("%+v", rep.Phases)
	}
	ticks.Buckets = ""
	same(t, "lateness of the phase", *rep.Phases[0].Lateness, ticks)
	if rep.Timeline.IntervalSeconds != tl.interval.Seconds() || len(rep.Timeline.Points) != len(tl.points) {
		t.Errorf("%d points of %v s", len(rep.Timeline.Points), rep.Timeline.IntervalSeconds)
	}
	for i, p := range rep.Timeline.Points {
		b := p.FirstAnswer.Buckets + p.Success.Buckets + p.Probe.Buckets + p.StartDelay.Buckets
		if b += p.Server.Wait.Buckets + p.Server.Lateness.Buckets; b != "" {
			t.Fatalf("point %d has buckets: %s", i, b)
		}
	}
}

func TestThinWaitsUntilTheTimelineIsFull(t *testing.T) {
	tl := &timeline{interval: time.Second, points: make([]report.Point, maxPoints-1)}
	if tl.thin(); len(tl.points) != maxPoints-1 || tl.interval != time.Second {
		t.Errorf("%d points of %v", len(tl.points), tl.interval)
	}
}

// Numbers of players are those at the end, and the server may have been away.
func TestJoined(t *testing.T) {
	first := &report.ServerPoint{Length: 3, Depth: 1, Players: 10, Skipped: 3, Cores: 1, RSS: 5}
	second := &report.ServerPoint{Length: 1, Depth: 2, Players: 20, Skipped: 4, Cores: 2, RSS: 6}
	both := &report.ServerPoint{Length: 4, Depth: 2, Players: 20, Skipped: 7, Cores: 1.25, RSS: 6}
	a := report.Point{At: 4, Length: 1, Started: 1, Pending: 5, Inside: 6, Playing: 7, GeneratorCores: 0.5,
		Answers: report.Answers{In: 1}}
	b := report.Point{At: 5, Length: 4, Started: 2, Pending: 8, Inside: 9, Playing: 3, GeneratorCores: 1,
		Answers: report.Answers{In: 2, Busy: 1}}
	want := report.Point{At: 4, Length: 5, Started: 3, Pending: 8, Inside: 9, Playing: 3, GeneratorCores: 0.9,
		Answers: report.Answers{In: 3, Busy: 1}}
	for _, s := range [][3]*report.ServerPoint{{nil, nil, nil}, {first, nil, first}, {nil, second, second},
		{first, second, both}} {
		a.Server, b.Server, want.Server = s[0], s[1], s[2]
		if got := joined(&a, &b); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v %+v, want %+v %+v", got, got.Server, want, want.Server)
		}
	}
	if first.Skipped != 3 || second.Skipped != 4 {
		t.Error("joining has changed what was joined")
	}
}

// Each reading of an interval stands for as much time as passed at the server.
func TestReadingsOfOneInterval(t *testing.T) {
	tl := &timeline{run: new(run), interval: 4 * time.Second}
	begin := time.Now()
	for i, cores := range []float64{0, 4} {
		tl.tell(&report.ServerPoint{Length: float64(1 + 2*i), Cores: cores})
	}
	if tl.point(0, begin); tl.points[0].Server.Cores != 3 || tl.points[0].Server.Length != 3+1 {
		t.Errorf("none for 1 s and 4 for 3 s: %+v", tl.points[0].Server)
	}
	tl.points = nil
	for i := range 2 {
		for cores := range 4 {
			tl.tell(&report.ServerPoint{Length: 1, Cores: float64(cores + 1), Skipped: 1, Depth: cores})
		}
		tl.point(0, begin)
		if s := tl.points[i].Server; s.Cores != 2.5 || s.Skipped != 4 || s.Depth != 3 {
			t.Errorf("%+v", s)
		}
	}
	tl.point(0, begin)
	if s := tl.points[2].Server; s != nil {
		t.Errorf("a silent server: %+v", s)
	}
}

// What a generator that came late to the end of an interval has counted is of the time that has passed, and it does not
// make up for it with intervals of moments.
func TestIntervalsAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		tl := &timeline{run: new(run), interval: time.Second}
		from := time.Duration(0)
		for _, step := range []struct{ late, next time.Duration }{
			{0, 2 * time.Second}, {700 * time.Millisecond, 4 * time.Second}, {3200 * time.Millisecond, 8 * time.Second},
		} {
			time.Sleep(tl.next(from) - from + step.late)
			if from = tl.point(from, begin); tl.next(from) != step.next {
				t.Errorf("after %v the next one is due at %v, want %v", from, tl.next(from), step.next)
			}
		}
		want := []report.Point{{At: 0, Length: 1}, {At: 1, Length: 1.7}, {At: 2.7, Length: 4.5}}
		for i, p := range tl.points {
			if math.Abs(p.At-want[i].At)+math.Abs(p.Length-want[i].Length) > 1e-6 {
				t.Errorf("an interval of %v s from %v on, want %v from %v", p.Length, p.At, want[i].Length, want[i].At)
			}
		}
	})
}
