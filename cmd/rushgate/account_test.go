package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// outcome is how a command line ended, as a process.
type outcome struct {
	status         int
	stdout, stderr string
}

// commandEnv makes the test binary the command, without the second that a race-enabled program waits at its end.
func commandEnv() []string {
	return append(os.Environ(), beRushgate+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
}

// runAccount runs "rushgate account" as a process whose standard input is a pipe.
func runAccount(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return runProcess(t, stdin, append([]string{"account"}, args...)...)
}

// runProcess runs a command line as a process whose standard input is a pipe.
func runProcess(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = commandEnv()
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (o outcome) want(t *testing.T, status int, stdout, stderr string) {
	t.Helper()
	if o.status != status || !strings.Contains(o.stdout, stdout) || !strings.Contains(o.stderr, stderr) {
		t.Errorf("status %d\nstdout %q\nstderr %q\nwant status %d, %q, %q", o.status, o.stdout, o.stderr, status, stdout, stderr)
	}
}

// openDatabase opens the database of a data folder on which no node is running; close it before the next command.
func openDatabase(t *testing.T, dir string, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, server.DatabaseName), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// storedAccount returns what the database has of a player.
func storedAccount(t *testing.T, dir, name string) rushgate.Account {
	t.Helper()
	store := openDatabase(t, dir, sqlite.Options{})
	defer store.Close()
	accounts, err := store.LoadAccounts(t.Context(), []string{name})
	if err != nil {
		t.Fatal(err)
	}
	return accounts[0].Account
}

// stop ends a node in order.
func (n *node) stop(t *testing.T) {
	t.Helper()
	n.signal(t, syscall.SIGTERM)
	if err := n.wait(t); err != nil {
		t.Fatalf("%v; the log says:\n%s", err, n.log)
	}
}

func wantLogin(t *testing.T, n *node, name, password string, want error) {
	t.Helper()
	_, err := newClient(t, n.http, client.Options{}).Login(t.Context(), name, password)
	if !errors.Is(err, want) {
		t.Errorf("login of %s: %v, want %v", name, err, want)
	}
}

// An operator makes an account, looks at it, changes its password and deletes it, with a node running in between.
func TestAccountLifecycle(t *testing.T) {
	const first, second = "correct horse", "battery staple"
	dir := filepath.Join(t.TempDir(), "made", "by create")
	var said []outcome
	account := func(stdin string, args ...string) outcome {
		t.Helper()
		o := runAccount(t, stdin, append(args, "--data", dir)...)
		said = append(said, o)
		return o
	}
	account(first+"\n", "create", "Alice", "--password-hash-iterations", "2000").want(t, 0, "created player 1, alice\n", "")
	hashes := []string{storedAccount(t, dir, "alice").PasswordHash}
	account("", "show", "ALICE").want(t, 0, "online          no\n", "")
	account(second, "create", "alice").want(t, 1, "", `already is a player "alice", with the id 1`)
	if got := storedAccount(t, dir, "alice").PasswordHash; got != hashes[0] {
		t.Error("a second create has changed the password")
	}

	n := startNode(t, dir, "--password-hash-iterations", "2000")
	wantLogin(t, n, "alice", first, nil)
	n.stop(t)

	show := account("", "show", "alice")
	for _, line := range []string{"player id       1\n", "name            alice\n", "record version  5\n", "2000 iterations\n", "numbers         hp 40, level 1\n", "online          no\n"} {
		show.want(t, 0, line, "")
	}
	account(second, "set-password", "alice", "--password-hash-iterations", "1500").want(t, 0, "set the password of player 1, alice\n", "")
	hashes = append(hashes, storedAccount(t, dir, "alice").PasswordHash)
	account("", "show", "alice", "--json").want(t, 0, `"hash_cost": "1500 iterations"`, "")

	n = startNode(t, dir)
	wantLogin(t, n, "alice", first, rushgate.BadCredentials)
	wantLogin(t, n, "alice", second, nil)
	n.stop(t)

	account("", "delete", "alice").want(t, 2, "", "give --yes")
	account("", "delete", "alice", "--yes").want(t, 0, "deleted player 1, alice\n", "")
	account("", "show", "alice").want(t, 1, "", `no player "alice"`)
	n = startNode(t, dir)
	wantLogin(t, n, "alice", second, rushgate.BadCredentials)
	session, err := newClient(t, n.http, client.Options{}).Register(t.Context(), "alice", first)
	if err != nil || session.PlayerID == 1 {
		t.Errorf("the name registered anew: %v, %v; want another id than 1", session, err)
	}

	secrets := []string{first, second}
	for _, h := range hashes {
		for part := range strings.SplitSeq(h, "$") {
			if len(part) >= 2*password.SaltLen {
				secrets = append(secrets, part)
			}
		}
	}
	if len(secrets) != 2+2*len(hashes) {
		t.Fatalf("there are %d secrets to look for", len(secrets))
	}
	for _, o := range said {
		for _, secret := range secrets {
			if strings.Contains(o.stdout+o.stderr, secret) {
				t.Errorf("a secret is shown in\n%s%s", o.stdout, o.stderr)
			}
		}
	}
}

func TestAccountUsage(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		args   string
		status int
		stdout string
		stderr string
	}{
		{"", 2, "", "create, set-password, show, disable, enable, end-sessions, recovery-code, delete or calibrate"},
		{"--help", 0, "set-password   give an account another password, and end its sessions", ""},
		{"fly", 2, "", `unknown command "fly", want create, set-password, show, disable, enable, end-sessions, ` +
			`recovery-code, delete or calibrate`},
		{"create --help", 0, "one line of standard input", ""},
		{"create alice --help", 0, "[MMORPG_PASSWORD_HASH_ITERATIONS]", ""},
		{"set-password --help", 0, "--password-pepper-file FILE", ""},
		{"show --help", 0, "--json", ""},
		{"delete --help", 0, "--yes", ""},
		{"recovery-code --help", 0, "a player whose code is refused needs another", ""},
		{"calibrate --help", 0, "--password-hash-iterations", ""},
		{"create", 2, "", "name a player"},
		{"create alice hunter22", 2, "", "shell's history"},
		{"disable alice --for -5m", 2, "", "such as 1s"},
		{"disable alice --for -5m", 2, "", `"rushgate account disable --help"`},
		{"disable alice --reason a\ab", 2, "", "one line"},
		{"set-password alice hunter22", 2, "", "standard input"},
		{"set-password alice --data d hunter22", 2, "", "standard input"},
		{"show alice hunter22", 2, "", "one player at a time"},
		{"create alice --password hunter22", 2, "", "-password"},
		{"create a", 2, "", "3 to 32 characters"},
		{"create alice --password-hash-iterations 999", 2, "", "1000 to 10000000"},
		{"show alice --password-hash-iterations 1000", 2, "", "there is no flag"},
		{"create alice --password-pepper-file /does/not/exist", 1, "", "/does/not/exist"},
		{"calibrate --hash-kernel abacus", 2, "", "portable"},
		{"calibrate alice", 2, "", "unexpected argument"},
		{"calibrate", 1, "", "interrupted"}, // see runCommand
		{"disable --help", 0, "--reason TEXT", ""},
		{"disable alice --until tomorrow", 2, "", "2027-01-31"},
		{"disable alice --until 2020-01-31", 2, "", "in the past"},
		{"disable alice --until 2099-01-31 --for 1h", 2, "", "give one"},
		{"disable alice --for -1h", 2, "", "must be a duration"},
		{"enable --help", 0, "--admin URL", ""},
		{"end-sessions", 2, "", "name a player"},
		{"recovery-code", 2, "", "name a player"},
		{"show alice --db memory", 2, "", "give its --admin"},
		{"show alice --db disk", 2, "", "sqlite, redis, memory"},
		{"show alice --admin ftp://127.0.0.1", 2, "", "like http://127.0.0.1:9090"},
		{"show alice --admin http://192.0.2.1:9090", 2, "", "takes https"},
		{"show alice --admin http://127.0.0.1:9/accounts", 2, "", "more than a host and a port"},
		{"show alice --admin http://127.0.0.1:9 --admin-token-file /does/not/exist", 1, "", "/does/not/exist"},
		{"show alice --data " + dir, 1, "", "is --data right?"},
		{"set-password alice --data " + dir, 1, "", "is --data right?"},
		{"delete alice --yes --data " + dir, 1, "", "is --data right?"},
	}
	for _, tt := range tests {
		status, stdout, stderr := runCommand(t, append([]string{"account"}, strings.Fields(tt.args)...)...)
		t.Run(tt.args, func(t *testing.T) {
			outcome{status, stdout, stderr}.want(t, tt.status, tt.stdout, tt.stderr)
			if strings.Contains(stderr, "hunter22") {
				t.Errorf("what may be a password is repeated: %s", stderr)
			}
		})
	}
	t.Setenv("MMORPG_PASSWORD_HASH_ITERATIONS", "many")
	if status, _, stderr := runCommand(t, "account", "create", "alice"); status != 2 || !strings.Contains(stderr, "MMORPG_PASSWORD_HASH_ITERATIONS") {
		t.Errorf("status %d, %q; want 2 and the variable's name", status, stderr)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("commands that found no database have left %v, %v", files, err)
	}
}

func TestAccountUnknownName(t *testing.T) {
	dir := t.TempDir()
	openDatabase(t, dir, sqlite.Options{}).Close()
	for _, args := range [][]string{{"set-password"}, {"show"}, {"delete", "--yes"}} {
		runAccount(t, "correct horse\n", append(args, "nobody", "--data", dir)...).want(t, 1, "", `no player "nobody"`)
	}
}

// Flags may stand before the name, after it, or both.
func TestParseName(t *testing.T) {
	for _, args := range []string{"Alice --yes --data d", "--yes --data d Alice", "--data=d Alice --yes", "--data d --yes -- Alice"} {
		v := newAccountFlags()
		f := newFlags("")
		v.where.declare(f)
		f.add(&v.yes, "yes", "", "")
		if err := f.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		if name, err := playerName(f.Args(), whyOneName); err != nil || name != "alice" || !v.yes || v.where.data != "d" {
			t.Errorf("%s: %q, yes %v, data %q, %v", args, name, v.yes, v.where.data, err)
		}
	}
}

func TestPasswordFromStandardInput(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	tests := []struct {
		name, in, want, err string
	}{
		{"a line", "correct horse\n", "correct horse", ""},
		{"CRLF", "correct horse\r\n", "correct horse", ""},
		{"no line end", "correct horse", "correct horse", ""},
		{"more lines", "correct horse\nbattery\n", "correct horse", ""},
		{"space is part of it", " correct horse \t\n", " correct horse \t", ""},
		{"CR within it", "correct\rhorse\r\r\n", "correct\rhorse\r", ""},
		{"longest line", long[1:] + "\n", long[1:], ""},
		{"endless line", long + long, long, ""}, // too long for ParsePassword
		{"nothing", "", "", "no password"},
		{"empty line", "\nsecond\n", "", "no password"},
		{"empty CRLF line", "\r\n", "", "no password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := io.WriteString(w, tt.in); err != nil { // a pipe holds more than this
				t.Fatal(err)
			}
			w.Close()
			var prompts strings.Builder
			got, err := newConsole(r, &prompts).newPassword(t.Context())
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d bytes %.40q, %v; want %d bytes %.40q, error %q", len(got), got, err, len(tt.want), tt.want, tt.err)
			}
			if prompts.Len() > 0 {
				t.Errorf("nobody is there to read %q", prompts.String())
			}
		})
	}
}

// What cannot be a password changes nothing and is not repeated.
func TestAccountRefusesPasswords(t *testing.T) {
	dir := t.TempDir()
	for _, bad := range []string{
		"", "\n", "tab\x00zero\n", "not \xff UTF-8\n", strings.Repeat("secret", 100) + "\n",
		"seven78\n", "QwertyUiop\n", "zzzzzzzz\n",
	} {
		o := runAccount(t, bad, "create", "alice", "--data", dir)
		o.want(t, 1, "", "password")
		if s := strings.TrimSpace(bad); s != "" && strings.Contains(o.stdout+o.stderr, s) {
			t.Errorf("%q is repeated in %s", bad, o.stderr)
		}
	}
	if a := storedAccount(t, dir, "alice"); a.ID != 0 {
		t.Errorf("there is an account %d", a.ID)
	}
	runAccount(t, "x", "create", "alice", "--data", dir, "--password-min", "1").want(t, 0, "created", "")
	runAccount(t, "alice", "set-password", "alice", "--data", dir, "--password-min", "1").
		want(t, 1, "", "it must not be the username")
}

// Whoever is inside, or may still be, is not deleted.
func TestAccountDeleteLiveSession(t *testing.T) {
	dir := t.TempDir()
	runAccount(t, "correct horse", "create", "alice", "--data", dir).want(t, 0, "created", "")
	store := openDatabase(t, dir, sqlite.Options{LeaseTTL: 1000 * time.Hour})
	by := rushgate.Instance{Node: "a node that crashed", Run: "1"}
	admission := rushgate.Admission{Account: rushgate.Account{ID: 1, Username: "alice"}, Attempt: "a"}
	if in, err := store.Admit(t.Context(), by, []rushgate.Admission{admission}); err != nil || in[0].Err != nil {
		t.Fatal(in, err)
	}
	store.Close()
	runAccount(t, "", "show", "alice", "--data", dir).want(t, 0, "online          yes\n", "")
	runAccount(t, "", "show", "alice", "--json", "--data", dir).want(t, 0, `"online": true`, "")
	runAccount(t, "", "delete", "alice", "--yes", "--data", dir).want(t, 1, "", "live session")
	if a := storedAccount(t, dir, "alice"); a.ID != 1 {
		t.Error("it was deleted")
	}
}

// A character in an odd state is shown all the same, and is no means to get at the operator's terminal.
func TestAccountShowOddities(t *testing.T) {
	store := openDatabase(t, t.TempDir(), sqlite.Options{})
	const secret = "not a hash of any kind"
	alice := rushgate.Account{ID: 7, Username: "alice", PasswordHash: secret, CreatedAt: time.UnixMilli(1), Version: 1}
	by := rushgate.Instance{Node: "n", Run: "r"}
	in, err := store.Admit(t.Context(), by, []rushgate.Admission{{Account: alice, Create: true, Attempt: "a"}})
	if err != nil || in[0].Err != nil {
		t.Fatal(in, err)
	}
	c := in[0].Character
	c.Zone, c.X, c.Y, c.Playtime = "\x1b[2Jforest", math.NaN(), math.Inf(1), 90*time.Minute
	c.Numbers = rushgate.Numbers{"hp": -3, "xp": math.MaxInt64, "gold": 5}
	if errs, err := store.Save(t.Context(), []rushgate.Save{{Character: c, Fence: in[0].Lease.Fence, Release: true}}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	r, err := account.New(store).Show(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := writeRecord(&text, &r); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"player id       7\n", "record version  1\n", "password hash   unreadable, ", `zone            "\x1b[2Jforest"` + "\n",
		"position        unknown, unknown\n", "numbers         gold 5, hp -3, xp 9223372036854775807\n",
		"playtime        1h30m0s\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no line %q in\n%s", line, text.String())
		}
	}
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"x":null,"y":null,"hp":-3,"xp":9223372036854775807`) {
		t.Errorf("JSON is %s, %v", b, err)
	}
	if strings.Contains(text.String(), "\x1b") || strings.Contains(text.String()+string(b), secret) {
		t.Errorf("this must not be shown:\n%q\n%s", text.String(), b)
	}
}

// A password keyed with a pepper lets its player into a node that has the pepper, and into no other.
func TestAccountPepper(t *testing.T) {
	dir := t.TempDir()
	pepper := filepath.Join(dir, "pepper")
	if err := os.WriteFile(pepper, []byte("k1:"+strings.Repeat("5a", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runAccount(t, "correct horse", "create", "alice", "--data", dir, "--password-pepper-file", pepper).want(t, 0, "created", "")
	runAccount(t, "", "show", "alice", "--data", dir).want(t, 0, "pepper k1", "")
	n := startNode(t, dir, "--password-pepper-file", pepper)
	wantLogin(t, n, "alice", "correct horse", nil)
	n.stop(t)
	n = startNode(t, dir)
	if _, err := newClient(t, n.http, client.Options{MaxRetries: -1}).Login(t.Context(), "alice", "correct horse"); err == nil {
		t.Error("the pepper makes no difference")
	}
}
