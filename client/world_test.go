package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

const worldURL = "http://world.test"

// worldServer is a server whose world is full, to be used in a synctest bubble. Its line is a function of time.
type worldServer struct {
	mu     sync.Mutex
	opens  time.Time // when the turn of all comes
	knows  string    // the fields that it knows
	proofs int
	revoke bool // all that was proved so far
	tries  []string
	asked  int
}

func (s *worldServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodGet {
		s.asked++
		if r.URL.RequestURI() != "/v1/line?line=world" {
			return said(404, `{"reason":"missing-credentials","message":"no such path"}`), nil
		}
		serving := int64(1)
		if !time.Now().Before(s.opens) {
			serving = s.opens.UnixMilli() + 1
		}
		return said(200, fmt.Sprintf(`{"now_ms":%d,"serving_ms":%d,"pace_per_s":0.1,"waiting":1,"poll_factor":0.5,`+
			`"poll_most_ms":5000,"marks":[{"turn_ms":1,"before":0},{"turn_ms":%d,"before":5}]}`,
			time.Now().UnixMilli(), serving, s.opens.UnixMilli()+2)), nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var b map[string]any
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	s.tries = append(s.tries, r.URL.Path)
	for name := range b {
		if r.URL.Path == loginPath && !strings.Contains(s.knows, name) {
			return said(400, fmt.Sprintf(`{"reason":"missing-credentials","message":"The body has a field other than %s."}`,
				s.knows)), nil
		}
	}
	place := fmt.Sprintf(`"place":3,"eta_low_ms":20000,"eta_high_ms":180000,"poll_after_ms":5000,"turn_ms":%d`,
		s.opens.UnixMilli())
	switch {
	case r.URL.Path == loginPath && b["password"] != alicesKey:
		return said(401, `{"reason":"bad-credentials","message":"no"}`), nil
	case r.URL.Path == loginPath && b["wait"] != true:
		return said(503, `{"reason":"server-busy","message":"full","retry_after_ms":10000}`), nil
	case r.URL.Path == loginPath:
		s.proofs++
		s.revoke = false
		return said(503, fmt.Sprintf(`{"reason":"server-busy","message":"full","retry_after_ms":5000,%s,`+
			`"ticket":"ticket-%d","proof":"proof-%d"}`, place, s.proofs, s.proofs)), nil
	case s.revoke || b["ticket"] != fmt.Sprintf("ticket-%d", s.proofs) ||
		b["proof"] != fmt.Sprintf("proof-%d", s.proofs) || b["line_secret"] == "" || b["password"] != nil:
		return said(401, `{"reason":"bad-credentials","message":"no"}`), nil
	case time.Now().Before(s.opens):
		return said(503, `{"reason":"server-busy","message":"full","retry_after_ms":5000,`+place+`}`), nil
	}
	return said(200, alicesAnswer), nil
}

func said(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

const allFields = "username, password, attempt_id, takeover, line_secret, ticket, wait"

func newWorldServer(wait time.Duration) *worldServer {
	return &worldServer{opens: time.Now().Add(wait), knows: allFields}
}

func (s *worldServer) client(t *testing.T, opts Options) *Client {
	t.Helper()
	opts.Transport, opts.Rand = s, func() float64 { return 0.5 }
	c, err := New(worldURL, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A player who waits for the world sends the password once, is told the place in the world's line, and comes in within
// seconds of the turn, by what is cheap to ask.
func TestWaitingForTheWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorldServer(2 * time.Minute)
		var told []Line
		c := s.client(t, Options{WaitForWorld: true, OnWait: func(w Wait) { told = append(told, *w.Line) }})
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		if late := time.Since(s.opens); late < 0 || late > 10*time.Second {
			t.Errorf("came in %v after the turn", late)
		}
		if !slices.Equal(s.tries, []string{loginPath, "/v1/enter"}) || s.asked < 5 {
			t.Errorf("tried %v, asked %d times", s.tries, s.asked)
		}
		first, last := told[0], told[len(told)-1]
		if !first.World || first.Place != 3 || !first.Ticket.IsZero() || !last.Come ||
			!strings.HasPrefix(first.String(), "The world is full. You are number 3 in line") {
			t.Errorf("told %+v (%v), at last %+v", first, first, last)
		}
	})
}

// Without the option, or on a server that does not know of it, a full world is a server that is busy.
func TestAFullWorldWithoutTheWish(t *testing.T) {
	for what, tt := range map[string]struct {
		opts  Options
		knows string
	}{
		"no wish":                     {Options{}, allFields},
		"no line":                     {Options{WaitForWorld: true, NoLine: true}, allFields},
		"a server without world line": {Options{WaitForWorld: true}, strings.TrimSuffix(allFields, ", wait")},
		"a server without any line":   {Options{WaitForWorld: true}, "username, password, attempt_id"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newWorldServer(time.Hour)
				s.knows = tt.knows
				_, err := s.client(t, tt.opts).Login(t.Context(), "alice", alicesKey)
				if busy, ok := errors.AsType[*BusyError](err); !ok || busy.Last.Place.Number != 0 {
					t.Errorf("%v", err)
				}
				if slices.Contains(s.tries, "/v1/enter") {
					t.Errorf("tried %v", s.tries)
				}
			})
		})
	}
}

// A proof that the server does not honour any more has the player log in again, and wait at the end: with a password
// that is still right.
func TestAProofThatIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorldServer(time.Minute)
		c := s.client(t, Options{WaitForWorld: true})
		time.AfterFunc(30*time.Second, func() { s.mu.Lock(); s.revoke = true; s.mu.Unlock() })
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		if want := []string{loginPath, "/v1/enter", loginPath, "/v1/enter"}; !slices.Equal(s.tries, want) {
			t.Errorf("tried %v, want %v", s.tries, want)
		}
	})
}

// The place in the world's line outlives a call, for the same account with the same password and no other: a wrong
// password is never let in by what was proved before.
func TestAPlaceForTheWorldOutlivesTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorldServer(2 * time.Minute)
		c := s.client(t, Options{WaitForWorld: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.Login(ctx, "alice", alicesKey)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rushgate.ServerBusy) {
			t.Fatalf("left the line: %v", err)
		}
		if text := fmt.Sprintf("%+v %#v", err, err); strings.Contains(text, "proof-") || strings.Contains(text, "ticket-") {
			t.Errorf("the error tells secrets: %s", text)
		}
		time.Sleep(2 * time.Minute)
		if _, err := c.Login(t.Context(), "alice", "wrong"); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("a wrong password: %v", err)
		}
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Errorf("the right one: %v", err)
		}
		if want := []string{loginPath, loginPath, "/v1/enter"}; !slices.Equal(s.tries, want) {
			t.Errorf("tried %v, want %v", s.tries, want)
		}
	})
}
