package adapter_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/adapter"
)

// What an answer means by its status alone, on every server and in every step.
func TestStatuses(t *testing.T) {
	tests := []struct {
		status int
		want   said
	}{
		{429, said{Status: 429, Reason: "rate-limited", RetryMS: 3000, RetryAfter: "3"}},
		{503, said{Status: 503, Reason: "server-busy", RetryMS: 3000, RetryAfter: "3"}},
		{504, said{Status: 504, Reason: "request-expired", RetryMS: 3000, RetryAfter: "3"}},
		{500, said{Status: 500, Reason: "internal-error", RetryMS: 3000, RetryAfter: "3"}},
		{507, said{Status: 500, Reason: "internal-error", RetryMS: 3000, RetryAfter: "3"}},
		{502, said{Status: 502}}, {403, said{Status: 403}}, {404, said{Status: 404}}, {307, said{Status: 307}},
		{200, said{Status: 200}}, {204, said{Status: 204}},
	}
	for _, kind := range adapter.Kinds() {
		for _, tt := range tests {
			for _, body := range []string{"", "<html>", "{}", "[]", `{"reason":"server-busy","message":"no"}`} {
				for _, what := range []string{register, login} {
					s := &script{steps: []answerer{says(tt.status, body, "Retry-After", "3", "Location", "http://elsewhere.test/")}}
					p := newPlayer(t, adapter.Config{Kind: kind}, "http://game.test", s)
					if got := p.ask(t, what, alice); got != tt.want || len(s.asked) != 1 {
						t.Errorf("%s: %s, status %d, body %q: got %+v after %d requests, want %+v",
							kind, what, tt.status, body, got, len(s.asked), tt.want)
					}
				}
			}
		}
	}
}

// Kratos tells where to send the password. Only the player's own server is asked.
func TestPasswordGoesNowhereElse(t *testing.T) {
	s := &script{steps: []answerer{says(200, kratosFlow), says(307, "", "Location", "http://elsewhere.test/")}}
	p := newPlayer(t, adapter.Config{Kind: adapter.Kratos}, "http://game.test", s)
	if got := p.ask(t, login, alice); got.Status != 307 {
		t.Errorf("got %+v", got)
	}
	if len(s.asked) != 2 || s.asked[1] != "POST game.test/self-service/login" {
		t.Errorf("asked %q", s.asked)
	}
	for _, id := range []string{"", "a/../b", "a&flow=b", "http://elsewhere.test/", strings.Repeat("a", 65)} {
		s := &script{steps: []answerer{says(200, fmt.Sprintf(`{"id":%q}`, id))}}
		p := newPlayer(t, adapter.Config{Kind: adapter.Kratos}, "http://game.test", s)
		if got := p.ask(t, login, alice); got.Status != 200 || got.PlayerID != 0 || len(s.asked) != 1 {
			t.Errorf("flow %.20q: got %+v after %q", id, got, s.asked)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	const limit = 256 << 10
	for size, want := range map[int]bool{limit: true, limit + 1: false} {
		body := supabaseToken + strings.Repeat(" ", size-len(supabaseToken))
		s := &script{steps: []answerer{says(200, body)}}
		p := newPlayer(t, adapter.Config{Kind: adapter.Supabase}, "http://game.test", s)
		if got := p.ask(t, login, alice); (got.PlayerID != 0) != want {
			t.Errorf("%d bytes: got %+v", size, got)
		}
	}
}

// errBody is a body that breaks off.
type errBody struct{ err error }

func (b errBody) Read([]byte) (int, error) { return 0, b.err }
func (b errBody) Close() error             { return nil }

func TestErrorsOfTheTransportPass(t *testing.T) {
	broken := errors.New("connection reset")
	cut := func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: errBody{broken}}, nil
	}
	for _, kind := range adapter.Kinds() {
		for _, what := range []string{register, login, "GET /healthz"} {
			for _, step := range []answerer{fails(broken), cut} {
				rt, err := adapter.New(adapter.Config{Kind: kind}, &script{steps: []answerer{step}})
				if err != nil {
					t.Fatal(err)
				}
				method, path, _ := strings.Cut(what, " ")
				req, err := http.NewRequestWithContext(t.Context(), method, "http://game.test"+path, strings.NewReader(alice))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := rt.RoundTrip(req)
				if err != broken { //nolint:errorlint // it must be this very error
					t.Errorf("%s %s: %v", kind, what, err)
				}
				if err == nil {
					resp.Body.Close()
				}
			}
		}
	}
}

func TestRequestsThatAreNotForTheServer(t *testing.T) {
	s := &script{}
	p := newPlayer(t, adapter.Config{Kind: adapter.Nakama}, "http://game.test", s)
	for _, tt := range []step{
		{"GET /v1/status", "", 404, ""},
		{"POST /v1/connect", "", 404, ""},
		{"GET /v1/login", "", 404, ""},
		{"POST /healthz", "", 404, ""},
		{me, "", 401, "bad-credentials"},
		{logout, "", 401, "bad-credentials"},
		{login, "", 400, "missing-credentials"},
		{login, `{"username":"alice"}`, 400, "missing-credentials"},
		{register, `{"password":"x"}`, 400, "missing-credentials"},
		{register, "[", 400, "missing-credentials"},
	} {
		if got := p.ask(t, tt.ask, tt.body); got.Status != tt.status || got.Reason != tt.reason {
			t.Errorf("%s %s: got %+v", tt.ask, tt.body, got)
		}
	}
	if len(s.asked) != 0 {
		t.Errorf("asked %q", s.asked)
	}
	huge := io.LimitReader(endless{}, 1<<20)
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://game.test/v1/login", huge)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.transport.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || len(s.asked) != 0 {
		t.Errorf("a huge request: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// The session that ended is the one that is forgotten; one whose logout failed can be logged out again.
func TestLogoutThatFails(t *testing.T) {
	s := &script{steps: []answerer{
		says(200, supabaseToken), fails(errors.New("connection reset")), says(503, ""), says(401, "{}"),
	}}
	c := newClient(t, adapter.Config{Kind: adapter.Supabase}, s, client.Options{MaxRetries: -1})
	session, err := c.Login(t.Context(), "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"connection reset", "server-busy", "session has ended", "session has ended"} {
		if err := session.Logout(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("logout: %v, want %s", err, want)
		}
	}
	if len(s.asked) != 4 {
		t.Errorf("asked %q", s.asked)
	}
}

// A player has one session; a later one takes its place.
func TestLaterSessionTakesThePlace(t *testing.T) {
	c := newClient(t, adapter.Config{Kind: adapter.PocketBase}, &script{steps: []answerer{
		says(200, pocketBaseToken), says(200, pocketBaseToken),
	}}, client.Options{})
	first, err := c.Login(t.Context(), "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Login(t.Context(), "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Me(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the first session: %v", err)
	}
	if _, err := second.Me(t.Context()); err != nil {
		t.Errorf("the second session: %v", err)
	}
}

// PocketBase also answers 400 to what is not the request's fault.
func TestPocketBaseFaultsOfItsOwn(t *testing.T) {
	s := &script{steps: []answerer{says(400, `{"data":{},"message":"Failed to create record.","status":400}`)}}
	p := newPlayer(t, adapter.Config{Kind: adapter.PocketBase}, "http://game.test", s)
	if got := p.ask(t, register, alice); got != (said{Status: 400}) {
		t.Errorf("got %+v", got)
	}
}

// http.Transport may send a request again on another connection where the client allows it, see package client.
func TestRequestsMayBeSentAgain(t *testing.T) {
	var allowed []bool
	keep := func(r *http.Request) (*http.Response, error) {
		v, ok := r.Header["Idempotency-Key"]
		allowed = append(allowed, ok && len(v) == 0 && (r.Body == nil || r.GetBody != nil))
		return says(200, kratosFlow)(r)
	}
	c := newClient(t, adapter.Config{Kind: adapter.Kratos}, &script{steps: []answerer{keep, keep}}, client.Options{})
	if _, err := c.Login(t.Context(), "alice", password); err == nil {
		t.Error("let in without a token")
	}
	if !slices.Equal(allowed, []bool{true, true}) {
		t.Errorf("allowed: %v", allowed)
	}
}

func TestHealthOfTheServer(t *testing.T) {
	for _, kind := range adapter.Kinds() {
		s := &script{steps: []answerer{says(200, "{}"), says(503, "{}")}}
		p := newPlayer(t, adapter.Config{Kind: kind}, "http://game.test", s)
		for _, want := range []int{200, 503} {
			if got := p.ask(t, "GET /healthz", ""); got != (said{Status: want}) {
				t.Errorf("%s: got %+v, want %d", kind, got, want)
			}
		}
	}
}

func TestClosesIdleConnections(t *testing.T) {
	var s script
	newClient(t, adapter.Config{Kind: adapter.Kratos}, &s, client.Options{}).CloseIdleConnections()
	if s.closed != 1 {
		t.Errorf("closed %d times", s.closed)
	}
	rt, err := adapter.New(adapter.Config{Kind: adapter.Kratos}, struct{ http.RoundTripper }{&s})
	if err != nil {
		t.Fatal(err)
	}
	rt.(interface{ CloseIdleConnections() }).CloseIdleConnections() // the transport beneath has none
}
