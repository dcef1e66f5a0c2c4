package run

import (
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// locked makes a random generator safe for many goroutines.
func locked(random func() float64) func() float64 {
	var mu sync.Mutex
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return random()
	}
}

// door lets in so many per second, one after the other, and gives everybody else the next free moment.
type door struct {
	mu   sync.Mutex
	each time.Duration
	free time.Time
}

// wait returns how long the next one has to wait if that is not for longer than most.
func (d *door) wait(most time.Duration) (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.free.Before(now) {
		d.free = now
	}
	wait := d.free.Sub(now)
	if wait > most {
		return wait, false
	}
	d.free = d.free.Add(d.each)
	return wait + d.each, true
}

func TestLaunchDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := &fake{}, &door{each: 50 * time.Millisecond}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			wait, ok := d.wait(6 * time.Second)
			if !ok {
				refuse(w, 0, 503, "server-busy", wait)
				return
			}
			f.admit(w, name, wait)
		}
		cfg := f.start(t)
		cfg.Scenario, cfg.Peak = report.LaunchDay, 3
		cfg.RampUp, cfg.Length, cfg.Decay = 10*time.Second, 20*time.Second, 10*time.Second
		cfg.Stay, cfg.Timeout, cfg.MaxRetries = time.Second, 10*time.Minute, 100
		cfg.Limits = report.Limits{Goodput: 0.97, FirstAnswerP99: 7 * time.Second, SuccessP99: time.Second}
		cfg.random = locked(rand.New(rand.NewPCG(5, 6)).Float64)
		rep := mustRun(t, t.Context(), cfg)
		near(t, "capacity", rep.Capacity, 20)
		expect(t, "players", rep.Clients, 3*20*30)
		if rep.OK != rep.Clients || rep.TimedOut+rep.Dropped != 0 {
			t.Errorf("%+v", rep)
		}
		peak := phaseOf(t, rep, report.PhasePeak)
		if peak.From != 10 || peak.To != 30 || math.Abs(peak.PerSecond-20) > 0.3 {
			t.Errorf("peak: %+v", peak)
		}
		started, in := 0, 0
		for _, p := range rep.Phases {
			started, in = started+p.Started, in+p.Answers.In
		}
		if started != rep.Clients || in != rep.OK || in != rep.Answers.In {
			t.Errorf("the phases count %d and %d of %d and %d", started, in, rep.Clients, rep.OK)
		}
		checkTimeline(t, rep)
		var held []string
		for _, v := range rep.Verdicts {
			if v.OK {
				held = append(held, v.Limit)
			}
		}
		if got := strings.Join(held, "; "); rep.Kept() || !strings.Contains(got, "peak") ||
			!strings.Contains(got, "first answer") || strings.Contains(got, "success") {
			t.Errorf("held: %s", got)
		}
	})
}

// checkTimeline adds a timeline up.
func checkTimeline(t *testing.T, rep *report.Report) {
	t.Helper()
	var answers report.Answers
	started, first, success := 0, int64(0), int64(0)
	for i, p := range rep.Timeline.Points {
		if p.At != float64(i)*rep.Timeline.IntervalSeconds {
			t.Fatalf("point %d is at %v s", i, p.At)
		}
		started += p.Started
		answers.Add(p.Answers)
		first, success = first+p.FirstAnswer.Count, success+p.Success.Count
	}
	if started != rep.Clients || answers != rep.Answers || first != rep.FirstAnswer.Count || success != rep.Success.Count {
		t.Errorf("%d players, %+v, %d and %d; want %d, %+v, %d and %d", started, answers, first, success,
			rep.Clients, rep.Answers, rep.FirstAnswer.Count, rep.Success.Count)
	}
}

// Some lose patience: they hang up when they have waited long enough, not when they are told to wait for longer, come
// back and find that their first try has made the account.
func TestImpatientPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		hangUps := make(chan time.Duration, 10)
		begin := time.Now()
		f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
			switch {
			case idOf(name) == "1" && try == 1: // never answered, but the account is made
				silence(r)
				hangUps <- time.Since(begin)
			case idOf(name) == "1" && try == 2:
				refuse(w, 0, 409, "username-taken", 0)
			case idOf(name) == "2" && try == 1:
				refuse(w, 0, 503, "server-busy", time.Minute)
			default:
				f.admit(w, name, 0)
			}
		}
		cfg := f.start(t)
		cfg.Clients, cfg.GiveUpShare, cfg.GiveUpAfter = 2, 1, 8*time.Second
		rep := mustRun(t, t.Context(), cfg)
		if got := <-hangUps; got != 8*time.Second {
			t.Errorf("hung up after %v", got)
		}
		// The pause is half of the patience when the random number is 0.
		near(t, "success min", rep.Success.Min, 12_000)
		near(t, "success max", rep.Success.Max, 12_000)
		if rep.OK != 2 || rep.HungUp != 2 || rep.Answers != (report.Answers{In: 2, Busy: 1, Refused: 1, GaveUp: 1}) {
			t.Errorf("%+v", rep)
		}
		if got := f.logins["stress-000001"]; len(got) != 1 || !got[0] {
			t.Errorf("logins: %v, want one takeover", got)
		}
	})
}

// A generator that is late says so, and the time counts.
func TestLatenessOfTheGeneratorCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			f.admit(w, name, 100*time.Millisecond)
		}
		cfg := f.start(t)
		cfg.Scenario, cfg.Rate, cfg.Clients = report.Ramp, 10, 20
		random := cfg.random
		held := false
		cfg.GiveUpShare = 0.5
		cfg.random = func() float64 { // asked when a player is made
			if !held {
				held = true
				time.Sleep(time.Second)
			}
			return max(random(), 0.9)
		}
		rep := mustRun(t, t.Context(), cfg)
		near(t, "start delay max", rep.StartDelay.Max, 1000)
		near(t, "first answer max", rep.FirstAnswer.Max, 1100)
		near(t, "first answer min", rep.FirstAnswer.Min, 100)
		if !strings.Contains(rep.Generator.Bottleneck, "players came") {
			t.Errorf("bottleneck: %q", rep.Generator.Bottleneck)
		}
	})
}
