package client_test

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	passwords "github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

func startServer(t *testing.T) *server.Server {
	t.Helper()
	node, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", Backend: server.Memory,
		HashIterations: passwords.MinIterations, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
	})
	return node
}

// register opens a session: the same one each time, as for a client that has lost the answer.
func register(t *testing.T, node *server.Server) *client.Session {
	t.Helper()
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{
		Transport: &http.Transport{DisableKeepAlives: true}, AttemptID: func() string { return "the-same" },
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Register(t.Context(), "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Against a real server: a player walks, is replaced by another connection of the session, which then logs out.
func TestWebSocketToAServer(t *testing.T) {
	node := startServer(t)
	opts := client.RealtimeOptions{WebSocket: true}
	rt, err := register(t, node).Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	first := <-rt.Views()
	number := rt.SendIntent(rushgate.Intent{MoveX: 1})
	for v := range rt.Views() {
		if v.Applied(number) && v.Self.X != first.Self.X {
			break
		}
	}
	if s := rt.Stats(); s.Connects != 1 || s.Malformed != 0 {
		t.Fatalf("%+v, %v", s, rt.Err())
	}
	elsewhere := register(t, node)
	newer, err := elsewhere.Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for range rt.Views() { // until the end
	}
	if !errors.Is(rt.Err(), client.ErrReplaced) {
		t.Errorf("the older connection ended with %v", rt.Err())
	}
	<-newer.Views()
	if err := elsewhere.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range newer.Views() { // until the end
	}
	if err := newer.Err(); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the logout ended it with %v", err)
	}
	if _, err := elsewhere.Connect(t.Context(), opts); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("after the logout: %v", err)
	}
}
