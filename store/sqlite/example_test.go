package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/sqlite"
)

// What the store has acknowledged is there after a restart. A node does all this by itself; a program of your own can
// read the players of a node that is not running.
func Example() {
	dir, err := os.MkdirTemp("", "rushgate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rushgate.db")
	if err := register(path, "alice"); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	accounts, err := store.LoadAccounts(ctx, []string{"alice", "bob"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range accounts {
		fmt.Printf("%d %q %v\n", a.ID, a.Username, a.Err)
	}
	// Output:
	// 1 "alice" <nil>
	// 0 "" <nil>
}

// register creates an account and its character.
func register(path, name string) error {
	ctx := context.Background()
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	id, err := store.ReserveIDs(ctx, 1)
	if err != nil {
		return err
	}
	created, err := store.CreateAccounts(ctx, []rushgate.Account{
		{ID: id, Username: name, PasswordHash: "see package password"},
	})
	if err != nil {
		return err
	}
	return created[0]
}
