// Package page writes the reports of package stress as pages of HTML: one file that needs nothing else, with the charts
// in it, for a browser, a printer or a mail.
//
// A report may come from anywhere. Its strings are escaped and cut to a bounded length, its tables and charts are
// bounded in number of rows and points, and the page's own policy (Content Security Policy Level 3, W3C) forbids it to
// load or run anything but the style sheet and the script that stand in it.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

//go:embed page.html
var source string

//go:embed page.css
var style string

//go:embed page.js
var script string

var pages = template.Must(template.New("page").Parse(source))

// frame is what both kinds of pages have.
type frame struct {
	Title   string
	Policy  string
	Style   template.CSS
	Script  template.JS
	Kicker  string
	Heading string
	Facts   []fact
	Rating  string
	Verdict string
}

type fact struct{ Name, Value string }

// runPage is the page of one run.
type runPage struct {
	frame
	Bottleneck string
	Limits     []limit
	Outcomes   []tile
	Speeds     []tile
	Phases     *sheet
	Line       *linePart
	Charts     []chart
	Sheets     []sheet
	Notes      []string
}

// Write writes the page of a report, which may not be nil. The error is that of w.
func Write(w io.Writer, r *report.Report) error {
	sentence, rating := verdict(r)
	p := runPage{
		frame:      newFrame(fmt.Sprintf("%s, %s players", title(clean(string(r.Scenario), 60)), count(r.Clients))),
		Bottleneck: clean(r.Generator.Bottleneck, maxText),
		Limits:     limits(r.Verdicts),
		Outcomes:   outcomeTiles(r),
		Speeds:     speedTiles(r),
		Phases:     phaseSheet(r),
		Line:       newLinePart(r.Line),
		Charts:     charts(r),
		Sheets:     sheets(r),
		Notes:      notes(r),
	}
	p.Verdict, p.Rating, p.Facts = sentence, rating, facts(r)
	return write(w, "run", &p)
}

func write(w io.Writer, name string, data any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

func newFrame(heading string) frame {
	return frame{
		Title: "Stress run: " + heading, Kicker: "Rushgate stress run", Heading: heading,
		Style: template.CSS(style), Script: template.JS(script), Policy: policy(),
	}
}

// policy allows the page its own style sheet and script and nothing else.
func policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
		digest(style), digest(script))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// facts tell what was done to which server.
func facts(r *report.Report) []fact {
	list := []fact{{"Target", clean(r.Target, maxText)}}
	if r.Kind != "" {
		list = append(list, fact{"Server", clean(r.Kind, 60)})
	}
	for _, f := range []fact{
		{"Version", r.Subject.Version}, {"System", r.Subject.System},
		{"CPUs", pick(r.Subject.CPUs > 0, count(r.Subject.CPUs), "")},
		{"Cores to use", pick(r.Subject.Cores > 0, count(r.Subject.Cores), "")}, {"Store", r.Subject.Store},
		{"Hash", r.Subject.Hash},
	} {
		if f.Value != "" {
			list = append(list, fact{f.Name, clean(f.Value, 80)})
		} else if r.Kind != "" {
			list = append(list, fact{f.Name, "not told"})
		}
	}
	list = append(list, fact{"Mode", clean(string(r.Mode), 60)})
	if !r.StartedAt.IsZero() {
		list = append(list, fact{"Started", r.StartedAt.UTC().Format(time.DateTime) + " UTC"})
	}
	if c := newClock(r); len(c.points) > 0 {
		list = append(list, fact{"Length", seconds(c.axis.hi - c.axis.lo)})
	}
	if r.Rate != 0 {
		list = append(list, fact{"Rate", show(report.UnitPerSecond, r.Rate)})
	}
	if r.Capacity != 0 {
		list = append(list, fact{"Capacity", show(report.UnitPerSecond, r.Capacity)})
	}
	return list
}
