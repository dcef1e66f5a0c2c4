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
)

// eventually runs a command again and again, until it ends as it should: nodes hear within a second of operators that
// another process has changed.
func eventually(t *testing.T, status int, stderr string, run func() outcome) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		o := run()
		if o.status == status && strings.Contains(o.stderr, stderr) {
			return
		}
		if time.Now().After(deadline) {
			o.want(t, status, "", stderr)
			return
		}
	}
}

// Operators are added beside a node that runs, or in the store; their tokens let them as far as their roles go. What they
// do goes through the node's listener, whatever its store is: all of it is done on SQLite, and on the others, unless
// RUSHGATE_LONG is set, what reaches the store from a process of its own, and some of the rest.
func TestOperatorsOfANode(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		withOperators(t, true, startNode(t, dir), "--data", dir)
	})
	long := os.Getenv("RUSHGATE_LONG") != ""
	t.Run("Redis", func(t *testing.T) {
		db := []string{"--db", "redis", "--redis-url", redistest.Start(t).URL()}
		withOperators(t, long, startNode(t, t.TempDir(), db...), db...)
	})
	t.Run("Memory", func(t *testing.T) {
		n := startNode(t, t.TempDir(), "--db", "memory")
		withOperators(t, long, n, "--db", "memory", "--admin", n.admin)
	})
}

// whoComesIn has an operator decide who may come in, and ban alice, an address range and a device.
func whoComesIn(t *testing.T, n *node, admin func(args ...string) outcome) {
	t.Helper()
	admin("mode").want(t, 0, "mode      open\n", "")
	admin("mode", "closed", "--message", "Soon", "--opens-at", "2090-01-31T18:00:00Z", "--out").
		want(t, 0, "mode      closed\nmessage   Soon\nopens at  2090-01-31T18:00:00Z", "")
	admin("mode").want(t, 0, "logged out\nset       by anna, ", "")
	admin("mode", "--json").want(t, 0, `"message":"Soon"`, "")
	admin("mode", "open").want(t, 0, "mode      open\n", "")
	admin("list", "staff", "--add", "Ann,bob", "--add", "eve").want(t, 0, "ann\nbob\neve\n", "")
	admin("list", "staff", "--remove", "bob").want(t, 0, "ann\neve\n", "")
	admin("list", "staff").want(t, 0, "ann\neve\n", "")
	admin("list", "allowlist").want(t, 0, "nobody\n", "")

	banned := admin("ban", "--range", "203.0.113.9/24", "--except", "carol", "--for", "72h", "--text", "Bots",
		"--reason", "market")
	banned.want(t, 0, "banned range 203.0.113.0/24 except carol, until 20", "")
	device := strings.Repeat("0f", 16)
	admin("ban", "--device", device).want(t, 0, "banned device "+device+", for ever; the id is ", "")
	admin("bans").want(t, 0, "2 of 2 bans", "")
	admin("bans", "--json").want(t, 0, `"reason":"market"`, "")
	words := strings.Fields(banned.stdout)
	admin("unban", words[len(words)-1]).want(t, 0, "lifted the ban of range 203.0.113.0/24", "")
	admin("unban", words[len(words)-1]).want(t, 1, "", "no such ban")
	admin("bans").want(t, 0, "1 of 1 bans", "")

	admin("ban", "--account", "Alice", "--text", "Insults", "--reason", "ticket 7").want(t, 0, "banned player 1, alice", "")
	wantLogin(t, n, "alice", "correct horse", rushgate.AccountDisabled)
	admin("show", "alice").want(t, 0, "banned  by anna  for ever: ticket 7", "")
	admin("unban", "--account", "alice").want(t, 0, "lifted the ban of player 1, alice", "")
	admin("show", "alice").want(t, 0, "unbanned  by anna\n", "")
	admin("ban", "--account", "nobody").want(t, 1, "", `no player "nobody"`)
	for _, bad := range [][]string{
		{"mode", "ajar"}, {"mode", "--out"}, {"mode", "open", "--message", "x"}, {"ban"}, {"ban", "alice"},
		{"ban", "--account", "alice", "--device", device}, {"ban", "--device", device, "--except", "carol"},
		{"ban", "--account", "alice", "--for", "1h", "--until", "2090-01-31"}, {"unban"}, {"unban", "x", "--account", "y"},
		{"list"}, {"list", "guests"}, {"bans", "x"},
	} {
		usage(t, bad...).want(t, 2, "", "rushgate admin "+bad[0]+": ")
	}
	for says, args := range map[string][]string{
		"ends; give one":            {"ban", "--range", "192.0.2.0/24", "--for", "1h", "--until", "2090-01-31"},
		"--text must be one line":   {"ban", "--account", "alice", "--text", "a\nb"},
		"--reason must be one line": {"ban", "--range", "192.0.2.0/24", "--reason", "a\nb"},
		"--text has 257 bytes, at":  {"ban", "--account", "alice", "--text", strings.Repeat("x", 257)},
		`the name "ad min", and no`: {"list", "staff", "--add", "ad min"},
		`"dora" is to be added and`: {"list", "staff", "--add", "dora", "--remove", "dora"},
	} {
		if o := admin(args...); o.status == 0 || !strings.Contains(o.stderr, says) {
			t.Errorf("%q: %+v, want %s", args, o, says)
		}
	}
}

// whatIsDoneToAnAccount has operators with the roles all and help do to alice what can be done, and be refused the rest.
func whatIsDoneToAnAccount(t *testing.T, n *node, anna, ben func(args ...string) outcome) {
	t.Helper()
	anna("disable", "alice", "--for", "72h", "--reason", "x").want(t, 0, "disabled player 1, alice", "")
	anna("enable", "alice").want(t, 0, "enabled player 1, alice", "")
	ben("mode", "closed").want(t, 1, "", "takes the role run; yours is help")
	usage(t, "rename", "alice", "a b").want(t, 2, "", "cannot be a new name")
	ben("rename", "alice", "Alina").want(t, 0, "renamed player 1, alice, to alina\n", "")
	ben("rename", "alice", "alina").want(t, 1, "", `no player "alice"`)
	ben("show", "alina").want(t, 0, "renamed  by ben  alice → alina", "")
	anna("rename", "alina", "alice").want(t, 0, "renamed player 1, alina, to alice\n", "")
	anna("list", "staff", "--add", "alice").want(t, 0, "alice", "")
	anna("rename", "alice", "alina").want(t, 1, "", "the name is on a list")
	anna("list", "staff", "--remove", "alice", "--add", "stella").want(t, 0, "", "")
	ben("rename", "alice", "stella").want(t, 1, "", "the new name is on a list")
	anna("list", "staff", "--remove", "stella").want(t, 0, "", "")
	ben("remove-second-factor", "alice", "--yes").want(t, 1, "", "takes the role run")
	usage(t, "remove-second-factor", "alice").want(t, 2, "", "--yes")
	anna("remove-second-factor", "alice", "--yes").want(t, 1, "", "no second factor")
	ben("remove-passkeys", "alice", "--yes").want(t, 1, "", "takes the role run")
	usage(t, "remove-passkeys", "alice").want(t, 2, "", "--yes")
	anna("remove-passkeys", "alice", "--yes").want(t, 1, "", "no passkey")
	ben("recovery-code", "alice").want(t, 0, " until 20", "")
	ben("recovery-code", "--help").want(t, 0, "a player whose code is refused needs another", "")
	ben("recovery-code", "nobody").want(t, 1, "", `no player "nobody"`)
	anna("set-password", "alice", "--password-hash-iterations", "1000").want(t, 0, "set the password of player 1", "")
	wantLogin(t, n, "alice", "battery staple", nil)
	anna("end-session", "alice").want(t, 0, "", "")
	ben("search", "al").want(t, 0, "1  alice", "")
	ben("search", "--id", "1").want(t, 0, "1  alice", "")
	ben("search", "--email", "alice@example.org", "--all").
		want(t, 0, "no account is like that", "1 accounts looked at")
	ben("search", "--address", "127.0.0.0/8", "--json").want(t, 0, `"looked":1`, "")
	ben("search", "--email", "alice").want(t, 1, "", "not an e-mail address")
	usage(t, "search", "ali", "--device", "phone").want(t, 2, "", "one of them")
	usage(t, "search", "ali", "--all").want(t, 2, "", "--all goes with")
	ben("lockouts").want(t, 0, "0 lockouts", "")
	ben("players").want(t, 0, "0 inside", "")
}

// usage runs a line of "rushgate admin" that cannot be meant in this process: it comes to no node.
func usage(t *testing.T, args ...string) outcome {
	t.Helper()
	status, stdout, stderr := runCommand(t, append([]string{"admin"}, args...)...)
	return outcome{status, stdout, stderr}
}

func withOperators(t *testing.T, all bool, n *node, where ...string) {
	dir := t.TempDir()
	anna, ben := filepath.Join(dir, "anna"), filepath.Join(dir, "ben")
	inStore := func(token string, args ...string) outcome {
		t.Helper()
		args = append(args, where...)
		if token != "" {
			args = append(args, "--admin-token-file", token)
		}
		return runProcess(t, "", args...)
	}
	store := func(file string, o outcome) {
		t.Helper()
		if err := os.WriteFile(file, []byte(o.stdout), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	admin := func(token string, args ...string) outcome {
		t.Helper()
		args = append([]string{"admin"}, append(args, "--url", n.admin)...)
		if token != "" {
			args = append(args, "--admin-token-file", token)
		}
		return runProcess(t, "battery staple\n", args...)
	}
	c := newClient(t, n.http, client.Options{})
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	admin("", "show", "alice").want(t, 0, "name            alice\n", "")
	inStore("", "operator", "add", "ben", "--role", "help").want(t, 1, "", "needs --role all")
	added := inStore("", "operator", "add", "anna", "--role", "all")
	added.want(t, 0, "rgo_", "added anna")
	store(anna, added)
	eventually(t, 1, "give --admin-token-file", func() outcome { return admin("", "show", "alice") })
	added = inStore(anna, "operator", "add", "ben", "--role", "help")
	added.want(t, 0, "rgo_", "added ben")
	store(ben, added)
	inStore(anna, "operator", "add", "ben", "--role", "run").want(t, 1, "", "already is an operator")
	inStore(anna, "operator", "list").want(t, 0, "ben   help", "")
	eventually(t, 0, "", func() outcome { return admin(ben, "status") })
	admin(ben, "note", "alice", "lost the phone").want(t, 0, "noted at", "")
	admin(ben, "show", "alice").want(t, 0, "note  by ben  lost the phone", "")
	admin(ben, "end-session", "alice").want(t, 0, "the session has ended", "")
	if _, err := session.Me(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the session goes on: %v", err)
	}
	admin(ben, "disable", "alice").want(t, 1, "", "takes the role run; yours is help")
	if all {
		asAnna := func(args ...string) outcome { return admin(anna, args...) }
		whoComesIn(t, n, asAnna)
		whatIsDoneToAnAccount(t, n, asAnna, func(args ...string) outcome { return admin(ben, args...) })
	} else {
		admin(anna, "ban", "--account", "Alice", "--reason", "ticket 7").want(t, 0, "banned player 1, alice", "")
		admin(anna, "unban", "--account", "alice").want(t, 0, "lifted the ban of player 1, alice", "")
		admin(ben, "rename", "alice", "Alina").want(t, 0, "renamed player 1, alice, to alina\n", "")
		admin(anna, "rename", "alina", "alice").want(t, 0, "renamed player 1, alina, to alice\n", "")
	}
	usage(t, "delete", "alice").want(t, 2, "", "--yes")
	admin(ben, "delete", "alice", "--yes").want(t, 1, "", "takes the role all")
	admin(anna, "delete", "alice", "--yes").want(t, 0, "deleted player 1, alice", "")
	admin(anna, "show", "alice").want(t, 1, "", `no player "alice"`)
	admin(ben, "audit", "--limit", "2").want(t, 0, "anna  account.delete  player 1  from 127.0.0.1  done (of ", "")
	inStore(anna, "audit", "show", "--limit", "200").want(t, 0, "operator.add  anna as all", "")
	verified := inStore(anna, "audit", "verify")
	verified.want(t, 0, "are as they were written", "")
	lines := strings.Fields(verified.stdout)
	inStore(anna, "operator", "remove", "ben", "--yes").want(t, 0, "removed ben", "")
	inStore(anna, "audit", "verify", "--seen", lines[len(lines)-1]).want(t, 0, "are as they were written", "")
	inStore(anna, "audit", "verify", "--seen", "1:"+strings.Repeat("0", 64)).want(t, 1, "", "entry 1 of the audit log")
	inStore(anna, "operator", "remove", "anna", "--yes").want(t, 1, "", "role all")
	eventually(t, 1, "knows no operator", func() outcome { return admin(ben, "status") })
	for _, file := range []string{anna, ben} {
		token, err := os.ReadFile(file)
		if err != nil || len(token) < 40 || strings.Contains(n.log.String(), strings.TrimSpace(string(token))) {
			t.Errorf("%s: %d bytes, or in the log; %v", file, len(token), err)
		}
	}
}
