package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

func TestScalesHaveRoundMarks(t *testing.T) {
	for _, c := range []struct {
		name string
		s    scale
		hi   float64
		want string
	}{
		{"linear", linearScale(420, 5, false), 500, "[0 100 200 300 400 500]"},
		{"exact", linearScale(200, 4, false), 200, "[0 50 100 150 200]"},
		{"few players", linearScale(2, 5, true), 2, "[0 1 2]"},
		{"small", linearScale(0.0032, 4, false), 0.004, "[0 0.001 0.002 0.003 0.004]"},
		{"nothing", linearScale(0, 4, false), 1, "[0 0.5 1]"},
		{"negative", linearScale(-5, 4, false), 1, "[0 0.5 1]"},
		{"decades", logScale(0.3, 2500), 10_000, "[0.1 1 10 100 1000 10000]"},
		{"one decade", logScale(2, 7), 10, "[1 2 5 10]"},
		{"minutes", timeScale(0, 300), 300, "[0 60 120 180 240 300]"},
		{"a second", timeScale(0, 1), 1, "[0 0.2 0.4 0.6 0.8 1]"},
		{"no time", timeScale(7, 7), 8, "[7 7.2 7.4 7.6 7.8 8]"},
	} {
		marks := make([]float64, len(c.s.marks))
		for i, v := range c.s.marks {
			marks[i], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 9, 64), 64)
		}
		if got := fmt.Sprint(marks); got != c.want || math.Abs(c.s.hi-c.hi) > 1e-9 {
			t.Errorf("%s: up to %v, %v", c.name, c.s.hi, got)
		}
	}
}

// Whatever the numbers, a scale places them within the drawing, in their order, and has few marks.
func TestScalesOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64().Draw(t, "a"), rapid.Float64().Draw(t, "b")
		a, b = min(a, b), max(a, b)
		for name, s := range map[string]scale{
			"linear": linearScale(b, 5, rapid.Bool().Draw(t, "whole")), "log": logScale(a, b), "time": timeScale(a, b),
		} {
			if len(s.marks) == 0 || len(s.marks) > 2*maxTicks {
				t.Errorf("%s: %d marks", name, len(s.marks))
			}
			x, y := s.at(a), s.at(b)
			if !(x >= 0 && x <= y && y <= 1) {
				t.Errorf("%s from %v to %v: %v at %v, %v at %v", name, s.lo, s.hi, a, x, b, y)
			}
		}
	})
}

func pointsReport(points ...report.Point) *report.Report {
	for i := range points {
		points[i].At = float64(i)
	}
	return &report.Report{Timeline: report.Timeline{IntervalSeconds: 1, Points: points}}
}

func TestBarsAreAsHighAsTheirCounts(t *testing.T) {
	ch := newClock(pointsReport(
		report.Point{Answers: report.Answers{In: 250, Busy: 250}},
		report.Point{Answers: report.Answers{In: 100, Dropped: 1}},
	)).answersChart("")
	want := []shape{ // of 260 pixels for 500 answers per second
		{"bars in", "M0 260V130H499V260zM500 260V208H999V260z"},
		{"bars busy", "M0 130V0H499V130z"},
		{"bars dropped", "M500 208V206H999V208z"}, // never less than two pixels
	}
	if !slices.Equal(ch.Shapes, want) {
		t.Errorf("got %q", ch.Shapes)
	}
	var keys []string
	for _, k := range ch.Keys {
		keys = append(keys, k.Name)
	}
	if got := strings.Join(keys, ", "); got != "dropped, told busy, in" {
		t.Errorf("keys %s", got)
	}
}

func TestLinesHaveGaps(t *testing.T) {
	c := newClock(pointsReport(make([]report.Point, 5)...))
	nan := math.NaN()
	y := linearScale(100, 4, false)
	for _, test := range []struct {
		values []float64
		closed bool
		want   string
	}{
		{[]float64{0, 100, nan, 50, nan}, false, "M100 200L300 0M600 100H800"},
		{[]float64{nan, 100, 50, nan, nan}, true, "M300 200L300 0L500 100V200z"},
		{[]float64{nan, 1e300, -5, nan, nan}, false, "M300 0L500 200"},
		{[]float64{nan, nan, 50, nan, nan}, true, "M400 200L400 100H600V200z"},
		{[]float64{nan, nan, nan, nan, nan}, true, ""},
	} {
		if got := c.path(curve{values: test.values}, y, 200, test.closed); got != test.want {
			t.Errorf("%v: %q, want %q", test.values, got, test.want)
		}
	}
}

// Labels at the ends of lines stay in the drawing and do not cover each other, and those of higher lines are higher.
func TestEndLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var curves []curve
		for i := range rapid.IntRange(1, 6).Draw(t, "curves") {
			value := float64(rapid.IntRange(0, 100).Draw(t, "value"))
			curves = append(curves, curve{short: strconv.Itoa(i), values: []float64{value, math.NaN()}})
		}
		last := math.Inf(-1)
		lastValue := math.Inf(1)
		for _, l := range endLabels(curves, linearScale(100, 4, false), 168) {
			y, err := strconv.ParseFloat(l.Y, 64)
			if err != nil || y < 4 || y > 172 || y-last < 12.9 {
				t.Errorf("a label at %v after one at %v", l.Y, last)
			}
			i, _ := strconv.Atoi(l.Text)
			if v := curves[i].values[0]; v > lastValue {
				t.Errorf("%v is below %v", v, lastValue)
			}
			last, lastValue = y, curves[i].values[0]
		}
	})
}

func TestLongTimelinesAreMerged(t *testing.T) {
	points := make([]report.Point, 901)
	for i := range points {
		points[i] = report.Point{
			Started: 1, Answers: report.Answers{In: 2, Busy: 1}, Inside: i, Probe: latency.Summary{Count: 1, P99: float64(i)},
		}
		if i%2 == 0 {
			points[i].Server = &report.ServerPoint{Depth: i, Skipped: 1}
		}
	}
	c := newClock(pointsReport(points...))
	if len(c.points) > maxPoints || c.merged != 4 || c.step != 4 || c.axis.hi != 901 {
		t.Fatalf("%d points of %d, %v s, up to %v", len(c.points), c.merged, c.step, c.axis.hi)
	}
	var in, skipped int
	for _, p := range c.points {
		in += p.Answers.In
		skipped += int(p.Server.Skipped)
	}
	if in != 1802 || skipped != 451 {
		t.Errorf("%d in, %d skipped", in, skipped)
	}
	p := c.points[1]
	if p.At != 4 || p.Inside != 7 || p.Probe.P99 != 7 || p.Probe.Count != 4 || p.Server.Depth != 6 {
		t.Errorf("%+v", p)
	}
	if ch := c.playersChart(); !strings.Contains(ch.Note, "4 intervals") {
		t.Errorf("note %q", ch.Note)
	}
}

func TestTimesThatMakeNoSense(t *testing.T) {
	for name, at := range map[string][]float64{
		"backwards": {5, 4, 3}, "twice": {0, 0, 1}, "not a number": {0, math.NaN(), 2}, "beyond": {0, 1, 1e300},
	} {
		r := pointsReport(make([]report.Point, 3)...)
		for i := range at {
			r.Timeline.Points[i].At = at[i]
		}
		r.Timeline.IntervalSeconds = math.Inf(1)
		if c := newClock(r); c.axis.lo != 0 || c.axis.hi != 3 || c.points[2].At != 2 {
			t.Errorf("%s: %+v", name, c.axis)
		}
	}
}

func TestMoments(t *testing.T) {
	for _, c := range []struct {
		to, t float64
		want  string
	}{{100, 30, "30 s"}, {100, 7.5, "7.5 s"}, {300, 61, "1:01"}, {7200, 3725, "1:02:05"}, {1, 0.25, "0.25 s"}} {
		if got := (clock{axis: timeScale(0, c.to)}).moment(c.t); got != c.want {
			t.Errorf("%v of %v: %q", c.t, c.to, got)
		}
	}
}

func TestDistribution(t *testing.T) {
	s := latency.Summary{Count: 100, Buckets: "1000:50 10000:49 100000:1"}
	ch := distributionChart("x", "", []sample{{"all", "in", s}, {"none", "busy", latency.Summary{}}})
	if got, want := ch.Shapes[0].Path, "M0 168H0V84H500V1.7H1000V0H1000"; got != want || len(ch.Shapes) != 1 {
		t.Errorf("%q, want %q", got, want)
	}
	var cells []string
	for _, r := range ch.Table.Rows {
		cells = append(cells, strings.ReplaceAll(r.Cells[0], "\u00a0", " "))
	}
	const want = "1.00 ms, 1.00 ms, 1.00 ms, 1.00 ms, 1.00 ms, 10.0 ms, 10.0 ms, 10.0 ms, 10.0 ms, 100 ms, 100 ms"
	if got := strings.Join(cells, ", "); got != want {
		t.Errorf("table %s", got)
	}
	s.Buckets = "1000:99"
	if ch := distributionChart("x", "", []sample{{"all", "in", s}}); ch.Absent == "" {
		t.Error("drawn without sense")
	}
}

// Rates over time are of the time that an interval took, not of what it should have.
func TestRatesAreOfMeasuredIntervals(t *testing.T) {
	r := pointsReport(
		report.Point{Length: 2.5, Answers: report.Answers{Busy: 100}, Knocks: &report.Knocks{Made: 50}},
		report.Point{Length: 0.5, Answers: report.Answers{Busy: 100}, Knocks: &report.Knocks{Made: 50}},
		report.Point{Answers: report.Answers{Busy: 100}}, // an older report
	)
	c := newClock(r)
	for i, want := range []float64{40, 200, 100} {
		if got := c.perSecond(kinds[1], c.points[i]); got != want {
			t.Errorf("interval %d: %v refusals per second, want %v", i, got, want)
		}
	}
}
