package adapter_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/adapter"
)

// answerer answers a request.
type answerer = func(*http.Request) (*http.Response, error)

// script is a server without a network: it answers one request after the other.
type script struct {
	mu     sync.Mutex
	steps  []answerer
	asked  []string // method and path of each request
	closed int      // calls of CloseIdleConnections
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.asked)
	s.asked = append(s.asked, r.Method+" "+r.URL.Host+r.URL.Path)
	if n >= len(s.steps) {
		return nil, errors.New("the script has ended")
	}
	return s.steps[n](r)
}

func (s *script) CloseIdleConnections() { s.closed++ }

// says answers with a status, a body and headers, which are names and values by turns.
func says(status int, body string, header ...string) answerer {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

// fails is a request without an answer.
func fails(err error) answerer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// newClient returns a client that reaches the script over an adapter.
func newClient(t testing.TB, cfg adapter.Config, s *script, opts client.Options) *client.Client {
	t.Helper()
	rt, err := adapter.New(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	opts.Transport = rt
	c, err := client.New("http://game.test/base", opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Answers of servers, shortened to what is read.
const (
	pocketBaseRecord = `{"id":"s1dpbqm7d8t4z2r"}`
	pocketBaseToken  = `{"token":"fake-token","record":{}}`
	pocketBaseTaken  = `{"data":{"email":{"code":"validation_not_unique"}},"status":400}`
	pocketBaseWrong  = `{"data":{},"message":"Failed to authenticate.","status":400}`
	supabaseToken    = `{"access_token":"fake-token"}`
	supabaseTaken    = `{"code":422,"error_code":"user_already_exists","msg":"User already registered"}`
	kratosFlow       = `{"id":"e81f48e5-21d5-4a44-9e8a-9d0d0c0f7c2a","ui":{"action":"http://elsewhere.test/steal"}}`
	kratosToken      = `{"session_token":"fake-token"}`
	nakamaNew        = `{"created":true,"token":"fake-token","refresh_token":"fake-token-2"}`
	nakamaOld        = `{"token":"fake-token","refresh_token":"fake-token-2"}`
)
