package page

import (
	"math"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// drawingWidth is the width of a plot in units of its drawing, which is stretched to the width there is on the page.
// Heights are in CSS pixels; words and numbers are placed in per cent of the width, so that they are not stretched.
const drawingWidth = 1000

// chart is what the template draws.
type chart struct {
	Title string
	Gist  string // a sentence: what is to be seen
	// Absent, if set, is a sentence in place of the chart.
	Absent string
	Note   string // under the chart
	Wide   bool
	Height int
	Axis   string // what the y axis shows
	Timed  bool   // the x axis is the page's clock
	Start  float64
	End    float64
	Bands  []band
	X, Y   []tick
	Shapes []shape
	Rules  []rule
	Labels []label // at the ends of lines
	Stack  []label // beside bars, from the top down
	Keys   []key   // in place of both where it is narrow
	Table  table
}

type (
	band struct {
		X, Width, Name string
		Odd            bool
	}
	tick struct {
		Place string // per cent on x, pixels on y
		Label string
		Edge  string // class of a label that must not stick out
		Minor bool   // left out where it is narrow
	}
	// shape is a path with a class that says how it looks.
	shape struct{ Class, Path string }
	// rule is a horizontal line to compare with.
	rule struct {
		value float64
		Name  string
		Y     string
		Below string // where its name is, from the line down
	}
	label struct{ Y, Text, Class string }
	key   struct {
		Class, Name string
		Line        bool
	}
	table struct {
		Caption string
		Head    []string
		Rows    []row
	}
	row struct {
		Name  string
		At    string // seconds, for the cursor
		Cells []string
	}
)

// curve is a line of a chart over time.
type curve struct {
	name   string // in the key and the table
	short  string // at the line's end
	class  string
	values []float64 // NaN where there is none
	filled bool
	clock  *clock // of the run that values are of, if it is not that of the chart
}

// lines describes a chart of curves over time.
type lines struct {
	title, gist, axis string
	absent            string
	unit              report.Unit
	curves            []curve
	rules             []rule
	wide              bool
}

// draw makes the chart, or the sentence in its place if there is nothing to draw.
func (c clock) draw(l lines) chart {
	ch := chart{Title: l.title, Gist: l.gist, Axis: l.axis, Wide: l.wide, Timed: true, Height: pick(l.wide, 240, 168)}
	if !anyValue(l.curves) {
		ch.Absent, ch.Gist = l.absent, ""
		return ch
	}
	c.frame(&ch)
	y := seriesScale(l.unit, l.curves, l.rules)
	ch.Y = yTicks(y, ch.Height, func(v float64) string { return axisLabel(l.unit, v) })
	if y.log {
		ch.Axis += ", logarithmic"
	}
	for _, r := range l.rules {
		if r.value <= y.hi {
			at := float64(ch.Height) * (1 - y.at(r.value))
			r.Y, r.Below = coordinate(at), pick(at < 24, "14", "-6")
			ch.Rules = append(ch.Rules, r)
		}
	}
	for _, cv := range l.curves {
		own := &c
		if cv.clock != nil {
			own = cv.clock
		}
		if cv.filled {
			ch.Shapes = append(ch.Shapes, shape{"area " + cv.class, own.path(cv, y, ch.Height, true)})
		}
		ch.Shapes = append(ch.Shapes, shape{"line " + cv.class, own.path(cv, y, ch.Height, false)})
		ch.Keys = append(ch.Keys, key{cv.class, cv.name, true})
	}
	ch.Labels = endLabels(l.curves, y, ch.Height)
	ch.Table = c.table(l)
	return ch
}

// frame gives a chart the clock's axis.
func (c clock) frame(ch *chart) {
	ch.Start, ch.End = c.axis.lo, c.axis.hi
	ch.Bands, ch.X = c.bands(), c.ticks()
	if c.merged > 1 {
		ch.Note = "Each point stands for " + count(c.merged) +
			" intervals of the report: sums of counts, the last of numbers of" +
			" players, the greatest of percentiles."
	}
}

func anyValue(curves []curve) bool {
	return slices.ContainsFunc(curves, func(c curve) bool {
		return slices.ContainsFunc(c.values, func(v float64) bool { return !math.IsNaN(v) })
	})
}

// path draws a curve, with a gap where it has no value; closed goes down to the axis and back. A value between two gaps
// is as wide as its interval.
func (c clock) path(cv curve, y scale, height int, closed bool) string {
	var b strings.Builder
	bottom := coordinate(float64(height))
	missing := func(i int) bool { return i < 0 || i >= len(c.points) || math.IsNaN(cv.values[i]) }
	for i, p := range c.points {
		if missing(i) {
			continue
		}
		level := coordinate(float64(height) * (1 - y.at(bounded(cv.values[i]))))
		x := coordinate(c.x(p.At + p.Length/2))
		from, to := x, x
		if missing(i-1) && missing(i+1) {
			from, to = coordinate(c.x(p.At)), coordinate(max(c.x(p.At+p.Length), c.x(p.At)+3))
		}
		switch {
		case !missing(i - 1):
			b.WriteString("L" + x + " " + level)
		case closed:
			b.WriteString("M" + from + " " + bottom + "L" + from + " " + level)
		default:
			b.WriteString("M" + from + " " + level)
		}
		if to != from {
			b.WriteString("H" + to)
		}
		if closed && missing(i+1) {
			b.WriteString("V" + bottom + "z")
		}
	}
	return b.String()
}

// endLabels names each line at its end, none over another.
func endLabels(curves []curve, y scale, height int) []label {
	const line = 13 // pixels between two labels
	type end struct {
		y    float64
		c    curve
		rank int
	}
	var ends []end
	for i, c := range curves {
		for _, v := range slices.Backward(c.values) {
			if !math.IsNaN(v) && c.short != "" {
				ends = append(ends, end{float64(height) * (1 - y.at(bounded(v))), c, i})
				break
			}
		}
	}
	slices.SortStableFunc(ends, func(a, b end) int {
		switch {
		case a.y < b.y:
			return -1
		case a.y > b.y:
			return 1
		}
		return b.rank - a.rank
	})
	for i := range ends {
		if i > 0 {
			ends[i].y = max(ends[i].y, ends[i-1].y+line)
		}
	}
	room := float64(height)
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i].y = min(ends[i].y, room)
		room = ends[i].y - line
	}
	labels := make([]label, len(ends))
	for i, e := range ends {
		labels[i] = label{coordinate(e.y + 4), e.c.short, e.c.class}
	}
	return labels
}

// table lists the values of the curves.
func (c clock) table(l lines) table {
	t := c.times(l.title)
	for _, cv := range l.curves {
		t.Head = append(t.Head, cv.name)
		for i := range t.Rows {
			var v float64
			if cv.clock != nil {
				v = cv.resample(c.points[i].At + c.points[i].Length/2)
			} else {
				v = cv.values[i]
			}
			t.Rows[i].Cells = append(t.Rows[i].Cells, show(l.unit, v))
		}
	}
	return t
}

// times returns a table with a row for each point and no columns yet.
func (c clock) times(title string) table {
	t := table{Caption: title + ", by interval of " + show(report.UnitSeconds, c.step), Head: []string{"From"}}
	for _, p := range c.points {
		t.Rows = append(t.Rows, row{Name: c.moment(p.At), At: coordinate(p.At)})
	}
	return t
}

func xTicks(s scale, text func(float64) string) []tick {
	list := make([]tick, len(s.marks))
	for i, v := range s.marks {
		at := 100 * s.at(v)
		list[i] = tick{Place: percent(at), Label: text(v), Minor: len(s.marks) > 5 && i%2 == 1}
	}
	return list
}

func yTicks(s scale, height int, text func(float64) string) []tick {
	list := make([]tick, len(s.marks))
	for i, v := range s.marks {
		list[i] = tick{Place: coordinate(float64(height) * (1 - s.at(v))), Label: text(v)}
	}
	return list
}

// Base is where the notches of the x axis end, in pixels from the top.
func (ch chart) Base() int { return ch.Height + 5 }

// Margin is the class for the room to the right of the plot: wide charts share a time axis, others only make room for
// their labels.
func (ch chart) Margin() string {
	longest := 0
	for _, l := range ch.Labels {
		longest = max(longest, len(l.Text))
	}
	switch {
	case ch.Wide || longest > 3:
		return "roomy"
	case longest > 0:
		return "labelled"
	}
	return "bare"
}
