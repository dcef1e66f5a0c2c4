package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

const accountSynopsis = `Usage: rushgate account COMMAND [flags]

Looks after the accounts in a data folder while no node is running on it, and finds out what hashing passwords costs.

`

var accountCommands = []command{
	{"create", "make an account, with a password from the terminal or standard input", accountCreate},
	{"set-password", "give an account another password", accountSetPassword},
	{"show", "print an account and its character, without secrets", accountShow},
	{"delete", "remove an account and its character for ever", accountDelete},
	{"calibrate", "measure what hashing a password costs on this machine", accountCalibrate},
}

func account(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return group{accountSynopsis, "account", accountCommands}.run(ctx, args, stdout, stderr)
}

// accountFlags are the settings of all account commands; each command declares those that it has.
type accountFlags struct {
	data, pepper text
	iterations   number
	yes, json    toggle
}

func newAccountFlags() *accountFlags {
	return &accountFlags{
		data:       server.DefaultDataDir,
		iterations: number{password.DefaultIterations, password.MinIterations, password.MaxIterations},
	}
}

func (v *accountFlags) declareData(f *flags) {
	f.add(&v.data, "data", "", "`DIR` with the database: what the node is started with")
}

func (v *accountFlags) declareHashing(f *flags) {
	f.add(&v.iterations, "password-hash-iterations", "MMORPG_PASSWORD_HASH_ITERATIONS", "`N` iterations of PBKDF2-SHA256 for the hash, 1000 to 10000000")
	f.add(&v.pepper, "password-pepper-file", "", "`FILE` with the keys that passwords are keyed with: what the node is started with")
}

// parseName parses a command line that has, before, between or after the flags, the name of one player, and returns it
// in canonical form. whyNoMore says why there is no second argument, which is not repeated: it may be a password.
func (f *flags) parseName(args []string, stdout io.Writer, whyNoMore string) (string, error) {
	var names []string
	for {
		if err := f.Parse(args); err != nil {
			return "", f.parse(args, stdout) // help, or the same error once more
		}
		if f.NArg() == 0 {
			break
		}
		names = append(names, f.Arg(0))
		args = f.Args()[1:]
	}
	if err := f.parse(nil, stdout); err != nil { // the environment
		return "", err
	}
	switch len(names) {
	case 0:
		return "", usagef("name a player")
	case 1:
	default:
		return "", usagef("unexpected argument after the name: %s", whyNoMore)
	}
	name, err := rushgate.LoginName(names[0])
	if err != nil {
		return "", usagef("%s is no player's name: %w", quote(names[0]), err)
	}
	return name, nil
}

const (
	whyNoPassword = "a password is not taken from the command line, where the shell's history keeps it and other users of this " +
		"machine see it; it is asked for on a terminal, or read as one line of standard input"
	whyOneName = "one player at a time"
)

// withStore opens the database of the data folder for one job. With create set, both are made if they are missing.
func (v *accountFlags) withStore(ctx context.Context, create bool, job func(*sqlite.Store) error) (err error) {
	dir := string(v.data)
	path := filepath.Join(dir, server.DatabaseName)
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no players are kept in %s, is --data right? (%w)", dir, err)
	}
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if errors.Is(err, sqlite.ErrLocked) {
		return fmt.Errorf("a node is using %s; stop it first (%w)", dir, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return job(store)
}

// hasher returns what makes the new hashes.
func (v *accountFlags) hasher() (*password.Hasher, error) {
	cfg := password.Config{Iterations: v.iterations.value}
	if v.pepper != "" {
		pepper, err := password.LoadPepper(string(v.pepper))
		if err != nil {
			return nil, err
		}
		cfg.Pepper = pepper
	}
	return password.NewHasher(cfg)
}

// readHash asks for a new password and returns its hash.
func readHash(ctx context.Context, hasher *password.Hasher, in *console) (string, error) {
	typed, err := in.newPassword(ctx)
	if err != nil {
		return "", err
	}
	pw, err := rushgate.ParsePassword(typed)
	if err != nil {
		return "", err
	}
	job := password.New(pw)
	hasher.Run(ctx, []*password.Job{&job})
	return job.Hash, job.Err
}

// find returns the account of a canonical name.
func find(ctx context.Context, store *sqlite.Store, name string) (rushgate.Account, error) {
	accounts, err := store.LoadAccounts(ctx, []string{name})
	if err != nil {
		return rushgate.Account{}, err
	}
	if accounts[0].Err != nil {
		return rushgate.Account{}, accounts[0].Err
	}
	if accounts[0].ID == 0 {
		return rushgate.Account{}, fmt.Errorf("there is no player %q", name)
	}
	return accounts[0].Account, nil
}

func accountCreate(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account create NAME [flags]

Makes an account and its character at level 1; the player can log in as soon as a node runs on the data folder. The
password is asked for twice on a terminal, without being shown; otherwise it is one line of standard input.

  rushgate account create alice
  pass show game/alice | rushgate account create alice`)
	name, hasher, err := v.parseHashing(f, args, stdout)
	if err != nil {
		return err
	}
	if _, err := rushgate.ParseUsername(name); err != nil { // an imported player could have it, a new one cannot
		return usagef("%q is no player's name: %w", name, err)
	}
	return v.withStore(ctx, true, func(store *sqlite.Store) error {
		if a, err := store.LoadAccounts(ctx, []string{name}); err != nil {
			return err
		} else if a[0].ID != 0 {
			return fmt.Errorf("there already is a player %q, with the id %d", name, a[0].ID)
		}
		hash, err := readHash(ctx, hasher, newConsole(os.Stdin, stderr))
		if err != nil {
			return err
		}
		id, err := store.ReserveIDs(ctx, 1)
		if err != nil {
			return err
		}
		account := rushgate.Account{ID: id, Username: name, PasswordHash: hash, CreatedAt: time.Now()}
		errs, err := store.CreateAccounts(ctx, []rushgate.Account{account})
		if err = errors.Join(append(errs, err)...); err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "created player %d, %s\n", id, name)
		return err
	})
}

// parseHashing reads the command line of a command that gives an account a password.
func (v *accountFlags) parseHashing(f *flags, args []string, stdout io.Writer) (name string, hasher *password.Hasher, err error) {
	v.declareData(f)
	v.declareHashing(f)
	if name, err = f.parseName(args, stdout, whyNoPassword); err != nil {
		return "", nil, err
	}
	hasher, err = v.hasher()
	return name, hasher, err
}

func accountSetPassword(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account set-password NAME [flags]

Gives an account another password, whatever it had before. The password is asked for twice on a terminal, without being
shown; otherwise it is one line of standard input.

  rushgate account set-password alice
  pass show game/alice | rushgate account set-password alice`)
	name, hasher, err := v.parseHashing(f, args, stdout)
	if err != nil {
		return err
	}
	return v.withStore(ctx, false, func(store *sqlite.Store) error {
		account, err := find(ctx, store, name)
		if err != nil {
			return err
		}
		hash, err := readHash(ctx, hasher, newConsole(os.Stdin, stderr))
		if err != nil {
			return err
		}
		errs, err := store.UpdateAccounts(ctx, []rushgate.AccountChange{{
			Player: account.ID, Name: name, Epoch: account.Epoch, PasswordHash: hash, RaiseEpoch: true,
		}})
		if err = errors.Join(append(errs, err)...); err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "set the password of player %d, %s\n", account.ID, name)
		return err
	})
}

func accountDelete(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account delete NAME [flags]

Removes an account and its character for ever; the name is free again. On a terminal the name has to be typed once more;
otherwise --yes is needed. A player with a live session is not deleted.

  rushgate account delete alice
  rushgate account delete alice --yes`)
	v.declareData(f)
	f.add(&v.yes, "yes", "", "do not ask")
	name, err := f.parseName(args, stdout, whyOneName)
	if err != nil {
		return err
	}
	in := newConsole(os.Stdin, stderr)
	if !bool(v.yes) && !in.terminal {
		return usagef("there is no terminal to ask on; give --yes to delete without being asked")
	}
	return v.withStore(ctx, false, func(store *sqlite.Store) error {
		account, err := find(ctx, store, name)
		if err != nil {
			return err
		}
		if !v.yes {
			prompt := fmt.Sprintf("This removes player %d, %s, and the character for ever. Type the name to go on: ", account.ID, name)
			typed, err := in.ask(ctx, prompt)
			if err != nil {
				return err
			}
			if typed != name {
				return errors.New("that is another name; nothing was deleted")
			}
		}
		err = store.DeleteAccount(ctx, name)
		if errors.Is(err, rushgate.AlreadyLoggedIn) {
			return fmt.Errorf("%s has a live session, left behind by a node that did not end in order: it is over within %v (%w)", name, rushgate.LeaseTTL, err)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "deleted player %d, %s\n", account.ID, name)
		return err
	})
}
