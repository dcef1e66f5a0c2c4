package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/redistest"
)

// Players go from SQLite to Redis and back, log in at a node there, and are refused where they do not belong.
func TestMoveThereAndBack(t *testing.T) {
	data, back := t.TempDir(), filepath.Join(t.TempDir(), "new")
	for _, name := range []string{"alice", "bob"} {
		runAccount(t, "correct horse\n", "create", name, "--data", data).want(t, 0, "created", "")
	}
	runAccount(t, "", "disable", "bob", "--reason", "cheating", "--data", data).want(t, 0, "disabled", "")
	url := redistest.Start(t).URL()
	must := func(want string, args ...string) {
		t.Helper()
		if o := runProcess(t, "", args...); o.status != 0 || !regexp.MustCompile(want).MatchString(o.stdout) {
			t.Fatalf("%q: %+v\nwant %s", args, o, want)
		}
	}
	must(`^moved     2 accounts in .*, 0 of which`, "move", "--from", data, "--to", url)
	must(`^moved     2 accounts in .*, 2 of which`, "move", "--from", data, "--to", url) // once more changes nothing
	must(`^moved     2 accounts in .*, 0 of which`, "move", "--from", url, "--to", back)
	for _, where := range [][]string{{"--db", "redis", "--redis-url", url}, {"--data", back}} {
		must(`"name": ?"alice"`, append([]string{"account", "show", "alice", "--json"}, where...)...)
		must(`"disabled_reason": ?"cheating"`, append([]string{"account", "show", "bob", "--json"}, where...)...)
	}
	n := startNode(t, back)
	login, err := http.Post(n.http+"/v1/login", "application/json",
		strings.NewReader(`{"username":"alice","password":"correct horse"}`))
	if err != nil {
		t.Fatal(err)
	}
	login.Body.Close()
	if login.StatusCode != http.StatusOK {
		t.Errorf("a login where the players are now: %s", login.Status)
	}
	n.signal(t, os.Interrupt)
	if err := n.wait(t); err != nil {
		t.Error(err)
	}
	runAccount(t, "correct horse\n", "create", "carol", "--data", back).want(t, 0, "created", "")
	if o := runProcess(t, "", "move", "--from", url, "--to", back); o.status != 1 || !strings.Contains(o.stderr, "in use already") {
		t.Errorf("into a store with players of its own: %+v", o)
	}
}

func TestMoveUsage(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"say where the players are":  {"--to", dir},
		"say where to bring them":    {"--from", dir},
		"are the same":               {"--from", dir, "--to", dir},
		"no players are kept in":     {"--from", dir, "--to", filepath.Join(dir, "new")},
		"unexpected argument beside": {"--from", dir, "--to", dir, "there"},
	} {
		o := runProcess(t, "", append([]string{"move"}, args...)...)
		if o.status == 0 || o.stdout != "" || !strings.Contains(o.stderr, want) {
			t.Errorf("%q: %+v, want %s", args, o, want)
		}
	}
	if got, err := os.ReadDir(dir); err != nil || len(got) > 0 {
		t.Errorf("left behind: %v, %v", got, err)
	}
}
