package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	stress "github.com/rushgate/rushgate/internal/stress/run"
	"github.com/rushgate/rushgate/server"
)

// defaultAdminURL is the admin listener of a node with its own defaults.
const defaultAdminURL = "http://" + server.DefaultAdminAddr

const cleanSynopsis = `Usage: rushgate stress clean [flags]

Deletes the accounts that runs have made, with their characters, through the admin listener of the node: those of all runs
that this user has made against it, as it and the target say, or with --prefix those of one, whatever they say. Only names of the forms PREFIX-000001 and
PREFIX-cal-000001, which launch-day makes to measure the capacity, and their like are looked at: two hundred at a time from
the first one on, until --gap or more in a row are unknown. Below 1000, --gap may miss some of the latter. Who is logged
in is kept: sessions that are not used end after half a minute.

  rushgate stress clean
  rushgate stress clean --prefix stress      the accounts of a run whose prefix was chosen, or that another user made`

func newStressClean() *cobra.Command {
	v := &cleanFlags{admin: defaultAdminURL, gap: number{2000, 1, stress.MaxClients}}
	f := newFlags(cleanSynopsis)
	f.add(&v.admin, "admin", "", "`URL` of the node's admin listener")
	f.add(&v.prefix, "prefix", "", "`PREFIX` of the accounts' names").def = "those of all runs that are known here"
	f.add(&v.gap, "gap", "", "`N` unknown names in a row that mean the end, in steps of 200")
	return newCommand("clean", "delete the accounts that runs have made", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return v.run(ctx, stdout, stderr)
		})
}

// cleanFlags say whose accounts to delete, and where.
type cleanFlags struct {
	admin, prefix text
	gap           number
}

// run deletes accounts, and says how many that were.
func (v *cleanFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	if v.prefix != "" {
		_, err := v.clean(ctx, string(v.prefix), stdout, stderr)
		return err
	}
	runs, err := loadPastRuns()
	if err != nil {
		return fmt.Errorf("earlier runs are not known, name the --prefix of their accounts: %w", err)
	}
	mine := slices.DeleteFunc(slices.Clone(runs.runs), func(r pastRun) bool { return r.Admin != "" && r.Admin != string(v.admin) })
	left, cleaned := 0, 0
	for target, made := range byTarget(mine) {
		if err := v.behind(ctx, target); err != nil {
			fmt.Fprintf(stderr, "%d of the runs are kept in mind: %v\n", len(made), err)
			left += len(made)
			continue
		}
		cleaned += len(made)
		if err := v.cleanAll(ctx, runs, made, stdout, stderr); err != nil {
			return err
		}
	}
	switch {
	case cleaned > 0:
		return nil
	case left > 0:
		return usagef("no run is known here whose accounts %s can be seen to have; --prefix deletes those of a run in any case", v.admin)
	}
	return usagef("no run is known here whose accounts %s could delete; name their --prefix", v.admin)
}

// byTarget yields the runs against each target, in the order of their first.
func byTarget(runs []pastRun) iter.Seq2[string, []pastRun] {
	return func(yield func(string, []pastRun) bool) {
		for len(runs) > 0 {
			target := runs[0].Target
			others := func(r pastRun) bool { return r.Target != target }
			if !yield(target, slices.DeleteFunc(slices.Clone(runs), others)) {
				return
			}
			runs = slices.DeleteFunc(slices.Clone(runs), func(r pastRun) bool { return r.Target == target })
		}
	}
}

// behind returns an error if the admin listener is not known to be one of a target: what it has by the names of a run may
// be the accounts of others, and the accounts of the run are elsewhere.
func (v *cleanFlags) behind(ctx context.Context, target string) error {
	ours, err := stress.Behind(ctx, target, string(v.admin))
	switch {
	case err != nil:
		return fmt.Errorf("whether %s is an admin listener of %s is not known: %w", v.admin, target, err)
	case !ours:
		return fmt.Errorf("%s is the admin listener of another node than %s", v.admin, target)
	}
	return nil
}

// cleanAll deletes the accounts of runs, and forgets those of which no account is left.
func (v *cleanFlags) cleanAll(ctx context.Context, runs *pastRuns, made []pastRun, stdout, stderr io.Writer) error {
	for _, r := range made {
		kept, err := v.clean(ctx, r.Prefix, stdout, stderr)
		if err != nil {
			return err
		}
		if kept > 0 { // they can be deleted later
			continue
		}
		runs.forget(r.Target, r.Prefix)
		if err := runs.save(); err != nil {
			return err
		}
	}
	return nil
}

// clean deletes the accounts with a prefix, and returns how many of them were kept.
func (v *cleanFlags) clean(ctx context.Context, prefix string, stdout, stderr io.Writer) (kept int, err error) {
	show := func(stress.Cleaned) {}
	if isTerminal(stderr) {
		show = func(c stress.Cleaned) { fmt.Fprintf(stderr, "\r%d accounts deleted", c.Deleted) }
		defer fmt.Fprintln(stderr)
	}
	c, err := stress.Clean(ctx, string(v.admin), prefix, v.gap.value, show)
	fmt.Fprintf(stdout, "%s: deleted %d accounts", prefix, c.Deleted)
	if c.Inside > 0 {
		fmt.Fprintf(stdout, ", kept %d whose players are logged in", c.Inside)
	}
	fmt.Fprintln(stdout)
	return c.Inside, err
}
