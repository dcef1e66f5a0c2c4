package page

import (
	"strings"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// kind is a kind of answer, drawn in the same colour everywhere.
type kind struct {
	class, name string
	of          func(report.Answers) int
}

// kinds are those of [stress.Answers], from the bottom of the stack up.
var kinds = []kind{
	{"in", "in", func(a report.Answers) int { return a.In }},
	{"busy", "told busy", func(a report.Answers) int { return a.Busy }},
	{"limited", "rate-limited", func(a report.Answers) int { return a.RateLimited }},
	{"expired", "expired", func(a report.Answers) int { return a.Expired }},
	{"refused", "refused", func(a report.Answers) int { return a.Refused }},
	{"timeout", "timed out", func(a report.Answers) int { return a.TimedOut }},
	{"dropped", "dropped", func(a report.Answers) int { return a.Dropped }},
	{"gaveup", "gave up", func(a report.Answers) int { return a.GaveUp }},
}

// answersChart stacks what came of the tries in each interval. Kinds that never came are left out.
func (c clock) answersChart(gist string) chart {
	ch := chart{
		Title: "Answers by kind", Gist: gist, Axis: "answers per second; few among many are drawn two pixels high",
		Wide: true, Timed: true, Height: 260,
	}
	var shown []kind
	for _, k := range kinds {
		for _, p := range c.points {
			if k.of(p.Answers) > 0 {
				shown = append(shown, k)
				break
			}
		}
	}
	if len(shown) == 0 {
		ch.Absent, ch.Gist = "The report has no answers over time.", ""
		return ch
	}
	c.frame(&ch)
	top := 0.0
	for _, p := range c.points {
		sum := 0.0
		for _, k := range shown {
			sum += c.perSecond(k, p)
		}
		top = max(top, sum)
	}
	heights := make([]float64, len(c.points)) // of the kinds below, in pixels
	y := linearScale(top, 5, false)
	ch.Y = yTicks(y, ch.Height, func(v float64) string { return axisLabel(report.UnitPerSecond, v) })
	ch.Table = c.times(ch.Title)
	for _, k := range shown {
		ch.Shapes = append(ch.Shapes, shape{"bars " + k.class, c.bars(k, heights, y, float64(ch.Height))})
		ch.Table.Head = append(ch.Table.Head, k.name)
		for i, p := range c.points {
			ch.Table.Rows[i].Cells = append(ch.Table.Rows[i].Cells, count(k.of(p.Answers)))
		}
	}
	for i := len(shown) - 1; i >= 0; i-- { // in the order of the stack, seen from above
		ch.Stack = append(ch.Stack, label{coordinate(float64(20 * len(ch.Stack))), shown[i].name, shown[i].class})
		ch.Keys = append(ch.Keys, key{Class: shown[i].class, Name: shown[i].name})
	}
	return ch
}

func (c clock) perSecond(k kind, p report.Point) float64 {
	return bounded(max(0, float64(k.of(p.Answers))) / p.Length)
}

// leastBar is how high a bar is at least, in pixels: one player lost among a thousand is what one looks for.
const leastBar = 2

// bars draws one kind on top of those below it, and adds it to them.
func (c clock) bars(k kind, below []float64, y scale, height float64) string {
	var b strings.Builder
	for i, p := range c.points {
		v := c.perSecond(k, p)
		if v == 0 {
			continue
		}
		x, end := c.x(p.At), c.x(p.At+p.Length)
		if end-x > 8 {
			end-- // a hair's breadth between bars that are wide enough
		}
		foot := height - below[i]
		below[i] += max(leastBar, height*y.at(v))
		b.WriteString("M" + coordinate(x) + " " + coordinate(foot) + "V" + coordinate(height-below[i]) + "H" +
			coordinate(end) +
			"V" + coordinate(foot) + "z")
	}
	return b.String()
}
