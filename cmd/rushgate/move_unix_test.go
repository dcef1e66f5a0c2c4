//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
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
	wantSamePlayers(t, openDatabase(t, data, sqlite.Options{}), openDatabase(t, back, sqlite.Options{}), players)
}

// wantSamePlayers compares all that two stores have of players, but for the versions of their records and the revisions
// of their devices, which each store counts for itself, and looks that the ids of the next ones follow.
func wantSamePlayers(t *testing.T, before, after *sqlite.Store, players int) {
	t.Helper()
	type player struct {
		rushgate.Account
		rushgate.Character
		Events []rushgate.AccountEvent
	}
	read := func(s *sqlite.Store, names []string) (all []player) {
		accounts, err := s.LoadAccounts(t.Context(), names)
		characters, err2 := s.LoadCharacters(t.Context(), names)
		histories, err3 := s.LoadHistories(t.Context(), names)
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
		for i := range names {
			a := accounts[i].Account
			a.Version, a.Devices.Revision = 0, 0
			all = append(all, player{a, characters[i].Character, histories[i].Events})
		}
		return all
	}
	compared := 0
	for cursor, more := "", true; more; more = cursor != "" {
		names, next, err := before.Usernames(t.Context(), "", cursor, rushgate.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		was, is := read(before, names), read(after, names)
		for i := range was {
			if was[i].Account.ID == 0 || !reflect.DeepEqual(was[i], is[i]) {
				t.Fatalf("%s: %+v became %+v", names[i], was[i], is[i])
			}
		}
		compared, cursor = compared+len(names), next
	}
	if compared != players {
		t.Errorf("%d players were compared, want %d", compared, players)
	}
	if id, err := after.ReserveIDs(t.Context(), 1); err != nil || id > rushgate.PlayerID(players+10) {
		t.Errorf("the next id after %d players is %d, %v", players, id, err)
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
