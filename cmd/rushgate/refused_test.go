package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/redistest"
)

// A command that is refused leaves no folder and no database where there was none, and no file beside what was there.
func TestRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(at, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := write("foreign", strings.Repeat("no database ", 1000))
	data := filepath.Join(at, "data")
	runAccount(t, "correct horse\n", "create", "alice", "--data", data).want(t, 0, "created", "")
	spoiled := filepath.Join(at, "spoiled")
	if err := os.Mkdir(spoiled, 0o700); err != nil {
		t.Fatal(err)
	}
	write("spoiled/rushgate.db", strings.Repeat("no database ", 1000))
	used := redistest.Start(t).URL()
	if o := runProcess(t, "", "operator", "add", "anna", "--role", "all", "--db", "redis", "--redis-url", used); o.status != 0 {
		t.Fatalf("%+v", o)
	}
	before := whatIsIn(t, at)
	for _, dir := range []string{filepath.Join(at, "a", "new", "one"), at, spoiled} {
		for _, args := range [][]string{
			{"operator", "add", "ben", "--role", "help", "--data", dir},
			{"operator", "add", "no name", "--role", "all", "--data", dir},
			{"operator", "list", "--data", filepath.Join(dir, "none")},
			{"account", "create", "x", "--data", dir},
			{"account", "delete", "bob", "--yes", "--data", filepath.Join(dir, "none")},
			{"import", "redis", "--file", foreign, "--data", dir},
			{"import", "redis", "--file", filepath.Join(at, "none"), "--data", dir},
			{"import", "records", "--file", foreign, "--data", dir},
			{"restore", foreign, "--yes", "--data", filepath.Join(dir, "new")},
			{"restore", filepath.Join(at, "none"), "--yes", "--data", dir},
			{"backup", filepath.Join(at, "copy"), "--data", dir},
			{"move", "--from", foreign, "--to", dir},
			{"move", "--from", data, "--to", used},
			{"key", "rotate", "--data", dir},
			{"key", "opaque", "prepare", filepath.Join(dir, "opaque.key")},
		} {
			o := runProcess(t, "short", args...)
			if o.status == 0 {
				t.Errorf("%q was not refused: %+v", args, o)
			}
			if after := whatIsIn(t, at); after != before {
				t.Fatalf("%q has left behind\n%s\nwhere there was\n%s\nand says %s", args, after, before, o.stderr)
			}
		}
	}
}

// whatIsIn names all files and folders below a folder.
func whatIsIn(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}
