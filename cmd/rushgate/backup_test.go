package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The drill of docs/operations.md: a backup beside a running node, a disaster, and the way back.
func TestBackupDrill(t *testing.T) {
	data := t.TempDir()
	n := startNode(t, data)
	create := func(name string) {
		t.Helper()
		runAccount(t, "correct horse\n", "create", name, "--data", data).want(t, 0, "created", "")
	}
	create("alice")
	copied := filepath.Join(t.TempDir(), "players.db")
	must := func(want string, args ...string) {
		t.Helper()
		if o := runProcess(t, "", args...); o.status != 0 || !regexp.MustCompile(want).MatchString(o.stdout) {
			t.Fatalf("%q: %+v\nwant %s", args, o, want)
		}
	}
	mustNot := func(want string, args ...string) {
		t.Helper()
		if o := runProcess(t, "", args...); o.status == 0 || o.stdout != "" || !strings.Contains(o.stderr, want) {
			t.Fatalf("%q: %+v\nwant %s", args, o, want)
		}
	}
	must(`^backed up .* to .*players\.db, \d+ bytes\n$`, "backup", copied, "--data", data)
	mustNot("is there already", "backup", copied, "--data", data)
	must(`local +store\.backup .*done \(of \d+\)\n.*local +store\.backup +begun`, "audit", "show", "--data", data)
	mustNot("no such file", "backup", filepath.Join(data, "none", "players.db"), "--data", data)
	must(`store\.backup .*failed \(of \d+\)\n`, "audit", "show", "--data", data)
	create("bob")
	mustNot("stop it first", "restore", copied, "--data", data, "--yes")

	n.signal(t, os.Kill)
	_ = n.wait(t) // killed
	mustNot("--yes", "restore", copied, "--data", data)
	must(`^restored .*\nwhat was there before is .*\.before-`, "restore", copied, "--data", data, "--yes")
	must(`"name": ?"alice"`, "account", "show", "alice", "--json", "--data", data)
	mustNot(`there is no player "bob"`, "account", "show", "bob", "--data", data)
	must(`console +store\.restore +from players\.db; what was there is .*\.before-.* +done`, "audit", "show", "--data", data)
	must(`local +store\.backup +begun`, "audit", "show", "--data", data) // by the node, into what was copied
	must(`^backed up`, "backup", copied+"2", "--data", data)
	must(`console +store\.backup .*done \(of \d+\)\n.*console +store\.backup +begun`, "audit", "show", "--data", data)

	must(`^restored .*players\.db\n$`, "restore", copied, "--data", filepath.Join(t.TempDir(), "new"))
}

func TestBackupUsage(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"name the file":              {"backup"},
		"unexpected argument":        {"backup", "a", "b"},
		"by Redis itself":            {"backup", "a", "--db", "redis"},
		"keeps nothing":              {"restore", "a", "--db", "memory"},
		"there are no players in":    {"backup", filepath.Join(dir, "a"), "--data", dir},
		"no such file":               {"restore", filepath.Join(dir, "none"), "--data", dir},
		"there is no flag --dat":     {"restore", "a", "--dat", dir},
		"there are no players in no": {"backup", filepath.Join(dir, "a"), "--data", "no"},
	} {
		if o := runProcess(t, "", args...); o.status == 0 || o.stdout != "" || !strings.Contains(o.stderr, want) {
			t.Errorf("%q: %+v\nwant %s", args, o, want)
		}
	}
	if got, err := os.ReadDir(dir); err != nil || len(got) > 0 {
		t.Errorf("left behind: %v, %v", got, err)
	}
}
