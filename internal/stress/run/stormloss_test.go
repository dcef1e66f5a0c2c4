package run

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// calmStorm returns a server that lets everybody in, and a storm of 30 players who are all in after 2.9 s and call
// every 10 s from 5 s after that on.
func calmStorm(t *testing.T) (*fake, Config) {
	f := &fake{}
	f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
	cfg := f.start(t)
	cfg.random = func() float64 { return 0.5 }
	cfg.Scenario, cfg.Rate, cfg.Clients, cfg.Duration = report.ReconnectStorm, 10, 30, 30*time.Second
	return f, cfg
}

// A session that is lost by itself is no storm, and the storm does not wait for it.
func TestSessionsLostBeforeTheStorm(t *testing.T) {
	for _, at := range []time.Duration{time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f, cfg := calmStorm(t)
			begin := time.Now()
			time.AfterFunc(at, func() { f.forget("stress-000001") })
			rep := mustRun(t, t.Context(), cfg)
			if s := rep.Storm; s == nil || s.Dropped != 29 || s.Back != 29 || rep.SessionsLost != 1 || *rep.ExpectedAtEnd != 29 {
				t.Errorf("lost after %v: %+v; %+v", at, s, rep)
			}
			if took := time.Since(begin); took > 35*time.Second {
				t.Errorf("lost after %v: it took %v", at, took)
			}
		})
	}
}

// A server that ends one session has not dropped its players, early or late.
func TestOneLostSessionIsNoStorm(t *testing.T) {
	for _, at := range []time.Duration{time.Second, 12 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f, cfg := calmStorm(t)
			cfg.DropBy, cfg.Rate = DropByServer, 3 // the first player calls before all are in
			begin := time.Now()
			time.AfterFunc(at, func() { f.forget("stress-000001") })
			rep := mustRun(t, t.Context(), cfg)
			if rep.Storm != nil || rep.Kept() || !strings.Contains(strings.Join(rep.Notes, "\n"), "while the run waited") {
				t.Errorf("lost after %v: %+v; notes %q", at, rep.Storm, rep.Notes)
			}
			if took := time.Since(begin); took > 10*time.Second+cfg.Duration+detection {
				t.Errorf("lost after %v: it took %v", at, took)
			}
			if rep.LoggedOut != either(at == time.Second, 29, 30) || *rep.ExpectedAtEnd != *rep.PlayersAtEnd {
				t.Errorf("lost after %v: %+v", at, rep)
			}
		})
	}
}

// Only an outage in which the server dropped the players says when that was.
func TestOutageBeforeTheStorm(t *testing.T) {
	for _, by := range []DropBy{DropByClients, DropByServer} {
		synctest.Test(t, func(t *testing.T) {
			f, cfg := calmStorm(t)
			cfg.DropBy, cfg.Duration = by, time.Minute
			begin := time.Now()
			f.healthz = func(*http.Request) {
				if at := time.Since(begin); at > time.Second && at < 1300*time.Millisecond {
					panic(http.ErrAbortHandler)
				}
			}
			want := 62.9
			if by == DropByServer {
				want = 37.5 // the first call after the server has forgotten everybody
				time.AfterFunc(37200*time.Millisecond, func() { f.forget() })
			}
			s := mustRun(t, t.Context(), cfg).Storm
			if s == nil || s.Back != 30 || math.Abs(s.DropAt-want) > 1.5 || s.DownSeconds != 0 || s.LastBack > 15 {
				t.Errorf("%s: %+v", by, s)
			}
		})
	}
}

// The time on the way back counts from the drop, in which calls break off, too.
func TestDropDuringACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := calmStorm(t)
		f.me = func(*http.Request) { time.Sleep(9 * time.Second) }
		cfg.Clients, cfg.Duration = 1, 5100*time.Millisecond
		rep := mustRun(t, t.Context(), cfg)
		if s := rep.Storm; s == nil || s.DropAt != 5.1 || s.LastBack != 0 || rep.KeepAlivesFailed != 0 || rep.LoggedOut != 1 {
			t.Errorf("%+v; %+v", s, rep)
		}
		time.Sleep(10 * time.Second) // for the server's part
	})
}

func TestWhenTheStormBegan(t *testing.T) {
	at := func(s int) time.Time {
		if s < 0 {
			return time.Time{}
		}
		return time.Unix(int64(s), 0)
	}
	for _, tt := range []struct {
		name              string
		dropped, down, up int // seconds, negative: never
		losses            []int
		want              int
	}{
		{"by the clients", 50, -1, -1, []int{50, 50, 50}, 50},
		{"by the clients, with the server away", 50, 45, 55, []int{50, 50, 50}, 50},
		{"too short for the probe", -1, -1, -1, []int{50, 55, 60}, 50},
		{"seen by the probe", -1, 40, 45, []int{50, 55, 60}, 40},
		{"still away", -1, 40, -1, []int{50, 55, 60}, 40},
		{"one was lost before", -1, 40, 45, []int{20, 50, 55, 60}, 40},
		{"an outage long before", -1, 10, 15, []int{50, 55, 60}, 50},
		{"another outage after", -1, 58, 59, []int{50, 55, 60}, 50},
	} {
		s := stormCounts{dropped: at(tt.dropped)}
		for _, l := range tt.losses {
			s.losses = append(s.losses, loss{at: at(l)})
		}
		if got := s.begun(at(tt.down), at(tt.up)); got != at(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, at(tt.want))
		}
	}
}

// However late the generator is to notice, the time on the way back has begun with the drop.
func TestReturnCountsFromTheDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ta tally
		ta.storm.begins, ta.storm.over = make(chan struct{}), make(chan struct{})
		ta.counts.inside = 1
		drop := time.Now()
		ta.begin(drop, report.PhaseReturn)
		ta.rage(drop)
		time.Sleep(time.Second)
		number, since, ok := ta.lost(false)
		time.Sleep(time.Second)
		ta.returned(number, true)
		<-ta.storm.over
		if s := ta.phase.success.Summary(); !ok || since != drop || s.Sum != 2000 {
			t.Errorf("%v since %v; %+v", ok, since, s)
		}
		if _, _, again := ta.lost(true); again || ta.counts.sessionsLost != 1 {
			t.Errorf("comes back again: %v; %+v", again, ta.counts)
		}
	})
}

// A player who is lost while leaving does not come back.
func TestLeavingAfterAStormIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := calmStorm(t)
		begin := time.Now()
		const gone = 33 * time.Second // a moment after the wait for the server is over, when the last calls are under way
		knock := f.knock
		f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
			if time.Since(begin) >= gone {
				panic(http.ErrAbortHandler)
			}
			knock(w, r, name, try)
		}
		f.me = func(*http.Request) { time.Sleep(3 * time.Second) }
		time.AfterFunc(gone, func() { f.forget() })
		cfg.DropBy, cfg.MaxRetries = DropByServer, 1000
		rep := mustRun(t, t.Context(), cfg)
		if took := time.Since(begin); rep.SessionsLost == 0 || took > gone+keepAliveTimeout {
			t.Errorf("it took %v: %d lost; %+v", took, rep.SessionsLost, rep.Storm)
		}
	})
}

func TestInterruptedStorm(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		storm bool
	}{{10 * time.Second, false}, {40500 * time.Millisecond, true}} {
		synctest.Test(t, func(t *testing.T) {
			f, cfg := calmStorm(t)
			f.knock = func(w http.ResponseWriter, r *http.Request, name string, try int) {
				if try > 1 {
					silence(r)
					return
				}
				f.admit(w, name, 0)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(tt.after, cancel)
			rep := mustRun(t, ctx, cfg)
			var text bytes.Buffer
			if err := rep.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if !rep.Interrupted || (rep.Storm != nil) != tt.storm || strings.Contains(text.String(), "storm: ") != tt.storm {
				t.Errorf("after %v: %+v\n%s", tt.after, rep.Storm, text.String())
			}
			if s := rep.Storm; s != nil && (s.Dropped != 30 || s.NotBack != 30) {
				t.Errorf("%+v", s)
			}
			checkSums(t, rep)
		})
	}
}

// checkSums compares the parts of a report with the whole.
func checkSums(t *testing.T, rep *report.Report) {
	t.Helper()
	var phases, points report.Answers
	for _, p := range rep.Phases {
		phases.Add(p.Answers)
	}
	for _, p := range rep.Timeline.Points {
		points.Add(p.Answers)
	}
	if phases != rep.Answers || points != rep.Answers {
		t.Errorf("%s: answers\n%+v, of the phases\n%+v, of the timeline\n%+v", rep.Scenario, rep.Answers, phases, points)
	}
	ends := rep.OK + rep.Busy + rep.RateLimited + rep.Expired + rep.Rejected + rep.WronglyIn + rep.TimedOut + rep.Dropped +
		rep.Unfinished
	for _, n := range rep.Failed {
		ends += n
	}
	if ends != rep.Clients || rep.Unfinished < 0 || rep.Unfinished > 0 && !rep.Interrupted {
		t.Errorf("%s: %d outcomes of %d: %+v", rep.Scenario, ends, rep.Clients, rep)
	}
}

// Whatever the server does and whenever the run is interrupted, it ends in time, and its figures add up.
func TestStormsOfAnyKindAddUp(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := locked(rand.New(rand.NewPCG(seed, 1)).Float64)
			f, cfg := calmStorm(t)
			f.knock = func(w http.ResponseWriter, r *http.Request, name string, _ int) {
				switch x := random(); {
				case x < 0.6:
					f.admit(w, name, time.Duration(x*float64(2*time.Second)))
				case x < 0.8:
					refuse(w, 0, 503, "server-busy", time.Duration(random()*float64(20*time.Second)))
				case x < 0.9:
					silence(r)
				default:
					panic(http.ErrAbortHandler)
				}
			}
			cfg.random, cfg.Timeout = random, time.Duration((1+30*random())*float64(time.Second))
			if seed%2 == 0 {
				cfg.DropBy = DropByServer
				time.AfterFunc(30*time.Second, func() { f.forget() })
			}
			ctx, cancel := context.WithCancel(t.Context())
			after := time.Duration(random() * float64(80*time.Second))
			interrupted := time.Now().Add(after)
			time.AfterFunc(after, cancel)
			rep := mustRun(t, ctx, cfg)
			if late := time.Since(interrupted); rep.Interrupted && late > logoutTimeInterrupted+observeTimeInterrupted {
				t.Errorf("seed %d: it took %v to end", seed, late)
			}
			checkSums(t, rep)
			cancel()
			time.Sleep(2 * time.Minute) // for the server's part
		})
	}
}

// lastWords counts what is sent through a socket from some time on.
type lastWords struct {
	net.Conn
	mu   *sync.Mutex
	sent *[]time.Time
}

func (l lastWords) Write(b []byte) (int, error) {
	l.mu.Lock()
	*l.sent = append(*l.sent, time.Now())
	l.mu.Unlock()
	return l.Conn.Write(b)
}

// Connections to the world break off without a goodbye.
func TestPlayersAreDroppedWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		cfg := a.open(t, 5)
		defer a.shut()
		var mu sync.Mutex
		var first []time.Time // what was sent through the first sockets
		conns, dial := 0, cfg.dialUDP
		cfg.dialUDP = func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
			conn, err := dial(ctx, server)
			mu.Lock()
			defer mu.Unlock()
			if conns++; conns > 5 {
				return conn, err
			}
			return lastWords{conn, &mu, &first}, err
		}
		cfg.Scenario, cfg.Rate, cfg.Clients, cfg.Duration = report.ReconnectStorm, 10, 5, 20*time.Second
		rep := mustRun(t, t.Context(), cfg)
		if rep.Storm == nil || rep.Storm.Back != 5 {
			t.Fatalf("%+v", rep)
		}
		drop := rep.StartedAt.Add(time.Duration(rep.Storm.DropAt * float64(time.Second)))
		mu.Lock()
		defer mu.Unlock()
		late := slices.DeleteFunc(first, func(at time.Time) bool { return at.Before(drop.Add(-time.Millisecond)) })
		if len(late) > 5 { // each may have been about to send an intent
			t.Errorf("%d packets when the connections had broken off", len(late))
		}
		time.Sleep(time.Second) // goodbyes are under way
	})
}
