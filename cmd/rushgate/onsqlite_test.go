package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rushgate/rushgate/server"
)

// A lock that was there before a command stays, and what else is in the folder.
func TestRestoreKeepsWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{server.DatabaseName + ".lock", "notes"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	was := whatIsIn(t, dir)
	before := lookInto(dir)
	for _, name := range []string{server.DatabaseName, server.DatabaseName + "-wal"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := before.restore(); err != nil {
		t.Error(err)
	}
	if is := whatIsIn(t, dir); is != was {
		t.Errorf("there is\n%s\nwhere there was\n%s", is, was)
	}
}
