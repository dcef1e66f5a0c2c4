package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// serve starts a server that knows one session.
func serve(t *testing.T) *client.Client {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
	var out atomic.Bool
	inside := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token || out.Load() {
				answer(w, 401, `{"reason":"bad-credentials"}`)
				return
			}
			h(w, r)
		}
	}
	mux.HandleFunc("POST /game/v1/login", func(w http.ResponseWriter, r *http.Request) {
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		var in struct {
			Username string `json:"username"`
			Password string `json:"password"`
			Attempt  string `json:"attempt_id"`
			Secret   string `json:"line_secret"`
		}
		if r.Header.Get("Content-Type") != "application/json" || dec.Decode(&in) != nil ||
			in.Username != "alice" || in.Password != password || in.Attempt == "" {
			answer(w, 400, `{"reason":"missing-credentials"}`)
			return
		}
		answer(w, 200, granted)
	})
	mux.HandleFunc("GET /game/v1/me", inside(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200,
			`{"player_id":12,"name":"alice","zone":"meadow","x":1.5,"y":2.5,"hp":0,"xp":0,"level":0,"numbers":{"gold":7},
			"deaths":3,"playtime_ms":1234,"expires_at":"2026-01-02T15:04:15Z","later":"ignored"}`)
	}))
	mux.HandleFunc("POST /game/v1/logout", inside(func(w http.ResponseWriter, _ *http.Request) {
		out.Store(true)
		w.WriteHeader(204)
	}))
	mux.HandleFunc("GET /game/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, `{"state":"busy","players":0}`)
	})
	mux.HandleFunc("GET /game/v1/leaderboards/{board}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, fmt.Sprintf(`{"board":%q,"entries":[{"rank":1,"player_id":12,"name":"alice","score":%s}]}`,
			r.PathValue("board"), r.FormValue("limit")))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL+"/game/", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestSession(t *testing.T) {
	c, ctx := serve(t), t.Context()
	s, err := c.Login(ctx, "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	me, err := s.Me(ctx)
	want := client.Player{
		ID: 12, Name: "alice", Zone: "meadow", X: 1.5, Y: 2.5,
		Numbers:  rushgate.Numbers{"gold": 7},
		Playtime: 1234 * time.Millisecond,
	}
	if err != nil || !reflect.DeepEqual(me, want) {
		t.Errorf("Me: %+v, %v", me, err)
	}
	if got := s.ExpiresAt(); !got.Equal(time.Date(2026, 1, 2, 15, 4, 15, 0, time.UTC)) {
		t.Errorf("Me did not move the expiry: %v", got)
	}
	if err := s.Logout(ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.Me(ctx); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("Me after Logout: %v", err)
	}
	if err := s.Logout(ctx); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("second Logout: %v", err)
	}
}

func TestPublic(t *testing.T) {
	c, ctx := serve(t), t.Context()
	if st, err := c.Status(ctx); err != nil || st != (client.Status{State: client.StateBusy}) {
		t.Errorf("Status: %+v, %v", st, err)
	}
	ranks, err := c.Leaderboard(ctx, rushgate.BoardDeaths, 5)
	if want := []rushgate.Rank{{Rank: 1, Player: 12, Name: "alice", Score: 5}}; err != nil || !slices.Equal(ranks, want) {
		t.Errorf("Leaderboard: %+v, %v", ranks, err)
	}
	if _, err := c.Leaderboard(ctx, "..", 1); !errors.Is(err, client.ErrBadAnswer) {
		t.Error("a board's name led to another path")
	}
}

// A redirect would carry password or token to the host that it names.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	c, err := client.New(srv.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	if _, err := c.Login(t.Context(), "alice", password); !errors.Is(err, client.ErrBadAnswer) {
		t.Errorf("error %v", err)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went to the other server", n)
	}
}

// A connection that the server gave up while it was idle is none of the player's business.
func TestStaleConnectionCostsNoRetry(t *testing.T) {
	seen := map[string]bool{}
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if seen[r.RemoteAddr] {
			panic(http.ErrAbortHandler)
		}
		seen[r.RemoteAddr] = true
		if len(r.Header["Idempotency-Key"]) != 0 {
			t.Error("the hint for the transport went to the server")
		}
		fmt.Fprint(w, granted)
	}))
	defer srv.Close()
	tries := 0
	c, err := client.New(srv.URL, client.Options{OnAnswer: func(client.Answer) { tries++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	for range 2 {
		if _, err := c.Login(t.Context(), "alice", password); err != nil {
			t.Fatal(err)
		}
	}
	if tries != 2 || len(seen) != 2 {
		t.Errorf("%d tries over %d connections", tries, len(seen))
	}
}

// A certificate does not get better by asking again.
func TestUntrustedCertificateIsNotRetried(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	tries := 0
	c, err := client.New(srv.URL, client.Options{OnAnswer: func(client.Answer) { tries++ }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Login(t.Context(), "alice", password); err == nil || tries != 1 {
		t.Errorf("error %v after %d tries", err, tries)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	var shown strings.Builder
	show := func(v any) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&shown, verb+"\n", v)
		}
		data, err := json.Marshal(v)
		fmt.Fprintln(&shown, string(data), err)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&shown, nil)).Info("x", "v", v)
	}
	s := &script{steps: []step{
		says(200, grantedChannel),
		says(401, `{"reason":"bad-credentials","message":"password `+password+` is wrong"}`),
		says(500, `{"reason":"internal-error","message":"`+password+`"}`),
		says(400, password),
		says(200, `{"player_id":"`+password+`"}`),
		breaks(fmt.Errorf("cannot send %q", password)),
	}}
	c := newClient(t, s, client.Options{MaxRetries: -1})
	session, err := c.Login(t.Context(), "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	show(session)
	show(*session)
	show(struct{ S *client.Session }{session})
	show(struct{ s client.Session }{*session})
	show(c)
	for range len(s.steps) - 1 {
		_, err := c.Login(t.Context(), "alice", password)
		if err == nil {
			t.Fatal("no error")
		}
		show(err)
	}
	s.steps = append(s.steps, breaks(errors.New("header "+token)),
		says(500, `{"reason":"internal-error","message":"`+token+`"}`))
	_, err = session.Me(t.Context())
	show(err)
	show(session.Logout(t.Context()))
	secrets := []string{password, token, fmt.Sprintf("%x", token), fmt.Sprintf("%x", password)}
	ticket := connectToken[:16] // it is this, over and over
	for _, form := range []string{"%s", "%x", "%d"} {
		secrets = append(secrets, strings.Trim(fmt.Sprintf(form, ticket), "[]\n"))
	}
	secrets = append(secrets, base64.StdEncoding.EncodeToString(connectToken[:15]))
	for _, secret := range secrets {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("%q was shown:\n%s", secret, shown.String())
		}
	}
	for _, want := range []string{"session of player 12", "bad-credentials", client.ErrNoAnswer.Error()} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q was not shown", want)
		}
	}
}

// What a server says for players and developers reaches them, without what could play tricks on a terminal.
func TestServerMessage(t *testing.T) {
	s := &script{steps: []step{says(400, `{"reason":"missing-credentials","message":"name\u001b[2J too\nshort"}`)}}
	_, err := newClient(t, s, client.Options{}).Login(t.Context(), "al", password)
	if err == nil || err.Error() != "missing-credentials: name[2J tooshort" {
		t.Errorf("error %q", err)
	}
}

func TestNew(t *testing.T) {
	for _, base := range []string{
		"", "play.example.org", "ftp://x", "http://", "https://:443", "http://alice:" + password + "@x",
		"http://x?token=" + password,
		"http://x#f", "http://x\n" + password, "http://[::1",
	} {
		if _, err := client.New(base, client.Options{}); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("New(%q): error %v", base, err)
		}
	}
	for name, opts := range map[string]client.Options{
		"TryTimeout": {TryTimeout: -1}, "BackoffBase": {BackoffBase: -1}, "BackoffCap": {BackoffCap: -1},
	} {
		if _, err := client.New("http://x", opts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// FuzzAnswer looks for answers that crash the client or that it takes for what they are not.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(granted), "")
	f.Add(201, []byte(grantedChannel), "")
	f.Add(503, []byte(`{"reason":"server-busy","retry_after_ms":9223372036854775807}`), "Fri, 02 Jan 2026 15:04:05 GMT")
	f.Add(429, []byte(`{"reason":"rate-limited","message":"\u001b"}`), "18446744073709551616")
	f.Add(401, []byte(`{"reason":"bad-credentials"}`), "1")
	f.Add(302, []byte(nil), "")
	f.Fuzz(func(t *testing.T, status int, body []byte, after string) {
		s := &script{steps: []step{func(*http.Request) (*http.Response, error) {
			h := http.Header{"Retry-After": {after}}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body))}, nil
		}}}
		session, err := newClient(t, s, client.Options{MaxRetries: -1}).Login(context.Background(), "alice", password)
		if (session == nil) == (err == nil) {
			t.Fatalf("session %v and error %v", session, err)
		}
		if session != nil && (session.PlayerID == 0 || session.ExpiresAt().IsZero() || status != 200 && status != 201) {
			t.Errorf("status %d and %q opened %v", status, body, session)
		}
		if ref, ok := errors.AsType[*rushgate.Refusal](err); ok &&
			(ref.RetryAfter < 0 || ref.RetryAfter > 24*time.Hour || ref.Reason == "") {
			t.Errorf("refusal %+v", ref)
		}
	})
}

// A node of before games had numbers of their own answers four, under their names.
func TestNumbersOfAnOlderNode(t *testing.T) {
	write := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/login", func(w http.ResponseWriter, _ *http.Request) { write(w, granted) })
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, _ *http.Request) {
		write(w, `{"player_id":12,"name":"alice","zone":"meadow","x":1.5,"y":2.5,"hp":100,"xp":7,"level":2,
			"deaths":3,"playtime_ms":1234,"expires_at":"2026-01-02T15:04:15Z"}`)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	c, err := client.New(s.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	session, err := c.Login(t.Context(), "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	want := rushgate.Numbers{"hp": 100, "xp": 7, "level": 2, "deaths": 3}
	if me, err := session.Me(t.Context()); err != nil || !me.Numbers.Equal(want) {
		t.Errorf("numbers are %v, %v; want %v", me.Numbers, err, want)
	}
}
