package run

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

func TestMixed(t *testing.T) {
	for _, gullible := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{gullible: gullible}
			f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
				f.admit(w, name, 10*time.Millisecond)
			}
			cfg := f.start(t)
			cfg.Scenario, cfg.Rate, cfg.Length, cfg.Stay = report.Mixed, 20, 30*time.Second, 5*time.Second
			cfg.random = locked(rand.New(rand.NewPCG(3, 4)).Float64)
			rep := mustRun(t, t.Context(), cfg)
			expect(t, "players", rep.Clients, 600)
			expect(t, "let in", rep.OK, 600*0.8)
			expect(t, "others", rep.Rejected+rep.WronglyIn, 600*0.2)
			if rep.OK+rep.Rejected+rep.WronglyIn != rep.Clients || rep.Kept() == gullible || (rep.WronglyIn > 0) != gullible ||
				(rep.Rejected > 0) == gullible {
				t.Errorf("gullible %v: %+v", gullible, rep)
			}
			if f.players != 0 && !gullible { // those who registered accounts, and those who stayed for a while
				t.Errorf("%d players are still inside", f.players)
			}
			if rep.TriesPerSuccess != 0 { // some tries are not to succeed
				t.Errorf("%v tries per success", rep.TriesPerSuccess)
			}
			if p := phaseOf(t, rep, report.PhaseArrivals); p.To != 30 || p.Started != rep.Clients {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestStayEndsEachVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Scenario, cfg.Rate, cfg.Clients, cfg.Stay = report.Ramp, 1, 30, 3500*time.Millisecond
		most := 0
		f.healthz = func(*http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			most = max(most, f.players)
		}
		rep := mustRun(t, t.Context(), cfg)
		if most != 4 || rep.LoggedOut != 30 || rep.LeftBefore != 26 || *rep.ExpectedAtEnd != 4 || *rep.PlayersAtEnd != 4 {
			t.Errorf("at most %d inside at once: %+v", most, rep)
		}
	})
}
