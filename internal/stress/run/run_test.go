package run

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// near compares with the precision of a histogram.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > want/100+0.001 {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func silence(r *http.Request) { <-r.Context().Done() }

func mustRun(t *testing.T, ctx context.Context, cfg Config) *report.Report {
	t.Helper()
	rep, err := Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

const metricsBefore = `{"auth":{"counters":{"queued":100,"processed":90,"expired":1,"rejected_busy":7,"success":80,
	"fail":{"bad-credentials":10}},
	"depth":0,"capacity":200,"workers":4,"batch_size":{"1":3,"2":1},"hash_ms":100},
	"tick":{"ticks":600,"late":2,"skipped":1,"panics":0,"overruns":0},
	"process":{"rss_bytes":1048576,"cpu_seconds":1.5,"goroutines":9,"cores":2}}`

const metricsAfter = `{"auth":{"counters":{"queued":110,"processed":99,"expired":2,"rejected_busy":13,
	"rate_limited":4,"success":86,
	"fail":{"bad-credentials":10,"username-taken":1}},
	"depth":0,"capacity":200,"workers":4,"batch_size":{"1":5,"2":1,"16":2},"hash_ms":100,
	"wait":{"count":9,"p99_ms":12.5},"new":1},
	"tick":{"ticks":1800,"late":5,"skipped":1,"lateness":{"count":1800,"p50_ms":0.02,"p99_ms":0.5,"max_ms":3}},
	"process":{"rss_bytes":3145728,"cpu_seconds":4.25,"goroutines":9,"cores":2}}`

// newMixed is a server on which every outcome happens to some player.
func newMixed() *fake {
	f := &fake{players: 3, metrics: []string{metricsBefore, metricsAfter}}
	f.healthz = func(*http.Request) { time.Sleep(3 * time.Millisecond) }
	f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
		switch id := idOf(name); id {
		case "1", "2", "3", "4":
			f.admit(w, name, 100*time.Millisecond)
		case "5", "6":
			if try == 1 {
				refuse(w, 10*time.Millisecond, 503, "server-busy", 2*time.Second)
				return
			}
			f.admit(w, name, 200*time.Millisecond)
		case "7":
			refuse(w, 10*time.Millisecond, 503, "server-busy", time.Second)
		case "8":
			refuse(w, 10*time.Millisecond, 429, "rate-limited", 300*time.Second)
		case "9":
			refuse(w, 50*time.Millisecond, 409, "username-taken", 0)
		case "10":
			silence(r)
		case "11":
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprint(w, "<html>")
		}
	}
	return f
}

func TestReportIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMixed()
		cfg := f.start(t)
		cfg.Clients, cfg.Timeout, cfg.Admin = 12, 20020*time.Millisecond, "http://admin.test/"
		rep := mustRun(t, t.Context(), cfg)

		if rep.OK != 6 || rep.Busy != 1 || rep.RateLimited != 1 || rep.TimedOut != 1 || rep.Dropped != 1 ||
			rep.Unfinished != 0 || rep.Interrupted ||
			!maps.Equal(rep.Failed, map[string]int{"username-taken": 1, "bad-answer": 1}) {
			t.Errorf("outcomes: %+v", rep)
		}
		if want := 4 + 2*2 + 4 + 1 + 1 + 1 + 4 + 1; rep.Tries != want || rep.TriesPerSuccess != float64(want)/6 {
			t.Errorf("%d tries, %v per success", rep.Tries, rep.TriesPerSuccess)
		}
		if !slices.Equal(rep.InOnTry, []int{4, 2}) || !slices.Equal(rep.InOnTryShare, []float64{4. / 12, 2. / 12}) {
			t.Errorf("in on try: %v, %v", rep.InOnTry, rep.InOnTryShare)
		}
		first, ok, busy := rep.FirstAnswer, rep.Success, rep.BusyAnswer
		if first.Count != 10 || ok.Count != 6 || busy.Count != 6 || rep.StartDelay.Count != 12 {
			t.Errorf("counts: first %d, success %d, busy %d, starts %d", first.Count, ok.Count, busy.Count, rep.StartDelay.Count)
		}
		near(t, "first answer avg", first.Mean, (4*100+2*10+10+10+50+0)/10.)
		near(t, "success min", ok.Min, 100)
		near(t, "success p50", ok.P50, 100)
		near(t, "success avg", ok.Mean, (4*100+2*2210)/6.)
		near(t, "success max", ok.Max, 2210)
		near(t, "busy min", busy.Min, 10)
		near(t, "busy max", busy.Max, 10)
		near(t, "start delay", rep.StartDelay.Max, 0)
		near(t, "wall", rep.WallSeconds, 2.21)
		near(t, "logins per second", rep.LoginsPerSecond, 6/2.21)
		near(t, "hash bound", rep.HashBoundSeconds, 6*0.1/2)
		near(t, "ratio", rep.HashBoundRatio, 2.21/0.3)
		if p := rep.Probe; p.Answered != 401 || p.Failed != 0 || p.Skipped != 0 || p.Latency.Count != 401 {
			t.Errorf("probe: %+v", p)
		}
		near(t, "probe max", rep.Probe.Latency.Max, 3)
		if *rep.PlayersBefore != 3 || *rep.PlayersAtEnd != 9 || *rep.ExpectedAtEnd != 9 || f.players != 3 {
			t.Errorf("players: %d before, %d at the end, %d expected, %d left", *rep.PlayersBefore, *rep.PlayersAtEnd,
				*rep.ExpectedAtEnd, f.players)
		}
		if rep.LoggedOut != 6 || rep.LogoutsFailed+rep.SessionsLost+rep.KeepAlivesFailed != 0 {
			t.Errorf("logouts: %+v", rep)
		}
		if len(rep.Notes) != 2 || !strings.HasPrefix(rep.Notes[0], "first of the dropped: ") ||
			!strings.Contains(rep.Notes[1], "stress clean") {
			t.Errorf("notes: %q", rep.Notes)
		}
		checkServer(t, rep.Server)
	})
}

func checkServer(t *testing.T, s *report.Server) {
	t.Helper()
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	none, err := json.Marshal(latency.Summary{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"auth":{"queued":10,"processed":9,"expired":1,"rejected_busy":6,"rate_limited":4,` +
		`"success":6,"fail":{"username-taken":1}},` +
		`"batch_sizes":{"1":2,"16":2},` +
		`"wait":{"count":9,"min_ms":0,"avg_ms":0,"p50_ms":0,"p90_ms":0,"p99_ms":12.5,"p999_ms":0,"max_ms":0,"sum_ms":0},` +
		`"load":NONE,"derive":NONE,"commit":NONE,"hash_ms":100,"workers":4,"cores":2,` +
		`"tick":{"ticks":1200,"late":3,"skipped":0,"panics":0,"overruns":0},` +
		`"tick_lateness":{"count":1800,"min_ms":0,"avg_ms":0,"p50_ms":0.02,` +
		`"p90_ms":0,"p99_ms":0.5,"p999_ms":0,"max_ms":3,"sum_ms":0},` +
		`"tick_duration":NONE,"rss_bytes_before":1048576,"rss_bytes_at_end":3145728,"cpu_s":2.75}`
	if want = strings.ReplaceAll(want, "NONE", string(none)); string(got) != want {
		t.Errorf("server:\n%s\nwant\n%s", got, want)
	}
}

// Players inside keep their sessions open for as long as the last one is knocking.
func TestPlayersInsideStayInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		cfg := f.start(t)
		cfg.Clients, cfg.Timeout, cfg.MaxRetries, cfg.random = 20, 10*time.Minute, 10, nil
		f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
			if idOf(name) == "1" && try < 6 {
				refuse(w, 0, 503, "server-busy", time.Minute)
				return
			}
			f.admit(w, name, 0)
		}
		rep := mustRun(t, t.Context(), cfg)
		if rep.OK != 20 || rep.LoggedOut != 20 || rep.SessionsLost != 0 || f.expired != 0 || *rep.PlayersAtEnd != 20 {
			t.Errorf("%d calls came too late; %+v", f.expired, rep)
		}
		if f.dials != 22+5 { // one for each player, the probe and the observer; one for each further try
			t.Errorf("%d connections", f.dials)
		}
	})
}

func TestSessionsThatTheServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
			if idOf(name) == "2" {
				silence(r)
			}
			f.admit(w, name, 0)
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.lastCall, name)
			f.players--
		}
		cfg := f.start(t)
		cfg.Clients, cfg.Timeout = 2, 25*time.Second
		rep := mustRun(t, t.Context(), cfg)
		if rep.OK != 1 || rep.TimedOut != 1 || rep.SessionsLost != 1 || rep.LoggedOut != 0 || *rep.ExpectedAtEnd != 0 ||
			*rep.PlayersAtEnd != 0 {
			t.Errorf("%+v", rep)
		}
	})
}

func TestRampKeepsItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, time.Second) }
		cfg := f.start(t)
		cfg.Scenario, cfg.Rate, cfg.Clients, cfg.Mode = report.Ramp, 4, 9, report.Login
		rep := mustRun(t, t.Context(), cfg)
		for i := range cfg.Clients {
			if got := f.arrived[account("stress", i)].Sub(rep.StartedAt); got != time.Duration(i)*250*time.Millisecond {
				t.Errorf("client %d came after %v", i, got)
			}
		}
		near(t, "wall", rep.WallSeconds, 3)
		near(t, "start delay", rep.StartDelay.Max, 0)
		if rep.OK != 9 || !slices.Contains(rep.Notes, "no figures of the server: no admin URL was given") {
			t.Errorf("%+v", rep)
		}
	})
}

func TestCancelledRun(t *testing.T) {
	tests := []struct {
		name         string
		hang         bool // logouts are never answered
		within       time.Duration
		out, dangles int
	}{
		{"logouts work", false, 0, 10, 0},
		{"logouts hang", true, logoutTimeInterrupted, 0, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.knock = func(w http.ResponseWriter, r *http.Request, name string, _ int) {
					if len(idOf(name)) == 2 && idOf(name) > "10" {
						silence(r)
						return
					}
					f.admit(w, name, time.Second)
				}
				if tt.hang {
					f.logout = silence
				}
				cfg := f.start(t)
				cfg.Scenario, cfg.Rate, cfg.Clients = report.Ramp, 10, 100
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(5050*time.Millisecond, cancel)
				begin := time.Now()
				rep := mustRun(t, ctx, cfg)
				if !rep.Interrupted || rep.OK != 10 || rep.StartDelay.Count != 51 || rep.Clients != 51 ||
					rep.Unfinished != 41 || rep.NotCome != 49 {
					t.Errorf("%+v", rep)
				}
				if rep.LoggedOut != tt.out || rep.LogoutsFailed != tt.dangles {
					t.Errorf("%d logged out, %d not", rep.LoggedOut, rep.LogoutsFailed)
				}
				if took := time.Since(begin) - 5050*time.Millisecond; took != tt.within {
					t.Errorf("it took %v to end, want %v", took, tt.within)
				}
			})
		})
	}
}

func TestHangingLogoutsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{logout: silence}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Clients = 3 * logoutsAtOnce
		begin := time.Now()
		rep := mustRun(t, t.Context(), cfg)
		if rep.LogoutsFailed != cfg.Clients || rep.Interrupted || time.Since(begin) != logoutTime {
			t.Errorf("%d logouts failed after %v", rep.LogoutsFailed, time.Since(begin))
		}
	})
}

// Without a server there is still a report.
func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &net.OpError{Op: "dial", Err: fmt.Errorf("refused")}
		rep := mustRun(t, t.Context(), Config{
			Target: "http://game.test", Admin: "http://admin.test", Clients: 5,
			dial: func(context.Context, string, string) (net.Conn, error) { return nil, refused },
		})
		if rep.Dropped != 5 || rep.Tries != 20 || rep.Server != nil || rep.PlayersAtEnd != nil || rep.FirstAnswer.Count != 0 {
			t.Errorf("%+v", rep)
		}
		if len(rep.Notes) != 5 { // the line, players before, metrics, players at the end, the dropped
			t.Errorf("notes: %q", rep.Notes)
		}
		if err := rep.WriteText(io.Discard); err != nil {
			t.Error(err)
		}
	})
}

func TestMetricsOfARestartedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{metrics: []string{metricsAfter, metricsBefore}}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Clients, cfg.Admin = 1, "http://admin.test"
		rep := mustRun(t, t.Context(), cfg)
		if rep.Server.Auth.Queued != 100 || rep.Server.CPUSeconds != 1.5 || len(rep.Notes) != 1 {
			t.Errorf("%+v, notes %q", rep.Server, rep.Notes)
		}
	})
}

// A server that stalls for a second delays all requests that were due meanwhile, not just the one it was asked.
func TestProbeIsOpenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		begin, opened := time.Now(), false
		f.healthz = func(*http.Request) {
			if opened {
				time.Sleep(time.Until(begin.Add(time.Second)))
			}
			opened = true // one connection: one request at a time
		}
		cfg := f.start(t)
		n, _ := newNetwork(&cfg)
		p := startProbe(t.Context(), n, new(tally))
		time.Sleep(990 * time.Millisecond)
		rep := p.stop(false)
		if rep.Answered != 20 || rep.Failed+rep.Skipped != 0 {
			t.Errorf("%+v", rep)
		}
		near(t, "max", rep.Latency.Max, 1000)
		near(t, "avg", rep.Latency.Mean, 525)
		near(t, "min", rep.Latency.Min, 50)
	})
}

func TestProbeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{healthz: silence}
		cfg := f.start(t)
		n, _ := newNetwork(&cfg)
		p := startProbe(t.Context(), n, new(tally))
		time.Sleep(time.Minute - probeInterval/2)
		rep := p.stop(true)
		if rep.Answered != 0 || rep.Failed+rep.Skipped+maxProbes < 1200 || rep.Failed+rep.Skipped > 1200 ||
			len(p.slots) != 0 {
			t.Errorf("%+v with %d slots in use", rep, len(p.slots))
		}
	})
}

// Each player comes from an address of their own, or the players take turns at as many as they are to have; so do the
// probe and the observer, unless there is one for all.
func TestSourceAddresses(t *testing.T) {
	const clients = 40
	for name, tt := range map[string]struct{ sources, players, all int }{
		"one each":    {0, clients, clients + 2},
		"some":        {7, 7, 7 + 2},
		"more":        {1000, clients, clients + 2},
		"one for all": {1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			target, conns := countPeers(t)
			cfg := Config{Target: target, Clients: clients, InsecureTLS: true, Sources: tt.sources}
			if ok, note := cfg.canSpread(); !ok {
				t.Skip(note)
			}
			rep := mustRun(t, t.Context(), cfg)
			if rep.OK != clients || rep.LoggedOut != clients || rep.Sources != tt.players {
				t.Errorf("%+v", rep)
			}
			peers := conns()
			for i := range tt.players {
				if tt.sources != 1 && peers[source(i)] == 0 {
					t.Errorf("no player came from %v", source(i))
				}
			}
			if len(peers) != tt.all {
				t.Errorf("%d addresses, want %d", len(peers), tt.all)
			}
		})
	}
}

// countPeers starts a server that lets everybody in, and counts its connections by address.
func countPeers(t *testing.T) (url string, conns func() map[netip.Addr]int) {
	f := &fake{}
	f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
	f.tries, f.arrived = map[string]int{}, map[string]time.Time{}
	f.lastCall, f.logins = map[string]time.Time{}, map[string][]bool{}
	var mu sync.Mutex
	peers := map[netip.Addr]int{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/{action}", f.action)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"state":"open","players":0}`) })
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			defer mu.Unlock()
			peers[netip.MustParseAddrPort(c.RemoteAddr().String()).Addr()]++
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL, func() map[netip.Addr]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(peers)
	}
}

// A player's datagrams come from the address of their calls.
func TestSourceAddressesOfDatagrams(t *testing.T) {
	cfg := Config{Target: "http://127.0.0.1:1", Sources: 5}
	if ok, note := cfg.canSpread(); !ok {
		t.Skip(note)
	}
	n, note := newNetwork(&cfg)
	if note != "" {
		t.Fatal(note)
	}
	for i, want := range map[int]netip.Addr{0: source(0), 4: source(4), 5: source(0)} {
		c, err := n.realtimeDial(i)(t.Context(), netip.MustParseAddrPort("127.0.0.1:9"))
		if err != nil {
			t.Fatal(err)
		}
		if got := netip.MustParseAddrPort(c.LocalAddr().String()).Addr(); got != want {
			t.Errorf("player %d plays from %v, want %v", i, got, want)
		}
		_ = c.Close() // nothing was sent
	}
}

// To have several addresses is not possible everywhere, and the report says so.
func TestSourceAddressesElsewhere(t *testing.T) {
	for target, want := range map[string]string{
		"http://192.0.2.1": "IPv4 loopback target only", "http://game.example": "IPv4 loopback target only",
		"http://[::1]:80": "IPv4 loopback target",
	} {
		cfg := Config{Target: target, Sources: 2}
		if n, note := cfg.sources(); n != 1 || !strings.Contains(note, want) {
			t.Errorf("%s: %d, %q", target, n, note)
		}
	}
}

func TestUntrustedCertificateShows(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	rep := mustRun(t, t.Context(), Config{Target: srv.URL, Clients: 2})
	if rep.Dropped != 2 || rep.Tries != 2 || !strings.Contains(strings.Join(rep.Notes, "\n"), "certificate") {
		t.Errorf("%+v", rep)
	}
}
