package server_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

const loginAs = `{"username":%q,"password":"correct horse"}`

func renameTo(name string) string {
	return fmt.Sprintf(`{"name":%q,"password":"correct horse","remember":"phone"}`, name)
}

// A player who takes another name goes on under it with another session; the old one is held for a while.
func TestRename(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		session, resume := join(t, s, "alice")
		other, _ := join(t, s, "player1")
		const path = "POST /v1/account/name"
		for body, status := range map[string]int{
			``: 400, `{"name":"alina"}`: 400, `{"password":"correct horse"}`: 400, renameTo("a b"): 400,
			strings.Replace(renameTo("alina"), "correct", "wrong", 1): 401,
			renameTo("Alice"): 409, renameTo("Player1"): 409, renameTo("playerl"): 409,
		} {
			call(t, s, path, body, session).want(t, body, status)
		}
		call(t, s, "GET /v1/me", "", session).want(t, "after refusals", 200)
		call(t, s, path, renameTo("alina"), "").want(t, "nobody", 401)

		renamed := call(t, s, path, renameTo("Alina"), session)
		renamed.want(t, "rename", 200)
		now := renamed.text("session_token")
		if me := call(t, s, "GET /v1/me", "", now); me.text("name") != "alina" {
			t.Errorf("me: %s", me.raw)
		}
		call(t, s, "GET /v1/me", "", session).want(t, "the old session", 401)
		call(t, s, "POST /v1/resume", resumeBy(resume, "a"), "").want(t, "the old device", 401)
		call(t, s, "POST /v1/login", fmt.Sprintf(loginAs, "alice"), "").want(t, "the old name", 401)
		call(t, s, "POST /v1/register", fmt.Sprintf(loginAs, "alice"), "").want(t, "to register the old name", 409)
		if a := call(t, s, "GET /v1/account", "", now); a.text("rename_at") == "" || a.text("name") != "alina" {
			t.Errorf("account: %s", a.raw)
		}
		soon := call(t, s, path, renameTo("alicia"), now)
		soon.want(t, "again", 409)
		if !strings.Contains(soon.text("message"), "again from 20") || soon.text("reason") != "missing-credentials" {
			t.Errorf("too soon: %s", soon.raw)
		}
		held := call(t, s, path, renameTo("alice"), other)
		held.want(t, "a name that is held", 409)
		if !strings.Contains(held.text("message"), "held") || held.text("reason") != "username-taken" {
			t.Errorf("held: %s", held.raw)
		}
		call(t, s, "POST /v1/logout", "", now).want(t, "logout", 204)
		body := resumeBy(renamed.text("resume_token"), "b")
		call(t, s, "POST /v1/resume", body, "").want(t, "the device that is remembered anew", 200)
	})
}

// An account that is to be deleted keeps its name, and so does one by whose name operators let the player in.
func TestRenameRefused(t *testing.T) {
	cfg := config(t, t.TempDir())
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	call(t, s, "POST /v1/account/delete", `{"password":"correct horse"}`, session).want(t, "delete", 200)
	session = call(t, s, "POST /v1/login", fmt.Sprintf(loginAs, "alice"), "").text("session_token")
	doomed := call(t, s, "POST /v1/account/name", renameTo("alina"), session)
	if doomed.status != 409 || !strings.Contains(doomed.text("message"), "deleted") {
		t.Errorf("an account that is to be deleted: %d %s", doomed.status, doomed.raw)
	}
	call(t, s, "POST /v1/account/keep", "", session).want(t, "keep", 204)
	call(t, s, "POST /v1/account/name", renameTo("alina"), session).want(t, "an account that stays", 200)
}

// Where nothing is held and nobody has to wait, names are changed at will, and are free.
func TestRenameAtOnce(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.RenameAfter, cfg.RenameHold = server.AtOnce, server.AtOnce
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	for _, name := range []string{"alina", "alicia", "alice", "alina"} {
		renamed := call(t, s, "POST /v1/account/name", renameTo(name), session)
		renamed.want(t, name, 200)
		session = renamed.text("session_token")
	}
	call(t, s, "POST /v1/register", fmt.Sprintf(loginAs, "alice"), "").want(t, "the name that was given up", 201)
}

// A player who moves about is where the character was, under the new name, and the boards have it.
func TestRenameWhilePlaying(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		c := newClient(t, s, client.Options{})
		in, err := c.Register(t.Context(), "alice", "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		rt, err := in.Connect(t.Context(), client.RealtimeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		before := walk(t, in, rt)
		if err := in.Rename(t.Context(), "alina", "wrong horse"); !errors.Is(err, rushgate.BadCredentials) ||
			errors.Is(err, client.ErrSessionEnded) {
			t.Errorf("with a wrong password: %v", err)
		}
		if err := in.Rename(t.Context(), "alina", "correct horse"); err != nil {
			t.Fatal(err)
		}
		after, err := in.Me(t.Context())
		if err != nil || after.Name != "alina" || after.ID != before.ID || after.X != before.X || after.Y != before.Y {
			t.Errorf("after: %+v, %v; before: %+v", after, err, before)
		}
		a, err := in.Account(t.Context())
		if err != nil || a.Name != "alina" || time.Until(a.RenameAt) < 29*24*time.Hour {
			t.Errorf("account: %+v, %v", a, err)
		}
		if err := in.Rename(t.Context(), "alicia", "correct horse"); !errors.Is(err, rushgate.MissingCredentials) ||
			!strings.Contains(err.Error(), "again from") {
			t.Errorf("again: %v", err)
		}
		board := call(t, s, "GET /v1/leaderboards/xp", "", "")
		if !strings.Contains(board.raw, "alina") || strings.Contains(board.raw, "alice") {
			t.Errorf("the board: %s", board.raw)
		}
	})
}

// Of two nodes on one store that give two players the same name at once one does, and the other says that it is taken:
// its player may have to log in again.
func TestRenameOnTwoNodes(t *testing.T) {
	stores(t, renameAtOnce)
}

func renameAtOnce(t *testing.T, one, two *server.Server) {
	alice, _ := join(t, one, "alice")
	robert, _ := join(t, two, "robert")
	answers := make([]answered, 2)
	var wg sync.WaitGroup
	for i, ask := range []struct {
		s       *server.Server
		session string
	}{{one, alice}, {two, robert}} {
		wg.Go(func() { answers[i] = call(t, ask.s, "POST /v1/account/name", renameTo("alina"), ask.session) })
	}
	wg.Wait()
	won := 0
	for _, a := range answers {
		switch {
		case a.status == 200:
			won++
		case a.status != 409 || a.text("reason") != "username-taken":
			t.Errorf("answered %d %s", a.status, a.raw)
		}
	}
	if status, a := order(t, one, "", "alina"); won != 1 || status != 200 {
		t.Errorf("%d were given the name, which the other node finds: %d %v", won, status, a)
	}
}
