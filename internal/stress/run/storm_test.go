package run

import (
	"math"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// phase returns a phase of a report.
func phaseOf(t *testing.T, rep *report.Report, name string) report.Phase {
	t.Helper()
	i := slices.IndexFunc(rep.Phases, func(p report.Phase) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no phase %s in %+v", name, rep.Phases)
	}
	return rep.Phases[i]
}

func TestStormOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
			switch {
			case try == 1:
				f.admit(w, name, 0)
			case idOf(name) == "3" && try == 2:
				refuse(w, 0, 503, "server-busy", 5*time.Second)
			case idOf(name) == "4":
				refuse(w, time.Second, 401, "bad-credentials", 0) // the account is gone
			default:
				f.mu.Lock()
				f.players-- // whose place is taken over
				f.mu.Unlock()
				f.admit(w, name, 2*time.Second)
			}
		}
		cfg := f.start(t)
		cfg.Scenario, cfg.Rate, cfg.Clients, cfg.Duration = report.ReconnectStorm, 10, 4, 20*time.Second
		rep := mustRun(t, t.Context(), cfg)
		s := rep.Storm
		if s == nil || s.Dropped != 4 || s.Back != 3 || s.NotBack != 1 || s.DownSeconds != 0 {
			t.Fatalf("%+v", s)
		}
		near(t, "drop", s.DropAt, 20.3)
		near(t, "last back", s.LastBack, 7)
		near(t, "first back", s.Return.Min, 2000)
		near(t, "return p50", s.Return.P50, 2000)
		if p := phaseOf(t, rep, report.PhaseReturn); p.Answers != (report.Answers{In: 3, Busy: 1, Refused: 1}) ||
			p.Started != 0 {
			t.Errorf("return: %+v", p)
		}
		if rep.OK != 4 || rep.Tries != 4 || rep.Answers.In != 7 || rep.Success.Count != 4 || rep.LoggedOut != 3 ||
			*rep.ExpectedAtEnd != 3 {
			t.Errorf("%+v", rep)
		}
		for _, id := range []string{"stress-000001", "stress-000003"} {
			if got := f.logins[id]; len(got) == 0 || slices.Contains(got, false) {
				t.Errorf("%s came back by %v: not all are takeovers", id, got)
			}
		}
		if v := rep.Verdicts[len(rep.Verdicts)-1]; v.OK || v.Got != 0.75 {
			t.Errorf("verdict %+v", v)
		}
	})
}

// A server that is killed takes all sessions with it. Players without a connection to the world find out by their next
// call, and keep trying until it is back.
func TestStormOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		begin := time.Now()
		const died, rose = 15 * time.Second, 18 * time.Second
		away := func() bool { at := time.Since(begin); return at >= died && at < rose }
		f.healthz = func(*http.Request) {
			if away() {
				panic(http.ErrAbortHandler)
			}
		}
		time.AfterFunc(died, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			clear(f.lastCall)
			f.players = 0
		})
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			if away() {
				panic(http.ErrAbortHandler)
			}
			f.admit(w, name, 0)
		}
		cfg := f.start(t)
		cfg.Scenario, cfg.DropBy = report.ReconnectStorm, DropByServer
		cfg.Rate, cfg.Clients, cfg.Duration = 10, 20, time.Minute
		rep := mustRun(t, t.Context(), cfg)
		s := rep.Storm
		if s == nil || s.Dropped != 20 || s.Back != 20 || !rep.Kept() || rep.LoggedOut != 20 {
			t.Fatalf("%+v\n%+v", s, rep)
		}
		if math.Abs(s.DropAt-15) > 0.06 || math.Abs(s.DownSeconds-3) > 0.06 {
			t.Errorf("away from %v s for %v s", s.DropAt, s.DownSeconds)
		}
		if s.LastBack < 3 || s.LastBack > 15 || math.Abs(s.LastBack-s.LastBackSinceUp-3) > 0.06 {
			t.Errorf("last one back after %v s, %v s after the server", s.LastBack, s.LastBackSinceUp)
		}
	})
}

func TestStormThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Scenario, cfg.DropBy = report.ReconnectStorm, DropByServer
		cfg.Rate, cfg.Clients, cfg.Duration = 10, 2, time.Minute
		rep := mustRun(t, t.Context(), cfg)
		if rep.Kept() || rep.LoggedOut != 2 ||
			!slices.Contains(rep.Notes, "the server dropped nobody while the run waited for it") {
			t.Errorf("%+v", rep)
		}
	})
}
