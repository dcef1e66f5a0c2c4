package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// opaqueKey runs "rushgate key opaque" in this process, and returns the id of the key that it tells of.
func opaqueKey(t *testing.T, want string, args ...string) (id string) {
	t.Helper()
	status, stdout, stderr := runCommand(t, append([]string{"key", "opaque"}, args...)...)
	outcome{status, stdout, stderr}.want(t, 0, want, "")
	return regexp.MustCompile(` is ([0-9a-f]{8}),`).FindStringSubmatch(stdout)[1]
}

// However often a key is put to use, none of those before it comes back: it may be known to others.
func TestKeyOpaqueUseTwice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "opaque.key")
	first := opaqueKey(t, "a new key is", "make", file)
	if id := opaqueKey(t, "no other is prepared", "use", file); id != first {
		t.Errorf("%s is in use, made was %s", id, first)
	}
	for range 3 {
		prepared := opaqueKey(t, "not in use yet", "prepare", file)
		if id := opaqueKey(t, "the key in use is", "use", file); id != prepared {
			t.Errorf("%s is in use, prepared was %s", id, prepared)
		}
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if id := opaqueKey(t, "as before: no other is prepared", "use", file); id != prepared {
			t.Errorf("used twice: %s is in use, prepared was %s", id, prepared)
		}
		if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, before) {
			t.Errorf("used twice: the file has changed, %v", err)
		}
	}
}

// A file of keys that is behind a link is changed where it is; the link stays, and so does who may read the file.
func TestKeysBehindLinks(t *testing.T) {
	secrets, dir := t.TempDir(), t.TempDir()
	behind := func(name string) (link, file string) {
		link, file = filepath.Join(dir, name), filepath.Join(secrets, name)
		if err := os.Symlink(file, link); err != nil {
			t.Skip(err)
		}
		return link, file
	}
	opaqueLink, opaqueFile := behind(server.OpaqueKeysName)
	keysLink, keysFile := behind(server.KeysName)

	_, _, stderr := runCommand(t, "key", "opaque", "prepare", opaqueLink)
	if !strings.Contains(stderr, "no such file") {
		t.Errorf("a link to nothing: %s", stderr)
	}
	if err := server.RotateKeys(dir); err == nil || !strings.Contains(err.Error(), "where there is nothing") {
		t.Errorf("a link to nothing: %v", err)
	}
	opaqueKey(t, "a new key is", "make", opaqueFile)
	if err := os.WriteFile(keysFile, []byte(strings.Repeat("5e", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{opaqueFile, keysFile} {
		if err := os.Chmod(file, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	prepared := opaqueKey(t, "not in use yet", "prepare", opaqueLink)
	if id := opaqueKey(t, "the key in use is", "use", opaqueLink); id != prepared {
		t.Errorf("%s is in use, prepared was %s", id, prepared)
	}
	rotateKey(t, dir).want(t, 0, "a new key is first", "")
	if keys := keyLines(t, secrets); len(keys) != 2 {
		t.Errorf("%d keys of the channel in the file itself", len(keys))
	}
	for link, file := range map[string]string{opaqueLink: opaqueFile, keysLink: keysFile} {
		if to, err := os.Readlink(link); err != nil || to != file {
			t.Errorf("the link %s leads to %q, %v", link, to, err)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("the file is %v, %v", info, err)
		}
	}
	if text, err := os.ReadFile(opaqueFile); err != nil || !strings.Contains(string(text), "\n"+prepared+" ") {
		t.Errorf("the file itself does not have key %s, %v", prepared, err)
	}
}

func TestKeyOpaqueUsage(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing", "opaque.key")
	for want, args := range map[string][]string{
		"want one argument": {"use"},
		"folder " + filepath.Dir(missing) + ": no such file": {"make", missing},
		"players may be registered with its keys":            {"make", dir},
	} {
		status, stdout, stderr := runCommand(t, append([]string{"key", "opaque"}, args...)...)
		if status == 0 || stdout != "" || !strings.Contains(stderr, want) || strings.Contains(stderr, "key-") {
			t.Errorf("%q: %d %s%s, want %s", args, status, stdout, stderr, want)
		}
	}
}

// A node whose keys are lost, swapped, damaged or open to everybody does not start, says what helps, and never has a new
// key made in place of one that players are registered with.
func TestStartWithoutOpaqueKeys(t *testing.T) {
	data := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	err := withSQLite(t.Context(), data, true, func(s *sqlite.Store) error {
		_, err := s.SwapShared(t.Context(), "opaque-keys", nil, []byte("01234567"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.key")
	opaqueKey(t, "a new key is", "make", other)
	for name, tt := range map[string]struct {
		args      []string
		want, not []string
	}{
		"lost": {nil, []string{"--data: ", server.OpaqueKeysName + " is missing", "(01234567): put back your copy"},
			[]string{"opaque make", "--opaque-key-file"}},
		"swapped": {[]string{"--opaque-key-file", other},
			[]string{"--opaque-key-file: ", "(01234567), of which " + other + " has none: put back your copy"}, []string{"opaque make"}},
		"not there": {[]string{"--opaque-key-file", "/none/k"},
			[]string{"--opaque-key-file: ", "/none/k", "put back your copy of it; only where no node"}, nil},
		"junk": {[]string{"--opaque-key-file", file("k", "junk\n", 0o600)}, []string{"put back your copy of it"}, []string{"opaque make"}},
		"open": {[]string{"--opaque-key-file", file("k", "junk\n", 0o644)}, []string{"chmod 600 it"}, []string{"opaque make", "put back"}},
	} {
		var out, errs bytes.Buffer
		status := run(t.Context(), append([]string{"serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--udp", "none",
			"--data", data, "--opaque", "prefer"}, tt.args...), &out, &errs)
		stdout, stderr := out.String(), errs.String()
		for _, want := range tt.want {
			if status != 1 || !strings.Contains(stderr, want) {
				t.Errorf("%s: status %d, %s%s, want %q", name, status, stdout, stderr, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(stderr, not) {
				t.Errorf("%s: %s says %q", name, stderr, not)
			}
		}
		if _, err := os.Stat(filepath.Join(data, server.OpaqueKeysName)); err == nil {
			t.Fatalf("%s: a file of keys was made", name)
		}
	}
}

// Where passwords are refused, the operator hears of it who sets one: from the node while it runs, and from the store
// when it has stopped.
func TestPasswordsWhereNoneAreTaken(t *testing.T) {
	data := t.TempDir()
	n := startNode(t, data, "--opaque", "only")
	try := func(name string) {
		t.Helper()
		runAccount(t, "correct horse\n", "create", name, "--data", data).want(t, 0, "created", "recovery-code "+name)
		runAccount(t, "other horse\n", "set-password", name, "--data", data).want(t, 1, "", "recovery-code "+name)
	}
	try("alice")
	o := runProcess(t, "other horse\n", "admin", "set-password", "alice", "--url", n.admin)
	o.want(t, 1, "", "recovery-code alice")
	n.stop(t)
	try("bob")
	n = startNode(t, data)
	runAccount(t, "other horse\n", "set-password", "bob", "--data", data).want(t, 0, "set the password", "")
	n.stop(t)
	o = runAccount(t, "correct horse\n", "create", "carol", "--data", data)
	if o.status != 0 || strings.Contains(o.stderr, "recovery-code") {
		t.Errorf("a node that takes passwords was started last: %+v", o)
	}
}

// The accounts are counted that are registered with each key, also with one that is in no file, and those of which that
// is not known.
func TestKeyOpaqueShow(t *testing.T) {
	data := t.TempDir()
	file := filepath.Join(data, server.OpaqueKeysName)
	first := opaqueKey(t, "a new key is", "make", file)
	second := opaqueKey(t, "not in use yet", "prepare", file)
	golden, err := os.ReadFile("../../internal/opaque/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	record := string(regexp.MustCompile(`\$opaque\$v=1,k=[0-9a-f]{8}\$[A-Za-z0-9_-]{256}`).Find(golden))
	const where = len("$opaque$v=1,k=")
	lost := record[where:][:8]
	err = withSQLite(t.Context(), data, true, func(s *sqlite.Store) error {
		l := account.New(s)
		for name, secret := range map[string]string{
			"ann": record, "bob": record[:where] + first + record[where+8:], "cid": record[:where] + first + record[where+8:],
			"dan": "$opaque$v=2,later", "eve": "",
		} {
			made, err := l.Create(t.Context(), name, password.Locked())
			if err != nil {
				return err
			}
			if secret == "" {
				continue
			}
			c := rushgate.Credential{Kind: opaquerecord.Kind, Subject: string(opaquerecord.FakeIdentifier(name)), Secret: secret}
			errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{
				{Player: made.Player, Name: name, Credentials: []rushgate.Credential{c}},
			})
			if err = errors.Join(append(errs, err)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := first + "  2 accounts  in use\n" + second + "  0 accounts  prepared, not in use yet\n" +
		lost + "  1 accounts  not in the file: these players cannot log in\n" +
		"1 accounts cannot be read, or have a record that cannot: remove no key\n"
	if o := runProcess(t, "", "key", "opaque", "show", file, "--data", data); o.status != 0 || o.stdout != want {
		t.Errorf("%+v, want %s", o, want)
	}
	opaqueKey(t, "the key in use is "+second, "use", file)
	o := runProcess(t, "", "key", "opaque", "show", file, "--data", data)
	o.want(t, 0, first+"  2 accounts  not in use any more\n", "")
}
