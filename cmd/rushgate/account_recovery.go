package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/admin"
)

func newAccountRecoveryCode() *cobra.Command {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account recovery-code NAME [flags]

Prints a code with which a player who has lost the password chooses another, for you to hand out once you know who asks. It
works once, for an hour, in place of any code before: a player whose code is refused needs another. Nobody learns the
password, and until then nothing changes.

  rushgate account recovery-code alice`)
	v.where.declare(f)
	return newCommand("recovery-code", "have a player choose another password who has lost it", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			name, err := playerName(args, whyOneName)
			if err != nil {
				return err
			}
			return v.where.with(ctx, false, func(l ledger) error {
				code, expires, err := l.RecoveryCode(ctx, name)
				if err != nil {
					return explain(err, name)
				}
				_, err = fmt.Fprintf(stdout, "%s until %s\n", code, expires.UTC().Format(time.RFC3339))
				return err
			})
		})
}

// RecoveryCode has the node make a code for a player who has lost the password.
func (n *nodeLedger) RecoveryCode(ctx context.Context, name string) (code string, expires time.Time, err error) {
	var out admin.RecoveryCode
	err = n.post(ctx, accountPath(name, "recovery-code"), nothing{}, &out)
	return out.Code, out.ExpiresAt, err
}
