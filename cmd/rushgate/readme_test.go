package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The curl session of the README works as printed.
func TestReadmeCurlSession(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```sh\n(curl .*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("the README has no curl session")
	}
	n := startNode(t, t.TempDir())
	session := strings.ReplaceAll(string(m[1]), "http://127.0.0.1:8080", n.http)
	sh := exec.Command("sh", "-e")
	sh.Dir = t.TempDir()
	sh.Stdin = strings.NewReader(session)
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The answers to register, me, login, leaderboards and status; logout answers nothing.
	want := `(?s)^\{"player_id":1,"session_token":.*"name":"alice".*\{"player_id":1,"session_token":.*"board":"xp".*"state":"open","players":1\}\s*$`
	if !regexp.MustCompile(want).Match(out) || strings.Contains(string(out), `"reason"`) {
		t.Errorf("the session printed\n%s", out)
	}
}
