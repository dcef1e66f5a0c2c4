package page

import (
	"fmt"
	"math"
	"slices"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// tickLength is that of a tick of the world, 60 a second, in milliseconds.
const tickLength = 1000.0 / 60

const (
	noTimeline = "The report has no such figures over time."
	noMetrics  = "Unknown: the report has no server metrics over time."
)

// charts returns the charts of a report, the important ones first, those without data last.
func charts(r *report.Report) []chart {
	c := newClock(r)
	return absentLast(slices.Concat(c.floodCharts(r), []chart{
		c.answersChart(answersGist(r)),
		c.latencyChart(r),
		distributionChart("Latency of all players", distributionGist(r), []sample{
			{"first answer", "answer", r.FirstAnswer}, {"success", "in", r.Success},
		}),
		c.playersChart(),
		c.depthChart(),
		c.waitChart(),
		c.lateTicksChart(),
		c.probeChart(r),
		c.processorsChart(r),
		c.startDelayChart(),
	}, c.cpuCharts()))
}

func absentLast(list []chart) []chart {
	slices.SortStableFunc(list, func(a, b chart) int { return rank(a) - rank(b) })
	return list
}

func rank(ch chart) int { return pick(ch.Absent != "", 1, 0) }

// percentiles returns three curves of a latency.
func (c clock) percentiles(name, short, class string, of func(*report.Point) latency.Summary) []curve {
	var list []curve
	for _, p := range []struct {
		name   string
		figure func(latency.Summary) float64
	}{{" p50", p50}, {" p90", p90}, {" p99", p99}} {
		values := c.values(func(point *report.Point) float64 { return p.figure(of(point)) })
		list = append(list, curve{name: name + p.name, short: short + p.name, class: class + p.name, values: values})
	}
	return list
}

func (c clock) latencyChart(r *report.Report) chart {
	gist := "No answer came."
	if r.FirstAnswer.Count > 0 {
		gist = fmt.Sprintf("Over the whole run, 99 of 100 players had their first answer within %s", ms(r.FirstAnswer.P99))
		if r.Success.Count > 0 {
			gist += fmt.Sprintf("; 99 of 100 of those let in were in within %s", ms(r.Success.P99))
		}
		gist += "."
	}
	first := c.percentiles("first answer", "answer", "answer",
		func(p *report.Point) latency.Summary { return p.FirstAnswer })
	success := c.percentiles("success", "success", "in", func(p *report.Point) latency.Summary { return p.Success })
	return c.draw(lines{
		title: "Time to the first answer and to success", gist: gist, axis: "time since the player came", absent: noTimeline,
		unit: report.UnitMillis, wide: true, curves: append(first, success...),
	})
}

func (c clock) playersChart() chart {
	inside := c.values(func(p *report.Point) float64 { return float64(p.Inside) })
	pending := c.values(func(p *report.Point) float64 { return float64(p.Pending) })
	playing := c.values(func(p *report.Point) float64 { return float64(p.Playing) })
	peak, at := c.peak(inside)
	waiting, _ := c.peak(pending)
	l := lines{
		title: "Players", axis: "players", absent: noTimeline, unit: report.UnitCount,
		gist: fmt.Sprintf("Up to %s inside (%s), up to %s at the door.", count(int(peak)), at, count(int(waiting))),
		curves: []curve{
			{name: "inside", short: "inside", class: "in", values: inside},
			{name: "at the door", short: "at the door", class: "busy", values: pending},
		},
	}
	if most, _ := c.peak(playing); most > 0 {
		l.curves = append(l.curves, curve{name: "playing", short: "playing", class: "world", values: playing})
	}
	return c.draw(l)
}

// peak returns the greatest value and when it was.
func (c clock) peak(values []float64) (v float64, at string) {
	for i, x := range values {
		if at == "" && !math.IsNaN(x) || x > v {
			v, at = x, c.moment(c.points[i].At)
		}
	}
	return bounded(v), at
}

func (c clock) depthChart() chart {
	depth := c.serverValues(func(s *report.ServerPoint) float64 { return float64(s.Depth) })
	limit := c.serverValues(func(s *report.ServerPoint) float64 { return float64(s.Capacity) })
	peak, at := c.peak(depth)
	l := lines{
		title: "Login queue", axis: "requests waiting", absent: noMetrics, unit: report.UnitCount,
		gist:   fmt.Sprintf("At most %s requests waited (%s).", count(int(peak)), at),
		curves: []curve{{name: "waiting", class: "busy", values: depth, filled: true}},
	}
	if most, _ := c.peak(limit); most > 0 {
		l.gist = fmt.Sprintf("At most %s of %s places were taken (%s).", count(int(peak)), count(int(most)), at)
		l.rules = []rule{{value: most, Name: "full at " + count(int(most))}}
	}
	return c.draw(l)
}

func (c clock) waitChart() chart {
	wait := c.serverValues(func(s *report.ServerPoint) float64 { return p99(s.Wait) })
	peak, at := c.peak(wait)
	return c.draw(lines{
		title: "Wait in the login queue", axis: "time waited", absent: noMetrics, unit: report.UnitMillis,
		gist:   fmt.Sprintf("The p99 was %s at most (%s).", ms(peak), at),
		curves: []curve{{name: "p99", class: "busy p99", values: wait}},
	})
}

func (c clock) lateTicksChart() chart {
	late99 := c.serverValues(func(s *report.ServerPoint) float64 { return p99(s.Lateness) })
	worst := c.serverValues(func(s *report.ServerPoint) float64 { return most(s.Lateness) })
	skipped := 0.0
	for _, p := range c.points {
		if p.Server != nil {
			skipped += float64(p.Server.Skipped)
		}
	}
	peak, at := c.peak(worst)
	gist := fmt.Sprintf("The latest tick began %s late (%s); ", ms(peak), at)
	gist += pick(skipped == 0, "none was skipped.", show(report.UnitCount, skipped)+" were skipped.")
	return c.draw(lines{
		title: "Lateness of the world's ticks", axis: "lateness", absent: noMetrics, unit: report.UnitMillis, gist: gist,
		curves: []curve{
			{name: "p99", short: "p99", class: "world p99", values: late99},
			{name: "max", short: "max", class: "world p50", values: worst},
		},
		rules: []rule{{value: tickLength, Name: "one tick, 16.7 ms"}},
	})
}

func (c clock) probeChart(r *report.Report) chart {
	probe := c.values(func(p *report.Point) float64 { return p99(p.Probe) })
	gist := fmt.Sprintf("All %s calls of /healthz were answered", count(r.Probe.Answered))
	if lost := r.Probe.Failed + r.Probe.Skipped; lost > 0 {
		gist = fmt.Sprintf("%s of %s calls of /healthz were not answered", count(lost), count(r.Probe.Answered+lost))
	}
	if r.Probe.Latency.Count > 0 {
		gist += fmt.Sprintf(", 99 of 100 within %s", ms(r.Probe.Latency.P99))
	}
	return c.draw(lines{
		title: "Probe of the server's health", axis: "time to the answer", absent: noTimeline, unit: report.UnitMillis,
		gist: gist + ".", curves: []curve{{name: "p99", class: "probe p99", values: probe}},
	})
}

func (c clock) processorsChart(r *report.Report) chart {
	server := c.serverValues(func(s *report.ServerPoint) float64 { return s.Cores })
	generator := c.values(func(p *report.Point) float64 { return p.GeneratorCores })
	var gist string
	if peak, at := c.peak(server); at != "" {
		gist = fmt.Sprintf("The server used up to %s cores (%s), ", show(report.UnitCores, peak), at)
	} else {
		gist = "The server's use is unknown, "
	}
	peak, _ := c.peak(generator)
	gist += fmt.Sprintf("the generator up to %s", show(report.UnitCores, peak))
	if n := r.Generator.Available; n > 0 {
		gist += fmt.Sprintf(" of the %s it may use", count(n))
	}
	curves := []curve{{name: "generator", short: "generator", class: "generator", values: generator}}
	if anyValue([]curve{{values: server}}) {
		curves = append([]curve{{name: "server", short: "server", class: "world p99", values: server}}, curves...)
	}
	return c.draw(lines{
		title: "Processors", axis: "cores in use", absent: noTimeline, unit: report.UnitCores, gist: gist + ".",
		curves: curves,
	})
}

func (c clock) startDelayChart() chart {
	delay := c.values(func(p *report.Point) float64 { return p99(p.StartDelay) })
	peak, at := c.peak(delay)
	return c.draw(lines{
		title: "How late the generator started players", axis: "delay", absent: noTimeline, unit: report.UnitMillis,
		gist:   fmt.Sprintf("The p99 was %s at most (%s).", ms(peak), at),
		curves: []curve{{name: "p99", class: "generator p99", values: delay}},
	})
}
