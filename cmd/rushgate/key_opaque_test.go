package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/server"
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
