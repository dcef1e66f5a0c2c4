package report

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rushgate/rushgate/internal/latency"
)

// checkComparison returns the lines of a comparison; none may be longer than 100 characters or contain what a terminal
// would take for a command.
func checkComparison(t *testing.T, a, b *Report) []string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteComparison(&out, a, b, "old.json", "new.json"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, l := range lines {
		if n := utf8.RuneCountInString(l); n > 100 {
			t.Errorf("%d characters: %q", n, l)
		}
		if strings.ContainsFunc(l, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("not printable: %q", l)
		}
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return lines
}

func twoRuns() (a, b *Report) {
	a, b = readable(), readable()
	a.Server.Wait, a.Server.RSSAtEnd = latency.Summary{Count: 1, P99: 250}, 3<<20
	a.Phases[0].PerSecond, a.Phases[0].FirstAnswer = 100, latency.Summary{Count: 9, P99: 0.5}
	a.LoginsPerSecond, b.LoginsPerSecond = 100, 104.9
	b.OK, b.Busy, b.TimedOut = 6, 0, 6
	b.Server, b.Play = nil, nil
	b.Phases = append([]Phase{{Name: "quiet", PerSecond: 1}}, a.Phases...)
	b.Phases[1].PerSecond = 50
	return a, b
}

func TestWriteComparison(t *testing.T) {
	a, b := twoRuns()
	lines := checkComparison(t, a, b)
	for _, want := range []string{
		"a: old.json: login launch-day of 12 clients against https://game.test",
		"b: new.json: login launch-day of 12 clients against https://game.test",
		"players a b b/a",
		"in 11 6 0.55 worse",
		"busy to the end 1 0 0.00 better",
		"timed out 0 6 - worse",
		"refused: x 1 1 1.00 same",
		"logins per second 100/s 105/s 1.05 same",
		"phase peak a b b/a",
		"let in per second 100/s 50.0/s 0.50 worse",
		"first answer p99 500 µs 500 µs 1.00 same",
		"phase quiet a b b/a",
		"let in per second - 1.00/s -",
		"snapshots of those expected 50.0 % - -",
		"memory at the end 3.00 MiB - -",
		"queue wait p99 250 ms - -",
		"length 5.00 s 5.00 s 1.00 same",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing from\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "WARNING") }) {
		t.Error("a warning without a cause")
	}
	failure := errors.New("no room")
	if err := WriteComparison(fullDisk{failure}, a, b, "a", "b"); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}

type fullDisk struct{ error }

func (d fullDisk) Write([]byte) (int, error) { return 0, d.error }

func TestComparisonWarns(t *testing.T) {
	a, b := twoRuns()
	b.Scenario, b.Mode, b.Clients, b.Interrupted = Burst, Register, 24, true
	a.Generator.Bottleneck = "it was slow"
	lines := checkComparison(t, a, b)
	for _, want := range []string{
		"WARNING: not the same scenario: launch-day and burst",
		"WARNING: not the same mode: login and register",
		"WARNING: not the same number of clients: 12 and 24",
		"WARNING: run b was interrupted",
		"WARNING: the generator of run a was at its limits: it was slow",
		"in 11 6 0.55", // of more players: neither better nor worse
		"share of all that got in 91.7 % 25.0 % 0.27 worse",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing from\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

func TestComparisonOfHostileReports(t *testing.T) {
	a, b := twoRuns()
	evil := "\x1b[2J\r\n\u202e" + strings.Repeat("x", 1000) + "\xff"
	a.Target, a.Scenario, a.Generator.Bottleneck = evil, Scenario(evil), evil
	a.Failed = map[string]int{evil: math.MaxInt}
	a.WallSeconds, a.LoginsPerSecond, a.TriesPerSuccess = math.Inf(1), math.NaN(), 1e308
	a.Phases = slices.Repeat([]Phase{{Name: evil}, {Name: evil + "2"}}, 1000)
	checkComparison(t, a, b)
	var out bytes.Buffer
	if err := WriteComparison(&out, a, b, evil, evil); err != nil || strings.Contains(out.String(), "\x1b") ||
		out.Len() > 50_000 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

func TestChange(t *testing.T) {
	for _, c := range []struct {
		a, b   float64
		better direction
		want   Change
	}{
		{100, 105, higher, Same}, {100, 95, higher, Same}, {100, 106, higher, Better}, {100, 94, higher, Worse},
		{100, 106, lower, Worse}, {100, 94, lower, Better}, {100, 94, neither, ""}, {100, 100, neither, Same},
		{0, 0, lower, Same}, {0, 1, lower, Worse}, {0, 1, higher, Better}, {1, 0, lower, Better},
	} {
		if got := change(c.a, c.b, c.better); got != c.want {
			t.Errorf("%v to %v: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		v    float64
		want string
	}{
		{UnitMillis, 0, "0 ms"}, {UnitMillis, 0.0123, "12 µs"}, {UnitMillis, 0.9996, "1.00 ms"},
		{UnitMillis, 12.34, "12.3 ms"},
		{UnitMillis, 999.4, "999 ms"}, {UnitMillis, 999.6, "1.00 s"}, {UnitMillis, 61_000, "61.0 s"},
		{UnitMillis, 700_000, "11.7 min"},
		{UnitMillis, -2, "-2.00 ms"}, {UnitSeconds, 0.25, "250 ms"}, {UnitSeconds, 300, "300 s"},
		{UnitCount, 0, "0"}, {UnitCount, 999, "999"}, {UnitCount, 1000, "1,000"}, {UnitCount, 1234567, "1,234,567"},
		{UnitCount, -1000, "-1,000"},
		{UnitCount, -100, "-100"}, {UnitCount, 1e300, "1e+300"}, {UnitCount, 0.5, "0.5"},
		{UnitPerSecond, 72.44, "72.4/s"}, {UnitPerSecond, 12_345.6, "12,346/s"},
		{UnitBytes, 12, "12.0 B"}, {UnitBytes, 3 << 20, "3.00 MiB"}, {UnitBytes, 1000 << 20, "0.98 GiB"},
		{UnitShare, 0, "0 %"}, {UnitShare, 1, "100 %"}, {UnitShare, 0.9999, "99.99 %"}, {UnitShare, 0.5, "50.0 %"},
		{UnitShare, 0.0123, "1.23 %"},
		{UnitCores, 1.256, "1.26"}, {UnitRatio, 12_345, "12,345"}, {UnitRatio, math.NaN(), "-"},
		{UnitMillis, math.Inf(-1), "-"},
	} {
		if got := c.unit.Format(c.v); got != c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
}
