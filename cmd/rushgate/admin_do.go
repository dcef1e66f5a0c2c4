package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
)

// reported prints what was done to an account.
func reported(what string) func(io.Writer, *account.Changed) error {
	return func(w io.Writer, c *account.Changed) error { return reportChange(w, what, *c) }
}

func newAdminEndSession() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin end-session NAME [flags]

Ends the session of a player, wherever it is, with a last save. The player may log in again at once.

  rushgate admin end-session alice`)
	outcomes := map[string]string{
		"ended":      "the session has ended; the player is saved",
		"elsewhere":  "the session is at another node, which ends it within seconds if it runs",
		"not-inside": "there is no session to end",
	}
	return newCommand("end-session", "log a player out, who may come back", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			name, err := playerName(args, whyOneName)
			if err != nil {
				return err
			}
			show := func(w io.Writer, out *struct{ Outcome string }) error {
				said, ok := outcomes[out.Outcome]
				if !ok {
					said = printable(out.Outcome)
				}
				_, err := fmt.Fprintln(w, said)
				return err
			}
			return explain(post(ctx, v, accountPath(name, "end-session"), nothing{}, stdout, show), name)
		})
}

func newAdminNote() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin note NAME TEXT [flags]

Writes something down about an account, for operators to read. Players never see it; it goes with the account.

  rushgate admin note alice "lost the phone, proved it by the receipt"`)
	return newCommand("note", "write something down about an account", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if len(args) != 2 || strings.TrimSpace(args[1]) == "" {
				return usagef("want the player's name and a text, in quotes")
			}
			name, err := playerName(args[:1], whyOneName)
			if err != nil {
				return err
			}
			show := func(w io.Writer, out *struct{ At time.Time }) error {
				_, err := fmt.Fprintf(w, "noted at %s\n", out.At.Format(time.RFC3339))
				return err
			}
			in := map[string]string{"text": args[1]}
			return explain(post(ctx, v, accountPath(name, "notes"), in, stdout, show), name)
		})
}

// lockout is what is locked out at a node's door.
type lockout struct {
	ID     uint64    `json:"id"`
	Kind   string    `json:"kind"`
	Origin string    `json:"origin"`
	Name   string    `json:"name"`
	Until  time.Time `json:"until"`
}

func newAdminLockouts() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin lockouts [flags]

Prints what is locked out at the node's door for failing too often.

  rushgate admin lockouts`)
	return newCommand("lockouts", "print who is locked out for failing too often", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			show := func(out io.Writer, all *struct{ Lockouts []lockout }) error {
				w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				for _, l := range all.Lockouts {
					fmt.Fprintf(w, "%d\t%s\t%s\t%s\tuntil %s\n", l.ID, printable(l.Kind), printable(l.Origin), printable(l.Name),
						l.Until.Local().Format(time.TimeOnly))
				}
				fmt.Fprintf(w, "%d lockouts\n", len(all.Lockouts))
				return w.Flush()
			}
			return get(ctx, v, "/lockouts", stdout, show)
		})
}

func newAdminLift() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin lift ID [flags]

Lifts a lockout, and forgets the failures that began it. "rushgate admin lockouts" has the ids.

  rushgate admin lift 12`)
	return newCommand("lift", "lift a lockout", f, func(ctx context.Context, args []string, stdout, _ io.Writer) error {
		var id seed
		if len(args) != 1 || id.Set(args[0]) != nil || id == 0 {
			return usagef("want the id of one lockout")
		}
		show := func(w io.Writer, _ *lockout) error {
			_, err := fmt.Fprintln(w, "the lockout is lifted")
			return err
		}
		return post(ctx, v, "/lockouts/"+id.String()+"/lift", nothing{}, stdout, show)
	})
}

func newAdminRecoveryCode() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin recovery-code NAME [flags]

Prints a code with which a player who has lost the password chooses another, for you to hand out once you know who asks. It
works once, for an hour, in place of any code before: a player whose code is refused needs another. Nobody learns the
password, and until then nothing changes.

  rushgate admin recovery-code alice`)
	return newCommand("recovery-code", "have a player choose another password who has lost it", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			name, err := playerName(args, whyOneName)
			if err != nil {
				return err
			}
			show := func(w io.Writer, out *admin.RecoveryCode) error {
				_, err := fmt.Fprintf(w, "%s until %s\n", printable(out.Code), out.ExpiresAt.UTC().Format(time.RFC3339))
				return err
			}
			return explain(post(ctx, v, accountPath(name, "recovery-code"), nothing{}, stdout, show), name)
		})
}

func newAdminSetPassword() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin set-password NAME [flags]

Gives an account another password, and ends its sessions. The password is asked for twice on a terminal, without being
shown; otherwise it is one line of standard input. This command makes the hash, and sends nothing else to the node: give it
the node's --password-pepper-file, if that has one.

  rushgate admin set-password alice
  pass show game/alice | rushgate admin set-password alice`)
	hashing := newAccountFlags()
	hashing.declareHashing(f)
	return newCommand("set-password", "give an account another password, and end its sessions", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			name, hasher, err := hashing.hashing(args)
			if err != nil {
				return err
			}
			if err := get(ctx, v, accountPath(name, ""), io.Discard, writePlayerPage); err != nil {
				return explain(err, name) // before a password is asked for in vain
			}
			if node, err := v.node(); err != nil {
				return err
			} else if err := takesPasswords(ctx, node, name); err != nil {
				return err
			}
			hash, err := hashing.readHash(ctx, hasher, name, newConsole(os.Stdin, stderr))
			if err != nil {
				return err
			}
			show := reported("set the password of")
			return explain(post(ctx, v, accountPath(name, "password"), hashOrder{Hash: hash}, stdout, show), name)
		})
}

func newAdminDisable() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin disable NAME [flags]

Keeps an account out, for ever unless an end is given, and ends its sessions. A player with the right password is told
until when, and the reason; the note is for operators ("rushgate admin show").

  rushgate admin disable mallory --for 72h --reason "insults in the chat" --note "third time, see ticket 7"`)
	b := newBan()
	b.declare(f)
	return newCommand("disable", "keep an account out, for a time or for ever", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			name, err := playerName(args, whyOneName)
			if err != nil {
				return err
			}
			d, err := b.of(time.Now())
			if err != nil {
				return err
			}
			in := map[string]string{"until": d.Until.UTC().Format(time.RFC3339), "reason": d.Reason, "note": d.Note}
			return explain(post(ctx, v, accountPath(name, "disable"), in, stdout, reported("disabled")), name)
		})
}

func newAdminEnable() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin enable NAME [flags]

Lets an account in again that was disabled.

  rushgate admin enable mallory`)
	return newCommand("enable", "let an account in again", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			name, err := playerName(args, whyOneName)
			if err != nil {
				return err
			}
			return explain(post(ctx, v, accountPath(name, "enable"), nothing{}, stdout, reported("enabled")), name)
		})
}

func newAdminDelete() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin delete NAME [flags]

Removes an account and its character for ever; the name is free again. On a terminal the name has to be typed once more;
otherwise --yes is needed. A player who is inside is not deleted.

  rushgate admin delete alice
  rushgate admin delete alice --yes`)
	return v.sureCommand(f, "delete", "remove an account and its character for ever",
		"removes the account %s and its character for ever", "deleted")
}

// sureCommand is a command that has done to one account what cannot be undone, once the operator is sure of it: name is
// that of the command and of the order, what says of a player's name what it does, and did what it has done.
func (v *adminFlags) sureCommand(f *flags, name, short, what, did string) *cobra.Command {
	yes := toggle(false)
	f.add(&yes, "yes", "", "do not ask")
	return newCommand(name, short, f, func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		player, err := playerName(args, whyOneName)
		if err != nil {
			return err
		}
		if err := sure(ctx, bool(yes), fmt.Sprintf(what, player), player, stderr); err != nil {
			return err
		}
		node, err := v.node()
		if err != nil {
			return err
		}
		var c account.Changed
		if err := node.postTwice(ctx, accountPath(player, name), &c); err != nil {
			return explain(err, player)
		}
		return reportChange(stdout, did, c)
	})
}

func newAdminDrain() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin drain [flags]

Has the node go down in order, as SIGTERM does: newcomers are turned away, everyone is saved and logged out, and the
process ends. On a terminal "drain" has to be typed; otherwise --yes is needed.

  rushgate admin drain --yes`)
	yes := toggle(false)
	f.add(&yes, "yes", "", "do not ask")
	return newCommand("drain", "have the node go down in order", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			what := `ends the node at ` + string(v.url) + `, which is named "drain" here`
			if err := sure(ctx, bool(yes), what, "drain", stderr); err != nil {
				return err
			}
			node, err := v.node()
			if err != nil {
				return err
			}
			show := func(w io.Writer, _ *struct{}) error {
				_, err := fmt.Fprintln(w, "the node is draining")
				return err
			}
			return printed(v, stdout, show, func(raw *json.RawMessage) error { return node.postTwice(ctx, "/drain", raw) })
		})
}
