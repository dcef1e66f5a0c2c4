package report

import (
	"math"
	"strconv"
)

// Unit is that of a figure of a report.
type Unit int

// The units.
const (
	UnitCount Unit = iota
	UnitMillis
	UnitSeconds
	UnitPerSecond
	UnitBytes
	UnitShare // of 1, shown in per cent
	UnitCores // CPU time per time
	UnitRatio
)

// Format returns v with its unit in as many digits as tell something, three or so: "340 µs", "12.3 s", "31,204",
// "98.6 MiB", "99.2 %". What is not finite is "-".
func (u Unit) Format(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	switch u {
	case UnitMillis:
		return formatMillis(v)
	case UnitSeconds:
		return formatMillis(v * 1000)
	case UnitPerSecond:
		return digits(v) + "/s"
	case UnitBytes:
		return formatBytes(v)
	case UnitShare:
		return formatShare(v)
	case UnitCores, UnitRatio:
		return pick(math.Abs(v) < 1000, strconv.FormatFloat(v, 'f', 2, 64), digits(v))
	}
	return formatCount(v)
}

// formatShare keeps two decimals where they tell all from almost all, and none from almost none.
func formatShare(v float64) string {
	decimals := 1
	switch {
	case v == 0 || v == 1:
		decimals = 0
	case math.Abs(v) < 0.0995 || v > 0.99 && v < 1:
		decimals = 2
	}
	return strconv.FormatFloat(100*v, 'f', decimals, 64) + " %"
}

// formatMillis chooses the unit by size.
func formatMillis(ms float64) string {
	switch abs := math.Abs(ms); {
	case abs == 0:
		return "0 ms"
	case abs < 0.9995:
		return strconv.FormatFloat(ms*1000, 'f', 0, 64) + " µs"
	case abs < 999.5:
		return digits(ms) + " ms"
	case abs < 599_500:
		return digits(ms/1000) + " s"
	}
	return digits(ms/60_000) + " min"
}

func formatBytes(n float64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if math.Abs(n) < 1024 {
		return digits(n) + " B"
	}
	n /= 1024
	i := 0
	for ; i < len(units)-1 && math.Abs(n) >= 999.5; i++ {
		n /= 1024
	}
	return digits(n) + " " + units[i]
}

// digits returns three significant digits, or all of a whole number below a million.
func digits(v float64) string {
	abs := math.Abs(v)
	switch {
	case abs >= 99.95:
		return formatCount(math.Round(v))
	case abs >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// formatCount puts a comma before every third digit of a whole number.
func formatCount(v float64) string {
	if math.Abs(v) >= 1e15 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if v != math.Trunc(v) {
		return s
	}
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
