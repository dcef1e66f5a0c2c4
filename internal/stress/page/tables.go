package page

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// maxRows bounds the rows of each table whose length is a report's to choose.
const maxRows = 40

// sheet is a table with a heading.
type sheet struct {
	Title, Intro string
	Head         []string
	Rows         []sheetRow
	Text         bool // the cells are words
}

type sheetRow struct {
	Name  string
	Cells []string
	Class string
}

func (s *sheet) add(name string, cells ...string) {
	s.Rows = append(s.Rows, sheetRow{Name: name, Cells: cells})
}

func (s *sheet) addf(name, format string, args ...any) { s.add(name, fmt.Sprintf(format, args...)) }

// sheets returns the tables below the charts.
func sheets(r *report.Report) []sheet {
	list := []sheet{latencies(r), outcomes(r)}
	if r.Opaque != nil {
		list = append(list, opaqueSheet(r.Opaque))
	}
	if r.Storm != nil {
		list = append(list, stormSheet(r.Storm))
	}
	if r.Outage != nil {
		list = append(list, outageSheet(r.Outage))
	}
	if r.Flood != nil {
		list = append(list, floodSheet(r))
	}
	if r.Play != nil {
		list = append(list, playSheet(r.Play))
	}
	if r.Server != nil {
		list = append(list, serverSheet(r.Server))
	}
	if r.Settled != nil {
		list = append(list, settledSheet(r.Settled))
	}
	return append(list, generatorSheet(r))
}

func phaseSheet(r *report.Report) *sheet {
	if len(r.Phases) == 0 {
		return nil
	}
	s := &sheet{Title: "Phases",
		Head: []string{"Phase", "From", "To", "Came", "Let in", "In/s", "Busy", "Timed out", "Dropped",
			"First answer p99", "Success p99", "Probe p99", "Tick p99"}}
	if len(r.Phases) > maxPhases {
		s.Intro = fmt.Sprintf("The first %d of %d phases.", maxPhases, len(r.Phases))
	}
	for _, p := range r.Phases[:min(len(r.Phases), maxPhases)] {
		late := "–"
		if p.Lateness != nil {
			late = show(report.UnitMillis, p99(*p.Lateness))
		}
		s.add(clean(p.Name, 60), moment(p.From), moment(p.To), count(p.Started), count(p.Answers.In),
			show(report.UnitRatio, p.PerSecond), count(p.Answers.Busy), count(p.Answers.TimedOut), count(p.Answers.Dropped),
			show(report.UnitMillis, p99(p.FirstAnswer)), show(report.UnitMillis, p99(p.Success)),
			show(report.UnitMillis, p99(p.Probe)), late)
	}
	return s
}

func outcomes(r *report.Report) sheet {
	s := sheet{Title: "Outcomes", Head: []string{"Players", "Number", "Share"}}
	add := func(name string, n int) { s.add(name, count(n), share(n, r.Clients)) }
	add("in", r.OK)
	for i, n := range r.InOnTry[:min(len(r.InOnTry), maxRows)] {
		if n != 0 {
			add("… on try "+strconv.Itoa(i+1), n)
		}
	}
	add("told busy to the end", r.Busy)
	add("rate-limited", r.RateLimited)
	add("expired", r.Expired)
	for _, reason := range reasons(r.Failed) {
		add("refused: "+clean(reason, 80), r.Failed[reason])
	}
	add("timed out", r.TimedOut)
	add("dropped", r.Dropped)
	add("at the door when the run was interrupted", r.Unfinished)
	if r.Rejected+r.WronglyIn > 0 {
		add("rightly refused", r.Rejected)
		add("wrongly let in", r.WronglyIn)
	}
	if r.Interrupted {
		s.Intro = pick(r.NotCome > 0, fmt.Sprintf("Of those who had come when the run was interrupted; %s more were to come.",
			count(r.NotCome)), "Of those who had come when the run was interrupted.")
	}
	return s
}

func latencies(r *report.Report) sheet {
	s := sheet{Title: "Latencies", Head: []string{"", "Count", "Min", "Mean", "p50", "p90", "p99", "p99.9", "Max"}}
	s.summary("first answer", r.FirstAnswer)
	s.summary("success", r.Success)
	if r.Line != nil {
		s.summary("wait in line", r.Line.Wait)
	}
	s.summary("busy answer", r.BusyAnswer)
	s.summary("probe of /healthz", r.Probe.Latency)
	s.summary("start delay of the generator", r.StartDelay)
	s.summary("timer of the generator", r.Generator.Lateness)
	if r.Storm != nil {
		s.summary("return after the storm", r.Storm.Return)
	}
	if o := r.Outage; o != nil {
		s.summary("longest time without a snapshot", o.Gap)
		s.summary("return after the outage", o.Return)
		s.summary("logins of others during it", o.Logins.Latency)
	}
	if r.Flood != nil {
		s.knockAges(r.Flood)
	}
	if r.Play != nil {
		s.summary("between snapshots", r.Play.InterArrival)
		s.summary("round trip through the world", r.Play.RoundTrip)
	}
	if v := r.Server; v != nil {
		s.summary("queue wait", v.Wait)
		s.summary("load of a batch", v.Load)
		s.summary("derivation of a batch", v.Derive)
		s.summary("commit of a batch", v.Commit)
		s.summary("tick lateness", v.Lateness)
		s.summary("tick duration", v.Duration)
	}
	return s
}

func (s *sheet) summary(name string, l latency.Summary) {
	cells := []string{show(report.UnitCount, float64(l.Count))}
	for _, v := range []float64{l.Min, l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
		cells = append(cells, show(report.UnitMillis, ifAny(l, v)))
	}
	s.add(name, cells...)
}

func stormSheet(t *report.Storm) sheet {
	s := sheet{Title: "Storm", Head: []string{"", ""}}
	s.add("dropped", count(t.Dropped))
	s.add("back", count(t.Back))
	s.add("not back", count(t.NotBack))
	s.add("dropped at", moment(t.DropAt))
	s.add("server away for", seconds(t.DownSeconds))
	s.add("last one back after", seconds(t.LastBack))
	s.add("… since the server was up", seconds(t.LastBackSinceUp))
	return s
}

func outageSheet(o *report.Outage) sheet {
	s := sheet{Title: "Outage", Head: []string{"", ""}}
	s.add("kind", pick(o.Kind == report.OutageHandOver, "hand-over to another process", "the server was killed"))
	s.add("began at", moment(o.At))
	s.add("players", count(o.Players))
	s.add("kept their connection", count(o.Kept))
	s.add("connected again, without a password", count(o.Reconnected))
	s.add("logged in again", count(o.ByPassword))
	s.add("not back", count(o.NotBack))
	s.add("last one back after", seconds(o.LastBack))
	s.addf("logins of others", "%s let in, %s told busy, %s failed", count(o.Logins.In), count(o.Logins.Busy),
		count(o.Logins.Failed))
	return s
}

func playSheet(p *report.Play) sheet {
	n := func(v int64) string { return show(report.UnitCount, float64(v)) }
	s := sheet{Title: "Play", Head: []string{"", ""}}
	s.add("length", seconds(p.Seconds))
	s.addf("players", "%s, %s could not connect", count(p.Players), count(p.ConnectsFailed))
	s.addf("snapshots", "%s of %s expected, %s",
		n(p.Snapshots), show(report.UnitCount, p.Expected), show(report.UnitShare, p.Share))
	s.addf("snapshot rate", "%s for all at %s Hz each", show(report.UnitPerSecond, p.PerSecond), plain(p.SnapshotRate))
	s.addf("missing snapshots", "%s in %s gaps", n(p.Missing), n(p.Gaps))
	s.addf("odd messages", "%s malformed, %s implausible, %s late, %s without baseline",
		n(p.Malformed), n(p.Implausible), n(p.Late), n(p.NoBaseline))
	s.addf("connections", "%s, %s of them again", n(p.Connects), n(p.Reconnects))
	s.addf("lost connections", "%s timed out, %s ended by the server, %s denied",
		n(p.TimedOut), n(p.Disconnected), n(p.Denied))
	s.add("received", show(report.UnitBytes, float64(p.Bytes)))
	if v := p.Server; v != nil {
		s.addf("server", "%s cores, %s", show(report.UnitCores, v.Cores), show(report.UnitBytes, float64(v.RSS)))
		s.addf("ticks", "%s, %s late, %s skipped", n(v.Tick.Ticks), n(v.Tick.Late), n(v.Tick.Skipped))
		s.addf("snapshots sent", "%s, %s skipped", n(v.Snapshots), n(v.SnapshotsSkipped))
	}
	return s
}

func serverSheet(v *report.Server) sheet {
	n := func(v int64) string { return show(report.UnitCount, float64(v)) }
	s := sheet{Title: "Server", Head: []string{"", ""}}
	a, t := v.Auth, v.Tick
	s.addf("requests", "%s queued, %s processed, %s successful", n(a.Queued), n(a.Processed), n(a.Success))
	s.addf("refused", "%s busy, %s rate-limited, %s expired", n(a.RejectedBusy), n(a.RateLimited), n(a.Expired))
	for i, reason := range slices.Sorted(maps.Keys(a.Fail)) {
		if i < maxRows {
			s.add("failed: "+clean(reason, 80), n(a.Fail[reason]))
		}
	}
	s.addf("ticks", "%s, %s late, %s skipped, %s overruns, %s panics",
		n(t.Ticks), n(t.Late), n(t.Skipped), n(t.Overruns), n(t.Panics))
	s.addf("CPU time", "%s on %s cores", seconds(v.CPUSeconds), count(v.Cores))
	if c := v.CPU; c != nil {
		s.addf("CPU time by part", "hash %s, door %s, tick %s, play and all else %s", seconds(c.Hash), seconds(c.Door),
			seconds(c.Tick), seconds(c.Other))
	}
	s.addf("memory", "%s at the end, %s before",
		show(report.UnitBytes, float64(v.RSSAtEnd)), show(report.UnitBytes, float64(v.RSSBefore)))
	s.addf("hashing", "%s workers; %s for a hash in a full batch", count(v.Workers), ms(v.HashMS))
	batches := ""
	for i, size := range slices.SortedFunc(maps.Keys(v.BatchSizes), bySize) {
		if i < maxRows {
			batches += pick(i == 0, "", ", ") + n(v.BatchSizes[size]) + " of " + clean(size, 20)
		}
	}
	s.add("batches", pick(batches == "", "–", batches))
	return s
}

// settledSheet tells what another server than Rushgate did before and after the load.
func settledSheet(v *report.Settled) sheet {
	s := sheet{Title: "Server before and after the load", Head: []string{"", ""}}
	s.addf("idle before the load", "%s, after %s", pick(v.IdleBefore, "yes", "no"), seconds(v.Before))
	s.addf("idle after it", "%s, after %s", pick(v.IdleAfter, "yes", "no"), seconds(v.After))
	s.add("a lone login, while idle", ms(v.Login))
	known := func(name string, n *int) {
		s.add(name, "not told")
		if n != nil {
			s.Rows[len(s.Rows)-1].Cells = []string{count(*n)}
		}
	}
	known("accounts made for the players, by its own count", v.Accounts)
	known("of these, after the last player had left", v.Late)
	known("of players who had left without being let in", v.ForThoseGone)
	return s
}

// bySize orders numbers in text form by value, and whatever else a report has after them.
func bySize(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil && x != y:
		return pick(x < y, -1, 1)
	case errX == nil && errY != nil:
		return -1
	case errX != nil && errY == nil:
		return 1
	}
	return pick(a < b, -1, pick(a > b, 1, 0))
}

func generatorSheet(r *report.Report) sheet {
	g := r.Generator
	s := sheet{Title: "Generator and its players", Head: []string{"", ""}}
	if g.Available > 0 {
		s.add("CPU time", seconds(g.CPUSeconds))
		s.addf("cores in use", "%s, at most %s of %s",
			show(report.UnitCores, g.Cores), show(report.UnitCores, g.PeakCores), count(g.Available))
		s.addf("memory", "%s at most", show(report.UnitBytes, float64(g.PeakRSS)))
	}
	s.addf("timer lateness", "p99 %s, max %s",
		show(report.UnitMillis, p99(g.Lateness)), show(report.UnitMillis, most(g.Lateness)))
	s.addf("start delay", "p99 %s, max %s",
		show(report.UnitMillis, p99(r.StartDelay)), show(report.UnitMillis, most(r.StartDelay)))
	if r.Sources > 0 {
		s.add("source addresses", count(r.Sources))
	}
	s.add("hung up and came back", count(r.HungUp))
	s.add("sessions lost", count(r.SessionsLost))
	s.add("keep-alives failed", count(r.KeepAlivesFailed))
	s.addf("logged out", "%s, %s failed", count(r.LoggedOut), count(r.LogoutsFailed))
	return s
}

// notes are the report's sentences on what is missing from it.
func notes(r *report.Report) (list []string) {
	for _, s := range r.Notes[:min(len(r.Notes), maxRows)] {
		list = append(list, clean(s, maxText))
	}
	return list
}
