package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// element is a parsed piece of a page.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []*element `xml:",any"`
}

func (e *element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// all visits the element and what is in it.
func (e *element) all(yield func(*element) bool) bool {
	if !yield(e) {
		return false
	}
	for _, c := range e.Children {
		if !c.all(yield) {
			return false
		}
	}
	return true
}

func (e *element) named(name string) (list []*element) {
	e.all(func(c *element) bool {
		if c.XMLName.Local == name {
			list = append(list, c)
		}
		return true
	})
	return list
}

// words is all text of the element, pieces apart by blanks, with ordinary blanks only.
func (e *element) words() string {
	var b strings.Builder
	e.all(func(c *element) bool {
		b.WriteString(c.Text + " ")
		return true
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// parse reads a page, which is written so that it is well-formed XML too, and checks what holds for each.
func parse(t *testing.T, write func(io.Writer) error) *element {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 600_000 {
		t.Errorf("%d bytes", b.Len())
	}
	root := new(element)
	if err := xml.Unmarshal(b.Bytes(), root); err != nil {
		t.Fatalf("not well-formed: %v", err)
	}
	checkSelfContained(t, root)
	checkNumbers(t, root)
	return root
}

func parseRun(t *testing.T, r *report.Report) *element {
	t.Helper()
	return parse(t, func(w io.Writer) error { return Write(w, r) })
}

// referring are the names of attributes that can refer to something outside, or escape the style sheet.
var referring = []string{"href", "src", "srcset", "action", "style", "data", "poster"}

// checkSelfContained fails the test if the page refers to anything outside of it, or could.
func checkSelfContained(t *testing.T, root *element) {
	t.Helper()
	policy := ""
	root.all(func(e *element) bool {
		switch e.XMLName.Local {
		case "link", "img", "image", "iframe", "object", "embed", "base", "a", "use", "form", "foreignObject", "audio",
			"video":
			t.Errorf("a <%s> in the page", e.XMLName.Local)
		case "meta":
			if e.attr("http-equiv") == "Content-Security-Policy" {
				policy = e.attr("content")
			}
		}
		for _, a := range e.Attrs {
			name, value := strings.ToLower(a.Name.Local), strings.ToLower(a.Value)
			if slices.Contains(referring, name) || strings.HasPrefix(name, "on") {
				t.Errorf("an attribute %s=%q", name, value)
			}
			if strings.Contains(value, "url(") && name != "aria-label" {
				t.Errorf("an attribute %s=%q", name, value)
			}
		}
		return true
	})
	styles, scripts := root.named("style"), root.named("script")
	if len(styles) != 1 || len(scripts) != 1 {
		t.Fatalf("%d styles, %d scripts", len(styles), len(scripts))
	}
	css := styles[0].Text
	if n := strings.Count(css, "url("); n != strings.Count(css, "url(#pattern-") || strings.Contains(css, "@import") {
		t.Error("the style sheet refers to something outside")
	}
	want := "default-src 'none'; style-src '" + digest(css) + "'; script-src '" + digest(scripts[0].Text) +
		"'; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("policy %q, want %q", policy, want)
	}
}

// checkNumbers fails the test if something is drawn nowhere.
func checkNumbers(t *testing.T, root *element) {
	t.Helper()
	for _, svg := range root.named("svg") {
		svg.all(func(e *element) bool {
			for _, a := range e.Attrs {
				if name := a.Name.Local; name != "aria-label" && name != "class" {
					if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || strings.Contains(a.Value, "e+") {
						t.Errorf("<%s %s=%.80q>", e.XMLName.Local, name, a.Value)
					}
				}
			}
			return true
		})
	}
}

func withoutServer(r *report.Report) *report.Report {
	r.Server, r.Play = nil, nil
	for i := range r.Timeline.Points {
		r.Timeline.Points[i].Server = nil
	}
	for i := range r.Phases {
		r.Phases[i].Lateness, r.Phases[i].Skipped = nil, nil
	}
	return r
}

func TestPagesOfAllSizes(t *testing.T) {
	for name, r := range map[string]*report.Report{
		"empty":          {},
		"one interval":   launchDay(1, 5, 1),
		"two intervals":  launchDay(2, 5, 1),
		"short":          launchDay(30, 10, 1),
		"long":           launchDay(900, 5, 1),
		"without server": withoutServer(launchDay(30, 10, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			root := parseRun(t, r)
			drawn, absent := len(root.named("figure")), 0
			root.all(func(e *element) bool {
				if e.attr("class") == "chart absent" {
					absent++
					if len(e.words()) < 20 {
						t.Errorf("no sentence: %q", e.words())
					}
				}
				return true
			})
			wantAbsent := map[string]int{"empty": 10, "without server": 3}[name]
			if drawn+absent != 10 || absent != wantAbsent {
				t.Errorf("%d charts and %d sentences", drawn, absent)
			}
			other := launchDay(7, 5, 2)
			parse(t, func(w io.Writer) error { return WriteComparison(w, r, other, "first", "second") })
		})
	}
}

// Every chart can be read without seeing it.
func TestChartsAreDescribed(t *testing.T) {
	r := launchDay(30, 10, 1)
	for _, figure := range parseRun(t, r).named("figure") {
		caption := figure.named("figcaption")
		if len(caption) != 1 || len(caption[0].named("h3")) != 1 || len(caption[0].words()) < 20 {
			t.Fatalf("no caption: %q", figure.words())
		}
		title := caption[0].named("h3")[0].Text
		var image *element
		for _, svg := range figure.named("svg") {
			if svg.attr("role") == "img" {
				image = svg
			}
		}
		if image == nil || !strings.HasPrefix(image.attr("aria-label"), title+". ") {
			t.Errorf("%s: no label", title)
		}
		details := figure.named("details")
		if len(details) != 1 {
			t.Fatalf("%s: %d tables", title, len(details))
		}
		rows := details[0].named("tbody")[0].Children
		columns := len(details[0].named("thead")[0].named("th"))
		if len(rows) != 30 && figure.attr("data-from") != "" || len(rows) == 0 {
			t.Errorf("%s: %d rows", title, len(rows))
		}
		for _, row := range rows {
			if len(row.Children) != columns {
				t.Errorf("%s: %d cells under %d headings", title, len(row.Children), columns)
			}
		}
	}
}

// All strings of a report come from outside.
func TestHostileStrings(t *testing.T) {
	const evil = "</title></style></script><script>alert(1)</script><svg onload=alert(1)>\"'`&{{.}}\x00\x1b[2J\u202e\xff"
	const shown = "</title></style></script><script>alert(1)</script><svg onload=alert(1)>" +
		"\"'`&{{.}}\ufffd\ufffd[2J\ufffd\ufffd"
	r := launchDay(3, 5, 1)
	r.Target, r.Scenario, r.Mode, r.Kind = evil, evil, evil, evil
	r.Failed[evil], r.Server.BatchSizes[evil], r.Server.Auth.Fail[evil] = 3, 4, 5
	r.Notes, r.Generator.Bottleneck = []string{evil}, evil
	r.Verdicts = append(r.Verdicts, report.Verdict{Limit: evil})
	r.Storm = &report.Storm{}
	for i := range r.Phases {
		r.Phases[i].Name = evil
	}
	r.FirstAnswer.Buckets = evil
	root := parseRun(t, r)
	if n := strings.Count(root.words(), shown); n < 4 { // where there is room for all of it
		t.Errorf("shown %d times", n)
	}
	if got := root.named("title")[0].Text; strings.Contains(got, "\u202e") || !strings.Contains(got, "</title></style>") {
		t.Errorf("title %q", got)
	}
	root = parse(t, func(w io.Writer) error { return WriteComparison(w, r, r, evil, evil) })
	if n := strings.Count(root.words(), shown); n < 5 {
		t.Errorf("shown %d times in the comparison", n)
	}
}

// What a report has too much of does not make the page grow.
func TestHugeReport(t *testing.T) {
	r := launchDay(1, 5, 1)
	long := strings.Repeat("<é>", 10_000)
	r.Timeline.Points = slices.Repeat(r.Timeline.Points, 100_000)
	r.Phases = slices.Repeat(r.Phases, 10_000)
	r.Verdicts = slices.Repeat(r.Verdicts, 10_000)
	r.Notes = slices.Repeat([]string{long}, 1000)
	r.InOnTry = slices.Repeat([]int{1}, 10_000)
	r.Target, r.Generator.Bottleneck = long, long
	for i := range 1000 {
		name := strings.Repeat(string(rune('a'+i%26)), i+1000)
		r.Failed[name], r.Server.BatchSizes[name], r.Server.Auth.Fail[name] = 1, 1, 1
	}
	for i := range r.Phases {
		r.Phases[i].Name = long
	}
	parseRun(t, r)
	parse(t, func(w io.Writer) error { return WriteComparison(w, r, r, long, long) })
}

type broken struct{ error }

func (b broken) Write([]byte) (int, error) { return 0, b.error }

func TestWriteErrors(t *testing.T) {
	failure := errors.New("no room")
	r := launchDay(1, 5, 1)
	if err := Write(broken{failure}, r); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if err := WriteComparison(broken{failure}, r, r, "a", "b"); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}

// Any report that can be read can be shown.
func FuzzWrite(f *testing.F) {
	f.Add([]byte(`{"scenario":"burst","mode":"login","clients":9,"ok":7,"failed":{"x":2},"notes":["a"],` +
		`"verdicts":[{"limit":"l","got":1}],` +
		`"first_answer":{"count":3,"p99_ms":2,"buckets":"1000:2 2000:1"},` +
		`"phases":[{"name":"p","to_s":2,"tick_lateness":{"count":1}}],` +
		`"timeline":{"interval_s":1,"points":[{"answers":{"in":3,"busy":4},` +
		`"probe":{"count":1,"p99_ms":5},"server":{"depth":6}}]},` +
		`"server":{"batch_sizes":{"16":2}},"play":{},"storm":{"dropped":1}}`))
	f.Add([]byte(`{"scenario":"burst","mode":"login","clients":1,` +
		`"timeline":{"interval_s":1e-300,"points":[{"t_s":-1e308},{"t_s":1e308,` +
		`"answers":{"in":-9223372036854775808,"busy":9223372036854775807},` +
		`"first_answer":{"count":1,"p50_ms":1e308,"p99_ms":-1e308}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := report.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		parseRun(t, r)
		parse(t, func(w io.Writer) error { return WriteComparison(w, r, &report.Report{}, "a", "b") })
	})
}

// The seeds of the sample are what they are: reports with every figure that a page can show.
func TestLaunchDayHasEverything(t *testing.T) {
	r := launchDay(30, 10, 1)
	if r.OK == 0 || r.Busy == 0 || r.Answers.Expired == 0 || r.TimedOut == 0 || r.Dropped == 0 {
		t.Errorf("%+v", r.Answers)
	}
	total := r.OK + r.Busy + r.RateLimited + r.Expired + r.TimedOut + r.Dropped + r.Unfinished
	for n := range maps.Values(r.Failed) {
		total += n
	}
	if total != r.Clients {
		t.Errorf("%d of %d players have an outcome", total, r.Clients)
	}
	for _, s := range []latency.Summary{r.FirstAnswer, r.Success} {
		if _, err := s.Distribution(); err != nil || s.Count == 0 {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
