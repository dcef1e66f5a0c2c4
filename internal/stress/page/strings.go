package page

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// maxText bounds a string of a report on the page.
const maxText = 400

// clean returns an outsider's string without what could not be seen or would turn the text around it, in at most n
// characters. Escaping is the template's affair.
func clean(s string, n int) string {
	runes := []rune(s[:min(len(s), 4*(n+1))])
	if len(runes) > n {
		runes = append(runes[:n-1], '…')
	}
	for i, c := range runes {
		if !unicode.IsGraphic(c) {
			runes[i] = unicode.ReplacementChar
		}
	}
	return strings.TrimSpace(string(runes))
}

// show writes a number with its unit on the same line, and a dash for one that is missing.
func show(unit report.Unit, v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strings.ReplaceAll(unit.Format(v), " ", "\u00a0")
}

func count(n int) string { return show(report.UnitCount, float64(n)) }

// trimmed writes a number of an axis without zeros at the end, in four significant digits.
func trimmed(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// axisLabel writes the label of a mark, which is a round number.
func axisLabel(unit report.Unit, v float64) string {
	switch unit {
	case report.UnitMillis:
		switch {
		case v == 0:
			return "0"
		case v < 1:
			return plain(v*1000) + "\u00a0µs"
		case v < 1000:
			return plain(v) + "\u00a0ms"
		}
		return plain(v/1000) + "\u00a0s"
	case report.UnitShare:
		return plain(100*v) + "\u00a0%"
	case report.UnitPerSecond:
		return plain(v)
	}
	return plain(v)
}

// plain writes a round number without an exponent where it is short enough.
func plain(v float64) string {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64) // what adding up steps left behind
	switch {
	case v >= 1e9:
		return trimmed(v)
	case v >= 1e6:
		return trimmed(v/1e6) + " M"
	case v >= 1000:
		return show(report.UnitCount, v)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// moment writes a time since the start of the load.
func moment(s float64) string { return pick(s == 0, "0 s", seconds(s)) }

// title writes a name of the command line as the beginning of a heading.
func title(s string) string {
	s = strings.ReplaceAll(s, "-", " ")
	for i, c := range s {
		return string(unicode.ToUpper(c)) + s[i+utf8.RuneLen(c):]
	}
	return s
}

// coordinate writes a place in a drawing.
func coordinate(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0")
}

func percent(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), ".00") + "%"
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
