package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/audit"
)

const auditSynopsis = `Usage: rushgate audit COMMAND [flags]

Shows what operators have done, and whether that is still as it was written. Players are numbers in it: "rushgate admin
search --id 7" says who that is, as long as the account is there.

`

func newAudit() *cobra.Command {
	return newGroup("audit", "show what operators have done, and verify it", auditSynopsis, newAuditShow(), newAuditVerify())
}

// auditPage is some of the log, newest first, as the admin listener has it.
type auditPage struct {
	Entries []audit.Entry `json:"entries"`
}

func newAuditShow() *cobra.Command {
	where, limit, asJSON := newWhereFlags(), number{50, 1, 500}, toggle(false)
	f := newFlags(`Usage: rushgate audit show [flags]

Prints the last entries of the audit log, newest first. Each act has two: one from before it was done, and one with what
came of it.

  rushgate audit show
  rushgate audit show --limit 500 --json | jq '.[] | select(.who == "anna")'`)
	where.declare(f)
	f.add(&limit, "limit", "", "`N` entries at most")
	f.add(&asJSON, "json", "", "print one JSON array")
	return newCommand("show", "print what operators have done", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return where.reach(ctx, false, func(store rushgate.Store) error {
				entries, err := newest(ctx, store, limit.value)
				return errors.Join(err, printEntries(stdout, entries, bool(asJSON)))
			}, func(node *nodeClient) error {
				var page auditPage
				if err := node.get(ctx, "/audit?limit="+strconv.Itoa(limit.value), &page); err != nil {
					return err
				}
				return printEntries(stdout, page.Entries, bool(asJSON))
			})
		})
}

// newest returns the last entries of a store's log, newest first.
func newest(ctx context.Context, store rushgate.AuditLog, limit int) ([]audit.Entry, error) {
	_, last, err := store.AuditSpan(ctx)
	if err != nil {
		return nil, err
	}
	from := last + 1 - min(last, uint64(limit))
	entries, err := audit.Read(ctx, store, max(from, 1), limit)
	slices.Reverse(entries)
	return entries, err
}

func printEntries(w io.Writer, entries []audit.Entry, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(entries)
	}
	return writeEntries(w, entries)
}

// mark is an entry of the audit log that was seen earlier.
type mark struct{ audit.Mark }

// Set reads a mark.
func (m *mark) Set(s string) (err error) {
	m.Mark, err = audit.ParseMark(s)
	return err
}

func newAuditVerify() *cobra.Command {
	where, seen, asJSON := newWhereFlags(), new(mark), toggle(false)
	f := newFlags(`Usage: rushgate audit verify [flags]

Goes through the whole audit log. If an entry is not as it was written, or is missing, it says which is the first and
ends with status 1; so it does if the beginning is missing, unless an entry says that a node has taken it out for its age
(--audit-keep). A log whose end was cut off, or that was written anew as a whole, is a good one all the same: write down the
last line that this command prints, where nobody can change it, and give it with --seen the next time.

  rushgate audit verify
  rushgate audit verify --seen 120:0f3a…`)
	where.declare(f)
	f.add(seen, "seen", "", "`SEQ:HASH` that an earlier verify has printed: that entry has to be there still")
	f.add(&asJSON, "json", "", "print one JSON object")
	return newCommand("verify", "find out whether the audit log is as it was written", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			var v audit.Verdict
			err := where.reach(ctx, false, func(store rushgate.Store) (err error) {
				v, err = audit.Verify(ctx, store, seen.Mark)
				return err
			}, func(node *nodeClient) error {
				path := "/audit/verify"
				if seen.Seq != 0 {
					path += "?seen=" + seen.String()
				}
				return node.get(ctx, path, &v)
			})
			if err != nil {
				return err
			}
			return printVerdict(stdout, v, bool(asJSON))
		})
}

// printVerdict prints what came of verifying the log, and returns an error if it is not as it was written.
func printVerdict(w io.Writer, v audit.Verdict, asJSON bool) (err error) {
	switch {
	case asJSON:
		err = json.NewEncoder(w).Encode(v)
	case v.Last == 0 && v.Bad == 0:
		_, err = fmt.Fprintln(w, "the audit log is empty")
	case v.Bad == 0:
		err = printGood(w, &v)
	}
	if err == nil && v.Bad != 0 {
		err = fmt.Errorf("entry %d of the audit log is not as it was written: %s", v.Bad, printable(v.Why))
	}
	return err
}

func printGood(w io.Writer, v *audit.Verdict) error {
	fmt.Fprintf(w, "entries %d to %d are as they were written\n", v.First, v.Last)
	switch {
	case v.Trusted && v.TrimmedBy == 0: // a node of an older version, which does not look
		fmt.Fprintf(w, "those before %d are not there any more; why, this node does not find out\n", v.First)
	case v.Trusted:
		fmt.Fprintf(w, "those before %d a node has taken out for their age, as entry %d says; that is trusted, and what was "+
			"in them, too\n", v.First, v.TrimmedBy)
	}
	if v.Open > 0 {
		fmt.Fprintf(w, "of %d nothing says what came of it: the node or its store went away meanwhile\n", v.Open)
	}
	_, err := fmt.Fprintf(w, "%d:%s\n", v.Last, v.Hash)
	return err
}
