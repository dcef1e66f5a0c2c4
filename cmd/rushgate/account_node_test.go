package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// wantEnded waits until a session is over.
func wantEnded(t *testing.T, session *client.Session) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, err := session.Me(t.Context())
		if errors.Is(err, rushgate.BadCredentials) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session goes on: %v", err)
		}
	}
}

// Everything that can be done to an account is done beside a node that has its players inside, wherever they are kept. In
// memory it is the node that does it, as on SQLite: of that, some is enough, unless RUSHGATE_LONG is set.
func TestAccountBesideARunningNode(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		besideANode(t, true, startNode(t, dir), "--data", dir)
	})
	t.Run("Redis", func(t *testing.T) {
		db := []string{"--db", "redis", "--redis-url", redistest.Start(t).URL()}
		besideANode(t, true, startNode(t, t.TempDir(), db...), db...)
	})
	t.Run("Memory", func(t *testing.T) {
		n := startNode(t, t.TempDir(), "--db", "memory")
		besideANode(t, os.Getenv("RUSHGATE_LONG") != "", n, "--db", "memory", "--admin", n.admin)
	})
}

func besideANode(t *testing.T, all bool, n *node, where ...string) {
	const first, second = "correct horse", "battery staple"
	account := func(stdin string, args ...string) outcome {
		t.Helper()
		o := runAccount(t, stdin, append(args, where...)...)
		if strings.Contains(o.stdout+o.stderr+n.log.String(), second) {
			t.Errorf("a password is shown: %s%s%s", o.stdout, o.stderr, n.log)
		}
		return o
	}
	c := newClient(t, n.http, client.Options{})
	login := func(password string) *client.Session {
		t.Helper()
		s, err := c.Login(t.Context(), "alice", password)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	account("", "show", "alice").want(t, 1, "", `no player "alice"`)
	account(first, "create", "alice", "--password-hash-iterations", "1000").want(t, 0, "created player 1, alice\n", "")
	account(first, "create", "alice").want(t, 1, "", `already is a player "alice", with the id 1`)
	session := login(first)
	account("", "show", "alice").want(t, 0, "online          yes\n", "")
	account("", "delete", "alice", "--yes").want(t, 1, "", "end-sessions alice")

	account(second, "set-password", "alice", "--password-hash-iterations", "1000").
		want(t, 0, "set the password of player 1, alice\nthe player is inside", "")
	wantEnded(t, session)
	wantLogin(t, n, "alice", first, rushgate.BadCredentials)
	session = login(second)
	if all {
		session = endedAndDisabled(t, n, session, account, login)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	account("", "delete", "alice", "--yes").want(t, 0, "deleted player 1, alice\n", "")
	account("", "delete", "alice", "--yes").want(t, 1, "", `no player "alice"`)
	wantLogin(t, n, "alice", second, rushgate.BadCredentials)
}

// endedAndDisabled ends the sessions of alice, sends her a code, disables her and enables her again.
func endedAndDisabled(
	t *testing.T, n *node, session *client.Session, account func(stdin string, args ...string) outcome,
	login func(password string) *client.Session,
) *client.Session {
	t.Helper()
	const second = "battery staple"
	account("", "end-sessions", "alice").want(t, 0, "ended the sessions of player 1, alice\nthe player is inside", "")
	wantEnded(t, session)
	session = login(second)
	account("", "recovery-code", "alice").want(t, 0, " until 20", "")
	account("", "recovery-code", "bob").want(t, 1, "", `no player "bob"`)
	account("", "disable", "alice", "--for", "72h", "--reason", "cheating").want(t, 0, "disabled player 1, alice\n", "")
	wantEnded(t, session)
	_, err := newClient(t, n.http, client.Options{}).Login(t.Context(), "alice", second)
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	if !ok || refusal.Reason != rushgate.AccountDisabled || refusal.Text != "cheating" ||
		time.Until(refusal.Until).Round(time.Hour) != 72*time.Hour {
		t.Errorf("login to a disabled account: %+v, %v", refusal, err)
	}
	account("", "show", "alice").want(t, 0, ", because: cheating\n", "")
	account("", "enable", "alice").want(t, 0, "enabled player 1, alice\n", "")
	return login(second)
}

// A node says where its admin listener is for as long as it runs, and what a killed one has said is not believed.
func TestAdminAddrFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, server.AdminAddrName)
	n := startNode(t, dir)
	b, err := os.ReadFile(file)
	if err != nil || string(b) != n.admin+"\n" {
		t.Errorf("the file says %q, %v; want %s", b, err, n.admin)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	n.stop(t)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
	if err := os.WriteFile(file, []byte("http://127.0.0.1:1\n"), 0o600); err != nil { // as after kill -9
		t.Fatal(err)
	}
	runAccount(t, "correct horse", "create", "alice", "--data", dir).want(t, 0, "created player 1, alice\n", "")
	startNode(t, dir)
	runAccount(t, "", "show", "alice", "--data", dir).want(t, 0, "online          no\n", "")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	runAccount(t, "", "show", "alice", "--data", dir).want(t, 1, "", "does not say where its admin listener is")
}

// A node that asks its operators for a token asks the command line, too.
func TestAccountToken(t *testing.T) {
	dir := t.TempDir()
	token := func(name, value string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right, wrong := token("right", strings.Repeat("r", 32)), token("wrong", strings.Repeat("w", 32))
	startNode(t, dir, "--admin-token-file", right)
	create := []string{"create", "alice", "--data", dir}
	runAccount(t, "correct horse", create...).want(t, 1, "", "give --admin-token-file")
	runAccount(t, "correct horse", append(create, "--admin-token-file", wrong)...).want(t, 1, "", "knows no operator with the token")
	runAccount(t, "correct horse", append(create, "--admin-token-file", right)...).want(t, 0, "created player 1", "")
}

// An operator whose program is newer than the node reads which field the node does not know.
func TestFieldThatANodeDoesNotKnow(t *testing.T) {
	n := &nodeClient{base: "http://127.0.0.1:9090"}
	answer := `{"error":"The body has a field other than range, device: \"except\"; want {...}"}`
	want := `the node at http://127.0.0.1:9090 says: The body has a field other than range, device: "except"; want {...}`
	if err := n.refused(400, []byte(answer)); err.Error() != want {
		t.Errorf("%v", err)
	}
}
