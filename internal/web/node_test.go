package web

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// requireNode is set to 1 where the tests of the sources must not be skipped.
const requireNode = "RUSHGATE_REQUIRE_NODE"

// node runs a script with Node.js, or skips the test if that or what `npm ci` installs is not there.
func node(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("node_modules", "esbuild"))
	}
	switch {
	case err != nil && os.Getenv(requireNode) == "1":
		t.Fatalf("%s=1: %v", requireNode, err)
	case errors.Is(err, exec.ErrNotFound):
		t.Skip("no node")
	case err != nil:
		t.Skip("npm ci was not run in this folder")
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("node %v: %v\n%s", args, err, out)
	}
}

// The decoder, the retries and the interpolation: see the folder test.
func TestSources(t *testing.T) {
	t.Parallel()
	node(t, "test.mjs")
}

// What is committed is what the sources make.
func TestFresh(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dist")
	node(t, "build.mjs", dir)
	want := make(map[string][]byte)
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if want[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if got := distFiles(t); !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("dist holds %v and is not fresh: run go generate ./web", slices.Sorted(maps.Keys(got)))
	}
}
