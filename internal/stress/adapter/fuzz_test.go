package adapter_test

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/adapter"
)

// FuzzServerAnswers has a client register, look at itself and log out while the server gives any answers at all. The
// client must be able to make sense of what it gets, nothing may go to another host, and no error may show a secret.
func FuzzServerAnswers(f *testing.F) {
	for kind := range adapter.Kinds() {
		files, err := filepath.Glob(filepath.Join("testdata", string(adapter.Kinds()[kind]), "*.json"))
		if err != nil || len(files) == 0 {
			f.Fatalf("no recordings of %s: %v", adapter.Kinds()[kind], err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			x := readRecording(f, adapter.Kinds()[kind], name).Exchanges
			first, last := x[0].Answer, x[len(x)-1].Answer
			f.Add(uint8(kind), first.Status, []byte(first.Body), last.Status, []byte(last.Body), "5")
		}
	}
	f.Add(uint8(3), 200, []byte(kratosFlow), 200, []byte(`{"session_token":"a\nb"}`), "Fri, 02 Jan 2026 15:04:12 GMT")
	f.Add(uint8(0), 99, []byte("{"), 1000, []byte(""), "-1")
	f.Fuzz(func(t *testing.T, k uint8, status1 int, body1 []byte, status2 int, body2 []byte, retryAfter string) {
		kind := adapter.Kinds()[int(k)%len(adapter.Kinds())]
		n := 0
		any := func(r *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return says(status1, string(body1), "Retry-After", retryAfter)(r)
			}
			return says(status2, string(body2), "Retry-After", retryAfter)(r)
		}
		s := &script{steps: []answerer{any, any, any, any, any, any}}
		c := newClient(t, adapter.Config{Kind: kind}, s, client.Options{MaxRetries: -1})
		session, err := c.Register(t.Context(), "stress-000001", "v3ry-s3cret")
		check(t, err)
		if err == nil {
			if p, err := session.Me(t.Context()); err != nil || p.ID != session.PlayerID {
				t.Errorf("me: %+v, %v", p, err)
			}
			check(t, session.Logout(t.Context()))
		}
		for _, a := range s.asked {
			if !strings.Contains(a, " game.test/base/") {
				t.Errorf("asked %s", a)
			}
		}
	})
}

// check accepts no error but those that a client knows.
func check(t *testing.T, err error) {
	t.Helper()
	var refusal *rushgate.Refusal
	switch {
	case err == nil, errors.As(err, &refusal), errors.Is(err, client.ErrBadAnswer), errors.Is(err, client.ErrNoAnswer):
	default:
		t.Errorf("an error of another kind: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "v3ry-s3cret") {
		t.Errorf("the password is in %v", err)
	}
}
