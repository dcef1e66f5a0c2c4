package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/rushgate/rushgate/internal/latency"
)

// Comparison puts the figures of two runs, a and b, side by side.
type Comparison struct {
	// Warnings are sentences on why the figures may not be comparable.
	Warnings []string
	Groups   []ComparedGroup // the parts, in the order in which they are to be read; none is empty
}

// ComparedGroup is a part of a [Comparison].
type ComparedGroup struct {
	Name string        // what its rows are about, such as "latency" or "phase peak"
	Rows []ComparedRow // at least one
}

// ComparedRow is one figure of both runs, as text with its unit, "-" where a run does not have it.
type ComparedRow struct {
	Name string // what the figure is, such as "first answer p99"
	A, B string // the figure in the two runs
	// Ratio is B / A, "-" if one is missing or A is zero, and empty for what is not a number.
	Ratio  string
	Change Change // what the second run did to the figure
}

// Change is what a [ComparedRow] says of the second run.
type Change string

// The changes. Rows in which neither direction is better, or a figure is missing, have [Same] or none.
const (
	Better Change = "better"
	Worse  Change = "worse"
	Same   Change = "same" // within 5 %
)

// tolerance is the difference, as a share of the first run's figure, below which runs are the same: no two runs of the
// same thing are closer.
const tolerance = 0.05

// direction says which way a figure is better.
type direction int

const (
	neither direction = 0
	higher  direction = 1
	lower   direction = -1
)

// maxNamed bounds the phases, and the reasons for failure, of each run that are compared: reports are read from files.
const maxNamed = 32

// comparer gathers a comparison.
type comparer struct {
	a, b *Report
	Comparison
}

// Compare compares b with a. Neither may be nil. Strings of the reports stand in the comparison as they are; what shows
// them has to escape them.
func Compare(a, b *Report) Comparison {
	c := &comparer{a: a, b: b}
	c.warn()
	c.setup()
	c.outcomes()
	c.phases()
	c.flood()
	c.line()
	c.latencies()
	c.play()
	c.server()
	c.generator()
	c.Groups = slices.DeleteFunc(c.Groups, func(g ComparedGroup) bool { return len(g.Rows) == 0 })
	return c.Comparison
}

func (c *comparer) warn() {
	warnf := func(format string, args ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...)) }
	if c.a.Scenario != c.b.Scenario {
		warnf("not the same scenario: %s and %s", c.a.Scenario, c.b.Scenario)
	}
	if c.a.Mode != c.b.Mode {
		warnf("not the same mode: %s and %s", c.a.Mode, c.b.Mode)
	}
	if c.a.Clients != c.b.Clients {
		warnf("not the same number of clients: %s and %s", formatCount(float64(c.a.Clients)),
			formatCount(float64(c.b.Clients)))
	}
	if a, b := c.a.Sources, c.b.Sources; a != b && min(a, b) == 1 {
		warnf("the players of one run share a source address, those of the other do not")
	}
	for name, r := range (pair{c.a, c.b}).each {
		if r.Interrupted {
			warnf("run %s was interrupted", name)
		}
		if r.Generator.Bottleneck != "" {
			warnf("the generator of run %s was at its limits: %s", name, r.Generator.Bottleneck)
		}
	}
}

type pair struct{ a, b *Report }

func (p pair) each(yield func(string, *Report) bool) { _ = yield("a", p.a) && yield("b", p.b) }

func (c *comparer) group(name string) { c.Groups = append(c.Groups, ComparedGroup{Name: name}) }

func (c *comparer) add(row ComparedRow) {
	g := &c.Groups[len(c.Groups)-1]
	g.Rows = append(g.Rows, row)
}

// text compares what is not a number.
func (c *comparer) text(name string, of func(*Report) string) {
	c.add(ComparedRow{Name: name, A: cmp.Or(of(c.a), "-"), B: cmp.Or(of(c.b), "-")})
}

// figure compares a number, which a run may not have; a row that neither has is left out.
func (c *comparer) figure(name string, unit Unit, better direction, of func(*Report) (v float64, ok bool)) {
	a, okA := of(c.a)
	b, okB := of(c.b)
	row := ComparedRow{Name: name, A: "-", B: "-", Ratio: "-"}
	if okA {
		row.A = unit.Format(a)
	}
	if okB {
		row.B = unit.Format(b)
	}
	switch {
	case okA && okB:
		if a != 0 {
			row.Ratio = UnitRatio.Format(b / a)
		}
		row.Change = change(a, b, better)
	case !okA && !okB:
		return
	}
	c.add(row)
}

func change(a, b float64, better direction) Change {
	switch {
	case math.Abs(b-a) <= tolerance*math.Abs(a):
		return Same
	case better == neither:
		return ""
	case b > a == (better == higher):
		return Better
	}
	return Worse
}

// count compares a number of players or the like. More or less of them is neither better nor worse if there were more
// or fewer to begin with.
func (c *comparer) count(name string, better direction, of func(*Report) int) {
	if c.a.Clients != c.b.Clients {
		better = neither
	}
	c.figure(name, UnitCount, better, func(r *Report) (float64, bool) { return float64(of(r)), true })
}

// rare is count for what need not be said of runs without it.
func (c *comparer) rare(name string, better direction, of func(*Report) int) {
	if of(c.a) != 0 || of(c.b) != 0 {
		c.count(name, better, of)
	}
}

func (c *comparer) setup() {
	c.group("setup")
	c.text("scenario", func(r *Report) string { return string(r.Scenario) })
	c.text("mode", func(r *Report) string { return string(r.Mode) })
	c.text("target", func(r *Report) string { return r.Target })
	c.count("clients", neither, func(r *Report) int { return r.Clients })
	c.figure("source addresses", UnitCount, neither, func(r *Report) (float64, bool) {
		return float64(r.Sources), r.Sources != 0
	})
	c.figure("rate", UnitPerSecond, neither, func(r *Report) (float64, bool) { return r.Rate, r.Rate != 0 })
	c.figure("capacity", UnitPerSecond, neither, func(r *Report) (float64, bool) { return r.Capacity, r.Capacity != 0 })
	c.figure("length", UnitSeconds, neither, func(r *Report) (float64, bool) {
		n := len(r.Timeline.Points)
		if n == 0 {
			return 0, false
		}
		last := &r.Timeline.Points[n-1]
		return last.At + r.Timeline.LengthOf(last), true
	})
}

func (c *comparer) outcomes() {
	c.group("players")
	c.count("in", higher, func(r *Report) int { return r.OK })
	c.figure("share of all that got in", UnitShare, higher, func(r *Report) (float64, bool) {
		return float64(r.OK) / float64(r.Clients), r.Clients > 0
	})
	c.count("busy to the end", lower, func(r *Report) int { return r.Busy })
	c.rare("rate-limited", lower, func(r *Report) int { return r.RateLimited })
	c.rare("expired", lower, func(r *Report) int { return r.Expired })
	for _, reason := range c.reasons() {
		c.count("refused: "+reason, lower, func(r *Report) int { return r.Failed[reason] })
	}
	c.count("timed out", lower, func(r *Report) int { return r.TimedOut })
	c.count("dropped", lower, func(r *Report) int { return r.Dropped })
	c.rare("unfinished", lower, func(r *Report) int { return r.Unfinished })
	c.rare("rightly refused", neither, func(r *Report) int { return r.Rejected })
	c.rare("wrongly let in", lower, func(r *Report) int { return r.WronglyIn })

	c.group("answers")
	c.count("in", higher, func(r *Report) int { return r.Answers.In })
	c.count("busy", lower, func(r *Report) int { return r.Answers.Busy })
	c.rare("rate-limited", lower, func(r *Report) int { return r.Answers.RateLimited })
	c.rare("expired", lower, func(r *Report) int { return r.Answers.Expired })
	c.rare("refused", lower, func(r *Report) int { return r.Answers.Refused })
	c.count("timed out", lower, func(r *Report) int { return r.Answers.TimedOut })
	c.count("dropped", lower, func(r *Report) int { return r.Answers.Dropped })
	c.rare("gave up", lower, func(r *Report) int { return r.Answers.GaveUp })
	c.figure("attempts per success", UnitRatio, lower, func(r *Report) (float64, bool) {
		return r.TriesPerSuccess, r.TriesPerSuccess != 0
	})
	c.figure("logins per second", UnitPerSecond, higher, func(r *Report) (float64, bool) {
		return r.LoginsPerSecond, true
	})
	c.figure("first start to last success", UnitSeconds, lower, func(r *Report) (float64, bool) {
		return r.WallSeconds, r.OK > 0
	})
}

// reasons returns why players of either run were refused.
func (c *comparer) reasons() []string {
	all := slices.Sorted(maps.Keys(c.a.Failed))
	all = all[:min(len(all), maxNamed)]
	more := slices.Sorted(maps.Keys(c.b.Failed))
	all = append(all, more[:min(len(more), maxNamed)]...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *comparer) phases() {
	var names []string
	for _, r := range (pair{c.a, c.b}).each {
		for _, p := range r.Phases[:min(len(r.Phases), maxNamed)] {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	for _, name := range names {
		c.phase(name)
	}
}

func (c *comparer) phase(name string) {
	of := func(r *Report) *Phase {
		if i := slices.IndexFunc(r.Phases, func(p Phase) bool { return p.Name == name }); i >= 0 {
			return &r.Phases[i]
		}
		return nil
	}
	p99 := func(what string, summary func(*Phase) *latency.Summary) {
		c.millis(what+" p99", func(r *Report) *latency.Summary {
			if p := of(r); p != nil {
				return summary(p)
			}
			return nil
		}, func(s *latency.Summary) float64 { return s.P99 })
	}
	c.group("phase " + name)
	c.figure("let in per second", UnitPerSecond, higher, func(r *Report) (float64, bool) {
		return fieldOf(of(r), func(p *Phase) float64 { return p.PerSecond })
	})
	p99("first answer", func(p *Phase) *latency.Summary { return &p.FirstAnswer })
	p99("success", func(p *Phase) *latency.Summary { return &p.Success })
	p99("probe", func(p *Phase) *latency.Summary { return &p.Probe })
	p99("tick lateness", func(p *Phase) *latency.Summary { return p.Lateness })
}

// fieldOf returns a field of what a report may not have.
func fieldOf[T any](p *T, field func(*T) float64) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return field(p), true
}

func (c *comparer) flood() {
	figure := func(name string, unit Unit, better direction, of func(*KnockReport) float64) {
		c.figure(name, unit, better, func(r *Report) (float64, bool) { return fieldOf(r.Flood, of) })
	}
	c.group("flood")
	figure("knocks per second", UnitPerSecond, neither, func(k *KnockReport) float64 { return k.MadePerSecond })
	figure("times the capacity", UnitRatio, neither, func(k *KnockReport) float64 { return k.Times })
	figure("let in per second", UnitPerSecond, higher, func(k *KnockReport) float64 { return k.InPerSecond })
	figure("share of the capacity", UnitShare, higher, func(k *KnockReport) float64 { return k.Goodput })
	figure("share of the knocks answered", UnitShare, higher, func(k *KnockReport) float64 { return k.AnsweredOfKnocks })
	figure("gone", UnitCount, lower, func(k *KnockReport) float64 { return float64(k.Gone) })
	figure("silent", UnitCount, lower, func(k *KnockReport) float64 { return float64(k.Silent) })
	c.summary("refusal of a knock", func(r *Report) *latency.Summary {
		if r.Flood == nil {
			return nil
		}
		return &r.Flood.Refusal
	})
}

func (c *comparer) line() {
	figure := func(name string, unit Unit, better direction, of func(*Line) float64) {
		c.figure(name, unit, better, func(r *Report) (float64, bool) { return fieldOf(r.Line, of) })
	}
	c.group("line")
	figure("players with a place", UnitCount, neither, func(l *Line) float64 { return float64(l.Placed) })
	figure("overtaken by more than a batch", UnitCount, lower, func(l *Line) float64 { return float64(l.Overtaken) })
	figure("places lost", UnitCount, lower, func(l *Line) float64 { return float64(l.lost()) })
	figure("let in within the time first told", UnitShare, higher, func(l *Line) float64 { return l.HitShare })
	figure("logins for each let in", UnitRatio, lower, func(l *Line) float64 { return l.KnocksPerIn })
	figure("documents for each let in", UnitRatio, lower, func(l *Line) float64 { return l.PollsPerIn })
	figure("UDP questions for each let in", UnitRatio, lower, func(l *Line) float64 { return l.UDPPerIn })
	of := func(summary func(*Line) *latency.Summary) func(*Report) *latency.Summary {
		return func(r *Report) *latency.Summary {
			if r.Line == nil {
				return nil
			}
			return summary(r.Line)
		}
	}
	c.summary("wait in line", of(func(l *Line) *latency.Summary { return &l.Wait }))
	c.millis("length of the time first told p50", of(func(l *Line) *latency.Summary { return &l.Width }),
		func(s *latency.Summary) float64 { return s.P50 })
}

func (c *comparer) latencies() {
	c.group("latency")
	c.summary("first answer", func(r *Report) *latency.Summary { return &r.FirstAnswer })
	c.summary("success", func(r *Report) *latency.Summary { return &r.Success })
	c.summary("busy answer", func(r *Report) *latency.Summary { return &r.BusyAnswer })
	c.summary("probe", func(r *Report) *latency.Summary { return &r.Probe.Latency })
	c.count("probes without answer", lower, func(r *Report) int { return r.Probe.Failed + r.Probe.Skipped })
}

// summary compares the upper half of a latency.
func (c *comparer) summary(name string, of func(*Report) *latency.Summary) {
	c.millis(name+" p50", of, func(s *latency.Summary) float64 { return s.P50 })
	c.millis(name+" p90", of, func(s *latency.Summary) float64 { return s.P90 })
	c.millis(name+" p99", of, func(s *latency.Summary) float64 { return s.P99 })
	c.millis(name+" p99.9", of, func(s *latency.Summary) float64 { return s.P999 })
	c.millis(name+" max", of, func(s *latency.Summary) float64 { return s.Max })
}

// millis compares one figure of a latency that may be missing or empty.
func (c *comparer) millis(name string, of func(*Report) *latency.Summary, figure func(*latency.Summary) float64) {
	c.figure(name, UnitMillis, lower, func(r *Report) (float64, bool) {
		s := of(r)
		if s == nil || s.Count == 0 {
			return 0, false
		}
		return figure(s), true
	})
}

func (c *comparer) play() {
	figure := func(name string, unit Unit, better direction, of func(*Play) float64) {
		c.figure(name, unit, better, func(r *Report) (float64, bool) { return fieldOf(r.Play, of) })
	}
	c.group("play")
	figure("players", UnitCount, higher, func(p *Play) float64 { return float64(p.Players) })
	figure("could not connect", UnitCount, lower, func(p *Play) float64 { return float64(p.ConnectsFailed) })
	figure("snapshots of those expected", UnitShare, higher, func(p *Play) float64 { return p.Share })
	figure("snapshots missing", UnitCount, lower, func(p *Play) float64 { return float64(p.Missing) })
	figure("gaps", UnitCount, lower, func(p *Play) float64 { return float64(p.Gaps) })
	figure("reconnections", UnitCount, lower, func(p *Play) float64 { return float64(p.Reconnects) })
	summary := func(of func(*Play) *latency.Summary) func(*Report) *latency.Summary {
		return func(r *Report) *latency.Summary {
			if r.Play == nil {
				return nil
			}
			return of(r.Play)
		}
	}
	c.summary("between snapshots", summary(func(p *Play) *latency.Summary { return &p.InterArrival }))
	c.summary("round trip", summary(func(p *Play) *latency.Summary { return &p.RoundTrip }))
}

func (c *comparer) server() {
	figure := func(name string, unit Unit, better direction, of func(*Server) float64) {
		c.figure(name, unit, better, func(r *Report) (float64, bool) { return fieldOf(r.Server, of) })
	}
	summary := func(of func(*Server) *latency.Summary) func(*Report) *latency.Summary {
		return func(r *Report) *latency.Summary {
			if r.Server == nil {
				return nil
			}
			return of(r.Server)
		}
	}
	lateness := summary(func(s *Server) *latency.Summary { return &s.Lateness })
	wait := summary(func(s *Server) *latency.Summary { return &s.Wait })
	c.group("server")
	figure("CPU time", UnitSeconds, lower, func(s *Server) float64 { return s.CPUSeconds })
	figure("memory at the end", UnitBytes, lower, func(s *Server) float64 { return float64(s.RSSAtEnd) })
	c.millis("tick lateness p99", lateness, func(s *latency.Summary) float64 { return s.P99 })
	c.millis("tick lateness max", lateness, func(s *latency.Summary) float64 { return s.Max })
	figure("ticks skipped", UnitCount, lower, func(s *Server) float64 { return float64(s.Tick.Skipped) })
	c.millis("queue wait p50", wait, func(s *latency.Summary) float64 { return s.P50 })
	c.millis("queue wait p99", wait, func(s *latency.Summary) float64 { return s.P99 })
	c.millis("queue wait max", wait, func(s *latency.Summary) float64 { return s.Max })
}

func (c *comparer) generator() {
	lateness := func(r *Report) *latency.Summary { return &r.Generator.Lateness }
	figure := func(name string, unit Unit, of func(*Generator) float64) {
		c.figure(name, unit, lower, func(r *Report) (float64, bool) { return of(&r.Generator), r.Generator.Available > 0 })
	}
	c.group("generator")
	figure("CPU time", UnitSeconds, func(g *Generator) float64 { return g.CPUSeconds })
	figure("cores, mean", UnitCores, func(g *Generator) float64 { return g.Cores })
	figure("cores, peak", UnitCores, func(g *Generator) float64 { return g.PeakCores })
	figure("memory, peak", UnitBytes, func(g *Generator) float64 { return float64(g.PeakRSS) })
	c.millis("timer lateness p99", lateness, func(s *latency.Summary) float64 { return s.P99 })
	c.millis("start delay p99", func(r *Report) *latency.Summary { return &r.StartDelay },
		func(s *latency.Summary) float64 { return s.P99 })
}
