package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

func newAccountShow() *cobra.Command {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account show NAME [flags]

Prints an account and its character: what the last save has, how the password is hashed, but no secret. A player counts
as online while there is a live session, which a node that did not end in order leaves behind for up to a minute.

  rushgate account show alice
  rushgate account show alice --json | jq .level`)
	v.where.declare(f)
	f.add(&v.json, "json", "", "print one JSON object")
	return newCommand("show", "print an account and its character, without secrets", f, v.show)
}

func (v *accountFlags) show(ctx context.Context, args []string, stdout, _ io.Writer) error {
	name, err := playerName(args, whyOneName)
	if err != nil {
		return err
	}
	return v.where.with(ctx, false, func(l ledger) error {
		r, err := l.Show(ctx, name)
		if err != nil {
			return explain(err, name)
		}
		if v.json {
			e := json.NewEncoder(stdout)
			e.SetIndent("", "  ")
			return e.Encode(r)
		}
		return writeRecord(stdout, &r)
	})
}

// writeRecord prints an account and its character.
func writeRecord(w io.Writer, r *account.Record) error {
	coordinate := func(f *float64) string {
		if f == nil {
			return "unknown"
		}
		return strconv.FormatFloat(*f, 'f', -1, 64)
	}
	zone, online := printable(r.Zone), "no"
	if r.Zone == "" {
		zone = "none yet"
	}
	if r.Online {
		online = "yes"
	}
	credentials := "none"
	if len(r.Credentials) > 0 {
		credentials = printable(strings.Join(r.Credentials, ", "))
	}
	_, err := fmt.Fprintf(w, `player id       %d
name            %s
created         %s
record version  %d
password hash   %s, %s
other proofs    %s
epoch           %d
disabled        %s
zone            %s
position        %s, %s
numbers         %s
playtime        %v
online          %s
`,
		r.PlayerID, r.Name, r.CreatedAt.Format(time.RFC3339), r.RecordVersion, r.HashScheme, r.HashCost,
		credentials, r.Epoch, disabled(r, time.Now()),
		zone, coordinate(r.X), coordinate(r.Y), listed(r.Numbers),
		time.Duration(r.PlaytimeMS)*time.Millisecond, online)
	return err
}

// listed names a character's numbers.
func listed(numbers rushgate.Numbers) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		list = append(list, fmt.Sprint(name, " ", numbers[name]))
	}
	return cmp.Or(strings.Join(list, ", "), "none")
}

// disabled says whether an account is disabled, until when and why.
func disabled(r *account.Record, now time.Time) string {
	if r.DisabledUntil == nil || !now.Before(*r.DisabledUntil) {
		return "no"
	}
	said := "for ever"
	if r.DisabledUntil.Before(rushgate.Forever()) {
		said = "until " + r.DisabledUntil.Format(time.RFC3339)
	}
	if r.DisabledReason != "" {
		said += ", because: " + printable(r.DisabledReason)
	}
	return said
}

// spoken is printable for a sentence, in which words may be quoted.
func spoken(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return !strconv.IsGraphic(c) }) {
		return printable(s)
	}
	return s
}

// printable quotes a text that a terminal would not show as it is, or take as a command.
func printable(s string) string {
	if q := strconv.QuoteToGraphic(s); q != `"`+s+`"` {
		return q
	}
	return s
}
