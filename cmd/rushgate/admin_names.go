package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

func newAdminRename() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin rename NAME NEW-NAME [flags]

Gives an account another name. A player who is inside is saved and logged out, and comes back by the new name; the
character stays where it is. Nobody else can take the old name for the node's --rename-hold, and the player can take
another one after its --rename-after. A name on a list (staff, allowlist) or excepted from a ban, the old one or the new
one, has to be taken off there first.

  rushgate admin rename alice alina`)
	return newCommand("rename", "give an account another name", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if len(args) != 2 {
				return usagef("want the player's name and the new one")
			}
			name, err := playerName(args[:1], whyOneName)
			if err != nil {
				return err
			}
			next, err := rushgate.NewUsername(args[1])
			if err != nil {
				return usagef("%s cannot be a new name: %w", quote(args[1]), err)
			}
			show := func(w io.Writer, c *account.Changed) error {
				_, err := fmt.Fprintf(w, "renamed player %d, %s, to %s\n", c.Player, name, c.Name)
				return err
			}
			err = post(ctx, v, accountPath(name, "name"), map[string]string{"name": next}, stdout, show)
			if errors.Is(err, account.ErrTaken) {
				return explain(err, next)
			}
			return explain(err, name)
		})
}

func newAdminRemoveFactor() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin remove-second-factor NAME [flags]

Takes the second factor of an account away, for a player who has lost the authenticator and the recovery codes: make sure
who asks. Sessions end, and devices are forgotten. From then on the password alone lets the player in, who is told by mail
if the account has an address. On a terminal the name has to be typed once more; otherwise --yes is needed.

  rushgate admin remove-second-factor alice`)
	return v.sureCommand(f, "remove-second-factor", "have the password alone let a player in, who has lost the rest",
		"has the password alone let in the player %s", "took away the second factor of")
}

func newAdminRemovePasskeys() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin remove-passkeys NAME [flags]

Takes all passkeys of an account away, for a player who has lost what they were on: make sure who asks. Sessions end, and
devices are forgotten. The player comes in with the password, or with a code of "rushgate account recovery-code" if that is
lost, too. On a terminal the name has to be typed once more; otherwise --yes is needed.

  rushgate admin remove-passkeys alice`)
	return v.sureCommand(f, "remove-passkeys", "take all passkeys of a player away, who has lost what they were on",
		"takes all passkeys of the player %s away", "took away the passkeys of")
}
