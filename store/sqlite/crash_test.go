package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
)

// crashEnv names the database in which a child process of the test registers players until it is killed.
const crashEnv = "RUSHGATE_SQLITE_CRASH_TEST"

// registerUntilKilled prints the name of each account once the store has acknowledged it.
func registerUntilKilled(path string) int {
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				first, err := s.ReserveIDs(context.Background(), 3)
				if err == nil {
					err = register(s, first, first+1, first+2)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Printf("player%d\nplayer%d\nplayer%d\n", first, first+1, first+2)
			}
		})
	}
	wg.Wait()
	return 0
}

// Whatever was acknowledged survives kill -9, which also frees the lock.
func TestKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	seen := make(map[string]bool)
	var names []string
	for round := range 5 {
		for _, name := range crash(t, path, 20+17*round) {
			if seen[name] {
				t.Errorf("%s was registered twice", name)
			}
			seen[name] = true
			names = append(names, name)
		}
		s := openStore(t, path)
		accounts, err := s.LoadAccounts(t.Context(), names)
		if err != nil {
			t.Fatal(err)
		}
		ids := make(map[rushgate.PlayerID]bool)
		for i, a := range accounts {
			if a.ID == 0 || a.Username != names[i] || ids[a.ID] {
				t.Fatalf("round %d: account %s is %+v", round, names[i], a)
			}
			ids[a.ID] = true
		}
		where, err := s.Presence(t.Context(), names)
		if err != nil {
			t.Fatal(err)
		}
		for i := range where {
			if !where[i].Inside() {
				t.Errorf("round %d: %s has no lease", round, names[i])
			}
		}
		var check string
		if err := s.read.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&check); err != nil || check != "ok" {
			t.Errorf("round %d: integrity check: %s, %v", round, check, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// crash runs a child until it has acknowledged n accounts, kills it, and returns all that it has acknowledged.
func crash(t *testing.T, path string, n int) (names []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF { // a line without an end was not wholly printed
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimSuffix(line, "\n"))
		if len(names) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if len(names) < n {
		t.Fatalf("the child has ended by itself after %d accounts: %s", len(names), stderr.String())
	}
	return names
}
