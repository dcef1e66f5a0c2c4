package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// recording passes the body of each try on to another transport as it was.
type recording struct {
	next   http.RoundTripper
	bodies []string
	paths  []string
}

func (r *recording) RoundTrip(req *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.bodies, r.paths = append(r.bodies, string(b)), append(r.paths, req.URL.Path)
	req.Body = io.NopCloser(strings.NewReader(string(b)))
	return r.next.RoundTrip(req)
}

// Every try of a takeover asks for it, and nothing else does.
func TestTakeoverAsksUntilTheOtherSessionHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{busy("1000"), busy("1000"), says(200, granted), says(200, granted), says(201, granted)}}
		r := &recording{next: s}
		c, err := client.New("http://example.test", client.Options{
			Transport: r, Rand: func() float64 { return 0 }, AttemptID: func() string { return "x" },
		})
		if err != nil {
			t.Fatal(err)
		}
		if session, err := c.Takeover(t.Context(), "alice", password); err != nil || session.PlayerID != 12 {
			t.Fatalf("Takeover: %+v, %v", session, err)
		}
		if s.at[1].Sub(s.at[0]) != time.Second || s.at[2].Sub(s.at[1]) != time.Second {
			t.Errorf("came at %v", s.at)
		}
		if _, err := c.Login(t.Context(), "alice", password); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Register(t.Context(), "alice", password); err != nil {
			t.Fatal(err)
		}
		plain := `{"username":"alice","password":"` + password + `","attempt_id":"x",`
		taking := plain + `"takeover":true,`
		for i, want := range []string{taking, taking, taking, plain, plain} {
			if rest, ok := strings.CutPrefix(r.bodies[i], want); !ok || !strings.HasPrefix(rest, `"line_secret":"`) {
				t.Errorf("try %d sent %s, want %s and a secret", i, r.bodies[i], want)
			}
		}
		if got := fmt.Sprint(r.paths); got != "[/v1/login /v1/login /v1/login /v1/login /v1/register]" {
			t.Errorf("tries went to %s", got)
		}
	})
}

// Only an address that a client can be sent to is believed, and only where there is cause for one.
func TestWrongZoneCarriesTheAddress(t *testing.T) {
	const good = "play-2.example.org:443"
	tests := []struct{ reason, address, want string }{
		{"wrong-zone", good, good},
		{"wrong-zone", "[2001:db8::7]:8443", "[2001:db8::7]:8443"},
		{"wrong-zone", "127.0.0.1:1", "127.0.0.1:1"},
		{"already-logged-in", good, ""},
		{"wrong-zone", "", ""},
		{"wrong-zone", "play.example.org", ""},
		{"wrong-zone", ":443", ""},
		{"wrong-zone", "play.example.org:0", ""},
		{"wrong-zone", "play.example.org:65536", ""},
		{"wrong-zone", "play.example.org:https", ""},
		{"wrong-zone", "user@play.example.org:443", ""},
		{"wrong-zone", "play.example.org/evil:443", ""},
		{"wrong-zone", `play\u001b[2J:443`, ""},
		{"wrong-zone", "[fe80::1%25eth0]:443", ""},
		{"wrong-zone", strings.Repeat("a", 300) + ":443", ""},
	}
	for _, tt := range tests {
		s := &script{steps: []step{says(421, `{"reason":"`+tt.reason+`","message":"m","address":"`+tt.address+`"}`)}}
		_, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", password)
		refusal, ok := errors.AsType[*rushgate.Refusal](err)
		if !ok || string(refusal.Reason) != tt.reason || refusal.Address != tt.want || len(s.at) != 1 {
			t.Errorf("%s with the address %q: %+v after %d tries, want the address %q", tt.reason, tt.address, err, len(s.at),
				tt.want)
		}
	}
}

func TestAccountDisabledCarriesEndAndReason(t *testing.T) {
	for body, want := range map[string]rushgate.Refusal{
		`"disabled_until":"2026-12-24T18:00:00.5Z","disabled_reason":"cheating"`: {
			Until: time.Date(2026, time.December, 24, 18, 0, 0, 5e8, time.UTC), Text: "cheating",
		},
		`"disabled_reason":"a\u001b[2Jb"`:                     {Until: rushgate.Forever(), Text: "a[2Jb"},
		`"disabled_until":"soon"`:                             {Until: rushgate.Forever()},
		`"disabled_reason":"your password: ` + password + `"`: {Until: rushgate.Forever()},
	} {
		s := &script{steps: []step{says(403, `{"reason":"account-disabled","message":"m",`+body+`}`)}}
		_, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", password)
		got, ok := errors.AsType[*rushgate.Refusal](err)
		if !ok || got.Reason != rushgate.AccountDisabled || !got.Until.Equal(want.Until) || got.Text != want.Text {
			t.Errorf("%s is %+v, %v; want %+v", body, got, err, want)
		}
	}
}
