package adapter

import (
	"crypto/rand"
	"errors"
	"hash/fnv"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// sessionLife is what a session is said to last from each of its calls on. The servers say very different things of
// their tokens; a run that needs more than this is longer than what tokens are good for.
const sessionLife = time.Hour

// server is the flow of one kind of server. Its errors are a [*refusal], a [*strange] answer, or an error of
// the transport.
type server interface {
	// health asks whether the server is alive.
	health() request
	// register makes an account and opens a session. A grant without a token means that the account is made and
	// that a login has to open the session.
	register(*call, credentials) (grant, error)
	// login opens a session.
	login(*call, credentials) (grant, error)
	// logout ends the session.
	logout(*call, grant) error
}

// credentials are what a player registers or logs in with.
type credentials struct {
	name, email, password string
}

// grant is what a server gives to a player who is in.
type grant struct {
	token   string
	refresh string // Nakama's logout wants it too
}

// session is the player's latest session.
type session struct {
	token  string // what the client knows it by: ours, so that the server's need not be fit for the client
	player rushgate.PlayerID
	name   string
	grant  grant
}

// transport is a player's way to a server.
type transport struct {
	next   http.RoundTripper
	server server
	domain string

	mu      sync.Mutex
	session *session // nil: none
	attempt string   // the latest registration's
	made    bool     // by which the account was made, but no session opened yet
}

// CloseIdleConnections is that of the transport beneath, if it has one.
func (t *transport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// RoundTrip answers one of Rushgate's requests, see [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	for _, e := range []struct {
		method, path string
		answer       func(*call, []byte) (*http.Response, error)
	}{
		{http.MethodPost, "/v1/register", t.register},
		{http.MethodPost, "/v1/login", t.login},
		{http.MethodPost, "/v1/logout", t.logout},
		{http.MethodGet, "/v1/me", t.me},
		{http.MethodGet, "/healthz", t.health},
	} {
		if base, ok := strings.CutSuffix(r.URL.Path, e.path); ok && r.Method == e.method {
			return e.answer(&call{original: r, next: t.next, base: base}, body)
		}
	}
	return answer(r, http.StatusNotFound, nil), nil
}

func (t *transport) register(c *call, body []byte) (*http.Response, error) {
	who, attempt, ok := t.credentials(body)
	if !ok {
		return refuse(c.original, rushgate.MissingCredentials)
	}
	again, made := t.begin(attempt)
	var g grant
	var err error
	if !made {
		g, err = t.server.register(c, who)
	}
	// A client that tries again does not know whether its last try has made the account. Rushgate knows by the
	// attempt; elsewhere the player finds out by logging in.
	ours := again && errors.Is(err, rushgate.UsernameTaken)
	if ours || err == nil && g.token == "" {
		t.setMade(attempt, !ours)
		g, err = t.server.login(c, who)
		if ours && errors.Is(err, rushgate.BadCredentials) {
			err = rushgate.UsernameTaken
		}
	}
	return t.admit(c, who, http.StatusCreated, g, err)
}

func (t *transport) login(c *call, body []byte) (*http.Response, error) {
	who, _, ok := t.credentials(body)
	if !ok {
		return refuse(c.original, rushgate.MissingCredentials)
	}
	g, err := t.server.login(c, who)
	return t.admit(c, who, http.StatusOK, g, err)
}

// begin notes that a registration is tried, and reports whether the same one was tried before and whether that has made
// the account.
func (t *transport) begin(attempt string) (again, made bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if attempt != "" && attempt == t.attempt {
		return true, t.made
	}
	t.attempt, t.made = attempt, false
	return false, false
}

func (t *transport) setMade(attempt string, made bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if attempt == t.attempt {
		t.made = made
	}
}

// admit answers a registration or login.
func (t *transport) admit(c *call, who credentials, status int, g grant, err error) (*http.Response, error) {
	if err != nil {
		return refuse(c.original, err)
	}
	s := &session{token: rand.Text(), player: playerID(who.name), name: who.name, grant: g}
	t.mu.Lock()
	t.session = s
	t.mu.Unlock()
	return answer(c.original, status, struct {
		PlayerID rushgate.PlayerID `json:"player_id"`
		Token    string            `json:"session_token"`
		Expires  time.Time         `json:"expires_at"`
	}{s.player, s.token, time.Now().Add(sessionLife)}), nil
}

// playerID makes up a number for a player: these servers have names and UUIDs.
func playerID(name string) rushgate.PlayerID {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails, see hash.Hash
	return rushgate.PlayerID(max(h.Sum64()>>1, 1))
}

// sessionOf returns the session that the request names, nil if it is not the player's latest or has ended.
func (t *transport) sessionOf(r *http.Request) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == nil || r.Header.Get("Authorization") != "Bearer "+t.session.token {
		return nil
	}
	return t.session
}

func (t *transport) forget(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == s {
		t.session = nil
	}
}

func (t *transport) me(c *call, _ []byte) (*http.Response, error) {
	s := t.sessionOf(c.original)
	if s == nil {
		return refuse(c.original, rushgate.BadCredentials)
	}
	return answer(c.original, http.StatusOK, struct {
		PlayerID rushgate.PlayerID `json:"player_id"`
		Name     string            `json:"name"`
		Expires  time.Time         `json:"expires_at"`
	}{s.player, s.name, time.Now().Add(sessionLife)}), nil
}

func (t *transport) logout(c *call, _ []byte) (*http.Response, error) {
	s := t.sessionOf(c.original)
	if s == nil {
		return refuse(c.original, rushgate.BadCredentials)
	}
	err := t.server.logout(c, s.grant)
	if err == nil || errors.Is(err, rushgate.BadCredentials) { // it has ended, now or before
		t.forget(s)
	}
	if err != nil {
		return refuse(c.original, err)
	}
	return answer(c.original, http.StatusNoContent, nil), nil
}

func (t *transport) health(c *call, _ []byte) (*http.Response, error) {
	rep, err := c.send(t.server.health())
	if err != nil {
		return refuse(c.original, err)
	}
	return answer(c.original, rep.status, nil), nil
}
