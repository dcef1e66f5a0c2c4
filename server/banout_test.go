package server_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/server"
)

// How long it takes until a player is out who plays at one node and is banned at another on the same Redis: until the
// session opens nothing, and until the game is told that it has ended. That the player is out at all is in
// TestBansOfRangesAndDevices and TestBanOfAnAccount.
func TestBannedPlayersAreSoonOut(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("measures; set RUSHGATE_LONG to run it")
	}
	const tries = 50
	_, here, there := twoNodes(t)
	for kind, ban := range []struct{ what, path, body, end string }{
		{"the account", "/accounts/%s/disable", `{"reason":"Bots"}`, "/accounts/%s/enable"},
		{"a range", "/bans", `{"range":"127.0.0.0/8"}`, "/bans/%s/lift"},
		{"a device", "/bans", fmt.Sprintf(`{"device":%q}`, access.DeviceOf("box-1")), "/bans/%s/lift"},
	} {
		var out, told []time.Duration
		for i := range tries {
			name := fmt.Sprintf("mallory-%d-%d", kind, i)
			path := ban.path
			if ban.what == "the account" {
				path = fmt.Sprintf(path, name)
			}
			session, rt := plays(t, there, name)
			time.Sleep(rand.N(time.Second)) // nodes look twice a second
			began := time.Now()
			id, banned := operate(t, here, path, ban.body)["id"].(string)
			if !banned {
				id = name
			}
			soon(t, "out", func() bool { _, err := session.Me(t.Context()); return err != nil })
			out = append(out, time.Since(began))
			for range rt.Views() {
				continue
			}
			told = append(told, time.Since(began))
			if err := rt.Err(); !errors.Is(err, client.ErrSessionEnded) {
				t.Errorf("the game is told %v", err)
			}
			operate(t, here, fmt.Sprintf(ban.end, id), "{}")
			soon(t, "in again", func() bool { return mayLogIn(t, there, name) })
		}
		slices.Sort(out)
		slices.Sort(told)
		for what, took := range map[string][]time.Duration{"out": out, "told": told} {
			t.Logf("%s for a ban of %s: median %v, nine of ten in %v, the last in %v of %d", what, ban.what,
				took[tries/2].Round(time.Millisecond), took[tries*9/10].Round(time.Millisecond),
				took[tries-1].Round(time.Millisecond), tries)
		}
		if out[tries-1] > time.Second {
			t.Errorf("a ban of %s has a player out after %v", ban.what, out[tries-1])
		}
	}
}

// plays has a new player play at a node.
func plays(t *testing.T, s *server.Server, name string) (*client.Session, *client.Realtime) {
	t.Helper()
	session, err := newClient(t, s, client.Options{DeviceID: "box-1"}).Register(t.Context(), name, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := session.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	<-rt.Views()
	return session, rt
}

// mayLogIn has a player come in and leave again.
func mayLogIn(t *testing.T, s *server.Server, name string) bool {
	t.Helper()
	session, err := newClient(t, s, client.Options{DeviceID: "box-1"}).Login(t.Context(), name, "correct horse")
	if err != nil {
		if !errors.Is(err, rushgate.AccountDisabled) && !errors.Is(err, rushgate.ServerBusy) {
			t.Fatal(err)
		}
		return false
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	return true
}
