package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/rushgate/rushgate/internal/latency"
)

const (
	mib = 1 << 20
	// maxNodes bounds the nodes that are shown: reports are read from files.
	maxNodes = 32
)

// WriteText writes the report as tables for a terminal. The error is that of w.
func (r *Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s of %d clients against %s%s\n", r.Mode, r.Scenario, r.Clients, r.Target,
		pick(r.Kind == "", "", " ("+r.Kind+")"))
	if r.Sources > 0 {
		fmt.Fprintf(&b, "from %s\n",
			pick(r.Sources == 1, "one source address", fmt.Sprintf("%d source addresses", r.Sources)))
	}
	if r.Subject != (Subject{}) || r.Kind != "" {
		fmt.Fprintf(&b, "measured: %s\n", r.Subject)
	}
	for i := range r.Nodes[:min(len(r.Nodes), maxNodes)] {
		fmt.Fprintf(&b, "figures of the server are from %s (node %.8s…, %s)\n", r.Nodes[i].Admin, r.Nodes[i].Run,
			r.Nodes[i].Address)
	}
	if r.Interrupted {
		b.WriteString("INTERRUPTED: the figures are those up to then" +
			pick(r.NotCome > 0, fmt.Sprintf("; %d more players were to come", r.NotCome), "") + "\n")
	}
	r.writeOutcomes(&b)
	if r.Settled != nil {
		r.Settled.write(&b)
	}
	r.writePhases(&b)
	if r.Opaque != nil {
		r.Opaque.write(&b)
	}
	if r.Line != nil {
		r.Line.write(&b)
	}
	if r.Flood != nil {
		r.Flood.write(&b, r.Capacity)
		r.writeCPU(&b)
	}
	r.writeLatencies(&b)
	if r.Play != nil {
		r.Play.write(&b)
	}
	if r.Server != nil {
		r.Server.write(&b)
	}
	r.writeGenerator(&b)
	for i, n := range r.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for i, v := range r.Verdicts {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s\n", v.text())
	}
	_, err := w.Write(b.Bytes())
	return err
}

// text returns a verdict as a line of text.
func (v *Verdict) text() string {
	limit, got := v.Plain()
	return fmt.Sprintf("%s  %s; it was %s", pick(v.OK, "kept    ", "not kept"), limit, cmp.Or(got, "not measured"))
}

func (r *Report) writeOutcomes(b *bytes.Buffer) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	row := func(name string, n int, what string) { fmt.Fprintf(t, "  %s\t%d\t%s\n", name, n, what) }
	fmt.Fprintln(t)
	row("in", r.OK, "")
	row("busy", r.Busy, "told to come back later until their tries ran out")
	row("rate-limited", r.RateLimited, "")
	row("expired", r.Expired, "waited in the queue for too long")
	if r.Rejected+r.WronglyIn > 0 {
		row("rejected", r.Rejected, "as they should be: wrong passwords, malformed requests")
		row("wrongly in", r.WronglyIn, "the same, let in")
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Failed)) {
		row(reason, r.Failed[reason], "")
	}
	row("timed out", r.TimedOut, "neither let in nor refused in time")
	row("dropped", r.Dropped, "transport error")
	if r.Unfinished > 0 {
		row("unfinished", r.Unfinished, "at the door when the run was interrupted")
	}
	_ = t.Flush() // to a bytes.Buffer, which never fails

	fmt.Fprintf(b, "\ntries: %d", r.Tries)
	if r.TriesPerSuccess > 0 {
		fmt.Fprintf(b, ", %.2f per success", r.TriesPerSuccess)
	}
	for i, share := range r.InOnTryShare {
		fmt.Fprintf(b, "%s%.1f %% in on try %d", pick(i == 0, "; ", ", "), 100*share, i+1)
	}
	if r.HungUp > 0 {
		fmt.Fprintf(b, "; %d times somebody lost patience and came back later", r.HungUp)
	}
	a := r.Answers
	fmt.Fprintf(b, "\nanswers to all tries: in %d, busy %d, rate-limited %d, expired %d, refused %d; "+
		"timed out %d, dropped %d, given up %d",
		a.In, a.Busy, a.RateLimited, a.Expired, a.Refused, a.TimedOut, a.Dropped, a.GaveUp)
	fmt.Fprintf(b, "\nfirst start to last success: %.2f s, %.1f logins/s", r.WallSeconds, r.LoginsPerSecond)
	if r.HashBoundSeconds > 0 {
		fmt.Fprintf(b, "; hash-bound minimum %.2f s, ratio %.2f", r.HashBoundSeconds, r.HashBoundRatio)
	}
	fmt.Fprintf(b, "\nplayers inside: %s before, %s at the end, %s expected; sessions lost %d, keep-alives failed %d\n",
		orUnknown(r.PlayersBefore), orUnknown(r.PlayersAtEnd), orUnknown(r.ExpectedAtEnd), r.SessionsLost, r.KeepAlivesFailed)
	fmt.Fprintf(b, "logged out: %d, failed %d\n", r.LoggedOut, r.LogoutsFailed)
}

// writePhases writes what happened in each part of the run, if there is more than one.
func (r *Report) writePhases(b *bytes.Buffer) {
	if len(r.Phases) > 1 {
		t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "\nphase\tfrom s\tto s\tcame\tin\tbusy\tin/s\tfirst p99\tin p99\tprobe p99\ttick p99\t")
		for _, p := range r.Phases {
			fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%d\t%d\t%d\t%.1f\t", p.Name, p.From, p.To, p.Started, p.Answers.In, p.Answers.Busy,
				p.PerSecond)
			for _, s := range []*latency.Summary{&p.FirstAnswer, &p.Success, &p.Probe, p.Lateness} {
				if s == nil || s.Count == 0 {
					fmt.Fprint(t, "-\t")
					continue
				}
				fmt.Fprintf(t, "%s\t", milliseconds(s.P99))
			}
			fmt.Fprintln(t)
		}
		_ = t.Flush() // to a bytes.Buffer, which never fails
	}
	for _, p := range r.Phases {
		if p.Name == PhasePeak && r.Capacity > 0 {
			fmt.Fprintf(b, "goodput during the peak: %.1f/s, %.1f %% of the capacity of %.1f/s\n", p.PerSecond,
				100*p.PerSecond/r.Capacity, r.Capacity)
		}
	}
	if s := r.Storm; s != nil {
		fmt.Fprintf(b, "storm: %d dropped at %.1f s, %d back, %d not; the last one was back after %.2f s", s.Dropped,
			s.DropAt, s.Back, s.NotBack, s.LastBack)
		if s.DownSeconds > 0 {
			fmt.Fprintf(b, ", %.2f s after the server, which was away for %.2f s", s.LastBackSinceUp, s.DownSeconds)
		}
		b.WriteByte('\n')
	}
	if r.Outage != nil {
		r.Outage.write(b)
	}
}

func (r *Report) writeGenerator(b *bytes.Buffer) {
	g := &r.Generator
	if g.Available == 0 {
		return // there was no load
	}
	fmt.Fprintf(b, "\ngenerator: %.2f of %d cores, %.2f at its peak, %.1f MiB at its peak; "+
		"its timers were %s ms late at p99\n",
		g.Cores, g.Available, g.PeakCores, float64(g.PeakRSS)/mib, milliseconds(g.Lateness.P99))
	if g.Bottleneck != "" {
		fmt.Fprintf(b, "CAUTION: %s\n", g.Bottleneck)
	}
}

func (r *Report) writeLatencies(b *bytes.Buffer) {
	t := newTable(b)
	summaryRow(t, "first answer", r.FirstAnswer)
	summaryRow(t, "success", r.Success)
	if r.Line != nil {
		summaryRow(t, "wait in line", r.Line.Wait)
	}
	summaryRow(t, "busy answer", r.BusyAnswer)
	if r.Opaque != nil {
		summaryRow(t, "players' half of OPAQUE", r.Opaque.Computed)
	}
	if r.Storm != nil {
		summaryRow(t, "return", r.Storm.Return)
	}
	if o := r.Outage; o != nil {
		summaryRow(t, "longest without a snapshot", o.Gap)
		summaryRow(t, "return", o.Return)
		summaryRow(t, "login of others", o.Logins.Latency)
	}
	summaryRow(t, "client start delay", r.StartDelay)
	summaryRow(t, "healthz probe", r.Probe.Latency)
	if s := r.Server; s != nil {
		summaryRow(t, "tick lateness", s.Lateness)
		summaryRow(t, "tick duration", s.Duration)
		summaryRow(t, "queue wait", s.Wait)
		summaryRow(t, "load (batch)", s.Load)
		summaryRow(t, "derive (batch)", s.Derive)
		summaryRow(t, "commit (batch)", s.Commit)
	}
	_ = t.Flush() // to a bytes.Buffer, which never fails
	if r.Probe.Failed+r.Probe.Skipped > 0 {
		fmt.Fprintf(b, "healthz probe: %d failed, %d skipped\n", r.Probe.Failed, r.Probe.Skipped)
	}
}

func (s *Server) write(b *bytes.Buffer) {
	a, t := s.Auth, s.Tick
	fmt.Fprintf(b, "\nserver: queued=%d processed=%d expired=%d busy=%d rate-limited=%d ok=%d",
		a.Queued, a.Processed, a.Expired, a.RejectedBusy, a.RateLimited, a.Success)
	for _, reason := range slices.Sorted(maps.Keys(a.Fail)) {
		fmt.Fprintf(b, " %s=%d", reason, a.Fail[reason])
	}
	fmt.Fprintf(b, "\nticks: %d, late %d, skipped %d, panics %d, overruns %d\n", t.Ticks, t.Late, t.Skipped, t.Panics,
		t.Overruns)
	b.WriteString("batches by size:")
	for _, size := range slices.SortedFunc(maps.Keys(s.BatchSizes), bySize) {
		fmt.Fprintf(b, " %s×%d", size, s.BatchSizes[size])
	}
	fmt.Fprintf(b, "\nCPU %.2f s on %d cores; RSS %.1f MiB, %.1f MiB before; %d workers; "+
		"a hash took %.1f ms in a full batch when the server started\n",
		s.CPUSeconds, s.Cores, float64(s.RSSAtEnd)/mib, float64(s.RSSBefore)/mib, s.Workers, s.HashMS)
	if c := s.CPU; c != nil {
		fmt.Fprintf(b, "CPU by part: hash %.2f s, door %.2f s, tick %.2f s, play and all else %.2f s\n", c.Hash, c.Door,
			c.Tick, c.Other)
	}
}

// write adds what another server than Rushgate did before and after the load.
func (s *Settled) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "idle: %s before the load (%.1f s), %s after it (%.1f s); a lone login took %s then\n",
		pick(s.IdleBefore, "yes", "not"), s.Before, pick(s.IdleAfter, "yes", "not"), s.After, UnitMillis.Format(s.Login))
	if s.Accounts != nil {
		fmt.Fprintf(b, "accounts made for these players, by the server's own count: %d", *s.Accounts)
		if s.Late != nil {
			fmt.Fprintf(b, ", %d of them after the last player had left", *s.Late)
		}
		b.WriteByte('\n')
	}
	if gone := s.Gone(); gone != "" {
		fmt.Fprintln(b, gone)
	}
}

// bySize orders numbers in text form, and whatever else a server sends after them.
func bySize(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil:
		return x - y
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return len(a) - len(b)
}

func newTable(b *bytes.Buffer) *tabwriter.Writer {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nlatency in ms\tcount\tmin\tavg\tp50\tp90\tp99\tp99.9\tmax\t")
	return t
}

func summaryRow(t *tabwriter.Writer, name string, s latency.Summary) {
	fmt.Fprintf(t, "%s\t%d\t", name, s.Count)
	for _, ms := range []float64{s.Min, s.Mean, s.P50, s.P90, s.P99, s.P999, s.Max} {
		if s.Count == 0 {
			fmt.Fprint(t, "-\t")
			continue
		}
		fmt.Fprintf(t, "%s\t", milliseconds(ms))
	}
	fmt.Fprintln(t)
}

// milliseconds writes a number of them as precisely as makes sense.
func milliseconds(ms float64) string {
	return strconv.FormatFloat(ms, 'f', pick(ms < 10, 2, pick(ms < 100, 1, 0)), 64)
}

func orUnknown(n *int) string {
	if n == nil {
		return "unknown"
	}
	return strconv.Itoa(*n)
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
