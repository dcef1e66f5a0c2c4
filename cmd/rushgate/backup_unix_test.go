//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/store/sqlite"
)

// A backup that is killed leaves a part of a copy behind. The next one to the same folder removes it, whatever its name,
// but not the part that another is writing, nor files of others.
func TestKilledBackup(t *testing.T) {
	data, to := t.TempDir(), t.TempDir()
	manyPlayers(t, openDatabase(t, data, sqlite.Options{}), 2000)
	names := func() (names []string) {
		entries, err := os.ReadDir(to)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	isPart := func(name string) bool { return strings.HasPrefix(name, "monday.db.part-") }
	for tries := 0; !slices.ContainsFunc(names(), isPart); tries++ {
		if tries == 30 {
			t.Fatal("every backup was done before it could be killed")
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "backup", filepath.Join(to, "monday.db"), "--data", data)
		cmd.Env = commandEnv()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		for done := false; !done && !slices.ContainsFunc(names(), isPart); {
			select {
			case <-ended:
				done = true
			case <-time.After(100 * time.Microsecond):
			}
		}
		_ = cmd.Process.Kill()
		<-ended
		_ = os.Remove(filepath.Join(to, "monday.db"))
	}
	other := filepath.Join(to, "notes.part-1")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := runProcess(t, "", "backup", filepath.Join(to, "tuesday.db"), "--data", data); o.status != 0 {
		t.Fatalf("%+v", o)
	}
	if got := names(); !slices.Equal(got, []string{"notes.part-1", "tuesday.db"}) {
		t.Errorf("left are %q", got)
	}
}
