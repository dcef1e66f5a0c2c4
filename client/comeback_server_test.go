package client_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/porttest"
	passwords "github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// Against a real server: a device comes back, again and again; a copy of what it had ends it for both.
func TestComesBackToAServer(t *testing.T) {
	node := startServer(t)
	var kept, before client.Resume
	opts := client.Options{
		Remember: "a device", OnResume: func(r client.Resume) { before, kept = kept, r },
	}
	c, err := client.New("http://"+node.HTTPAddr().String(), opts)
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Register(t.Context(), "alice", password)
	if err != nil || kept.IsZero() {
		t.Fatalf("%v, kept %v", err, kept)
	}
	stolen := kept
	for range 2 { // another run of the program, while the session before is still there
		if opts.Resume, err = client.ParseResume(kept.Text()); err != nil {
			t.Fatal(err)
		}
		if c, err = client.New("http://"+node.HTTPAddr().String(), opts); err != nil {
			t.Fatal(err)
		}
		s, err := c.Resume(t.Context())
		if err != nil || s.PlayerID != first.PlayerID || kept.Text() == before.Text() || kept.IsZero() {
			t.Fatalf("%v, %v, kept %v after %v", s, err, kept, before)
		}
		if _, err := s.Me(t.Context()); err != nil {
			t.Error(err)
		}
	}
	thief, err := client.New("http://"+node.HTTPAddr().String(), client.Options{Resume: stolen})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := thief.Resume(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the thief: %v", err)
	}
	if _, err := c.Resume(t.Context()); !errors.Is(err, rushgate.BadCredentials) || !kept.IsZero() {
		t.Errorf("the owner: %v, kept %v", err, kept)
	}
}

// A player goes on over a restart of the node, without a password and without the game's doing, by UDP and by
// WebSocket.
func TestPlaysOnAfterARestart(t *testing.T) {
	addr := porttest.Addr(t) // for TCP and for UDP
	cfg := server.Config{
		HTTPAddr: addr, AdminAddr: "127.0.0.1:0", UDPAddr: addr, DataDir: t.TempDir(),
		HashIterations: passwords.MinIterations, Logger: slog.New(slog.DiscardHandler),
	}
	node, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var playing []*client.Realtime
	for name, opts := range map[string]client.RealtimeOptions{"alice": {}, "bob": {WebSocket: true}} {
		c, err := client.New("http://"+cfg.HTTPAddr, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseIdleConnections()
		s, err := c.Register(t.Context(), name, password)
		if err != nil {
			t.Fatal(err)
		}
		rt, err := s.Connect(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		<-rt.Views()
		playing = append(playing, rt)
	}
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	if node, err = server.Start(context.WithoutCancel(t.Context()), cfg); err != nil {
		t.Fatal(err)
	}
	defer node.Stop()
	again := time.Now()
	for _, rt := range playing {
		for v := range rt.Views() { // each plays again, or the views end
			if v.ReceivedAt.After(again) {
				break
			}
		}
		if rt.Err() != nil {
			t.Errorf("%v: %v", rt, rt.Err())
		}
	}
}
