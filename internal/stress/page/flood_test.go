package page

import (
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// flooded returns the report of a simulated flood in so many intervals.
func flooded(points int) *report.Report {
	r := launchDay(points, 160, 7)
	r.Scenario = report.KnockFlood
	var refusal, entry latency.Histogram
	record(0.004, &refusal)
	record(2, &entry)
	k := &report.KnockReport{
		PerSecond: 1760, Times: 11, Mode: report.Register, Sources: "127.64.0.0/10", Length: float64(points), Patience: 10,
		MadePerSecond: 1700, CountedSeconds: float64(points), InPerSecond: 144, Goodput: 0.9,
		Refusal: refusal.Detailed(), Entry: entry.Detailed(), GeneratorMicros: 31,
		Answers: []report.KnockAnswers{
			{Status: 503, Reason: `server-busy<script>`, Count: 16, Age: refusal.Summary()},
			{Status: 201, Count: 1, Age: entry.Summary()},
		},
	}
	for i := range r.Timeline.Points {
		p := &r.Timeline.Points[i]
		p.Knocks = &report.Knocks{Made: 1700, Refused: 1500, In: 140, Silent: 60}
		k.Knocks = k.Plus(*p.Knocks)
		p.Server.CPU = &report.CPU{Process: 0.9, Hash: 0.6, Door: 0.2, Tick: 0.02, Other: 0.08}
	}
	for i := range r.Phases {
		r.Phases[i].CPU = &report.CPU{Process: 0.9, Hash: 0.6, Door: 0.2, Tick: 0.02, Other: 0.08}
	}
	r.Flood = k
	return r
}

// The page of a flood says what was let in, draws the knocks, their age and the CPU, and lets nothing of the server
// run.
func TestPageOfAFlood(t *testing.T) {
	for _, points := range []int{1, 60, 400} {
		r := flooded(points)
		var b strings.Builder
		if err := Write(&b, r); err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(b.String(), "\u00a0", " ")
		for _, s := range []string{
			"Under 1,700 knocks a second it let in 144/s, 90.0 %", "Age of the answers to knocks", "<h3>Knocks</h3>",
			"Where the server&#39;s CPU time went", "503 server-busy&lt;script&gt;", "127.64.0.0/10", "11 times the capacity",
		} {
			if !strings.Contains(text, s) {
				t.Errorf("%d points: the page does not say %q", points, s)
			}
		}
		if strings.Contains(text, "not made</text>") || strings.Contains(text, "server-busy<script>") {
			t.Errorf("%d points: the page says what it should not", points)
		}
	}
	r := launchDay(10, 160, 7)
	r.Flood = &report.KnockReport{} // as a file may have it
	var b strings.Builder
	if err := Write(&b, r); err != nil || !strings.Contains(b.String(), "The report has no knocks over time.") {
		t.Error(err)
	}
}
