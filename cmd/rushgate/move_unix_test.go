//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/store/sqlite"
)

// A hundred thousand accounts, half of them with a device and a history, go to Redis and back, each compared on the way.
// The test shows how fast that is and how much memory it takes.
func TestMoveOfManyPlayers(t *testing.T) {
	players := 1000
	if os.Getenv("RUSHGATE_LONG") != "" {
		players = 100_000
	}
	data, back := t.TempDir(), filepath.Join(t.TempDir(), "new")
	manyPlayers(t, openDatabase(t, data, sqlite.Options{}), players)
	url := redistest.Start(t).URL()
	for _, way := range [][2]string{{data, url}, {url, back}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "move", "--from", way[0], "--to", way[1])
		cmd.Env = commandEnv()
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), fmt.Sprintf("moved     %d accounts", players)) {
			t.Fatalf("%v\n%s", err, out)
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		t.Logf("%s%d MB of memory at its peak", out, usage.Maxrss>>10)
	}
}

func manyPlayers(t *testing.T, store *sqlite.Store, n int) {
	t.Helper()
	const batch = 500
	at := time.UnixMilli(1.7e12)
	for made := 0; made < n; made += batch {
		first, err := store.ReserveIDs(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		accounts := make([]rushgate.Account, batch)
		var changes []rushgate.AccountChange
		var events []rushgate.Noted
		for i := range accounts {
			id, name := first+rushgate.PlayerID(i), fmt.Sprintf("player%d", made+i)
			accounts[i] = rushgate.Account{ID: id, Username: name, PasswordHash: strings.Repeat("h", 90), CreatedAt: at}
			if i%2 == 0 {
				continue
			}
			changes = append(changes, rushgate.AccountChange{Player: id, Name: name, Devices: []rushgate.Device{{
				ID: "device", Label: "phone", Token: strings.Repeat("A", 43), Attempt: "x", CreatedAt: at, UsedAt: at,
				ExpiresAt: at.Add(time.Hour),
			}}})
			for k := range 3 {
				e := rushgate.AccountEvent{ID: fmt.Sprint("e", k), At: at, Kind: "login", SignIn: true, From: "203.0.113.7"}
				events = append(events, rushgate.Noted{Player: id, Name: name, AccountEvent: e})
			}
		}
		for _, write := range []func() ([]error, error){
			func() ([]error, error) { return store.CreateAccounts(t.Context(), accounts) },
			func() ([]error, error) { return store.UpdateAccounts(t.Context(), changes) },
			func() ([]error, error) { return store.Note(t.Context(), events) },
		} {
			errs, err := write()
			for _, e := range append(errs, err) {
				if e != nil {
					t.Fatal(e)
				}
			}
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
