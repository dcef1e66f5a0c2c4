package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	stress "github.com/rushgate/rushgate/internal/stress/run"
	"github.com/rushgate/rushgate/server"
)

const cleanSynopsis = `Usage: rushgate stress clean [flags]

Deletes the accounts that runs have made, with their characters, through the admin listener of the node. Only names of the
forms PREFIX-000001 and PREFIX-cal-000001, which launch-day makes to measure the capacity, are looked at: two hundred at a
time from the first one on, until --gap or more in a row are unknown. Below 1000, --gap may miss some of the latter. Who is
logged in is kept: sessions that are not used end after half a minute.`

func newStressClean() *cobra.Command {
	prefix, admin, gap := text(stress.DefaultPrefix), text("http://"+server.DefaultAdminAddr), number{2000, 1, stress.MaxClients}
	f := newFlags(cleanSynopsis)
	f.add(&admin, "admin", "", "`URL` of the node's admin listener")
	f.add(&prefix, "prefix", "", "`PREFIX` of the accounts' names")
	f.add(&gap, "gap", "", "`N` unknown names in a row that mean the end, in steps of 200")
	return newCommand("clean", "delete the accounts that runs have made", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return clean(ctx, string(admin), string(prefix), gap.value, stdout, stderr)
		})
}

// clean deletes the accounts with a prefix, and says how many that were.
func clean(ctx context.Context, admin, prefix string, gap int, stdout, stderr io.Writer) error {
	show := func(stress.Cleaned) {}
	if isTerminal(stderr) {
		show = func(c stress.Cleaned) { fmt.Fprintf(stderr, "\r%d accounts deleted", c.Deleted) }
		defer fmt.Fprintln(stderr)
	}
	c, err := stress.Clean(ctx, admin, prefix, gap, show)
	fmt.Fprintf(stdout, "deleted %d accounts", c.Deleted)
	if c.Inside > 0 {
		fmt.Fprintf(stdout, ", kept %d whose players are logged in", c.Inside)
	}
	fmt.Fprintln(stdout)
	return err
}
