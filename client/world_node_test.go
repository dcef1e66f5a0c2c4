package client_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// At a real node whose world is full, a client that waits is let in when a seat becomes free, and one that does not is
// told that the server is busy.
func TestWaitingForTheWorldOfARealNode(t *testing.T) {
	t.Parallel()
	addr := startBusy(t, server.Config{
		MaxPlayers: 1, HashIterations: 1000, Provers: map[string]server.Prover{"launcher": launcher},
	})
	newClient := func(opts client.Options) *client.Client {
		c, err := client.New(addr, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdleConnections)
		return c
	}
	register := func(name string) *client.Session {
		s, err := newClient(client.Options{}).Register(t.Context(), name, "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := register("bob").Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice := register("alice")
	_, err := newClient(client.Options{MaxRetries: -1}).Login(t.Context(), "bob", "correct horse")
	if busy, ok := errors.AsType[*client.BusyError](err); !ok || busy.Last.Place.Number != 0 {
		t.Errorf("one that does not wait: %v", err)
	}
	_, err = newClient(client.Options{WaitForWorld: true}).Login(t.Context(), "bob", "wrong horse")
	if !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("a wrong password: %v", err)
	}
	bob := waitForWorld(t, newClient, alice, func(c *client.Client) (*client.Session, error) {
		return c.Login(t.Context(), "bob", "correct horse")
	})
	carol := waitForWorld(t, newClient, bob, func(c *client.Client) (*client.Session, error) {
		return c.LoginWithIdentity(t.Context(), vouched(t, c, "carol")) // who has no account yet
	})
	if err := carol.Logout(t.Context()); err != nil {
		t.Error(err)
	}
}

// waitForWorld has a player come in while another is inside, who leaves once the first is told to wait.
func waitForWorld(
	t *testing.T, newClient func(client.Options) *client.Client, inside *client.Session,
	login func(*client.Client) (*client.Session, error),
) *client.Session {
	t.Helper()
	var once sync.Once
	tries, world := 0, false
	s, err := login(newClient(client.Options{
		WaitForWorld: true, OnAnswer: func(client.Answer) { tries++ },
		OnWait: func(w client.Wait) {
			world = world || w.Line != nil && w.Line.World
			once.Do(func() {
				if err := inside.Logout(t.Context()); err != nil {
					t.Error(err)
				}
			})
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !world || tries > 5 {
		t.Errorf("in the world's line: %v; tried %d times", world, tries)
	}
	return s
}
