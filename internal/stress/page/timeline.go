package page

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// Bounds of what a page shows of a report, which may come from anywhere.
const (
	maxPoints = 300 // intervals in charts and tables
	maxPhases = 24
)

// clock is the time axis that all timeline charts of a page share.
type clock struct {
	points []report.Point // at most maxPoints
	step   float64        // seconds of a point
	merged int            // intervals of the report in a point
	axis   scale
	phases []report.Phase
}

// newClock prepares the timeline of a report. If it has more than maxPoints intervals, each point is made of several.
func newClock(r *report.Report) clock {
	t := r.Timeline
	c := clock{step: t.IntervalSeconds, merged: 1, phases: r.Phases[:min(len(r.Phases), maxPhases)]}
	if !(c.step > 0 && c.step < 1e9) {
		c.step = 1
	}
	c.merged = max(1, (len(t.Points)+maxPoints-1)/maxPoints)
	regular := inOrder(t.Points)
	for i := 0; i < len(t.Points); i += c.merged {
		p := merge(t.Points[i:min(i+c.merged, len(t.Points))])
		if !regular {
			p.At = float64(i) * c.step
		}
		if !regular || !(p.Length > 0 && p.Length < 1e9) {
			p.Length = c.step * float64(min(len(t.Points)-i, c.merged))
		}
		c.points = append(c.points, p)
	}
	c.step *= float64(c.merged)
	if n := len(c.points); n > 0 {
		c.axis = timeScale(c.points[0].At, c.points[n-1].At+c.points[n-1].Length)
	}
	return c
}

// inOrder reports whether the points' times make sense.
func inOrder(points []report.Point) bool {
	for i, p := range points {
		if !(math.Abs(p.At) < 1e9) || i > 0 && !(p.At > points[i-1].At) {
			return false
		}
	}
	return true
}

// merge makes one point of several: sums of what is counted, the last of numbers of players, the greatest percentiles.
// Percentiles of the whole cannot be told from those of its parts; the greatest hides no trouble.
func merge(points []report.Point) report.Point {
	p := points[0]
	for _, q := range points[1:] {
		p.Started += q.Started
		p.Length += q.Length
		p.Answers = addAnswers(p.Answers, q.Answers)
		for _, pair := range [][2]*latency.Summary{
			{&p.FirstAnswer, &q.FirstAnswer}, {&p.Success, &q.Success}, {&p.Probe, &q.Probe}, {&p.StartDelay, &q.StartDelay},
		} {
			*pair[0] = greatest(*pair[0], *pair[1])
		}
		p.Pending, p.Inside, p.Playing = q.Pending, q.Inside, q.Playing
		p.GeneratorCores = max(p.GeneratorCores, q.GeneratorCores)
		p.Server = mergeServer(p.Server, q.Server)
		p.Knocks = mergeKnocks(p.Knocks, q.Knocks)
	}
	return p
}

func mergeKnocks(a, b *report.Knocks) *report.Knocks {
	if a == nil || b == nil {
		return pick(b == nil, a, b)
	}
	sum := a.Plus(*b)
	return &sum
}

func mergeServer(a, b *report.ServerPoint) *report.ServerPoint {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	m := *b
	m.Depth = max(a.Depth, b.Depth)
	m.Wait, m.Lateness = greatest(a.Wait, b.Wait), greatest(a.Lateness, b.Lateness)
	m.Skipped += a.Skipped
	m.Cores = max(a.Cores, b.Cores)
	if m.CPU == nil || a.CPU != nil && a.CPU.Process > m.CPU.Process {
		m.CPU = a.CPU
	}
	return &m
}

func greatest(a, b latency.Summary) latency.Summary {
	switch {
	case a.Count == 0:
		return b
	case b.Count == 0:
		return a
	}
	return latency.Summary{
		Count: a.Count + b.Count, Min: min(a.Min, b.Min), Mean: max(a.Mean, b.Mean),
		P50: max(a.P50, b.P50), P90: max(a.P90, b.P90), P99: max(a.P99, b.P99), P999: max(a.P999, b.P999),
		Max: max(a.Max, b.Max),
	}
}

func addAnswers(a, b report.Answers) report.Answers {
	return report.Answers{
		In: a.In + b.In, Busy: a.Busy + b.Busy, RateLimited: a.RateLimited + b.RateLimited,
		Expired: a.Expired + b.Expired, Refused: a.Refused + b.Refused, TimedOut: a.TimedOut + b.TimedOut,
		Dropped: a.Dropped + b.Dropped, GaveUp: a.GaveUp + b.GaveUp,
	}
}

// x returns where a moment is on the time axis, in units of the drawing.
func (c clock) x(t float64) float64 { return c.axis.at(t) * drawingWidth }

// moment writes a time since the start of the load: "12 s", from two minutes on "2:05".
func (c clock) moment(t float64) string {
	if c.axis.hi-c.axis.lo < 8 && t != math.Trunc(t) {
		return trimmed(t) + " s"
	}
	if math.Abs(c.axis.hi) <= 120 {
		return strconv.FormatFloat(t, 'f', pick(t == math.Trunc(t), 0, 1), 64) + " s"
	}
	sign, s := "", int64(math.Round(math.Abs(bounded(t))))
	if t < 0 {
		sign = "−"
	}
	text := sign
	if s >= 3600 {
		text += strconv.FormatInt(s/3600, 10) + ":" + twoDigits(s/60%60)
	} else {
		text += strconv.FormatInt(s/60, 10)
	}
	return text + ":" + twoDigits(s%60)
}

func twoDigits(n int64) string {
	if n < 10 {
		return "0" + strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10)
}

// letterWidth is what a letter takes of a narrow chart's width, in percent.
const letterWidth = 1.5

// bands returns the phases as parts of the time axis.
func (c clock) bands() []band {
	var list []band
	for i, p := range c.phases {
		from, to := 100*c.axis.at(p.From), 100*c.axis.at(p.To)
		if to <= from {
			continue
		}
		name := clean(p.Name, 40)
		if to-from < letterWidth*float64(utf8.RuneCountInString(name)) {
			name = "" // it would be cut off; the table of phases has it
		}
		list = append(list, band{X: percent(from), Width: percent(to - from), Name: name, Odd: i%2 == 1})
	}
	return list
}

// ticks returns the marks of the time axis.
func (c clock) ticks() []tick { return xTicks(c.axis, c.moment) }

// values returns a figure of each point; NaN where there is none.
func (c clock) values(of func(*report.Point) float64) []float64 {
	list := make([]float64, len(c.points))
	for i := range c.points {
		list[i] = of(&c.points[i])
	}
	return list
}

// serverValues is values for what the server said.
func (c clock) serverValues(of func(*report.ServerPoint) float64) []float64 {
	return c.values(func(p *report.Point) float64 {
		if p.Server == nil {
			return math.NaN()
		}
		return of(p.Server)
	})
}

// p99 and the like of what did not happen are not a number.
func p50(s latency.Summary) float64  { return ifAny(s, s.P50) }
func p90(s latency.Summary) float64  { return ifAny(s, s.P90) }
func p99(s latency.Summary) float64  { return ifAny(s, s.P99) }
func most(s latency.Summary) float64 { return ifAny(s, s.Max) }

func ifAny(s latency.Summary, v float64) float64 {
	if s.Count == 0 {
		return math.NaN()
	}
	return v
}
