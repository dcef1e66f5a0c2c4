package run

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
)

const operatorToken = "superuser-token"

// pocket stands in for PocketBase v0.36.8, as far as a run sees it: each hash takes a core, in the order in which they
// were asked for, whether the client that asked is still there or not.
type pocket struct {
	cores chan struct{}
	hash  time.Duration
	busy  sync.WaitGroup // requests

	mu       sync.Mutex
	accounts map[string]bool // by e-mail address
	answered map[string]int  // requests that were answered with 200, by path
}

func newPocket(cores int, hash time.Duration) *pocket {
	return &pocket{
		cores: make(chan struct{}, cores), hash: hash, accounts: map[string]bool{}, answered: map[string]int{},
	}
}

func (p *pocket) compute() {
	p.cores <- struct{}{}
	time.Sleep(p.hash)
	<-p.cores
}

func (p *pocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.busy.Add(1)
	defer p.busy.Done()
	var in struct{ Email, Identity string }
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	answer := func(status int, body string) {
		p.mu.Lock()
		if status == http.StatusOK {
			p.answered[r.Method+" "+r.URL.Path]++
		}
		p.mu.Unlock()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may have left
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /api/health":
		answer(http.StatusOK, `{"code":200}`)
	case "GET /api/collections/users":
		answer(p.forOperator(r), `{"fields":[{"name":"email"},{"name":"password","cost":0}]}`)
	case "GET /api/collections/users/records":
		answer(p.forOperator(r), fmt.Sprintf(`{"totalItems":%d}`, p.count(r.URL.Query().Get("filter"))))
	case "POST /api/collections/users/records":
		p.compute()
		p.mu.Lock()
		taken := p.accounts[in.Email]
		p.accounts[in.Email] = true
		p.mu.Unlock()
		if taken {
			answer(http.StatusBadRequest, `{"data":{"email":{"code":"validation_not_unique"}}}`)
			return
		}
		answer(http.StatusOK, `{"id":"x"}`)
	case "POST /api/collections/users/auth-with-password":
		p.mu.Lock()
		known := p.accounts[in.Identity]
		p.mu.Unlock()
		if !known {
			answer(http.StatusBadRequest, `{"message":"Failed to authenticate."}`)
			return
		}
		p.compute()
		answer(http.StatusOK, `{"token":"t"}`)
	default:
		answer(http.StatusNotFound, "")
	}
}

func (p *pocket) forOperator(r *http.Request) int {
	if r.Header.Get("Authorization") != operatorToken {
		return http.StatusForbidden
	}
	return http.StatusOK
}

// count returns how many accounts a filter such as email ~ "a-%" leaves.
func (p *pocket) count(filter string) (n int) {
	prefix := strings.TrimSuffix(strings.TrimPrefix(filter, `email ~ "`), `%"`)
	p.mu.Lock()
	defer p.mu.Unlock()
	for email := range p.accounts {
		if strings.HasPrefix(email, prefix) {
			n++
		}
	}
	return n
}

// start has the stand-in serve a run of so many players at once.
func (p *pocket) start(t *testing.T, clients int) Config {
	t.Cleanup(p.busy.Wait)
	f := &fake{other: p}
	cfg := f.start(t)
	cfg.Clients, cfg.MaxRetries, cfg.Prefix = clients, -1, "p"
	cfg.Adapter = adapter.Config{Kind: adapter.PocketBase, OperatorToken: operatorToken}
	cfg.Subject = report.Subject{Version: "v0.36.8", Cores: 2, Store: "SQLite"}
	return cfg
}

// PocketBase once showed "let in 0" while its table held 300 rows: it goes on hashing for players whose time is over.
// The report says so, in the numbers of the server's own table.
func TestServerThatWorksForThoseGone(t *testing.T) {
	for name, tt := range map[string]struct {
		try      time.Duration
		in, gone int
	}{
		"a try of 5 s":  {5 * time.Second, 0, 300},
		"a try of 30 s": {30 * time.Second, 300, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPocket(2, 60*time.Millisecond)
				cfg := p.start(t, 300)
				cfg.TryTimeout = tt.try
				rep := mustRun(t, t.Context(), cfg)
				s := rep.Settled
				if rep.OK != tt.in || rep.TimedOut != tt.gone || s == nil || s.Accounts == nil || s.ForThoseGone == nil {
					t.Fatalf("%d in, %d timed out, settled %+v, notes %q", rep.OK, rep.TimedOut, s, rep.Notes)
				}
				rows := p.count(`email ~ "p-0%"`)
				if *s.Accounts != rows || rows != 300 || *s.ForThoseGone != tt.gone || !s.IdleBefore || !s.IdleAfter {
					t.Errorf("%d rows, the report %+v: %d accounts, %d of those gone", rows, s, *s.Accounts, *s.ForThoseGone)
				}
				if tt.gone > 0 && (s.Late == nil || *s.Late < 100 || s.After < 3) {
					t.Errorf("%+v", s)
				}
				near(t, "a lone login", s.Login, 60)
				if rep.Subject.Hash != "bcrypt, cost 10" || rep.Subject.Version != "v0.36.8" || rep.TryTimeout != tt.try.Seconds() {
					t.Errorf("%+v, tries of %v s", rep.Subject, rep.TryTimeout)
				}
				var text strings.Builder
				if err := rep.WriteText(&text); err != nil {
					t.Fatal(err)
				}
				said := strings.Contains(text.String(), "went on working for 300 players who had left")
				if said != (tt.gone > 0) || !strings.Contains(text.String(), "by the server's own count: 300") ||
					!strings.Contains(text.String(), "not told") {
					t.Error(text.String())
				}
			})
		})
	}
}

// What cannot be known of another server is said not to be: without the operator's token, and for one that is never
// idle.
func TestServerThatCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPocket(2, 60*time.Millisecond)
		cfg := p.start(t, 5)
		cfg.Adapter.OperatorToken = ""
		rep := mustRun(t, t.Context(), cfg)
		notes := strings.Join(rep.Notes, "\n")
		s := rep.Settled
		if rep.OK != 5 || s == nil || s.Accounts != nil || s.Gone() != "" || !s.IdleAfter ||
			!strings.Contains(notes, "for players who had left is not known: pocketbase cannot be asked") {
			t.Errorf("%+v, notes %q", rep.Settled, rep.Notes)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPocket(1, 50*time.Millisecond)
		cfg := p.start(t, 5)
		cfg.Settle = 10 * time.Second
		stop := make(chan struct{})
		var other sync.WaitGroup
		other.Go(func() { // another user of the server, now and then
			for {
				select {
				case <-stop:
					return
				case <-time.After(300 * time.Millisecond):
					p.cores <- struct{}{}
					time.Sleep(250 * time.Millisecond)
					<-p.cores
				}
			}
		})
		rep := mustRun(t, t.Context(), cfg)
		close(stop)
		other.Wait()
		s := rep.Settled
		if s == nil || s.IdleBefore || s.IdleAfter || s.Before != 10 ||
			!strings.Contains(strings.Join(rep.Notes, "\n"), "was not idle before the load") {
			t.Errorf("%+v, notes %q", s, rep.Notes)
		}
	})
}

// A server that refuses its operator is no reason not to measure it.
func TestServerThatRefusesItsOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPocket(2, 60*time.Millisecond)
		cfg := p.start(t, 5)
		cfg.Adapter.OperatorToken = "of-another-server"
		rep := mustRun(t, t.Context(), cfg)
		notes := strings.Join(rep.Notes, "\n")
		if rep.OK != 5 || rep.Settled.Accounts != nil || !strings.Contains(notes, "HTTP status 403") ||
			strings.Contains(notes, "of-another-server") {
			t.Errorf("%+v, notes %q", rep.Settled, rep.Notes)
		}
	})
}
