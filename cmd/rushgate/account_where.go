package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

// ledger is what account commands work on: a store of one's own, or a node that has it.
type ledger interface {
	Create(ctx context.Context, name, hash string) (account.Changed, error)
	SetPassword(ctx context.Context, name, hash string) (account.Changed, error)
	EndSessions(ctx context.Context, name string) (account.Changed, error)
	Disable(ctx context.Context, name string, b account.Ban) (account.Changed, error)
	Enable(ctx context.Context, name string) (account.Changed, error)
	RecoveryCode(ctx context.Context, name string) (code string, expires time.Time, err error)
	Delete(ctx context.Context, name string) error
	Show(ctx context.Context, name string) (account.Record, error)
	// RefusesPasswords reports whether the nodes take none (--opaque only), so that nobody logs in with one that is set.
	RefusesPasswords(ctx context.Context) (bool, error)
}

// whereFlags say where the accounts are.
type whereFlags struct {
	data             text
	db               choice
	redis            redisFlags
	admin, tokenFile text
}

func newWhereFlags() whereFlags {
	return whereFlags{
		data: server.DefaultDataDir, redis: newRedisFlags(), db: choice{"sqlite", []string{"sqlite", "redis", "memory"}},
	}
}

func (v *whereFlags) declare(f *flags) {
	f.add(&v.data, "data", "", "`DIR` with the database: what the node is started with")
	f.add(&v.db, "db", "MMORPG_DB_BACKEND", "`STORE` that keeps the players: sqlite, redis (also Valkey), or "+
		"memory, which needs --admin")
	v.redis.declare(f)
	f.add(&v.admin, "admin", "", "`URL` of a node's admin listener, through which the command then works; without it, and "+
		"with sqlite, a node that runs on --data is found by itself")
	f.add(&v.tokenFile, "admin-token-file", "", "`FILE` with the token that the node asks operators for")
	f.addConfig()
}

// with has a job done on the accounts: through the node that has the store to itself, or in the store. With create set,
// a data folder and a database are made if they are missing.
func (v *whereFlags) with(ctx context.Context, create bool, job func(ledger) error) error {
	return v.reach(ctx, create, func(store rushgate.Store) error {
		return job(&storeLedger{account.New(store), store, newConsoleLog(store)})
	}, func(node *nodeClient) error { return job(&nodeLedger{node}) })
}

// reach has a job done in the store, or through the node that has it to itself.
func (v *whereFlags) reach(
	ctx context.Context, create bool, inStore func(rushgate.Store) error, atNode func(*nodeClient) error,
) error {
	switch {
	case v.admin != "":
		return v.throughNode(string(v.admin), atNode)
	case v.db.value == "memory":
		return usagef("a node with --db memory keeps its players to itself; give its --admin")
	case v.db.value == "redis":
		return v.onRedis(ctx, inStore)
	}
	err := withSQLite(ctx, string(v.data), create, func(store *sqlite.Store) error { return inStore(store) })
	if !errors.Is(err, sqlite.ErrLocked) {
		return err
	}
	address, err := runningNode(string(v.data)) // that has the database
	if err != nil {
		return err
	}
	return v.throughNode(address, atNode)
}

func (v *whereFlags) throughNode(address string, job func(*nodeClient) error) error {
	node, err := newNodeClient(address, string(v.tokenFile))
	if err != nil {
		return err
	}
	return job(node)
}

func (v *whereFlags) onRedis(ctx context.Context, job func(rushgate.Store) error) (err error) {
	store, err := redis.Open(ctx, redis.Options{
		URLs: v.redis.addresses(), SentinelMaster: string(v.redis.sentinel), Prefix: string(v.redis.prefix),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return job(store)
}

// runningNode returns where the admin listener of the node is that runs on a data folder.
func runningNode(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, server.AdminAddrName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("another process is using %s, and does not say where its admin listener is: it is starting or "+
			"stopping, or is no node; try again, or give --admin", dir)
	}
	if err != nil {
		return "", fmt.Errorf("where the node's admin listener is: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
