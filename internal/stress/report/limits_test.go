package report

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

func p99(ms float64) latency.Summary { return latency.Summary{Count: 1, P99: ms} }

// judged is what was asked of a run, as far as it counts for the verdict.
type judged struct {
	Scenario Scenario
	Play     bool
	Limits   Limits
}

func (a *judged) judge(rep *Report) {
	rep.Scenario = a.Scenario
	rep.Judge(a.Limits, a.Play)
}

// limitless has no limit but those of the scenario.
var limitless = Limits{TimedOut: -1, Dropped: -1, Refused: -1}

// Each limit is held up to its value and broken above it.
func TestLimitsOnCounts(t *testing.T) {
	verdicts := func(most, timedOut, dropped, refused int) []Verdict {
		v := func(what string, n int) Verdict {
			return Verdict{fmt.Sprintf("%s: at most %d", what, most), float64(n), n <= most}
		}
		return []Verdict{
			v("players left without an answer", timedOut), v("players dropped by a transport error", dropped),
			v("players refused other than as busy, rate-limited or expired", refused),
		}
	}
	wronglyIn := func(n int) []Verdict {
		return []Verdict{{"players let in who should not have been: at most 0", float64(n), n == 0}}
	}
	some, mixed := judged{Limits: Limits{TimedOut: 3, Dropped: 3, Refused: 3}}, judged{Scenario: Mixed, Limits: limitless}
	for name, tt := range map[string]struct {
		cfg  judged
		rep  Report
		want []Verdict
	}{
		"none": {judged{Limits: limitless},
			Report{TimedOut: 9, Dropped: 9, WronglyIn: 9, Failed: map[string]int{"x": 9}}, nil},
		"the default, held": {judged{}, Report{Busy: 1, RateLimited: 1, Expired: 1}, verdicts(0, 0, 0, 0)},
		"the default, broken": {judged{}, Report{TimedOut: 1, Dropped: 2, Failed: map[string]int{"x": 1, "y": 2}},
			verdicts(0, 1, 2, 3)},
		"some, held": {some, Report{TimedOut: 3, Dropped: 3, Failed: map[string]int{"x": 3}}, verdicts(3, 3, 3, 3)},
		"some, broken": {some, Report{TimedOut: 4, Dropped: 5, Failed: map[string]int{"x": 3, "y": 3}},
			verdicts(3, 4, 5, 6)},
		"mixed, held":   {mixed, Report{Rejected: 4}, wronglyIn(0)},
		"mixed, broken": {mixed, Report{WronglyIn: 1}, wronglyIn(1)},
	} {
		checkVerdicts(t, name, &tt.cfg, &tt.rep, tt.want)
	}
}

// A run in which no player got in is never good, unless none should have.
func TestLimitsOnWhoIsIn(t *testing.T) {
	for name, tt := range map[string]struct {
		least float64
		rep   Report
		want  []Verdict
	}{
		"share, held": {0.75, Report{Clients: 12, OK: 6, Rejected: 3, WronglyIn: 1},
			[]Verdict{{"share of players let in: at least 0.75", 0.75, true}}},
		"share, broken": {0.75, Report{Clients: 8, OK: 5},
			[]Verdict{{"share of players let in: at least 0.75", 0.625, false}}},
		"share of nobody": {0.75, Report{Clients: 3, Rejected: 3},
			[]Verdict{{"share of players let in: at least 0.75", 0, false}}},
		"one is in":          {0, Report{Clients: 9, OK: 1, Busy: 8}, []Verdict{{"players let in: at least 1", 1, true}}},
		"nobody is in":       {0, Report{Clients: 9, Busy: 9}, []Verdict{{"players let in: at least 1", 0, false}}},
		"nobody came":        {0, Report{}, []Verdict{{"players let in: at least 1", 0, false}}},
		"nobody is to be in": {0, Report{Clients: 3, Rejected: 3}, nil},
		"interrupted by then 1": {0, Report{Clients: 3, OK: 1, Interrupted: true},
			[]Verdict{{"runs that came to their end: at least 1", 0, false}, {"players let in: at least 1", 1, true}}},
	} {
		cfg := judged{Limits: limitless}
		cfg.Limits.In = tt.least
		cfg.judge(&tt.rep)
		compareVerdicts(t, name, &tt.rep, tt.want)
	}
}

func TestLimitsOnGoodput(t *testing.T) {
	for name, tt := range map[string]struct {
		phases []Phase
		cap    float64
		got    float64
		ok     bool
	}{
		"held": {[]Phase{{Name: PhaseRampUp, PerSecond: 1}, {Name: PhasePeak, PerSecond: 5},
			{Name: PhaseRest, PerSecond: 2}}, 10, 0.5, true},
		"broken": {[]Phase{{Name: PhaseRampUp, PerSecond: 9}, {Name: PhasePeak, PerSecond: 4},
			{Name: PhaseRest, PerSecond: 9}}, 10, 0.4, false},
		"no peak":     {[]Phase{{Name: PhaseRampUp, PerSecond: 9}}, 10, 0, false},
		"no capacity": {[]Phase{{Name: PhasePeak, PerSecond: 9}}, 0, 0, false},
	} {
		cfg := judged{Limits: limitless}
		cfg.Limits.Goodput = 0.5
		checkVerdicts(t, name, &cfg, &Report{Phases: tt.phases, Capacity: tt.cap},
			[]Verdict{{"share of the capacity let in during the peak: at least 0.5", tt.got, tt.ok}})
	}
}

// A limit on a latency is not held by what was not measured.
func TestLimitsOnLatencies(t *testing.T) {
	const limit = 20 * time.Millisecond
	for name, l := range map[string]struct {
		set  func(*Limits)
		fill func(*Report, latency.Summary)
	}{
		"first answer": {func(l *Limits) { l.FirstAnswerP99 = limit },
			func(r *Report, s latency.Summary) { r.FirstAnswer = s }},
		"success": {func(l *Limits) { l.SuccessP99 = limit }, func(r *Report, s latency.Summary) { r.Success = s }},
		"probe":   {func(l *Limits) { l.ProbeP99 = limit }, func(r *Report, s latency.Summary) { r.Probe.Latency = s }},
		"tick lateness": {func(l *Limits) { l.TickP99 = limit },
			func(r *Report, s latency.Summary) { r.Server = &Server{Lateness: s} }},
	} {
		cfg := judged{Limits: limitless}
		l.set(&cfg.Limits)
		for _, tt := range []struct {
			measured latency.Summary
			ok       bool
		}{{p99(19), true}, {p99(20), true}, {p99(20.01), false}, {latency.Summary{}, false}} {
			rep := Report{FirstAnswer: p99(999), Success: p99(999), Probe: Probe{Latency: p99(999)},
				Server: &Server{Lateness: p99(999)}}
			l.fill(&rep, tt.measured)
			want := []Verdict{{name + " p99: at most 20ms (in ms)", tt.measured.P99, tt.ok}}
			checkVerdicts(t, fmt.Sprintf("%s of %v ms", name, tt.measured.P99), &cfg, &rep, want)
		}
	}
	cfg := judged{Limits: limitless}
	cfg.Limits.TickP99 = limit
	checkVerdicts(t, "ticks of a server that does not tell", &cfg, new(Report),
		[]Verdict{{"tick lateness p99: at most 20ms (in ms)", 0, false}})
}

// Probes without an answer are the slowest of all.
func TestLimitOnProbesWithoutAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		answered, failed, skipped int
		limit                     time.Duration
		got                       float64
		ok                        bool
	}{
		"all answered":              {1000, 0, 0, 10 * time.Millisecond, 3, true},
		"hardly any missing":        {1990, 5, 5, 10 * time.Millisecond, 3, true},
		"too many failed":           {970, 30, 0, 10 * time.Millisecond, 5000, false},
		"too many skipped":          {970, 0, 30, 10 * time.Millisecond, 5000, false},
		"all failed":                {0, 100, 0, 10 * time.Millisecond, 5000, false},
		"all failed, a high limit":  {0, 100, 0, time.Minute, 5000, false},
		"some failed, a high limit": {970, 30, 0, time.Minute, 5000, false},
	} {
		var h latency.Histogram
		h.RecordN(3*time.Millisecond, tt.answered)
		rep := Report{Clients: 1, OK: 1,
			Probe: Probe{Answered: tt.answered, Failed: tt.failed, Skipped: tt.skipped, Latency: h.Detailed()}}
		cfg := judged{Limits: limitless}
		cfg.Limits.ProbeP99 = tt.limit
		cfg.judge(&rep)
		v := rep.Verdicts[len(rep.Verdicts)-1]
		if math.Abs(v.Got-tt.got) > tt.got/100+0.001 || v.OK != tt.ok || rep.Kept() != tt.ok {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestLimitsOfAStorm(t *testing.T) {
	for name, tt := range map[string]struct {
		storm *Storm
		got   float64
		ok    bool
	}{
		"all back":     {&Storm{Dropped: 4, Back: 4}, 1, true},
		"one missing":  {&Storm{Dropped: 4, Back: 3, NotBack: 1}, 0.75, false},
		"nobody fell":  {new(Storm), 0, false},
		"it never was": {nil, 0, false},
	} {
		checkVerdicts(t, name, &judged{Scenario: ReconnectStorm, Play: true, Limits: limitless}, &Report{Storm: tt.storm},
			[]Verdict{{"share of the dropped players who are back: at least 1", tt.got, tt.ok}})
	}
}

func TestLimitsOfPlay(t *testing.T) {
	verdicts := func(failed int, least string, share float64, ok bool) []Verdict {
		return []Verdict{
			{"players inside who could not connect to the world: at most 0", float64(failed), failed == 0},
			{"share of the snapshots that came: at least " + least, share, ok},
		}
	}
	anyCame := func(failed int, came float64, ok bool) []Verdict { // without a limit of the operator's
		return append(verdicts(failed, "", 0, false)[:1], Verdict{"snapshots that came: at least 1", came, ok})
	}
	for name, tt := range map[string]struct {
		snapshots float64
		rep       Report
		want      []Verdict
	}{
		"held":            {0.9, Report{Play: &Play{Share: 0.9}}, verdicts(0, "0.9", 0.9, true)},
		"broken":          {0.9, Report{Play: &Play{Share: 0.89, ConnectsFailed: 2}}, verdicts(2, "0.9", 0.89, false)},
		"some, held":      {0, Report{Play: &Play{Snapshots: 7, Share: 0.01}}, anyCame(0, 7, true)},
		"some, broken":    {0, Report{Play: &Play{ConnectsFailed: 2}}, anyCame(2, 0, false)},
		"nobody played":   {0.9, Report{}, verdicts(0, "0.9", 0, false)},
		"was interrupted": {0.9, Report{Interrupted: true}, nil},
	} {
		cfg := judged{Play: true, Limits: limitless}
		cfg.Limits.Snapshots = tt.snapshots
		checkVerdicts(t, name, &cfg, &tt.rep, tt.want)
		cfg.Play = false
		tt.rep.Verdicts = nil
		checkVerdicts(t, name+", without play", &cfg, &tt.rep, nil)
	}
}

// checkVerdicts judges a report in which a player is in, which is held, and has to be so far as want says besides.
func checkVerdicts(t *testing.T, name string, cfg *judged, rep *Report, want []Verdict) {
	t.Helper()
	rep.Clients, rep.OK = rep.Rejected+rep.WronglyIn+1, 1
	ended := []Verdict{{"players let in: at least 1", 1, true}}
	if rep.Interrupted {
		ended = []Verdict{{"runs that came to their end: at least 1", 0, false}, ended[0]}
	}
	cfg.judge(rep)
	compareVerdicts(t, name, rep, append(ended, want...))
}

func compareVerdicts(t *testing.T, name string, rep *Report, want []Verdict) {
	t.Helper()
	if !slices.Equal(rep.Verdicts, want) {
		t.Errorf("%s: %+v, want %+v", name, rep.Verdicts, want)
	}
	if held := !slices.ContainsFunc(want, func(v Verdict) bool { return !v.OK }); rep.Kept() != held {
		t.Errorf("%s: Kept() = %v", name, rep.Kept())
	}
}
