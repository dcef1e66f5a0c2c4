package page

import (
	"fmt"
	"math"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// floodSentence says what was left of the server under a flood.
func floodSentence(k *report.KnockReport) string {
	return fmt.Sprintf("Under %s knocks a second it let in %s, %s of what it can.", count(int(bounded(k.MadePerSecond))),
		show(report.UnitPerSecond, k.InPerSecond), show(report.UnitShare, k.Goodput))
}

// floodTiles tell what became of the knocks.
func floodTiles(k *report.KnockReport) []tile {
	return []tile{
		{"Let in of the capacity", show(report.UnitShare, k.Goodput), show(report.UnitPerSecond, k.InPerSecond), "in"},
		{"Knocks", count(k.Made), show(report.UnitPerSecond, k.MadePerSecond) + ", " + count(k.Unmade) + " not made", ""},
		{"Refusal p99", show(report.UnitMillis, p99(k.Refusal)), share(k.Refused, k.Made) + " knocks", "busy"},
		{"Without an answer", count(k.Silent + k.Gone), count(k.Silent) + " silent, " + count(k.Gone) + " gone", "timeout"},
	}
}

// floodCharts are those that only a flood has.
func (c clock) floodCharts(r *report.Report) []chart {
	if r.Flood == nil {
		return nil
	}
	return []chart{
		c.knocksChart(r.Flood),
		distributionChart("Age of the answers to knocks",
			fmt.Sprintf("Counted from when a knock was due: half of the refusals were there within %s, 99 of 100 within %s.",
				show(report.UnitMillis, p50(r.Flood.Refusal)), show(report.UnitMillis, p99(r.Flood.Refusal))),
			[]sample{{"refused", "busy", r.Flood.Refusal}, {"let in", "in", r.Flood.Entry}}),
	}
}

func (c clock) knocksChart(k *report.KnockReport) chart {
	values := func(of func(*report.Knocks) int) []float64 {
		return c.values(func(p *report.Point) float64 {
			if p.Knocks == nil {
				return math.NaN()
			}
			return bounded(float64(of(p.Knocks)) / p.Length)
		})
	}
	l := lines{
		title: "Knocks", axis: "per second", absent: "The report has no knocks over time.", unit: report.UnitPerSecond,
		wide: true,
		gist: fmt.Sprintf("%s knocks were made: %s let in, %s refused, %s gone, %s silent.", count(k.Made), count(k.In),
			count(k.Refused), count(k.Gone), count(k.Silent)),
	}
	for _, kind := range []struct {
		name, class string
		always      bool
		of          func(*report.Knocks) int
	}{
		{"made", "generator", true, func(k *report.Knocks) int { return k.Made }},
		{"refused", "busy", true, func(k *report.Knocks) int { return k.Refused }},
		{"let in", "in", true, func(k *report.Knocks) int { return k.In }},
		{"gone", "dropped", false, func(k *report.Knocks) int { return k.Gone }},
		{"silent", "timeout", false, func(k *report.Knocks) int { return k.Silent }},
		{"not made", "gaveup", false, func(k *report.Knocks) int { return k.Unmade }},
	} {
		if kind.always || kind.of(&k.Knocks) > 0 {
			l.curves = append(l.curves, curve{name: kind.name, short: kind.name, class: kind.class, values: values(kind.of)})
		}
	}
	return c.draw(l)
}

// cpuCharts shows where the server's CPU time went, if it tells.
func (c clock) cpuCharts() []chart {
	values := func(of func(*report.CPU) float64) []float64 {
		return c.serverValues(func(s *report.ServerPoint) float64 {
			if s.CPU == nil {
				return math.NaN()
			}
			return of(s.CPU)
		})
	}
	hash := values(func(u *report.CPU) float64 { return u.Hash })
	door := values(func(u *report.CPU) float64 { return u.Door })
	if !anyValue([]curve{{values: hash}}) {
		return nil
	}
	mostHash, _ := c.peak(hash)
	mostDoor, _ := c.peak(door)
	return []chart{c.draw(lines{
		title: "Where the server's CPU time went", axis: "cores in use", absent: noMetrics, unit: report.UnitCores,
		gist: fmt.Sprintf("Hashing took up to %s cores, the door up to %s.", show(report.UnitCores, mostHash),
			show(report.UnitCores, mostDoor)),
		curves: []curve{
			{name: "hash", short: "hash", class: "in", values: hash},
			{name: "door", short: "door", class: "busy", values: door},
			{name: "tick", short: "tick", class: "world", values: values(func(u *report.CPU) float64 { return u.Tick })},
			{name: "play and all else", short: "else", class: "generator",
				values: values(func(u *report.CPU) float64 { return u.Other })},
		},
	})}
}

func floodSheet(r *report.Report) sheet {
	k := r.Flood
	s := sheet{Title: "Flood", Head: []string{"", ""}}
	s.addf("knocks due", "%s, %s times the capacity, for %s", show(report.UnitPerSecond, k.PerSecond), plain(k.Times),
		seconds(k.Length))
	s.add("asked for", clean(string(k.Mode), 60)+pick(k.TLS, ", over TLS", ""))
	s.add("from", clean(k.Sources, 60))
	s.addf("made", "%s, %s of them late; %s not made, %s of them for want of files or ports", count(k.Made),
		count(k.Late), count(k.Unmade), count(k.Full))
	s.addf("let in", "%s: %s knocks and %s players", show(report.UnitPerSecond, k.InPerSecond),
		show(report.UnitPerSecond, k.KnocksInPerS), show(report.UnitPerSecond, k.PlayersInPerS))
	s.addf("of the capacity", "%s of %s", show(report.UnitShare, k.Goodput), show(report.UnitPerSecond, r.Capacity))
	s.addf("without an answer", "%s gone, %s silent for %s", count(k.Gone), count(k.Silent), seconds(k.Patience))
	if k.GeneratorMicros > 0 {
		s.addf("cost of a knock here", "%s", show(report.UnitMillis, k.GeneratorMicros/1000))
	}
	for i := range r.Phases[:min(len(r.Phases), maxPhases)] {
		if c := r.Phases[i].CPU; c != nil {
			s.addf("cores, "+clean(r.Phases[i].Name, 60), "%s: hash %s, door %s, tick %s, else %s",
				show(report.UnitCores, c.Process),
				show(report.UnitCores, c.Hash), show(report.UnitCores, c.Door), show(report.UnitCores, c.Tick),
				show(report.UnitCores, c.Other))
		}
	}
	return s
}

// knockAges adds the kinds of answers to a table of latencies.
func (s *sheet) knockAges(k *report.KnockReport) {
	for i := range k.Answers[:min(len(k.Answers), maxRows)] {
		s.summary("knock: "+clean(k.Answers[i].Name(), 80), k.Answers[i].Age)
	}
	s.summary("delay of a knock", k.Delay)
}
