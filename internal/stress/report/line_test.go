package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/latency"
)

func TestOrderOfALine(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[99-i] = i
	}
	for name, tt := range map[string]struct {
		by                   []int
		overtaken, most, p99 int
	}{
		"nobody":         {nil, 0, 0, 0},
		"one, a batch":   {[]int{16}, 0, 16, 16},
		"one, and more":  {[]int{17}, 1, 17, 17},
		"one of three":   {[]int{0, 40, 3}, 1, 40, 40},
		"some hundred":   {hundred, 83, 99, 98},
		"one in hundred": {append(make([]int, 99), 500), 1, 500, 0},
	} {
		l := Line{Batch: Batch}
		l.Order(tt.by)
		if l.Overtaken != tt.overtaken || l.OvertakenMost != tt.most || l.OvertakenP99 != tt.p99 {
			t.Errorf("%s: %d by more, %d at the most, 99 of 100 by %d", name, l.Overtaken, l.OvertakenMost, l.OvertakenP99)
		}
	}
}

// kept is a line that kept its promises, as far as it can.
func kept() *Line {
	return &Line{
		Asked: "http", Batch: Batch, Direct: 10, Placed: 40, In: 40, Told: 40, Early: 1, Late: 3,
		LineCounts: LineCounts{Knocks: 90, TicketKnocks: 44, Polls: 100, UDP: 25},
		Crowd:      &Crowd{Clients: 100, In: 7, MedianAlone: 1000, MedianBeside: 1200, Ratio: 1.2},
		PlacesLost: map[string]int{},
	}
}

func TestFiguresOfALine(t *testing.T) {
	l := kept()
	l.Derive()
	if l.HitShare != 0.9 || l.KnocksPerIn != 1.8 || l.TicketKnocksPerIn != 1.1 || l.PollsPerIn != 2 || l.UDPPerIn != 0.5 {
		t.Errorf("%+v", l)
	}
	l = &Line{Placed: 3, LineCounts: LineCounts{Knocks: 3}}
	if l.Derive(); l.HitShare != 0 || l.KnocksPerIn != 0 { // nobody is in
		t.Errorf("%+v", l)
	}
}

// Each promise is kept up to its value and not kept beyond it, and counts as a limit if that was asked for.
func TestPromisesOfALine(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Line)
		broken string // how the promise that is not kept begins; "" for none
	}{
		"all kept":            {func(*Line) {}, ""},
		"no crowd":            {func(l *Line) { l.Crowd = nil }, ""},
		"order":               {func(l *Line) { l.Overtaken = 1 }, "players overtaken by more than 16"},
		"places":              {func(l *Line) { l.PlacesLost["used"] = 1 }, "places lost"},
		"times":               {func(l *Line) { l.Late = 4 }, "share of players let in within"},
		"nobody was told":     {func(l *Line) { l.Told, l.Early, l.Late = 0, 0, 0 }, "share of players let in within"},
		"logins":              {func(l *Line) { l.TicketKnocks = 45 }, "logins with a ticket"},
		"no tickets":          {func(l *Line) { l.Asked, l.TicketKnocks = "", 99 }, ""},
		"fairness":            {func(l *Line) { l.Crowd.Ratio = 1.21 }, "median wait beside the crowd"},
		"nothing to compare":  {func(l *Line) { l.Crowd.Ratio = 0 }, "median wait beside the crowd"},
		"nobody is in at all": {func(l *Line) { l.In, l.Direct = 0, 0; l.TicketKnocks = 0 }, ""},
	} {
		rep := &Report{Clients: 1, OK: 1, Line: kept()}
		tt.change(rep.Line)
		rep.Line.Derive()
		i := slices.IndexFunc(rep.Line.Promises, func(v Verdict) bool { return !v.OK })
		if got := i >= 0 && strings.HasPrefix(rep.Line.Promises[i].Limit, tt.broken); got != (tt.broken != "") ||
			tt.broken == "" && i >= 0 {
			t.Errorf("%s: %+v", name, rep.Line.Promises)
		}
		rep.Judge(limitless, false)
		if !rep.Kept() {
			t.Errorf("%s: a promise is a limit: %+v", name, rep.Verdicts)
		}
		rep.Verdicts = nil
		limits := limitless
		limits.Line = true
		if rep.Judge(limits, false); rep.Kept() != (tt.broken == "") {
			t.Errorf("%s: %+v", name, rep.Verdicts)
		}
	}
	rep, limits := &Report{Clients: 1, OK: 1}, limitless
	limits.Line = true
	if rep.Judge(limits, false); rep.Kept() {
		t.Error("promises are kept by a line in which nobody was")
	}
}

func TestLineAsText(t *testing.T) {
	var wait latency.Histogram
	wait.RecordN(2e9, 40)
	for name, tt := range map[string]struct {
		change func(*Line)
		want   []string
	}{
		"all": {func(l *Line) { l.PlacesLost = map[string]int{"used": 2, "expired": 1}; l.Width.P50 = 8200 }, []string{
			"line: 40 players had a place, 40 of them got in; 10 were let in as they came; they asked by reading the " +
				"document, each for itself",
			"order: 0 overtaken by more than 16 with later turns, 99 of 100 by 0 at most, one by 0; 0 not on time",
			"places lost: 1 expired, 2 used",
			"time first told: 90.0 % of 40 were let in within it, 1 earlier, 3 later; it was 8.20 s long (median)",
			"for each player let in: 1.80 logins, 1.10 with a ticket, 2.00 readings of the document, 0.50 questions by UDP (0 " +
				"without an answer)",
			"crowd: 100 clients of one address, 7 let in, 0 refused; median wait of the others 1.20 s, 1.00 s without the " +
				"crowd, ratio 1.20",
			"kept players overtaken by more than 16: at most 0; it was 0", "not kept places lost: at most 0; it was 3",
			"wait in line 40 1999 2000 2007 2007 2007 2007 2007",
		}},
		"by UDP":  {func(l *Line) { l.Asked, l.Crowd = "udp", nil }, []string{"they asked by UDP", "places lost: none"}},
		"shared":  {func(l *Line) { l.Shared = true }, []string{"by one reading of the document a second for all"}},
		"without": {func(l *Line) { l.Asked = "" }, []string{"they asked by coming back when told, without tickets"}},
	} {
		rep := &Report{Line: kept()}
		rep.Line.Wait = wait.Summary()
		tt.change(rep.Line)
		rep.Line.Derive()
		var out bytes.Buffer
		if err := rep.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		words := strings.Join(strings.Fields(out.String()), " ")
		for _, want := range tt.want {
			if !strings.Contains(words, want) {
				t.Errorf("%s: %q is missing from\n%s", name, want, &out)
			}
		}
	}
}

func TestLinesCompared(t *testing.T) {
	a, b := &Report{Line: kept()}, &Report{Line: kept()}
	a.Line.Derive()
	b.Line.Overtaken, b.Line.PlacesLost = 3, map[string]int{"used": 2}
	b.Line.Derive()
	rows := map[string]ComparedRow{}
	for _, g := range Compare(a, b).Groups {
		if g.Name == "line" {
			for _, r := range g.Rows {
				rows[r.Name] = r
			}
		}
	}
	if r := rows["overtaken by more than a batch"]; r.A != "0" || r.B != "3" || r.Change != Worse {
		t.Errorf("%+v", r)
	}
	if r := rows["places lost"]; r.B != "2" || r.Change != Worse {
		t.Errorf("%+v", r)
	}
	if r := rows["let in within the time first told"]; r.A != "90.0 %" || r.Change != Same {
		t.Errorf("%+v", r)
	}
	for _, g := range Compare(new(Report), new(Report)).Groups {
		if g.Name == "line" {
			t.Errorf("lines of runs without one: %+v", g)
		}
	}
}
