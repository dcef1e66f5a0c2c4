package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaquerecord"
)

func newKeyOpaqueShow() *cobra.Command {
	v := newWhereFlags()
	v.db = choice{"sqlite", []string{"sqlite", "redis"}}
	f := newFlags(`Usage: rushgate key opaque show FILE [flags]

Prints the ids of the keys in FILE, which are no secret, and how many accounts are registered with each. A key that is not
in use any more, and that no account is registered with, can be removed from FILE. It reads all accounts; with SQLite, stop
the node first.

  rushgate key opaque show rushgate-data/opaque.key
  rushgate key opaque show /etc/rushgate/opaque.key --db redis --redis-url redis://127.0.0.1:6379`)
	f.add(&v.data, "data", "", "`DIR` with the database: what the node is started with")
	f.add(&v.db, "db", "MMORPG_DB_BACKEND", "`STORE` that keeps the players: sqlite or redis (also Valkey)")
	v.redis.declare(f)
	f.addConfig()
	return newCommand("show", "say which keys there are, and how many accounts are registered with each", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if len(args) != 1 {
				return usagef("want one argument, the file with the keys")
			}
			keys, err := opaque.LoadKeys(args[0])
			if err != nil {
				return err
			}
			var n keyCounts
			err = v.reach(ctx, false, func(store rushgate.Store) (err error) {
				n, err = countByKey(ctx, store)
				return err
			}, func(*nodeClient) error {
				return fmt.Errorf("a node has the players in %s to itself; stop it first", v.data)
			})
			if err != nil {
				return err
			}
			return n.write(stdout, keys)
		})
}

// keyCounts are how many accounts are registered with each key of OPAQUE.
type keyCounts struct {
	by         map[opaque.KeyID]int
	unreadable int // accounts, or records of OPAQUE, that cannot be read
}

// countByKey reads all accounts.
func countByKey(ctx context.Context, store rushgate.Store) (keyCounts, error) {
	n, seen := keyCounts{by: make(map[opaque.KeyID]int)}, make(map[rushgate.PlayerID]bool)
	for cursor := ""; ; {
		names, next, err := store.Usernames(ctx, "", cursor, rushgate.MaxPage)
		if err != nil {
			return n, err
		}
		for chunk := range slices.Chunk(names, rushgate.MaxPage) { // a page may be longer than was asked for
			accounts, err := store.LoadAccounts(ctx, chunk)
			if err != nil {
				return n, err
			}
			for i := range accounts {
				if id := accounts[i].ID; id == 0 || !seen[id] { // a walk may return a name twice
					seen[id] = true
					n.add(&accounts[i])
				}
			}
		}
		if cursor = next; next == "" {
			return n, nil
		}
	}
}

func (n *keyCounts) add(a *rushgate.LoadedAccount) {
	proof, ok := opaquerecord.Of(a.Credentials)
	switch {
	case ok:
		n.by[proof.Record.Key()]++
	case a.Err != nil, opaquerecord.Has(a.Credentials):
		n.unreadable++
	}
}

// write prints the keys of a file, the one in use first, and then those that are missing in it.
func (n *keyCounts) write(w io.Writer, keys *opaque.Keys) error {
	var b strings.Builder
	for i, id := range keys.IDs() {
		what := "not in use any more"
		switch {
		case i == 0:
			what = "in use"
		case keys.IsPrepared(id):
			what = "prepared, not in use yet"
		}
		fmt.Fprintf(&b, "%s  %d accounts  %s\n", id, n.by[id], what)
		delete(n.by, id)
	}
	missing := slices.SortedFunc(maps.Keys(n.by), func(a, b opaque.KeyID) int { return strings.Compare(a.String(), b.String()) })
	for _, id := range missing {
		fmt.Fprintf(&b, "%s  %d accounts  not in the file: these players cannot log in\n", id, n.by[id])
	}
	if n.unreadable > 0 {
		fmt.Fprintf(&b, "%d accounts cannot be read, or have a record that cannot: remove no key\n", n.unreadable)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
