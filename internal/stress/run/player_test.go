package run

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// What became of a player is what the last whole try said, not what one long before it did.
func TestOutcomeIsThatOfTheLastWholeTry(t *testing.T) {
	const told, taken, silent, broken = "busy", "taken", "silent", "broken"
	for _, tt := range []struct {
		name      string
		script    []string // answers by try, the last one for ever
		impatient bool
		timeout   time.Duration
		want      outcome
	}{
		{"busy to the end", []string{told}, false, time.Minute, busy},
		{"cut short after a busy answer", []string{told, silent}, false, 20 * time.Second, busy},
		{"busy once, then silence", []string{told, silent}, false, 50 * time.Second, timedOut},
		{"busy once, then broken connections", []string{told, broken}, false, 50 * time.Second, timedOut},
		{"busy once, then patience lost in silence", []string{told, silent}, true, 50 * time.Second, timedOut},
		{"busy at last", []string{silent, told}, true, 50 * time.Second, busy},
		{"taken by the player, then silence", []string{silent, taken, silent}, true, 18 * time.Second, timedOut},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.knock = func(w http.ResponseWriter, r *http.Request, _ string, try int) {
				switch tt.script[min(try, len(tt.script))-1] {
				case told:
					refuse(w, 0, 503, "server-busy", 2*time.Second)
				case taken:
					refuse(w, 0, 409, "username-taken", 0)
				case silent:
					silence(r)
				case broken:
					panic(http.ErrAbortHandler)
				}
			}
			cfg := f.start(t)
			cfg.Clients, cfg.MaxRetries, cfg.Timeout = 1, 1000, tt.timeout
			cfg.random = func() float64 { return 0.5 }
			if tt.impatient {
				cfg.GiveUpShare, cfg.GiveUpAfter = 1, 8*time.Second
			}
			rep := mustRun(t, t.Context(), cfg)
			if rep.Busy != either(tt.want == busy, 1, 0) || rep.TimedOut != either(tt.want == timedOut, 1, 0) {
				t.Errorf("%s: %d busy, %d timed out, failed %v; %+v", tt.name, rep.Busy, rep.TimedOut, rep.Failed, rep.Answers)
			}
		})
	}
}

// Who waits before coming once more when the run is interrupted has no outcome.
func TestInterruptedBetweenTwoVisits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(_ http.ResponseWriter, r *http.Request, _ string, _ int) { silence(r) }
		cfg := f.start(t)
		cfg.Clients, cfg.GiveUpShare, cfg.GiveUpAfter = 1, 1, 8*time.Second
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		if rep := mustRun(t, ctx, cfg); !rep.Interrupted || rep.Unfinished != 1 || rep.TimedOut != 0 || rep.HungUp != 1 {
			t.Errorf("%+v", rep)
		}
	})
}

// Whose earlier visits were all answered has no account that could be meant by "taken", and no session.
func TestImpatientPlayersTakeOnlyTheirOwnAccounts(t *testing.T) {
	for mode, want := range map[report.Mode]int{report.Register: 0, report.Login: 1} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
				switch {
				case try == 1:
					refuse(w, 0, 503, "server-busy", time.Minute)
				case r.PathValue("action") == "register":
					refuse(w, 0, 409, "username-taken", 0) // by an earlier run
				default:
					f.admit(w, name, 0)
				}
			}
			cfg := f.start(t)
			cfg.Mode, cfg.Clients, cfg.GiveUpShare = mode, 1, 1
			rep := mustRun(t, t.Context(), cfg)
			if rep.OK != want || rep.Failed["username-taken"] != 1-want || slices.Contains(f.logins["stress-000001"], true) {
				t.Errorf("%s: %d in, failed %v, logins %v", mode, rep.OK, rep.Failed, f.logins)
			}
		})
	}
}

// Each try has a connection of its own, also after an answer that is none of the server's.
func TestConnectionsAfterBadGateways(t *testing.T) {
	for _, keepAlive := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.knock = func(w http.ResponseWriter, _ *http.Request, name string, try int) {
				if try < 4 {
					w.WriteHeader(http.StatusBadGateway)
					return
				}
				f.admit(w, name, 0)
			}
			cfg := f.start(t)
			cfg.Clients, cfg.KeepAlive = 10, keepAlive
			rep := mustRun(t, t.Context(), cfg)
			want := either(keepAlive, rep.Clients, rep.Tries) + 2 // the probe and the observer
			if rep.OK != 10 || rep.Tries != 40 || f.dials != want {
				t.Errorf("keep-alive %v: %d tries over %d connections, want %d", keepAlive, rep.Tries, f.dials, want)
			}
		})
	}
}

// Who was let in by mistake is logged out in the time that there is for all, interrupted or not.
func TestLogoutsOfThoseWronglyInAreBounded(t *testing.T) {
	for _, interrupt := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{gullible: true}
			f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
			f.logout = silence
			cfg := f.start(t)
			cfg.Scenario, cfg.Rate, cfg.Length, cfg.Mix = report.Mixed, 10, 10*time.Second, Mix{WrongPassword: 1}
			cfg.random = locked(func() func() float64 {
				x := 0.5
				return func() float64 { x += 0.37; x -= float64(int(x)); return x }
			}())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var since time.Time
			f.healthz = func(*http.Request) { // the load has begun
				if since.IsZero() {
					since = time.Now().Add(5 * time.Second)
					if interrupt {
						time.AfterFunc(5*time.Second, cancel)
					}
				}
			}
			rep := mustRun(t, ctx, cfg)
			took := time.Since(since)
			if rep.WronglyIn == 0 || rep.Interrupted != interrupt ||
				took > either(interrupt, logoutTimeInterrupted, 10*time.Second+logoutTime) {
				t.Errorf("%d wrongly in; it took %v to end", rep.WronglyIn, took)
			}
		})
	}
}
