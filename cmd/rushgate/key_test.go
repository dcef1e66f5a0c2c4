package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/server"
)

// keyLines returns the lines of a key file that hold keys.
func keyLines(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, server.KeysName))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if key, err := hex.DecodeString(line); err == nil && len(key) == 32 {
			keys = append(keys, line)
		}
	}
	return keys
}

// rotateKey runs "rushgate key rotate" in this process.
func rotateKey(t *testing.T, dir string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), []string{"key", "rotate", "--data", dir}, &out, &errs)
	return outcome{status, out.String(), errs.String()}
}

// An operator rotates the key, while a node runs and between two runs.
func TestKeyRotate(t *testing.T) {
	dir := t.TempDir()
	rotate := func(status int, stdout, stderr string) {
		t.Helper()
		o := rotateKey(t, dir)
		o.want(t, status, stdout, stderr)
		if _, err := os.Stat(filepath.Join(dir, server.KeysName)); err != nil {
			return
		}
		for _, key := range keyLines(t, dir) {
			if strings.Contains(o.stdout+o.stderr, key[:8]) {
				t.Errorf("a key is shown: %s%s", o.stdout, o.stderr)
			}
		}
	}
	rotate(1, "", "is --data right?")

	n := startNode(t, dir)
	first := keyLines(t, dir)
	if len(first) != 1 {
		t.Fatalf("%d keys after the first start", len(first))
	}
	rotate(0, "a node that runs goes by it", "")
	n.log.waitFor(t, "what=keys")
	n.stop(t)
	second := keyLines(t, dir)
	if len(second) != 2 || second[1] != first[0] || second[0] == first[0] {
		t.Fatalf("%d keys after a rotation; want a new one and the old one", len(second))
	}
	rotate(0, "a new key is first in "+filepath.Join(dir, server.KeysName), "")
	third := keyLines(t, dir)
	if len(third) != 2 || third[1] != second[0] || slices.Contains(second, third[0]) {
		t.Fatalf("%d keys after two rotations; want a new one and the one before", len(third))
	}

	n = startNode(t, dir)
	if got := keyLines(t, dir); !slices.Equal(got, third) {
		t.Error("the start has changed the keys")
	}
	n.stop(t)
}

// Without a database nothing tells whether a node is running, and the key is rotated all the same.
func TestKeyRotateWithoutDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, server.KeysName)
	old := strings.Repeat("5e", 32)
	if err := os.WriteFile(path, []byte(old+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rotateKey(t, dir).want(t, 0, "a new key is first", "")
	if keys := keyLines(t, dir); len(keys) != 2 || keys[1] != old {
		t.Errorf("%d keys; want a new one and the old one", len(keys))
	}
	if _, err := os.Stat(filepath.Join(dir, server.DatabaseName)); err == nil {
		t.Error("a database was made")
	}
	if err := os.WriteFile(path, []byte("\n"+old[1:]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := rotateKey(t, dir)
	o.want(t, 1, "", "line 2 is not a key")
	if strings.Contains(o.stderr, "5e5e") {
		t.Errorf("the error shows the line: %s", o.stderr)
	}
}

func TestKeyUsage(t *testing.T) {
	for _, tt := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"", 2, "", "say what to do: rotate"},
		{"--help", 0, "rotate  put a new key in place", ""},
		{"fly", 2, "", `unknown command "fly", want rotate`},
		{"rotate --help", 0, "--data DIR", ""},
		{"rotate --help", 0, "rotate twice", ""},
		{"rotate now", 2, "", "unexpected argument \"now\""},
	} {
		status, stdout, stderr := runCommand(t, append([]string{"key"}, strings.Fields(tt.args)...)...)
		t.Run(tt.args, func(t *testing.T) { outcome{status, stdout, stderr}.want(t, tt.status, tt.stdout, tt.stderr) })
	}
}
