package run

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lines "github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// Ten times as many players come as are let in at once. However they ask, all get in, in the order of their turns.
func TestPlayersWaitInLine(t *testing.T) {
	const players = 120
	offered := []string{"game.test:40000", "192.0.2.7:40000"}
	for name, tt := range map[string]struct {
		mode   LineMode
		udp    []string
		shared bool
		asked  string
		most   float64 // logins for each player let in
	}{
		"as the server offers: the document": {LineAuto, nil, false, "http", 2.2},
		"as the server offers: UDP":          {LineAuto, offered[1:], false, "udp", 1.2},
		"the document":                       {LineHTTP, offered, false, "http", 2.2},
		"a shared document":                  {LineHTTP, nil, true, "http", 2.2},
		"UDP":                                {LineUDP, offered[1:], false, "udp", 1.2},
		"no tickets":                         {LineOff, offered, false, "", 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &house{udp: tt.udp}
				cfg := h.open(t)
				defer h.shut()
				cfg.Clients, cfg.Line, cfg.ShareDocument, cfg.MaxRetries = players, tt.mode, tt.shared, 100
				rep := mustRun(t, t.Context(), cfg)
				l := rep.Line
				if l == nil || rep.OK != players || l.Placed+l.Direct != players || l.In != l.Placed {
					t.Fatalf("%+v\n%+v", rep, l)
				}
				if l.Asked != tt.asked || l.Shared != tt.shared || len(l.PlacesLost) > 0 || l.NotOnTime > 0 || l.Told != l.In {
					t.Errorf("%+v", l)
				}
				if tt.asked != "" && l.OvertakenP99 > 16 || l.HitShare < 0.9 || l.KnocksPerIn > tt.most {
					t.Errorf("%+v", l)
				}
				if knows := tt.mode != LineOff; (h.secrets > 0) != knows || (l.TicketKnocks > 0) != knows ||
					l.TicketKnocksPerIn > 1.1 {
					t.Errorf("%d secrets; %+v", h.secrets, l)
				}
				if l.UDP > 0 != (tt.asked == "udp") || l.Polls > 0 != (tt.asked == "http") || l.UDPUnanswered > 0 {
					t.Errorf("%+v", l)
				}
				if seconds := int(rep.WallSeconds) + 2; tt.shared && l.Polls > seconds {
					t.Errorf("%d readings of a shared document in %d s", l.Polls, seconds)
				}
				if rep.FirstAnswer.Count != players {
					t.Errorf("%d first answers", rep.FirstAnswer.Count)
				}
			})
		})
	}
}

// Without an answer by UDP players ask over HTTP, which does not cost them their places.
func TestKnocksByUDPThatAreNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{deaf: true, udp: []string{"192.0.2.7:40000"}}
		cfg := h.open(t)
		defer h.shut()
		cfg.Clients = 150
		rep := mustRun(t, t.Context(), cfg)
		l := rep.Line
		if rep.OK != 150 || l == nil || l.UDP == 0 || l.UDPUnanswered != l.UDP || l.Polls == 0 || len(l.PlacesLost) > 0 ||
			l.NotOnTime > 0 {
			t.Errorf("%+v\n%+v", rep, l)
		}
	})
}

// A server that tells no turn leaves nothing to ask its document with.
func TestNoTurnIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{silent: true}
		cfg := h.open(t)
		defer h.shut()
		cfg.Clients = 100
		rep := mustRun(t, t.Context(), cfg)
		if l := rep.Line; rep.OK != 100 || l == nil || l.In != l.Placed {
			t.Errorf("%+v\n%+v", rep, l)
		}
	})
}

// Players who lose patience keep their tickets while they are away, and are not held against the line.
func TestPlacesOfPlayersWhoHangUp(t *testing.T) {
	for _, mode := range []LineMode{LineHTTP, LineUDP} {
		synctest.Test(t, func(t *testing.T) {
			h := &house{udp: []string{"192.0.2.7:40000"}}
			cfg := h.open(t)
			defer h.shut()
			cfg.Clients, cfg.Line, cfg.GiveUpShare, cfg.GiveUpAfter = 200, mode, 0.3, 4*time.Second
			rep := mustRun(t, t.Context(), cfg)
			l := rep.Line
			if rep.OK != 200 || rep.HungUp == 0 || l == nil || len(l.PlacesLost) > 0 || l.NotOnTime == 0 || l.OvertakenP99 > 16 {
				t.Errorf("%s: %+v\n%+v", mode, rep, l)
			}
		})
	}
}

// Whose time ends in the line was told, by whatever way, and not left in silence.
func TestTimeEndsInLine(t *testing.T) {
	for _, mode := range []LineMode{LineHTTP, LineUDP, LineOff} {
		synctest.Test(t, func(t *testing.T) {
			h := &house{udp: []string{"192.0.2.7:40000"}}
			cfg := h.open(t)
			defer h.shut()
			cfg.Clients, cfg.Line, cfg.Timeout, cfg.MaxRetries = 200, mode, 5*time.Second, 100
			rep := mustRun(t, t.Context(), cfg)
			if l := rep.Line; rep.Busy < 50 || rep.OK+rep.Busy != 200 || l == nil || l.Placed-l.In != rep.Busy {
				t.Errorf("%s: %+v\n%+v", mode, rep, l)
			}
		})
	}
}

// Places that are not honoured are counted by what the server says of them, and so is what it does not say.
func TestPlacesThatAreLost(t *testing.T) {
	for cause, want := range map[string]string{
		"expired": "expired", "used": "used", "unknown": "unknown", "moon": "unsaid",
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &house{cause: cause}
			cfg := h.open(t)
			defer h.shut()
			cfg.Clients = 100
			cfg.Limits.Line = true
			rep := mustRun(t, t.Context(), cfg)
			l := rep.Line
			if rep.OK != 100 || l == nil || !maps.Equal(l.PlacesLost, map[string]int{want: l.Placed}) ||
				l.NotOnTime != l.Placed {
				t.Fatalf("%s: %+v\n%+v", cause, rep, l)
			}
			lost := slices.ContainsFunc(rep.Verdicts, func(v report.Verdict) bool {
				return !v.OK && strings.HasPrefix(v.Limit, "places lost")
			})
			if !lost || rep.Kept() {
				t.Errorf("%s: %+v", cause, rep.Verdicts)
			}
		})
	}
}

// A node that is killed and comes back has the same line: players keep their places, and ask again with patience.
func TestNodeIsAwayWhilePlayersWait(t *testing.T) {
	for _, mode := range []LineMode{LineHTTP, LineUDP} {
		synctest.Test(t, func(t *testing.T) {
			h := &house{udp: []string{"192.0.2.7:40000"}}
			cfg := h.open(t)
			defer h.shut()
			time.AfterFunc(3*time.Second, func() {
				h.guard.Lock()
				h.down = true
				state := h.line.State()
				h.guard.Unlock()
				time.Sleep(20 * time.Second)
				h.restart(t, state)
				h.guard.Lock()
				h.down = false
				h.guard.Unlock()
			})
			cfg.Clients, cfg.Line, cfg.MaxRetries = 150, mode, 2
			rep := mustRun(t, t.Context(), cfg)
			if l := rep.Line; rep.OK != 150 || l == nil || len(l.PlacesLost) > 0 || l.OvertakenP99 > 16 {
				t.Errorf("%s: %+v\n%+v", mode, rep, l)
			}
		})
	}
}

// An answer that was lost is asked for again under the same id, also when the player had to wait in between; a player
// who hangs up begins anew.
func TestLostAnswerOfAPlayerInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		var attempts []string
		refused := func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"reason":"server-busy","place":1,"eta_high_ms":9000,"poll_after_ms":1000,"turn_ms":5,
				"ticket":"t"}`)
		}
		f.document = func() any { return document{Document: lines.Document{Now: 20, Serving: 10}} }
		f.queue = func(w http.ResponseWriter, r *http.Request, name string, s shown) {
			switch attempts = append(attempts, s.Attempt); len(attempts) {
			case 2: // the account is made, and the answer lost
				panic(http.ErrAbortHandler)
			case 1, 3:
				refused(w)
			case 4: // until the player hangs up
				silence(r)
			case 5:
				refuse(w, 0, 409, "username-taken", 0)
			default:
				f.admit(w, name, 0)
			}
		}
		cfg := f.start(t)
		cfg.Clients, cfg.GiveUpShare, cfg.GiveUpAfter = 1, 1, 20*time.Second
		rep := mustRun(t, t.Context(), cfg)
		// Four for the first visit, a registration and a login for the second.
		if a := attempts; rep.OK != 1 || len(a) != 6 || len(slices.Compact(slices.Clone(a[:4]))) != 1 ||
			len(slices.Compact(slices.Clone(a[3:]))) != 3 {
			t.Fatalf("%q; %+v", attempts, rep)
		}
		if l := rep.Line; l == nil || l.NotOnTime != 1 || len(l.PlacesLost) > 0 {
			t.Errorf("%+v", l)
		}
	})
}

// A crowd of one address is compared with a run without it, and counts for nothing else.
func TestCrowdOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{}
		cfg := h.open(t)
		defer h.shut()
		cfg.Clients, cfg.Crowd = 100, 300
		rep := mustRun(t, t.Context(), cfg)
		l := rep.Line
		if rep.OK != 100 || rep.Clients != 100 || l == nil || l.Crowd == nil || l.Placed+l.Direct != 100 {
			t.Fatalf("%+v\n%+v", rep, l)
		}
		c := l.Crowd
		if rep.ExpectedAtEnd != nil {
			t.Errorf("%d players are expected inside beside those of the crowd who are", *rep.ExpectedAtEnd)
		}
		if c.Clients != 300 || c.MedianAlone == 0 || c.MedianBeside == 0 || c.Ratio != c.MedianBeside/c.MedianAlone {
			t.Errorf("%+v", c)
		}
		if got := l.Promises[len(l.Promises)-1]; !strings.Contains(got.Limit, "crowd") || got.Got != c.Ratio {
			t.Errorf("%+v", l.Promises)
		}
		crowd, alone := 0, 0
		for name := range h.tries {
			switch {
			case strings.HasPrefix(name, "stress-crowd-"):
				crowd++
			case strings.HasPrefix(name, "stress-alone-"):
				alone++
			}
		}
		if crowd != 300 || alone != 100 {
			t.Errorf("%d of the crowd came, and %d players without it", crowd, alone)
		}
		t.Logf("%+v", c)
	})
}

// Where there is no line, nothing of one is sent, and the report says nothing of it.
func TestServerWithoutALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.queue = func(w http.ResponseWriter, _ *http.Request, name string, s shown) {
			if s.Secret+s.Ticket != "" {
				t.Errorf("%s has shown %+v", name, s)
			}
			f.admit(w, name, time.Millisecond)
		}
		cfg := f.start(t)
		cfg.Clients = 3
		rep := mustRun(t, t.Context(), cfg)
		if rep.OK != 3 || rep.Line != nil || strings.Contains(strings.Join(rep.Notes, "\n"), "line") {
			t.Errorf("%+v", rep)
		}
		cfg.Line, cfg.Prefix = LineHTTP, "again"
		f.queue = func(w http.ResponseWriter, _ *http.Request, name string, s shown) {
			if s.Secret == "" || s.Ticket != "" {
				t.Errorf("%s has shown %+v", name, s)
			}
			f.admit(w, name, time.Millisecond)
		}
		rep = mustRun(t, t.Context(), cfg)
		if rep.OK != 3 || !strings.Contains(strings.Join(rep.Notes, "\n"), "the server has no line: HTTP status 404") {
			t.Errorf("%+v", rep)
		}
	})
}
