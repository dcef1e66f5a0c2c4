package server_test

import (
	"errors"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// A player who comes again while the first session still stands gets in without doing anything about it.
func TestTakeover(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	c := newClient(t, s, client.Options{MaxRetries: 20})
	first, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Login(t.Context(), "alice", "correct horse"); !errors.Is(err, rushgate.AlreadyLoggedIn) {
		t.Fatalf("Login: %v, want %v", err, rushgate.AlreadyLoggedIn)
	}
	second, err := c.Takeover(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatalf("Takeover: %v", err)
	}
	if _, err := first.Me(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the first session: %v, want %v", err, rushgate.BadCredentials)
	}
	me, err := second.Me(t.Context())
	if err != nil || me.ID != first.PlayerID || me.Zone == "" {
		t.Errorf("the second session: %+v, %v", me, err)
	}
	if _, err := c.Takeover(t.Context(), "alice", "wrong"); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("Takeover with a wrong password: %v, want %v", err, rushgate.BadCredentials)
	}
	if _, err := second.Me(t.Context()); err != nil {
		t.Errorf("the second session after that: %v", err)
	}
}

// A zone that has moved to another node takes its players along.
func TestZonesOfOtherNodes(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(t, dir))
	session, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	me, err := session.Me(t.Context())
	if err != nil || me.Zone == "" {
		t.Fatalf("own state: %+v, %v", me, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	const home = "node-2.example.org:8080"
	cfg := config(t, dir)
	cfg.Zones = map[string]string{me.Zone: home}
	s = start(t, cfg)
	delete(cfg.Zones, me.Zone) // the node has a copy
	c := newClient(t, s, client.Options{})
	_, err = c.Login(t.Context(), "alice", "correct horse")
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	if !ok || refusal.Reason != rushgate.WrongZone || refusal.Address != home {
		t.Errorf("Login: %+v, want %v and %s", err, rushgate.WrongZone, home)
	}
	if _, err := c.Register(t.Context(), "newcomer", "correct horse"); err != nil {
		t.Errorf("Register: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	cfg.Zones = map[string]string{"another": home}
	s = start(t, cfg)
	if _, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", "correct horse"); err != nil {
		t.Errorf("Login where the zone is served: %v", err)
	}
}

func TestZonesAreChecked(t *testing.T) {
	for zone, addr := range map[string]string{
		"": "a.example:1", "no port": "a.example", "no host": ":1", "port 0": "a.example:0", "any": "0.0.0.0:1",
		"words": "a.example:http",
	} {
		cfg := config(t, t.TempDir())
		cfg.Zones = map[string]string{zone: addr}
		if s, err := server.Start(t.Context(), cfg); !errors.Is(err, server.ErrInvalidConfig) {
			t.Errorf("zone %q at %q: %v, want %v", zone, addr, err, server.ErrInvalidConfig)
			if err == nil {
				s.Stop()
			}
		}
	}
}
