package stress

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

func p99(ms float64) latency.Summary { return latency.Summary{Count: 1, P99: ms} }

// limitless has no limit but those of the scenario.
var limitless = Limits{TimedOut: -1, Dropped: -1}

// Each limit is held up to its value, broken above it, and not held by what was not measured.
func TestLimits(t *testing.T) {
	const ms = time.Millisecond
	type test struct {
		name   string
		limits Limits
		cfg    Config
		rep    Report
		want   []Verdict
	}
	tests := []test{
		{name: "none", limits: limitless, rep: Report{TimedOut: 9, Dropped: 9, WronglyIn: 9}},
		{
			name: "the default, held", rep: Report{Clients: 5, OK: 5},
			want: []Verdict{{"players left without an answer: at most 0", 0, true}, {"players dropped by a transport error: at most 0", 0, true}},
		},
		{
			name: "the default, broken", rep: Report{Clients: 5, OK: 2, TimedOut: 1, Dropped: 2},
			want: []Verdict{{"players left without an answer: at most 0", 1, false}, {"players dropped by a transport error: at most 0", 2, false}},
		},
		{
			name: "some timed out and dropped, held", limits: Limits{TimedOut: 3, Dropped: 2}, rep: Report{TimedOut: 3, Dropped: 2},
			want: []Verdict{{"players left without an answer: at most 3", 3, true}, {"players dropped by a transport error: at most 2", 2, true}},
		},
		{
			name: "some timed out and dropped, broken", limits: Limits{TimedOut: 3, Dropped: 2}, rep: Report{TimedOut: 4, Dropped: 3},
			want: []Verdict{{"players left without an answer: at most 3", 4, false}, {"players dropped by a transport error: at most 2", 3, false}},
		},
		{
			name: "mixed, held", limits: limitless, cfg: Config{Scenario: Mixed}, rep: Report{Rejected: 4},
			want: []Verdict{{"players let in who should not have been: at most 0", 0, true}},
		},
		{
			name: "mixed, broken", limits: limitless, cfg: Config{Scenario: Mixed}, rep: Report{WronglyIn: 1},
			want: []Verdict{{"players let in who should not have been: at most 0", 1, false}},
		},
		{
			name: "share in, held", limits: Limits{In: 0.75, TimedOut: -1, Dropped: -1}, rep: Report{Clients: 12, OK: 6, Rejected: 3, WronglyIn: 1, Busy: 2},
			want: []Verdict{{"share of players let in: at least 0.75", 0.75, true}},
		},
		{
			name: "share in, broken", limits: Limits{In: 0.75, TimedOut: -1, Dropped: -1}, rep: Report{Clients: 8, OK: 5, Busy: 3},
			want: []Verdict{{"share of players let in: at least 0.75", 0.625, false}},
		},
		{
			name: "share in of nobody", limits: Limits{In: 0.75, TimedOut: -1, Dropped: -1}, rep: Report{Clients: 3, Rejected: 3},
			want: []Verdict{{"share of players let in: at least 0.75", 0, false}},
		},
	}
	for _, peak := range []struct {
		name   string
		phases []Phase
		cap    float64
		got    float64
		ok     bool
	}{
		{"held", []Phase{{Name: phaseRampUp, PerSecond: 1}, {Name: phasePeak, PerSecond: 5}, {Name: phaseRest, PerSecond: 2}}, 10, 0.5, true},
		{"broken", []Phase{{Name: phaseRampUp, PerSecond: 9}, {Name: phasePeak, PerSecond: 4}, {Name: phaseRest, PerSecond: 9}}, 10, 0.4, false},
		{"no peak", []Phase{{Name: phaseRampUp, PerSecond: 9}}, 10, 0, false},
		{"no capacity", []Phase{{Name: phasePeak, PerSecond: 9}}, 0, 0, false},
	} {
		tests = append(tests, test{
			name: "goodput, " + peak.name, limits: Limits{Goodput: 0.5, TimedOut: -1, Dropped: -1}, rep: Report{Phases: peak.phases, Capacity: peak.cap},
			want: []Verdict{{"share of the capacity let in during the peak: at least 0.5", peak.got, peak.ok}},
		})
	}
	for _, tt := range tests {
		cfg, rep := tt.cfg, tt.rep
		cfg.Limits = tt.limits
		checkVerdicts(t, tt.name, &cfg, &rep, tt.want)
	}

	for name, l := range map[string]struct {
		limits Limits
		fill   func(*Report, latency.Summary)
	}{
		"first answer":  {Limits{FirstAnswerP99: 20 * ms}, func(r *Report, s latency.Summary) { r.FirstAnswer = s }},
		"success":       {Limits{SuccessP99: 20 * ms}, func(r *Report, s latency.Summary) { r.Success = s }},
		"probe":         {Limits{ProbeP99: 20 * ms}, func(r *Report, s latency.Summary) { r.Probe.Latency = s }},
		"tick lateness": {Limits{TickP99: 20 * ms}, func(r *Report, s latency.Summary) { r.Server = &ServerReport{Lateness: s} }},
	} {
		l.limits.TimedOut, l.limits.Dropped = -1, -1
		for _, tt := range []struct {
			measured latency.Summary
			ok       bool
		}{{p99(19), true}, {p99(20), true}, {p99(20.01), false}, {latency.Summary{}, false}} {
			rep := Report{FirstAnswer: p99(999), Success: p99(999), Probe: ProbeReport{Latency: p99(999)}, Server: &ServerReport{Lateness: p99(999)}}
			l.fill(&rep, tt.measured)
			want := []Verdict{{name + " p99: at most 20ms (in ms)", tt.measured.P99, tt.ok}}
			checkVerdicts(t, fmt.Sprintf("%s of %v ms", name, tt.measured.P99), &Config{Limits: l.limits}, &rep, want)
		}
	}
	checkVerdicts(t, "ticks of a server that does not tell", &Config{Limits: Limits{TickP99: ms, TimedOut: -1, Dropped: -1}}, new(Report),
		[]Verdict{{"tick lateness p99: at most 1ms (in ms)", 0, false}})
}

func TestLimitsOfAStorm(t *testing.T) {
	for name, tt := range map[string]struct {
		storm *StormReport
		got   float64
		ok    bool
	}{
		"all back":     {&StormReport{Dropped: 4, Back: 4}, 1, true},
		"one missing":  {&StormReport{Dropped: 4, Back: 3, NotBack: 1}, 0.75, false},
		"nobody fell":  {new(StormReport), 0, false},
		"it never was": {nil, 0, false},
	} {
		checkVerdicts(t, name, &Config{Scenario: ReconnectStorm, Play: true, Limits: limitless}, &Report{Storm: tt.storm},
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
	for name, tt := range map[string]struct {
		snapshots float64
		rep       Report
		want      []Verdict
	}{
		"held":            {0.9, Report{Play: &PlayReport{Share: 0.9}}, verdicts(0, "0.9", 0.9, true)},
		"broken":          {0.9, Report{Play: &PlayReport{Share: 0.89, ConnectsFailed: 2}}, verdicts(2, "0.9", 0.89, false)},
		"some, held":      {0, Report{Play: &PlayReport{Share: 0.01}}, verdicts(0, "0.001", 0.01, true)},
		"some, broken":    {0, Report{Play: &PlayReport{ConnectsFailed: 2}}, verdicts(2, "0.001", 0, false)},
		"nobody played":   {0.9, Report{}, verdicts(0, "0.9", 0, false)},
		"was interrupted": {0.9, Report{Interrupted: true}, nil},
	} {
		cfg := Config{Play: true, Limits: limitless}
		cfg.Limits.Snapshots = tt.snapshots
		checkVerdicts(t, name, &cfg, &tt.rep, tt.want)
		cfg.Play = false
		tt.rep.Verdicts = nil
		checkVerdicts(t, name+", without play", &cfg, &tt.rep, nil)
	}
}

func checkVerdicts(t *testing.T, name string, cfg *Config, rep *Report, want []Verdict) {
	t.Helper()
	rep.judge(cfg)
	if !slices.Equal(rep.Verdicts, want) {
		t.Errorf("%s: %+v, want %+v", name, rep.Verdicts, want)
	}
	if held := !slices.ContainsFunc(want, func(v Verdict) bool { return !v.OK }); rep.Held() != held {
		t.Errorf("%s: Held() = %v", name, rep.Held())
	}
}
