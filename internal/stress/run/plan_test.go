package run

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// expect compares a number of random events with its mean: six standard deviations are never exceeded.
func expect(t *testing.T, what string, got int, mean float64) {
	t.Helper()
	if math.Abs(float64(got)-mean) > 6*math.Sqrt(mean)+1 {
		t.Errorf("%s: %d, want about %.0f", what, got, mean)
	}
}

// within counts the arrivals between two moments.
func within(p plan, from, to time.Duration) (n int) {
	for _, a := range p.arrivals {
		if a.due >= from && a.due < to {
			n++
		}
	}
	return n
}

func mustPlan(t *testing.T, cfg Config, capacity float64) plan {
	t.Helper()
	cfg.Target = "http://game.test"
	cfg, err := cfg.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p := newPlan(&cfg, capacity, rand.New(rand.NewPCG(1, 2)).Float64)
	if !slices.IsSortedFunc(p.arrivals, func(a, b arrival) int { return int(a.due - b.due) }) {
		t.Error("not in the order of time")
	}
	return p
}

func TestPoissonArrivals(t *testing.T) {
	p := mustPlan(t, Config{Scenario: report.Poisson, Rate: 100, Length: 50 * time.Second}, 0)
	expect(t, "arrivals", len(p.arrivals), 5000)
	for s := range 5 {
		from := time.Duration(s) * 10 * time.Second
		expect(t, "arrivals in ten seconds", within(p, from, from+10*time.Second), 1000)
	}
	// The gaps of a Poisson process are exponential: a share of 1/e is longer than the mean.
	long := 0
	for i := 1; i < len(p.arrivals); i++ {
		if p.arrivals[i].due-p.arrivals[i-1].due > 10*time.Millisecond {
			long++
		}
	}
	expect(t, "gaps longer than the mean", long, 5000/math.E)
}

func TestLaunchDayArrivals(t *testing.T) {
	cfg := Config{Scenario: report.LaunchDay, Peak: 5, RampUp: 20 * time.Second, Length: time.Minute,
		Decay: 10 * time.Second}
	p := mustPlan(t, cfg, 40) // 200 a second at the peak
	expect(t, "ramp-up", within(p, 0, 20*time.Second), 2000)
	expect(t, "first half of the ramp-up", within(p, 0, 10*time.Second), 500)
	expect(t, "peak", within(p, 20*time.Second, 80*time.Second), 12000)
	for s := 20; s < 80; s += 10 {
		expect(t, "ten seconds of the peak", within(p, seconds(float64(s)), seconds(float64(s+10))), 2000)
	}
	expect(t, "decay", within(p, 80*time.Second, 90*time.Second), 1000)
	expect(t, "second half of the decay", within(p, 85*time.Second, 90*time.Second), 250)
	if n := within(p, 90*time.Second, time.Hour); n != 0 {
		t.Errorf("%d come after the end", n)
	}
	want := []section{{report.PhaseRampUp, 0}, {report.PhasePeak, 20 * time.Second}, {report.PhaseDecay, 80 * time.Second},
		{report.PhaseRest, 90 * time.Second}}
	if !slices.Equal(p.sections, want) {
		t.Errorf("sections %v", p.sections)
	}
}

func TestMixedArrivals(t *testing.T) {
	cfg := Config{
		Scenario: report.Mixed, Rate: 100, Length: 100 * time.Second,
		Mix: Mix{Register: 1, Login: 5, WrongPassword: 3, Malformed: 1},
	}
	p := mustPlan(t, cfg, 0)
	var count [4]int
	fresh := map[int]bool{}
	for _, a := range p.arrivals {
		count[a.ask]++
		guest := a.ask == askLogin || a.ask == askWrongPassword
		if guest != (a.account < p.prepared) {
			t.Fatalf("%+v, but %d accounts are prepared", a, p.prepared)
		}
		if !guest && fresh[a.account] {
			t.Fatalf("account %d is new to two", a.account)
		}
		fresh[a.account] = true
	}
	for i, share := range []float64{0.1, 0.5, 0.3, 0.1} {
		expect(t, "players who ask for the same", count[i], share*10_000)
	}
	if guests := count[askLogin] + count[askWrongPassword]; p.prepared != guests {
		t.Errorf("%d accounts for %d players", p.prepared, guests)
	}
	cfg.Mix = Mix{Malformed: 1}
	if p := mustPlan(t, cfg, 0); p.prepared != 0 {
		t.Errorf("%d accounts for nobody", p.prepared)
	}
}

// However long a run would be, it ends.
func TestPlansAreBounded(t *testing.T) {
	cfg := Config{Target: "http://game.test", Scenario: report.Poisson, Rate: MaxRate, Length: time.Hour}
	if _, err := cfg.WithDefaults(); err == nil {
		t.Error("a plan for 360 million players is accepted")
	}
	if p := mustPlan(t, Config{Scenario: report.LaunchDay, Peak: 1000, Length: 15 * time.Minute},
		100); len(p.arrivals) != MaxClients {
		t.Errorf("%d players", len(p.arrivals))
	}
}
