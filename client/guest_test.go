package client_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	passwords "github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// Against a real server: a device plays without a name, comes back to the same player, and takes over what it has left
// behind; an answer that was lost makes no second player.
func TestGuestOfAServer(t *testing.T) {
	node, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", Backend: server.Memory,
		HashIterations: passwords.MinIterations, Logger: slog.New(slog.DiscardHandler), GuestKeep: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Stop()
	lossy := &losesFirst{next: http.DefaultTransport, path: "/v1/guest"}
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{
		Transport: lossy, BackoffBase: time.Millisecond, BackoffCap: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Status(t.Context()); err != nil || !s.Guests {
		t.Fatalf("%+v, %v", s, err)
	}
	lossy.armed = true
	secret := client.NewGuest()
	first, err := c.Guest(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	me, err := first.Me(t.Context())
	if err != nil || !strings.HasPrefix(me.Name, "guest-") {
		t.Fatalf("%+v, %v", me, err)
	}
	kept, err := client.ParseGuest(secret.Text())
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Guest(t.Context(), kept) // while the first session is still there
	if err != nil || again.PlayerID != first.PlayerID {
		t.Fatalf("%+v, %v", again, err)
	}
	if other, err := c.Guest(t.Context(), client.NewGuest()); err != nil || other.PlayerID == first.PlayerID {
		t.Errorf("another device: %+v, %v", other, err)
	}
}

// losesFirst loses the answer to the first request for a path once it is armed.
type losesFirst struct {
	next  http.RoundTripper
	path  string
	armed bool
}

func (l *losesFirst) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if l.armed && err == nil && r.URL.Path == l.path {
		l.armed = false
		resp.Body.Close()
		return nil, errors.New("lost")
	}
	return resp, err
}

// A secret shows nothing of itself, and no other text is taken for one.
func TestGuestSecret(t *testing.T) {
	secret := client.NewGuest()
	text := secret.Text()
	for _, bad := range []string{"x", text[1:], text + "A", text[:20] + "\n" + text[20:], strings.Repeat("=", 43)} {
		if g, err := client.ParseGuest(bad); !errors.Is(err, client.ErrNotGuest) || !g.IsZero() ||
			strings.Contains(err.Error(), bad) && bad != "x" {
			t.Errorf("%d characters: %v", len(bad), err)
		}
	}
	if g, err := client.ParseGuest(""); err != nil || !g.IsZero() || g.Text() != "" {
		t.Errorf("nothing: %v", err)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, secret); strings.Contains(shown, text) {
		t.Errorf("prints as %s", shown)
	}
	c, err := client.New("http://127.0.0.1:1", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Guest(t.Context(), client.Guest{}); !errors.Is(err, rushgate.MissingCredentials) {
		t.Errorf("without one: %v", err)
	}
}
