package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Widths of the columns of [WriteComparison], 98 together.
const (
	nameWidth, cellWidth, ratioWidth = 32, 22, 9
	lineWidth                        = 100
)

// WriteComparison writes what [Compare] makes of two runs as text of at most 100 columns. The names, which may be those
// of files, say which is which; outsiders' strings are written without control characters and cut to fit. The error is
// that of w.
func WriteComparison(w io.Writer, a, b *Report, nameA, nameB string) error {
	c := Compare(a, b)
	var out bytes.Buffer
	for _, run := range []struct {
		letter, name string
		r            *Report
	}{{"a", nameA, a}, {"b", nameB, b}} {
		head := fmt.Sprintf("%s: %s: %s %s of %d clients against %s", run.letter, run.name, run.r.Mode, run.r.Scenario,
			run.r.Clients, run.r.Target)
		fmt.Fprintln(&out, fit(head, lineWidth))
	}
	for _, s := range c.Warnings {
		fmt.Fprintln(&out, fit("WARNING: "+s, lineWidth))
	}
	for _, g := range c.Groups {
		out.WriteByte('\n')
		writeRow(&out, ComparedRow{Name: g.Name, A: "a", B: "b", Ratio: "b/a"})
		for _, row := range g.Rows {
			row.Name = "  " + row.Name
			writeRow(&out, row)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

func writeRow(b *bytes.Buffer, r ComparedRow) {
	s := fmt.Sprintf("%-*s %*s %*s %*s  %s", nameWidth, fit(r.Name, nameWidth), cellWidth, fit(r.A, cellWidth),
		cellWidth, fit(r.B, cellWidth), ratioWidth, fit(r.Ratio, ratioWidth), r.Change)
	fmt.Fprintln(b, strings.TrimRight(s, " "))
}

// fit returns s without what a terminal would not print, in at most width characters.
func fit(s string, width int) string {
	runes := []rune(s[:min(len(s), utf8.UTFMax*(width+1))])
	if len(runes) > width {
		runes = append(runes[:width-1], '…')
	}
	for i, c := range runes {
		if !unicode.IsPrint(c) {
			runes[i] = unicode.ReplacementChar
		}
	}
	return string(runes)
}
