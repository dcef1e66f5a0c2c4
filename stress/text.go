package stress

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/rushgate/rushgate/internal/latency"
)

const mib = 1 << 20

// WriteText writes the report as tables for a terminal. The error is that of w.
func (r *Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s of %d clients against %s\n", r.Mode, r.Scenario, r.Clients, r.Target)
	if r.Interrupted {
		b.WriteString("INTERRUPTED: the figures are those up to then\n")
	}
	r.writeOutcomes(&b)
	r.writeLatencies(&b)
	if r.Play != nil {
		r.Play.write(&b)
	}
	if r.Server != nil {
		r.Server.write(&b)
	}
	for i, n := range r.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (r *Report) writeOutcomes(b *bytes.Buffer) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	row := func(name string, n int, what string) { fmt.Fprintf(t, "  %s\t%d\t%s\n", name, n, what) }
	fmt.Fprintln(t)
	row("in", r.OK, "")
	row("busy", r.Busy, "told to come back later until their tries ran out")
	row("rate-limited", r.RateLimited, "")
	for _, reason := range slices.Sorted(maps.Keys(r.Failed)) {
		row(reason, r.Failed[reason], "")
	}
	row("timed out", r.TimedOut, "neither let in nor refused in time")
	row("dropped", r.Dropped, "transport error")
	if r.Unfinished > 0 {
		row("unfinished", r.Unfinished, "interrupted")
	}
	_ = t.Flush() // to a bytes.Buffer, which never fails

	fmt.Fprintf(b, "\ntries: %d, %.2f per success", r.Tries, r.TriesPerSuccess)
	for i, share := range r.InOnTryShare {
		fmt.Fprintf(b, "%s%.1f %% in on try %d", pick(i == 0, "; ", ", "), 100*share, i+1)
	}
	fmt.Fprintf(b, "\nfirst start to last success: %.2f s, %.1f logins/s", r.WallSeconds, r.LoginsPerSecond)
	if r.HashBoundSeconds > 0 {
		fmt.Fprintf(b, "; hash-bound minimum %.2f s, ratio %.2f", r.HashBoundSeconds, r.HashBoundRatio)
	}
	fmt.Fprintf(b, "\nplayers inside: %s before, %s at the end, %s expected; sessions lost %d, keep-alives failed %d\n",
		orUnknown(r.PlayersBefore), orUnknown(r.PlayersAtEnd), orUnknown(r.ExpectedAtEnd), r.SessionsLost, r.KeepAlivesFailed)
	fmt.Fprintf(b, "logged out: %d, failed %d\n", r.LoggedOut, r.LogoutsFailed)
}

func (r *Report) writeLatencies(b *bytes.Buffer) {
	t := newTable(b)
	summaryRow(t, "first answer", r.FirstAnswer)
	summaryRow(t, "success", r.Success)
	summaryRow(t, "busy answer", r.BusyAnswer)
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

func (s *ServerReport) write(b *bytes.Buffer) {
	a, t := s.Auth, s.Tick
	fmt.Fprintf(b, "\nserver: queued=%d processed=%d expired=%d busy=%d rate-limited=%d ok=%d",
		a.Queued, a.Processed, a.Expired, a.RejectedBusy, a.RateLimited, a.Success)
	for _, reason := range slices.Sorted(maps.Keys(a.Fail)) {
		fmt.Fprintf(b, " %s=%d", reason, a.Fail[reason])
	}
	fmt.Fprintf(b, "\nticks: %d, late %d, skipped %d, panics %d, overruns %d\n", t.Ticks, t.Late, t.Skipped, t.Panics, t.Overruns)
	b.WriteString("batches by size:")
	for _, size := range slices.SortedFunc(maps.Keys(s.BatchSizes), bySize) {
		fmt.Fprintf(b, " %s×%d", size, s.BatchSizes[size])
	}
	fmt.Fprintf(b, "\nCPU %.2f s on %d cores; RSS %.1f MiB, %.1f MiB before; %d workers; a hash took %.1f ms in a full batch when the server started\n",
		s.CPUSeconds, s.Cores, float64(s.RSSAtEnd)/mib, float64(s.RSSBefore)/mib, s.Workers, s.HashMS)
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
		fmt.Fprintf(t, "%s\t", strconv.FormatFloat(ms, 'f', pick(ms < 10, 2, pick(ms < 100, 1, 0)), 64))
	}
	fmt.Fprintln(t)
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
