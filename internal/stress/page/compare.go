package page

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// comparisonPage is the page of two runs.
type comparisonPage struct {
	frame
	Warnings []string
	Runs     []tile
	Charts   []chart
	Groups   []comparedGroup
}

type comparedGroup struct {
	Name string
	Rows []comparedRow
}

type comparedRow struct{ Name, A, B, Ratio, Mark, Class string }

// WriteComparison writes a page that puts two reports, neither nil, side by side. The names say which is which. The
// error is that of w.
func WriteComparison(w io.Writer, a, b *report.Report, nameA, nameB string) error {
	nameA, nameB = clean(nameA, 120), clean(nameB, 120)
	p := comparisonPage{frame: newFrame(nameA + " and " + nameB), Charts: overlays(a, b)}
	p.Title, p.Kicker = "Stress runs: "+p.Heading, "Two Rushgate stress runs"
	for i, run := range []struct {
		name string
		r    *report.Report
	}{{nameA, a}, {nameB, b}} {
		sentence, _ := verdict(run.r)
		letter := string(rune('a' + i))
		what := fmt.Sprintf("%s %s against %s", run.r.Mode, run.r.Scenario, run.r.Target)
		p.Runs = append(p.Runs, tile{letter + ": " + run.name, sentence, clean(what, maxText), "run-" + letter})
	}
	c := report.Compare(a, b)
	for _, s := range c.Warnings {
		p.Warnings = append(p.Warnings, clean(s, maxText))
	}
	for _, g := range c.Groups {
		group := comparedGroup{Name: clean(g.Name, 80)}
		for _, r := range g.Rows {
			row := comparedRow{Name: clean(r.Name, 100), A: clean(r.A, 200), B: clean(r.B, 200), Ratio: r.Ratio}
			row.Mark, row.Class = mark(r.Change)
			group.Rows = append(group.Rows, row)
		}
		p.Groups = append(p.Groups, group)
	}
	return write(w, "comparison", &p)
}

// mark returns how a change is shown, and its class.
func mark(c report.Change) (text, class string) {
	switch c {
	case report.Better:
		return "better", good
	case report.Worse:
		return "worse", poor
	case report.Same:
		return "same", "same"
	}
	return "", ""
}

// overlays returns the charts with both runs in each.
func overlays(a, b *report.Report) []chart {
	list := []chart{
		distributionOverlay("First answer, all players", a.FirstAnswer, b.FirstAnswer),
		distributionOverlay("Success, all players", a.Success, b.Success),
	}
	o := newOverlay(a, b)
	rate := func(k kind) func(clock) []float64 {
		return func(c clock) []float64 {
			return c.values(func(p *report.Point) float64 { return c.perSecond(k, *p) })
		}
	}
	late := func(of func(*report.Point) latency.Summary) func(clock) []float64 {
		return func(c clock) []float64 { return c.values(func(p *report.Point) float64 { return p99(of(p)) }) }
	}
	server := func(of func(*report.ServerPoint) float64) func(clock) []float64 {
		return func(c clock) []float64 { return c.serverValues(of) }
	}
	return absentLast(append(list,
		o.draw("Let in", "players per second", noTimeline, report.UnitPerSecond, rate(kinds[0])),
		o.draw("Told busy", "answers per second", noTimeline, report.UnitPerSecond, rate(kinds[1])),
		o.draw("First answer, p99", "time since the player came", noTimeline, report.UnitMillis,
			late(func(p *report.Point) latency.Summary { return p.FirstAnswer })),
		o.draw("Success, p99", "time since the player came", noTimeline, report.UnitMillis,
			late(func(p *report.Point) latency.Summary { return p.Success })),
		o.draw("Players inside", "players", noTimeline, report.UnitCount,
			func(c clock) []float64 { return c.values(func(p *report.Point) float64 { return float64(p.Inside) }) }),
		o.draw("Login queue", "requests waiting", noMetrics, report.UnitCount,
			server(func(s *report.ServerPoint) float64 { return float64(s.Depth) })),
		o.draw("Lateness of the world’s ticks, p99", "lateness", noMetrics, report.UnitMillis,
			server(func(s *report.ServerPoint) float64 { return p99(s.Lateness) })),
		o.draw("Probe of the server’s health, p99", "time to the answer", noTimeline, report.UnitMillis,
			late(func(p *report.Point) latency.Summary { return p.Probe })),
		o.draw("Processors of the server", "cores in use", noMetrics, report.UnitCores,
			server(func(s *report.ServerPoint) float64 { return s.Cores })),
		o.draw("Processors of the generator", "cores in use", noTimeline, report.UnitCores,
			func(c clock) []float64 { return c.values(func(p *report.Point) float64 { return p.GeneratorCores }) }),
	))
}

func distributionOverlay(title string, a, b latency.Summary) chart {
	gist := fmt.Sprintf("p99: a %s, b %s.", show(report.UnitMillis, p99(a)), show(report.UnitMillis, p99(b)))
	return distributionChart(title, gist, []sample{{"a", "run-a", a}, {"b", "run-b", b}})
}

// overlay draws the timelines of two runs on one time axis.
type overlay struct {
	a, b clock
	both clock // the longer of the two, whose points make the rows of the tables
}

func newOverlay(a, b *report.Report) overlay {
	o := overlay{a: newClock(a), b: newClock(b)}
	if len(o.a.points) == 0 {
		o.a.axis = o.b.axis
	}
	if len(o.b.points) == 0 {
		o.b.axis = o.a.axis
	}
	axis := timeScale(min(o.a.axis.lo, o.b.axis.lo), max(o.a.axis.hi, o.b.axis.hi))
	o.both = o.a
	if o.b.axis.hi > o.a.axis.hi {
		o.both = o.b
	}
	o.a.axis, o.b.axis, o.both.axis = axis, axis, axis
	o.both.merged = max(o.a.merged, o.b.merged)
	if !slices.EqualFunc(o.a.phases, o.b.phases, func(p, q report.Phase) bool { return p.Name == q.Name }) {
		o.both.phases = nil // bands would belong to one run alone
	}
	return o
}

func (o overlay) draw(title, axis, absent string, unit report.Unit, of func(clock) []float64) chart {
	a := curve{name: "a", short: "a", class: "run-a", values: of(o.a), clock: &o.a}
	b := curve{name: "b", short: "b", class: "run-b", values: of(o.b), clock: &o.b}
	gist := fmt.Sprintf("At most: a %s, b %s.", show(unit, highest(a.values)), show(unit, highest(b.values)))
	return o.both.draw(lines{title: title, gist: gist, axis: axis, absent: absent, unit: unit, curves: []curve{a, b}})
}

func highest(values []float64) float64 {
	most := math.NaN()
	for _, v := range values {
		if !(most >= v) && !math.IsNaN(v) {
			most = v
		}
	}
	return most
}

// resample returns the curve's value at the time of a point of another clock.
func (cv curve) resample(t float64) float64 {
	for i, p := range cv.clock.points {
		if t >= p.At && t < p.At+p.Length {
			return cv.values[i]
		}
	}
	return math.NaN()
}
