package report

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

func flooded() *Report {
	var refusal latency.Histogram
	refusal.Record(25 * time.Millisecond)
	return &Report{
		Scenario: KnockFlood, Mode: Register, Clients: 10, OK: 10, Capacity: 160,
		Phases: []Phase{{Name: PhaseFlood, From: 2, To: 10,
			CPU: &CPU{Process: 1, Hash: 0.5, Door: 0.3, Tick: 0.1, Other: 0.1}}},
		Flood: &KnockReport{
			PerSecond: 1760, Times: 11, Mode: Register, Sources: "127.64.0.0/10", Length: 10, Patience: 10,
			Knocks: Knocks{Made: 17_000, Late: 171, Unmade: 600, Full: 200, In: 1400, Refused: 15_000, Gone: 100,
				Silent: 500},
			InPerSecond: 144, Goodput: 0.9, AnsweredOfKnocks: 0.96, Refusal: refusal.Summary(), GeneratorMicros: 30,
			Answers: []KnockAnswers{{503, "server-busy", 15_000, refusal.Summary()}, {Count: 3}},
		},
	}
}

// Scripts read these names, and a report that is read back is the same.
func TestFloodJSON(t *testing.T) {
	r := flooded()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(data))
	if err != nil || !reflect.DeepEqual(again.Flood, r.Flood) || !reflect.DeepEqual(again.Phases, r.Phases) {
		t.Errorf("%+v, %v", again, err)
	}
	var fields struct {
		Flood  map[string]any   `json:"flood"`
		Phases []map[string]any `json:"phases"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`answered_share answers counted counted_s delay entry full generator_us gone goodput in in_per_s
		knocks_in_per_s late length_s made made_per_s mode open patience_s players_in_per_s rate_per_s refusal refused silent
		sources times tls unmade`)
	if got := slices.Sorted(maps.Keys(fields.Flood)); !slices.Equal(got, want) {
		t.Errorf("fields %q", got)
	}
	cpu, _ := fields.Phases[0]["cpu"].(map[string]any)
	if got := slices.Sorted(maps.Keys(cpu)); !slices.Equal(got, []string{"door", "hash", "other", "process", "tick"}) {
		t.Errorf("fields %q", got)
	}
}

func TestFloodText(t *testing.T) {
	var b bytes.Buffer
	if err := flooded().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"1760/s due (11.0 times the capacity) for 10 s from 127.64.0.0/10", "144.0/s, 90.0 % of the capacity of 160.0/s",
		"17000 made, 171 late, 600 not made (200 for want of room); in 1400, " +
			"refused 15000, gone 100, silent for 10 s 500", "answer 503 server-busy",
		"answer others", "play, else",
	} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), strings.Join(strings.Fields(s), " ")) {
			t.Errorf("the text does not say %q:\n%s", s, &b)
		}
	}
}

func TestFloodLimits(t *testing.T) {
	all := Limits{Goodput: 0.88, RefusalP99: 30 * time.Millisecond, Answered: 0.95}
	for name, tt := range map[string]struct {
		change func(*Report, *Limits)
		held   bool
	}{
		"all held":            {func(*Report, *Limits) {}, true},
		"too few let in":      {func(_ *Report, l *Limits) { l.Goodput = 0.91 }, false},
		"too old":             {func(_ *Report, l *Limits) { l.RefusalP99 = 20 * time.Millisecond }, false},
		"too many unanswered": {func(_ *Report, l *Limits) { l.Answered = 0.97 }, false},
		"no flood":            {func(r *Report, _ *Limits) { r.Flood = nil }, false},
		"no flood, no limits": {func(r *Report, l *Limits) { r.Flood, *l = nil, Limits{} }, false},
		"no limits":           {func(_ *Report, l *Limits) { *l = Limits{} }, true},
		"nobody was refused":  {func(r *Report, _ *Limits) { r.Flood.Refusal = latency.Summary{} }, false},
	} {
		r, l := flooded(), all
		tt.change(r, &l)
		r.Judge(l, false)
		if r.Kept() != tt.held {
			t.Errorf("%s: %+v", name, r.Verdicts)
		}
	}
}

// A report says when the generator was the limit, and only then.
func TestFloodOfASlowGenerator(t *testing.T) {
	for want, k := range map[string]Knocks{
		"":                                      {Made: 1000, Late: 10},
		"11 of its 1000 knocks came 100ms late": {Made: 1000, Late: 11},
		"1 of the 1001 knocks that were due were not made because it was 250 ms behind": {Made: 1000, Unmade: 1},
		"1 of the 1001 knocks that were due were not made for want":                     {Made: 1000, Unmade: 1, Full: 1},
	} {
		got := (&KnockReport{Knocks: k}).Limited()
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%+v: %q", k, got)
		}
	}
}

func TestCompareFloods(t *testing.T) {
	a, b := flooded(), flooded()
	b.Flood.Goodput = 0.5
	for _, g := range Compare(a, b).Groups {
		if g.Name != "flood" {
			continue
		}
		for _, row := range g.Rows {
			if row.Name == "share of the capacity" && (row.A != "90.0 %" || row.Change != Worse) {
				t.Errorf("%+v", row)
			}
		}
		return
	}
	t.Error("the flood is not compared")
}
