package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// inside returns the players of a node by name.
func inside(t *testing.T, s *server.Server) map[string]server.Player {
	t.Helper()
	players, err := s.Players(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]server.Player)
	for _, p := range players {
		byName[p.Name] = p
	}
	if len(byName) != len(players) {
		t.Errorf("a name stands twice in %v", players)
	}
	return byName
}

// A game lists its players with what it may want to know of them, sees the same on the operator's listener, and puts
// one out, who is told so and can come back.
func TestPlayersOfANode(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	if got := inside(t, s); len(got) != 0 {
		t.Errorf("an empty node has %v", got)
	}
	c := newClient(t, s, client.Options{})
	before := time.Now()
	alice, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(t.Context(), "bob", "correct horse"); err != nil {
		t.Fatal(err)
	}
	world, err := alice.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	await(t, "connection", func(context.Context) bool { return inside(t, s)["alice"].Transport == "udp" })
	got := inside(t, s)
	a, b := got["alice"], got["bob"]
	if len(got) != 2 || a.ID == b.ID || a.Zone == "" || a.Origin.String() != "127.0.0.1/32" || b.Transport != "none" ||
		a.Since.Before(before.Round(0)) || a.Since.After(time.Now()) || a.RoundTrip != 0 {
		t.Errorf("inside are %+v", got)
	}
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/players?search=ali")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Players []struct{ Name, Zone, Origin, Transport string }
		Inside  int
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list.Players) != 1 || list.Inside != 2 || list.Players[0].Name != "alice" || list.Players[0].Zone != a.Zone ||
		list.Players[0].Origin != "127.0.0.1/32" || list.Players[0].Transport != "udp" {
		t.Errorf("the operator sees %+v", list)
	}

	if err := s.End(t.Context(), "ALICE"); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Me(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the session goes on: %v", err)
	}
	if got := inside(t, s); len(got) != 1 || got["bob"].Name != "bob" {
		t.Errorf("after the end of a session %v are inside", got)
	}
	if _, err := c.Login(t.Context(), "alice", "correct horse"); err != nil {
		t.Errorf("coming back: %v", err)
	}
}

// Why a session has not ended is told apart.
func TestEndOfASessionThatIsNotThere(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	c := newClient(t, s, client.Options{})
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"alice": server.ErrNotInside, "nobody-i-know": rushgate.BadCredentials, "no\x00name": rushgate.ErrInvalidUsername,
		"": rushgate.ErrInvalidUsername,
	} {
		if err := s.End(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Players(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a list that is not wanted any more: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Players(t.Context()); !errors.Is(err, rushgate.ServerBusy) {
		t.Errorf("a list of a node that has stopped: %v", err)
	}
}

// A session at another node ends there, soon.
func TestEndOfASessionElsewhere(t *testing.T) {
	r := redistest.Start(t)
	here, there := start(t, onRedis(t, r)), start(t, onRedis(t, r))
	if _, err := newClient(t, there, client.Options{}).Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if err := here.End(t.Context(), "alice"); !errors.Is(err, server.ErrElsewhere) {
		t.Errorf("%v, want %v", err, server.ErrElsewhere)
	}
	await(t, "end of the session", func(context.Context) bool { return len(inside(t, there)) == 0 })
}
