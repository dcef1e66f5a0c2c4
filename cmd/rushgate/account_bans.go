package main

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

const maxBan = 100 * 365 * 24 * time.Hour

// ban says for how long an account is disabled, and why.
type ban struct {
	until  moment
	length span
	reason text // for the player
	note   text // for operators
	// what the flags of the two are called
	reasonFlag, noteFlag string
}

func newBan() *ban {
	return &ban{length: span{low: time.Second, high: maxBan}, reasonFlag: "reason", noteFlag: "note"}
}

func newAccountDisable() *cobra.Command {
	v, b := newAccountFlags(), newBan()
	f := newFlags(`Usage: rushgate account disable NAME [flags]

Keeps an account out, for ever unless an end is given, and ends its sessions. A player with the right password is told
until when, and the reason; everything of the account stays as it is. Its history keeps the ban, with the note, for
operators ("rushgate admin show").

  rushgate account disable mallory --reason "cheating"
  rushgate account disable mallory --for 72h --reason "insults in the chat" --note "third time, see ticket 7"
  rushgate account disable mallory --until 2027-01-31`)
	v.where.declare(f)
	b.declare(f)
	return newCommand("disable", "keep an account out, for a time or for ever", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			d, err := b.of(time.Now())
			if err != nil {
				return err
			}
			return v.change(ctx, args, stdout, "disabled", func(l ledger, name string) (account.Changed, error) {
				return l.Disable(ctx, name, d)
			})
		})
}

func (b *ban) declare(f *flags) {
	f.add(&b.until, "until", "", "`TIME` at which the account is let in again: 2027-01-31, or 2027-01-31T18:00:00Z")
	f.add(&b.length, "for", "", "`TIME` from now after which the account is let in again, such as 72h").def = "for ever"
	f.add(&b.reason, "reason", "", "`TEXT` that the player is told, at most 256 bytes")
	f.add(&b.note, "note", "", "`TEXT` for operators, at most 512 bytes, which the player never sees")
}

// of returns the ban, from now on.
func (b *ban) of(now time.Time) (account.Ban, error) {
	d := account.Ban{
		Disabled: rushgate.Disabled{Until: rushgate.Forever(), Reason: string(b.reason)}, Note: string(b.note),
	}
	if err := oneLine(b.reasonFlag, d.Reason, rushgate.MaxDisabledReason); err != nil {
		return d, err
	}
	if err := oneLine(b.noteFlag, d.Note, account.MaxNote); err != nil {
		return d, err
	}
	until := time.Time(b.until)
	switch {
	case !until.IsZero() && b.length.value != 0:
		return d, usagef("--until and --for both say when that ends; give one")
	case !until.IsZero():
		d.Until = until
	case b.length.value != 0:
		d.Until = now.Add(b.length.value)
	}
	if !d.At(now) {
		return d, usagef("--until is in the past")
	}
	return d, nil
}

// oneLine refuses what a flag of a ban cannot hold.
func oneLine(flag, s string, most int) error {
	switch {
	case strings.ContainsFunc(s, unicode.IsControl):
		return usagef("--%s must be one line, without control characters", flag)
	case len(s) > most:
		return usagef("--%s has %d bytes, at most %d can be", flag, len(s), most)
	}
	return nil
}

func newAccountEnable() *cobra.Command {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account enable NAME [flags]

Lets an account in again that was disabled.

  rushgate account enable mallory`)
	v.where.declare(f)
	return newCommand("enable", "let an account in again", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			return v.change(ctx, args, stdout, "enabled", func(l ledger, name string) (account.Changed, error) {
				return l.Enable(ctx, name)
			})
		})
}

func newAccountEndSessions() *cobra.Command {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account end-sessions NAME [flags]

Ends the sessions of an account wherever they are, with a last save, and makes every login that is under way worthless.
The player may log in again: to keep out a person who knows the password, set another one, or disable the account.

  rushgate account end-sessions alice`)
	v.where.declare(f)
	return newCommand("end-sessions", "end the sessions of an account, which may come back", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			return v.change(ctx, args, stdout, "ended the sessions of", func(l ledger, name string) (account.Changed, error) {
				return l.EndSessions(ctx, name)
			})
		})
}

// change has the account that the arguments name changed, and prints what was done.
func (v *accountFlags) change(
	ctx context.Context, args []string, stdout io.Writer, done string, do func(l ledger, name string) (account.Changed, error),
) error {
	name, err := playerName(args, whyOneName)
	if err != nil {
		return err
	}
	return v.where.with(ctx, false, func(l ledger) error {
		c, err := do(l, name)
		if err != nil {
			return explain(err, name)
		}
		return reportChange(stdout, done, c)
	})
}
