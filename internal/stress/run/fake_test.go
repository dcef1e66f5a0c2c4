package run

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// fake is a server in memory, to be used within a synctest bubble, where its delays are exact.
type fake struct {
	// knock answers the try-th request of an account; try counts from 1.
	knock func(w http.ResponseWriter, r *http.Request, name string, try int)
	// logout, healthz and me, if set, run before the answer; me also before the session is looked for.
	logout, healthz, me func(r *http.Request)
	metrics             []string // answers of /metrics.json in order, the last one for ever
	// metricsAt, if set, says which of them is due after so long.
	metricsAt func(time.Duration) int
	gullible  bool // lets in every client that sends anything
	// targetRun and adminRun, if set, say which node is at the target, and at the admin listener, when it is asked for the
	// n-th time, from 0 on.
	targetRun, adminRun func(n int) string
	// queue, if set, takes the place of knock, and is told what a player shows in the line; document answers GET /v1/line.
	queue    func(w http.ResponseWriter, r *http.Request, name string, s shown)
	document func() any
	// other, if set, is another kind of server, in place of all this.
	other http.Handler
	// connect, if set, makes connect tokens.
	connect func(player string) []byte

	mu       sync.Mutex
	tries    map[string]int
	arrived  map[string]time.Time
	logins   map[string][]bool    // of each account: whether it was a takeover
	lastCall map[string]time.Time // of each session
	expired  int                  // calls that came after more than 30 s of silence
	players  int
	dials    int
	asked    int // times that metrics were read
	statuses int // times that the state was read
	begun    time.Time
	conns    chan net.Conn
	closed   chan struct{}
}

// shown is what a player shows beside name and password.
type shown struct {
	Secret  string `json:"line_secret"`
	Ticket  string `json:"ticket"`
	Attempt string `json:"attempt_id"`
}

// start serves until the test ends, and returns a configuration that reaches the server.
func (f *fake) start(t *testing.T) Config {
	f.tries, f.arrived = map[string]int{}, map[string]time.Time{}
	f.lastCall, f.logins = map[string]time.Time{}, map[string][]bool{}
	f.conns, f.closed, f.begun = make(chan net.Conn), make(chan struct{}), time.Now()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/{action}", f.action)
	mux.HandleFunc("GET /v1/me", f.session(func(w http.ResponseWriter, _ *http.Request, name string) {
		fmt.Fprintf(w, `{"player_id":%s,"name":%q,"expires_at":%q}`, idOf(name), name,
			time.Now().Add(30*time.Second).Format(time.RFC3339Nano))
	}))
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		fmt.Fprintf(w, `{"state":"open","players":%d,"run":%q}`, f.players, f.runAt(f.statuses))
		f.statuses++
	})
	mux.HandleFunc("GET /v1/line", func(w http.ResponseWriter, _ *http.Request) {
		if f.document == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if err := json.NewEncoder(w).Encode(f.document()); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if f.healthz != nil {
			f.healthz(r)
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /metrics.json", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		which := f.asked
		if f.metricsAt != nil {
			which = f.metricsAt(time.Since(f.begun))
		}
		run := "the node at the target"
		if f.adminRun != nil {
			run = f.adminRun(f.asked)
		}
		text := strings.TrimPrefix(f.metrics[min(which, len(f.metrics)-1)], "{")
		fmt.Fprintf(w, `{"node":{"run":%q,"address":"127.0.0.1:7","version":"v9","store":"memory"},%s`, run, text)
		f.asked++
	})
	handler := http.Handler(mux)
	if f.other != nil {
		handler = f.other
	}
	srv := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := srv.Serve(f); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
	return Config{Target: "http://game.test", dial: f.dial, random: func() float64 { return 0 }}
}

func (f *fake) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	f.mu.Lock()
	f.dials++
	f.mu.Unlock()
	ours, theirs := net.Pipe()
	select {
	case f.conns <- theirs:
		return ours, nil
	case <-f.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept, Close and Addr make the fake a net.Listener.
func (f *fake) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *fake) runAt(n int) string {
	if f.targetRun != nil {
		return f.targetRun(n)
	}
	return "the node at the target"
}

func (f *fake) Close() error { close(f.closed); return nil }

func (f *fake) Addr() net.Addr { return &net.UnixAddr{Name: "fake"} }

func (f *fake) action(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("action") == "connect" {
		f.session(func(w http.ResponseWriter, _ *http.Request, name string) {
			fmt.Fprintf(w, `{"expires_at":"2026-01-02T15:04:05Z"%s}`, f.connectToken(name))
		})(w, r)
		return
	}
	if r.PathValue("action") == "logout" {
		f.session(func(w http.ResponseWriter, r *http.Request, name string) {
			if f.logout != nil {
				f.logout(r)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.lastCall, name)
			f.players--
			w.WriteHeader(http.StatusNoContent)
		})(w, r)
		return
	}
	var in struct {
		Username, Password string
		Takeover           bool
		shown
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || rushgateName(in.Username) != nil {
		if f.gullible {
			in.Username = "stress-999999"
		} else {
			refuse(w, 0, 400, "missing-credentials", 0)
			return
		}
	}
	if in.Password != DefaultPassword && !f.gullible {
		refuse(w, 0, 401, "bad-credentials", 0)
		return
	}
	f.mu.Lock()
	f.tries[in.Username]++
	try := f.tries[in.Username]
	if r.PathValue("action") == "login" {
		f.logins[in.Username] = append(f.logins[in.Username], in.Takeover)
	}
	if try == 1 {
		f.arrived[in.Username] = time.Now()
	}
	f.mu.Unlock()
	if f.queue != nil {
		f.queue(w, r, in.Username, in.shown)
		return
	}
	f.knock(w, r, in.Username, try)
}

// admit opens a session after a while.
func (f *fake) admit(w http.ResponseWriter, name string, after time.Duration) {
	time.Sleep(after)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.players++
	f.lastCall[name] = time.Now()
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"player_id":%s,"session_token":%q,"expires_at":"2026-01-02T15:04:05Z"%s}`, idOf(name), name,
		f.connectToken(name))
}

// connectToken returns the field of an answer that holds one, if there are any.
func (f *fake) connectToken(name string) string {
	if f.connect == nil {
		return ""
	}
	return `,"connect_token":"` + base64.StdEncoding.EncodeToString(f.connect(idOf(name))) + `"`
}

// forget ends the sessions of those accounts, or all of them.
func (f *fake) forget(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.lastCall)
	if names == nil {
		clear(f.lastCall)
	}
	for _, name := range names {
		delete(f.lastCall, name)
	}
	f.players -= before - len(f.lastCall)
}

// session lets in a player who has one; the token is the name.
func (f *fake) session(h func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if f.me != nil && r.Method == http.MethodGet {
			f.me(r)
		}
		f.mu.Lock()
		last, ok := f.lastCall[name]
		if time.Since(last) > 30*time.Second {
			f.expired++
		}
		f.lastCall[name] = time.Now()
		f.mu.Unlock()
		if !ok {
			refuse(w, 0, 401, "bad-credentials", 0)
			return
		}
		h(w, r, name)
	}
}

func refuse(w http.ResponseWriter, after time.Duration, status int, reason string, retry time.Duration) {
	time.Sleep(after)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"reason":%q,"message":"no","retry_after_ms":%d}`, reason, retry.Milliseconds())
}

func rushgateName(s string) error {
	_, err := rushgate.ParseUsername(s)
	return err
}

// idOf returns the number in an account's name, without leading zeros.
func idOf(name string) string {
	return strings.TrimLeft(name[strings.LastIndexByte(name, '-')+1:], "0")
}
