package page

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// tableRow returns the cells of the first row of that name in the table under a heading.
func tableRow(t *testing.T, root *element, heading, name string) []string {
	t.Helper()
	for _, tag := range []string{"div", "section", "figure"} {
		for _, box := range root.named(tag) {
			headings := box.named("h3")
			if len(headings) != 1 || headings[0].Text != heading {
				continue
			}
			for _, tr := range box.named("tr") {
				if tr.Children[0].words() == name {
					var cells []string
					for _, c := range tr.Children[1:] {
						cells = append(cells, c.words())
					}
					return cells
				}
			}
		}
	}
	t.Errorf("no row %q under %q", name, heading)
	return nil
}

func known() *report.Report {
	first := latency.Summary{Count: 98, Min: 0.25, Mean: 20.5, P50: 12.34, P90: 80, P99: 432.1, P999: 1234, Max: 61_000}
	late := latency.Summary{Count: 7, P99: 0.0712, Max: 3.5}
	skipped := int64(0)
	return &report.Report{
		Scenario: report.Burst, Mode: report.Login, Target: "https://t.example", Clients: 12_345, OK: 12_000, Busy: 200,
		RateLimited: 40,
		Expired:     30, Failed: map[string]int{"bad-credentials": 55}, TimedOut: 15, Dropped: 5, Tries: 15_000,
		TriesPerSuccess: 1.25,
		WallSeconds:     12.34, LoginsPerSecond: 972.4, FirstAnswer: first,
		Success: latency.Summary{Count: 1, P50: 1500, P99: 1500},
		Answers: report.Answers{In: 12_000, Busy: 2900, TimedOut: 15},
		Probe:   report.Probe{Answered: 200, Failed: 2, Skipped: 1, Latency: latency.Summary{Count: 200, P50: 1, P99: 9.876}},
		Phases: []report.Phase{{Name: "peak", From: 10, To: 20.5, Started: 77, PerSecond: 7.654, FirstAnswer: first,
			Lateness: &late,
			Skipped:  &skipped}},
		Line: &report.Line{
			Asked: "udp", Batch: 16, Direct: 5, Placed: 4321, In: 4000, NotOnTime: 2, Overtaken: 7, OvertakenMost: 40,
			OvertakenP99: 9, PlacesLost: map[string]int{"used": 3}, Told: 1000, Early: 20, Late: 30, HitShare: 0.95,
			Width: latency.Summary{Count: 1, P50: 8200}, Wait: latency.Summary{Count: 4000, P50: 61_000, P99: 120_000},
			LineCounts: report.LineCounts{UDP: 8010, UDPUnanswered: 6}, KnocksPerIn: 1.04, TicketKnocksPerIn: 1.01, UDPPerIn: 2,
			Crowd:    &report.Crowd{Clients: 10_000, In: 12, Refused: 1, MedianAlone: 5000, MedianBeside: 5500, Ratio: 1.1},
			Promises: []report.Verdict{{Limit: "places lost: at most 0", Got: 3}, {Limit: "a ratio", Got: 1.1, OK: true}},
		},
		Server: &report.Server{Lateness: late, RSSAtEnd: 3 << 20, RSSBefore: 1 << 30, CPUSeconds: 61, Cores: 2},
		Timeline: report.Timeline{IntervalSeconds: 2, Points: []report.Point{
			{At: 0, Answers: report.Answers{In: 10, Busy: 20}, Inside: 10, Pending: 4, FirstAnswer: first,
				Probe: latency.Summary{Count: 1, P50: 1, P99: 2}, StartDelay: latency.Summary{Count: 1, P50: 3, P99: 4},
				Server: &report.ServerPoint{Depth: 7, Capacity: 200, Wait: latency.Summary{Count: 1, P50: 5, P99: 6},
					Lateness: late,
					Cores:    1.25}},
			{At: 2, Answers: report.Answers{In: 20}, Inside: 30},
		}},
		Verdicts: []report.Verdict{{Limit: "p99 at most 1 s", Got: 432.1, OK: true}, {Limit: "busy at most 1", Got: 200}},
		Notes:    []string{"a note"},
	}
}

func TestFiguresAreTheReports(t *testing.T) {
	root := parseRun(t, known())
	for _, c := range []struct {
		heading, row string
		want         []string
	}{
		{"Latencies", "first answer",
			[]string{"98", "250 µs", "20.5 ms", "12.3 ms", "80.0 ms", "432 ms", "1.23 s", "61.0 s"}},
		{"Latencies", "busy answer", []string{"0", "–", "–", "–", "–", "–", "–", "–"}},
		{"Outcomes", "in", []string{"12,000", "97.2 % of 12,345"}},
		{"Outcomes", "refused: bad-credentials", []string{"55", "0.45 % of 12,345"}},
		{"Outcomes", "timed out", []string{"15", "0.12 % of 12,345"}},
		{"Phases", "peak", []string{"10.0 s", "20.5 s", "77", "0", "7.65", "0", "0", "0", "432 ms", "–", "–", "71 µs"}},
		{"Latencies", "wait in line", []string{"4,000", "0 ms", "0 ms", "61.0 s", "0 ms", "120 s", "0 ms", "0 ms"}},
		{"Players with a place", "had a place", []string{"4,321, 4,000 of them let in; 5 let in as they came"}},
		{"Players with a place", "asked", []string{"by UDP"}},
		{"Players with a place", "overtaken",
			[]string{"7 by more than 16 with later turns; 99 of 100 by 9 at most, one by 40"}},
		{"Players with a place", "places lost: used", []string{"3"}},
		{"Players with a place", "let in within the time first told", []string{"95.0 % of 1,000, 20 earlier, 30 later"}},
		{"Players with a place", "length of that time", []string{"8.20 s, the median"}},
		{"Players with a place", "for each let in",
			[]string{"1.04 logins, 1.01 with a ticket, 0.00 readings of the document, 2.00 questions by UDP"}},
		{"Players with a place", "questions by UDP", []string{"8,010, 6 without an answer"}},
		{"Players with a place", "median wait beside it", []string{"5.50 s, 5.00 s without it: 1.10 times"}},
		{"Server", "memory", []string{"3.00 MiB at the end, 1.00 GiB before"}},
		{"Server", "CPU time", []string{"61.0 s on 2 cores"}},
		{"Answers by kind", "0 s", []string{"10", "20"}},
		{"Answers by kind", "2 s", []string{"20", "0"}},
		{"Players", "2 s", []string{"30", "0"}},
		{"Login queue", "0 s", []string{"7"}},
		{"Login queue", "2 s", []string{"–"}},
		{"Lateness of the world's ticks", "0 s", []string{"71 µs", "3.50 ms"}},
		{"Wait in the login queue", "0 s", []string{"6.00 ms"}},
		{"Probe of the server's health", "0 s", []string{"2.00 ms"}},
		{"How late the generator started players", "0 s", []string{"4.00 ms"}},
		{"Time to the first answer and to success", "0 s", []string{"12.3 ms", "80.0 ms", "432 ms", "–", "–", "–"}},
		{"Processors", "0 s", []string{"1.25", "0.00"}},
	} {
		if got := tableRow(t, root, c.heading, c.row); !slices.Equal(got, c.want) {
			t.Errorf("%s, %s: %q, want %q", c.heading, c.row, got, c.want)
		}
	}
	for _, want := range []string{
		"Burst, 12,345 players",
		"12,000 of 12,345 players got in; 200 were told busy to the end, 40 were rate-limited, 30 expired in the queue, " +
			"55 were refused, 15 timed out and 5 were lost to broken connections. 1 of 2 limits was not kept.",
		"Line Verdict What a line promises Got ✗ not kept places lost: at most 0 3 ✓ kept a ratio 1.10",
		"✓ kept p99 at most 1 s 432", "✗ not kept busy at most 1 200",
		"In 12,000 97.2 % of 12,345", "Told busy 200 2,900 answers", "Rate-limited 40", "Expired 30", "Failed 55",
		"Timed out 15 15 tries",
		"Dropped 5", "Attempts per success 1.25 15,000 attempts", "Logins per second 972 in 12.3 s",
		"First answer p99 432 ms p50 12.3 ms",
		"Success p99 1.50 s", "Probe p99 9.88 ms 3 unanswered", "Tick lateness p99 71 µs max 3.50 ms", "Notes a note",
	} {
		if !strings.Contains(root.words(), want) {
			t.Errorf("%q is not on the page", want)
		}
	}
}

func TestBottleneckIsProminent(t *testing.T) {
	r := known()
	if strings.Contains(parseRun(t, r).words(), "may be the generator") {
		t.Error("a warning without a cause")
	}
	r.Generator.Bottleneck = "it was slow"
	words := parseRun(t, r).words()
	if i := strings.Index(words, "The figures may be the generator’s it was slow"); i < 0 ||
		i > strings.Index(words, "Limits") {
		t.Errorf("the warning is at %d", i)
	}
}

func gone(n, late int) *report.Settled {
	return &report.Settled{ForThoseGone: &n, Late: &late, Accounts: &n}
}

// What became of the players who had come adds up on the page of a run that was interrupted, and one word says of all
// limits whether they were kept.
func TestTilesAddUp(t *testing.T) {
	r := &report.Report{
		Scenario: report.Mixed, Clients: 45, NotCome: 9, Interrupted: true, OK: 1, Busy: 2, RateLimited: 3, Expired: 4,
		Rejected: 5, WronglyIn: 6, Failed: map[string]int{"a": 7}, TimedOut: 8, Dropped: 4, Unfinished: 5,
		Verdicts: []report.Verdict{
			{Limit: "first answer p99: at most 10s (in ms)", Got: 17070}, {Limit: "x: at most 0", Got: 17070},
			{Limit: "tick lateness p99: at most 5ms (in ms)"},
			{Limit: "share of players let in: at least 0.99", Got: 1, OK: true},
		},
	}
	sum := 0
	for _, tile := range outcomeTiles(r) {
		n, err := strconv.Atoi(tile.Value)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum != r.Clients {
		t.Errorf("the tiles count %d of %d players", sum, r.Clients)
	}
	words := parseRun(t, r).words()
	for _, want := range []string{
		"✗ not kept first answer p99: at most 10s 17.1 s", "✗ not kept x: at most 0 17,070",
		"✗ not kept tick lateness p99: at most 5ms not measured", "✓ kept share of players let in: at least 99.0 % 100 %",
		"Of those who had come when the run was interrupted; 9 more were to come.",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		r            report.Report
		want, rating string
	}{
		{report.Report{}, "The report counts no players.", poor},
		{report.Report{Clients: 1, OK: 1, WallSeconds: 0.5}, "The one player got in, after 500 ms.", good},
		{report.Report{Clients: 5000, OK: 5000, WallSeconds: 12.3}, "All 5,000 players got in; the last one after 12.3 s.",
			good},
		{report.Report{Clients: 10, OK: 9, Busy: 1}, "9 of 10 players got in; 1 was told busy to the end.", fair},
		{report.Report{Clients: 10, OK: 8, TimedOut: 2}, "8 of 10 players got in; 2 timed out.", poor},
		{report.Report{Clients: 2, Dropped: 2}, "None of the 2 players got in; 2 were lost to broken connections.", poor},
		{report.Report{Clients: 9, OK: 3, Busy: 2, Unfinished: 4, NotCome: 1000, Interrupted: true},
			"The run was interrupted; by then 3 of the 9 players who had come had got in; 2 were told busy to the end and " +
				"4 were at the door when the run was interrupted. 1,000 more were to come.", poor},
		{report.Report{NotCome: 5, Interrupted: true}, "The run was interrupted before a player came.", poor},
		{report.Report{Clients: 300, TimedOut: 300, Kind: "pocketbase", Settled: gone(300, 120)},
			"None of the 300 players got in; 300 timed out. The server went on working for 300 players who had left: they " +
				"have accounts, and had no answer; 120 accounts were made after the last player had left.", poor},
		{report.Report{Clients: 3, OK: 3, WallSeconds: 1, Kind: "pocketbase", Settled: gone(0, 0)},
			"All 3 players got in; the last one after 1.00 s.", good},
		{report.Report{Clients: 9, OK: 7, Rejected: 2, WallSeconds: 3}, "All 7 players got in; the last one after 3.00 s.",
			good},
		{report.Report{Clients: 9, OK: 8, WronglyIn: 1, WallSeconds: 3},
			"All 8 players got in; the last one after 3.00 s. 1 got in who should not have.", poor},
		{report.Report{Clients: 9, OK: 9, WallSeconds: 3, Storm: &report.Storm{Dropped: 9, Back: 9, LastBack: 4.2}},
			"All 9 players got in; the last one after 3.00 s. All 9 who were dropped were back 4.20 s later.", good},
		{report.Report{Clients: 9, OK: 9, WallSeconds: 3, Storm: &report.Storm{Dropped: 9, Back: 5, LastBack: 4.2}},
			"All 9 players got in; the last one after 3.00 s. 5 of the 9 who were dropped came back, the last 4.20 s later.",
			poor},
		{report.Report{Clients: 9, OK: 9, WallSeconds: 3, Outage: &report.Outage{
			Kind: report.OutageHandOver, Players: 9, Kept: 9, Gap: latency.Summary{Count: 9, P99: 120},
		}}, "All 9 players got in; the last one after 3.00 s. When another process took the players over, 9 of 9 players " +
			"kept their connection, 0 connected again without a password, 0 logged in again and 0 did not come back; " +
			"the longest silence was 120 ms at p99.", good},
		{report.Report{Clients: 9, OK: 9, WallSeconds: 3, Outage: &report.Outage{
			Kind: report.OutageKill, Players: 9, Reconnected: 7, ByPassword: 1, NotBack: 1,
		}}, "All 9 players got in; the last one after 3.00 s. When the server was killed, 0 of 9 players kept their " +
			"connection, 7 connected again without a password, 1 logged in again and 1 did not come back; " +
			"the longest silence was – at p99.",
			poor},
	} {
		got, rating := verdict(&c.r)
		if got = strings.ReplaceAll(got, "\u00a0", " "); got != c.want || rating != c.rating {
			t.Errorf("%+v: %s, %q", c.r, rating, got)
		}
	}
}

func TestComparisonPage(t *testing.T) {
	a, b := known(), known()
	b.OK, b.Busy, b.Server = 12_200, 0, nil
	b.FirstAnswer.P99 = 200
	root := parse(t, func(w io.Writer) error { return WriteComparison(w, a, b, "old.json", "new.json") })
	words := root.words()
	for _, want := range []string{
		"old.json and new.json", "a: old.json", "b: new.json",
		"in 12,000 12,200 1.02 same", "busy to the end 200 0 0.00 better", "first answer p99 432 ms 200 ms 0.46 better",
		"memory at the end 3.00 MiB - -",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(words, "Compare with care") {
		t.Error("a warning without a cause")
	}
	if got := tableRow(t, root, "Let in", "0 s"); !slices.Equal(got, []string{"5.00/s", "5.00/s"}) {
		t.Errorf("let in: %q", got)
	}
	b.Clients = 1
	root = parse(t, func(w io.Writer) error { return WriteComparison(w, a, b, "old.json", "new.json") })
	if !strings.Contains(root.words(), "Compare with care not the same number of clients: 12,345 and 1") {
		t.Error("no warning")
	}
}

// A longer run goes on where the shorter one has ended, on the same axis.
func TestOverlayOfDifferentLengths(t *testing.T) {
	a, b := known(), known()
	b.Timeline.IntervalSeconds = 4
	b.Timeline.Points[1].At = 4
	o := newOverlay(a, b)
	if o.a.axis.hi != 8 || o.b.axis.hi != 8 {
		t.Errorf("axes to %v and %v", o.a.axis.hi, o.b.axis.hi)
	}
	ch := o.draw("x", "", "", report.UnitCount, func(c clock) []float64 {
		return c.values(func(p *report.Point) float64 { return float64(p.Inside) })
	})
	want := []row{{"0 s", "0", []string{"30", "10"}}, {"4 s", "4", []string{"–", "30"}}}
	if !slices.EqualFunc(ch.Table.Rows, want, sameRow) {
		t.Errorf("rows %v", ch.Table.Rows)
	}
	if a, b := ch.Shapes[0].Path, ch.Shapes[1].Path; !strings.HasPrefix(a, "M125 ") || !strings.Contains(a, "L375 ") ||
		!strings.HasPrefix(b, "M250 ") || !strings.Contains(b, "L750 ") {
		t.Errorf("paths %q and %q", a, b)
	}
	if v := highest([]float64{math.NaN(), 2, 5, math.NaN(), 3}); v != 5 {
		t.Errorf("highest %v", v)
	}
}

func sameRow(a, b row) bool {
	return a.Name == b.Name && a.At == b.At && slices.Equal(a.Cells, b.Cells)
}
