package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/password"
)

const accountSynopsis = `Usage: rushgate account COMMAND [flags]

Looks after accounts, in SQLite, in Redis, or beside a running node, and finds out what hashing passwords costs.

`

func newAccount() *cobra.Command {
	return newGroup("account", "create, show, change and delete accounts, and measure what hashing costs", accountSynopsis,
		newAccountCreate(),
		newAccountSetPassword(),
		newAccountShow(),
		newAccountDisable(),
		newAccountEnable(),
		newAccountEndSessions(),
		newAccountRecoveryCode(),
		newAccountDelete(),
		newAccountCalibrate(),
	)
}

// accountFlags are the settings of all account commands; each command declares those that it has.
type accountFlags struct {
	where      whereFlags
	pepper     text
	iterations number
	least      number
	yes, json  toggle
}

func newAccountFlags() *accountFlags {
	return &accountFlags{
		where:      newWhereFlags(),
		iterations: number{password.DefaultIterations, password.MinIterations, password.MaxIterations},
		least:      number{rushgate.DefaultPasswordLen, 1, rushgate.MaxMinPasswordLen},
	}
}

func (v *accountFlags) declareHashing(f *flags) {
	f.add(&v.least, "password-min", "", "`N` characters that the password needs, 1 to 64; the commonest are refused in any case")
	v.declareIterations(f)
}

// declareIterations declares what says how new hashes are made.
func (v *accountFlags) declareIterations(f *flags) {
	f.add(&v.iterations, "password-hash-iterations", "MMORPG_PASSWORD_HASH_ITERATIONS",
		"`N` iterations of PBKDF2-SHA256 for the hash, 1000 to 10000000")
	f.add(&v.pepper, "password-pepper-file", "",
		"`FILE` with the keys that passwords are keyed with: what the node is started with")
}

// playerName returns the name of one player, which the arguments besides the flags have to be, in canonical form.
// whyNoMore says why there is no second argument, which is not repeated: it may be a password.
func playerName(names []string, whyNoMore string) (string, error) {
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
	whyNoPassword = "a password is not taken from the command line, where the shell's history keeps it and other users of " +
		"this machine see it; it is asked for on a terminal, or read as one line of standard input"
	whyOneName = "one player at a time"
)

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

// readHash asks for a new password of an account and returns its hash.
func (v *accountFlags) readHash(
	ctx context.Context, hasher *password.Hasher, name string, in *console,
) (string, error) {
	typed, err := in.newPassword(ctx)
	if err != nil {
		return "", err
	}
	pw, err := rushgate.NewPassword(typed, name, v.least.value)
	if err != nil {
		return "", err
	}
	job := password.New(pw)
	hasher.Run(ctx, []*password.Job{&job})
	return job.Hash, job.Err
}

// explain says what an operator can do about an error of a ledger.
func explain(err error, name string) error {
	switch {
	case errors.Is(err, account.ErrUnknown):
		return fmt.Errorf("there is no player %q; \"rushgate admin search\" finds names by how they begin", name)
	case errors.Is(err, account.ErrTaken):
		return fmt.Errorf("there already is a player %q", name)
	case errors.Is(err, account.ErrInside):
		return fmt.Errorf("%s has a live session; end it with \"rushgate account end-sessions %s\" first, or wait: one that "+
			"a node has left behind is over within %v", name, name, rushgate.LeaseTTL)
	case errors.Is(err, rushgate.ErrDamagedRecord):
		return fmt.Errorf("the record of %q is damaged; put it right in the store, or delete the account (%w)", name, err)
	}
	return err
}

// reportChange prints what was done to an account.
func reportChange(stdout io.Writer, what string, c account.Changed) error {
	_, err := fmt.Fprintf(stdout, "%s player %d, %s\n", what, c.Player, c.Name)
	if err == nil && c.Leaving != "" {
		_, err = fmt.Fprintln(stdout, "the player is inside, and leaves within seconds if that node runs")
	}
	return err
}

func newAccountCreate() *cobra.Command {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account create NAME [flags]

Makes an account and its character at level 1; the player can log in at once. The password is asked for twice on a
terminal, without being shown; otherwise it is one line of standard input. Only its hash is sent to a node.

Nodes with --opaque only take no password: there the player needs a code from "rushgate account recovery-code", too.

  rushgate account create alice
  pass show game/alice | rushgate account create alice`)
	v.where.declare(f)
	v.declareHashing(f)
	return newCommand("create", "make an account, with a password from the terminal or standard input", f, v.create)
}

func (v *accountFlags) create(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	name, hasher, err := v.hashing(args)
	if err != nil {
		return err
	}
	if _, err := rushgate.ParseUsername(name); err != nil { // an imported player could have it, a new one cannot
		return usagef("%q is no player's name: %w", name, err)
	}
	return v.where.with(ctx, true, func(l ledger) error {
		if r, err := l.Show(ctx, name); err == nil {
			return fmt.Errorf("there already is a player %q, with the id %d", name, r.PlayerID)
		} else if !errors.Is(err, account.ErrUnknown) {
			return explain(err, name)
		}
		hash, err := v.readHash(ctx, hasher, name, newConsole(os.Stdin, stderr))
		if err != nil {
			return err
		}
		c, err := l.Create(ctx, name, hash)
		if err != nil {
			return explain(err, name)
		}
		err = reportChange(stdout, "created", c)
		if refuse, e := l.RefusesPasswords(ctx); e == nil && refuse {
			_, e = fmt.Fprintf(stderr, "the nodes take no passwords (--opaque only): for the player to come in, hand out a code, "+
				"which \"rushgate account recovery-code %s\" prints\n", name)
			err = errors.Join(err, e)
		}
		return err
	})
}

// hashing returns whom a command gives a password, and what makes its hash.
func (v *accountFlags) hashing(args []string) (name string, hasher *password.Hasher, err error) {
	if name, err = playerName(args, whyNoPassword); err != nil {
		return "", nil, err
	}
	hasher, err = v.hasher()
	return name, hasher, err
}

func newAccountSetPassword() *cobra.Command {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account set-password NAME [flags]

Gives an account another password, whatever it had before, and ends its sessions. The password is asked for twice on a
terminal, without being shown; otherwise it is one line of standard input. Only its hash is sent to a node.

Nodes with --opaque only take no password, so there it is not set: give the player a code from "rushgate account
recovery-code".

  rushgate account set-password alice
  pass show game/alice | rushgate account set-password alice`)
	v.where.declare(f)
	v.declareHashing(f)
	return newCommand("set-password", "give an account another password, and end its sessions", f, v.setPassword)
}

func (v *accountFlags) setPassword(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	name, hasher, err := v.hashing(args)
	if err != nil {
		return err
	}
	return v.where.with(ctx, false, func(l ledger) error {
		if _, err := l.Show(ctx, name); err != nil { // before a password is asked for in vain
			return explain(err, name)
		}
		if err := takesPasswords(ctx, l, name); err != nil {
			return err
		}
		hash, err := v.readHash(ctx, hasher, name, newConsole(os.Stdin, stderr))
		if err != nil {
			return err
		}
		c, err := l.SetPassword(ctx, name, hash)
		if err != nil {
			return explain(err, name)
		}
		return reportChange(stdout, "set the password of", c)
	})
}

// takesPasswords returns an error if the nodes take no passwords: one that is set takes away the record by which the
// player can log in. What cannot be found out is no reason to refuse.
func takesPasswords(
	ctx context.Context, l interface {
		RefusesPasswords(context.Context) (bool, error)
	}, name string,
) error {
	if refuse, err := l.RefusesPasswords(ctx); err != nil || !refuse {
		return nil //nolint:nilerr // said above
	}
	return fmt.Errorf("the nodes take no passwords (--opaque only), so %s could not log in with one, and would lose the one "+
		"there is: hand out a code, which \"rushgate account recovery-code %s\" prints", name, name)
}

func newAccountDelete() *cobra.Command {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account delete NAME [flags]

Removes an account and its character for ever; the name is free again. On a terminal the name has to be typed once more;
otherwise --yes is needed. A player with a live session is not deleted.

  rushgate account delete alice
  rushgate account delete alice --yes`)
	v.where.declare(f)
	f.add(&v.yes, "yes", "", "do not ask")
	return newCommand("delete", "remove an account and its character for ever", f, v.delete)
}

func (v *accountFlags) delete(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	name, err := playerName(args, whyOneName)
	if err != nil {
		return err
	}
	in := newConsole(os.Stdin, stderr)
	if !bool(v.yes) && !in.terminal {
		return usagef("there is no terminal to ask on; give --yes to delete without being asked")
	}
	return v.where.with(ctx, false, func(l ledger) error {
		who := name
		if r, err := l.Show(ctx, name); err == nil {
			who = fmt.Sprintf("player %d, %s", r.PlayerID, name)
		} else if errors.Is(err, account.ErrUnknown) {
			return explain(err, name)
		} // a record that cannot be shown can still be deleted
		if !v.yes {
			typed, err := in.ask(ctx, "This removes "+who+", and the character for ever. Type the name to go on: ")
			if err != nil {
				return err
			}
			if typed != name {
				return errors.New("that is another name; nothing was deleted")
			}
		}
		if err := l.Delete(ctx, name); err != nil {
			return explain(err, name)
		}
		_, err := fmt.Fprintf(stdout, "deleted %s\n", who)
		return err
	})
}
