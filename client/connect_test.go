package client

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

// answers is a RoundTripper that gives one answer after the other and keeps the requests.
type answers struct {
	status   []int
	body     []string
	requests []*http.Request
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	n := len(a.requests)
	a.requests = append(a.requests, r)
	return &http.Response{StatusCode: a.status[n], Body: io.NopCloser(strings.NewReader(a.body[n]))}, nil
}

const session = `{"player_id":12,"session_token":"token-1","expires_at":"2026-01-02T15:04:05Z"`

func withTicket(object string, ticket []byte) string {
	return object + `,"connect_token":"` + base64.StdEncoding.EncodeToString(ticket) + `"}`
}

// login opens a session, whose answer is the first of a.
func login(t *testing.T, a *answers) (*Client, *Session) {
	t.Helper()
	c, err := New("http://example.test", Options{Transport: a, MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Login(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestConnectTokens(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, netcode.ConnectTokenSize), bytes.Repeat([]byte{2}, netcode.ConnectTokenSize)
	a := &answers{
		status: []int{200, 200},
		body:   []string{withTicket(session, first), withTicket(`{"expires_at":"2026-01-02T15:04:35Z"`, second)},
	}
	c, s := login(t, a)
	if got := s.connectToken(); !bytes.Equal(got, first) {
		t.Errorf("the session came with a connect token of %d bytes, %.4x…", len(got), got)
	}
	got, err := c.renew(t.Context(), *s)
	if err != nil || !bytes.Equal(got, second) {
		t.Errorf("renewed: %d bytes, %v", len(got), err)
	}
	r := a.requests[1]
	if r.Method != http.MethodPost || r.URL.Path != "/v1/connect" || r.Header.Get("Authorization") != "Bearer token-1" {
		t.Errorf("%s %s with %q", r.Method, r.URL.Path, r.Header.Get("Authorization"))
	}
	if want := time.Date(2026, 1, 2, 15, 4, 35, 0, time.UTC); !s.ExpiresAt().Equal(want) {
		t.Errorf("the session now lasts until %v, want %v", s.ExpiresAt(), want)
	}
}

func TestServerWithoutChannel(t *testing.T) {
	c, s := login(t, &answers{status: []int{200, 404}, body: []string{session + "}", "404 page not found\n"}})
	if got := s.connectToken(); got != nil {
		t.Errorf("a connect token of %d bytes", len(got))
	}
	if _, err := c.renew(t.Context(), *s); !errors.Is(err, ErrNoChannel) {
		t.Errorf("renew: %v, want ErrNoChannel", err)
	}
}

func TestRenewErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   error
	}{
		"no session": {401, `{"reason":"bad-credentials"}`, rushgate.BadCredentials},
		"busy":       {503, `{"reason":"server-busy"}`, rushgate.ServerBusy},
		"no token":   {200, `{"expires_at":"2026-01-02T15:04:35Z"}`, ErrBadAnswer},
		"short":      {200, withTicket(`{"expires_at":"2026-01-02T15:04:35Z"`, make([]byte, 2047)), ErrBadAnswer},
		"long":       {200, withTicket(`{"expires_at":"2026-01-02T15:04:35Z"`, make([]byte, 2049)), ErrBadAnswer},
		"not JSON":   {200, "welcome", ErrBadAnswer},
	} {
		c, s := login(t, &answers{status: []int{200, tt.status}, body: []string{session + "}", tt.body}})
		before := s.ExpiresAt()
		if got, err := c.renew(t.Context(), *s); got != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: %d bytes, %v; want %v", name, len(got), err, tt.want)
		}
		if !s.ExpiresAt().Equal(before) {
			t.Errorf("%s: the session's end has moved", name)
		}
	}
}
