package main

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

const maxBan = 100 * 365 * 24 * time.Hour

func accountDisable(ctx context.Context, args []string, stdout, _ io.Writer) error {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account disable NAME [flags]

Keeps an account out, for ever unless an end is given, and ends its sessions. A player with the right password is told
until when and why; everything of the account stays as it is.

  rushgate account disable mallory --reason "cheating"
  rushgate account disable mallory --for 72h --reason "insults in the chat"
  rushgate account disable mallory --until 2027-01-31`)
	var until moment
	var reason text
	length := span{low: time.Second, high: maxBan}
	v.where.declare(f)
	f.add(&until, "until", "", "`TIME` at which the account is let in again: 2027-01-31, or 2027-01-31T18:00:00Z")
	f.add(&length, "for", "", "`TIME` from now after which the account is let in again, such as 72h").def = "for ever"
	f.add(&reason, "reason", "", "`TEXT` that the player is told, at most 256 bytes")
	name, err := f.parseName(args, stdout, whyOneName)
	if err != nil {
		return err
	}
	if strings.ContainsFunc(string(reason), unicode.IsControl) {
		return usagef("--reason must be one line, without control characters")
	}
	d := rushgate.Disabled{Until: rushgate.Forever(), Reason: string(reason)}
	switch {
	case !time.Time(until).IsZero() && length.value != 0:
		return usagef("--until and --for both say when the account is let in again; give one")
	case !time.Time(until).IsZero():
		d.Until = time.Time(until)
	case length.value != 0:
		d.Until = time.Now().Add(length.value)
	}
	if !d.At(time.Now()) {
		return usagef("--until is in the past")
	}
	return v.change(ctx, stdout, name, "disabled", func(l ledger) (account.Changed, error) {
		return l.Disable(ctx, name, d)
	})
}

func accountEnable(ctx context.Context, args []string, stdout, _ io.Writer) error {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account enable NAME [flags]

Lets an account in again that was disabled.

  rushgate account enable mallory`)
	v.where.declare(f)
	name, err := f.parseName(args, stdout, whyOneName)
	if err != nil {
		return err
	}
	return v.change(ctx, stdout, name, "enabled", func(l ledger) (account.Changed, error) {
		return l.Enable(ctx, name)
	})
}

func accountEndSessions(ctx context.Context, args []string, stdout, _ io.Writer) error {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account end-sessions NAME [flags]

Ends the sessions of an account wherever they are, with a last save, and makes every login that is under way worthless.
The player may log in again: to keep out a person who knows the password, set another one, or disable the account.

  rushgate account end-sessions alice`)
	v.where.declare(f)
	name, err := f.parseName(args, stdout, whyOneName)
	if err != nil {
		return err
	}
	return v.change(ctx, stdout, name, "ended the sessions of", func(l ledger) (account.Changed, error) {
		return l.EndSessions(ctx, name)
	})
}

// change has an account changed and prints what was done.
func (v *accountFlags) change(
	ctx context.Context, stdout io.Writer, name, done string, do func(ledger) (account.Changed, error),
) error {
	return v.where.with(ctx, false, func(l ledger) error {
		c, err := do(l)
		if err != nil {
			return explain(err, name)
		}
		return reportChange(stdout, done, c)
	})
}
