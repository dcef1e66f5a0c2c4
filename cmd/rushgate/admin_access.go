package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
)

// modes are the words for who may come in.
var modes = []string{
	string(rushgate.ModeOpen), string(rushgate.ModeClosed), string(rushgate.ModeStaff), string(rushgate.ModeAllowlist),
}

// doorMode is who may come in, as a node says it.
type doorMode struct {
	Mode    string    `json:"mode"`
	Message string    `json:"message,omitempty"`
	OpensAt time.Time `json:"opens_at,omitzero"`
	Out     bool      `json:"out,omitempty"`
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Current bool      `json:"current"`
}

// modeOrder is an order to let others in than before.
type modeOrder struct {
	Mode    string    `json:"mode"`
	Message string    `json:"message,omitempty"`
	OpensAt time.Time `json:"opens_at,omitzero"`
	Out     bool      `json:"out,omitempty"`
}

func newAdminMode() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin mode [open|closed|staff|allowlist] [flags]

Says who may come in, on all nodes of the store, or prints it. Players inside stay, unless --out is given. The doors do not
open by themselves: --opens-at is what players are told. "rushgate admin list" has who is staff, or on the allowlist.

  rushgate admin mode                                  who may come in now
  rushgate admin mode closed --message "New monsters" --opens-at 2027-01-31T18:00:00Z
  rushgate admin mode staff --out                      and send out everybody else
  rushgate admin mode open`)
	message, opens, out := text(""), moment{}, toggle(false)
	f.add(&message, "message", "", "`TEXT` that players are told, at most 256 bytes")
	f.add(&opens, "opens-at", "", "`TIME` at which you mean to open: 2027-01-31, or 2027-01-31T18:00:00Z").def = "not told"
	f.add(&out, "out", "", "log out the players inside who might not come in now; they are saved")
	return newCommand("mode", "print or say who may come in, on all nodes", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			told := message != "" || !time.Time(opens).IsZero() || bool(out)
			switch {
			case len(args) == 0 && told:
				return usagef("say which mode: %s", strings.Join(modes, ", "))
			case len(args) == 0:
				return get(ctx, v, "/mode", stdout, writeMode)
			case len(args) > 1 || !slices.Contains(modes, args[0]):
				return usagef("want one mode of %s", strings.Join(modes, ", "))
			case args[0] == string(rushgate.ModeOpen) && told:
				return usagef("at open doors there is nothing to tell: --message, --opens-at and --out go with the others")
			}
			in := modeOrder{args[0], string(message), time.Time(opens), bool(out)}
			return post(ctx, v, "/mode", in, stdout, writeMode)
		})
}

func writeMode(w io.Writer, m *doorMode) error {
	fmt.Fprintf(w, "mode      %s\n", printable(m.Mode))
	if m.Message != "" {
		fmt.Fprintf(w, "message   %s\n", printable(m.Message))
	}
	if !m.OpensAt.IsZero() {
		fmt.Fprintf(w, "opens at  %s, as players are told\n", m.OpensAt.Format(time.RFC3339))
	}
	if m.Out {
		fmt.Fprintln(w, "inside    only who might come in; others are logged out")
	}
	if m.By != "" {
		fmt.Fprintf(w, "set       by %s, %s\n", printable(m.By), m.At.Format(time.RFC3339))
	}
	if !m.Current {
		fmt.Fprintln(w, "current   no: the node goes by what it read earlier; its log says why")
	}
	return nil
}

// doorBan is a ban of a range or a device, as a node has it.
type doorBan struct {
	ID     string    `json:"id"`
	Range  string    `json:"range"`
	Device string    `json:"device"`
	Except []string  `json:"except"`
	Text   string    `json:"text"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// banPage is a page of bans.
type banPage struct {
	Bans  []doorBan `json:"bans"`
	Total int       `json:"total"`
}

func newAdminBans() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin bans [flags]

Prints the bans of address ranges and of devices, newest first: the id, what is banned, until when, by whom, what players
are told, and why. Bans of accounts are with the accounts: "rushgate admin show NAME".

  rushgate admin bans
  rushgate admin bans --json | jq -r '.bans[].range'`)
	limit, offset := number{200, 1, 200}, number{0, 0, 2000}
	f.add(&limit, "limit", "", "`N` bans at most")
	f.add(&offset, "offset", "", "`N` bans to leave out at the beginning")
	return newCommand("bans", "print the bans of address ranges and devices", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			q := url.Values{"limit": {limit.String()}, "offset": {offset.String()}}
			return get(ctx, v, "/bans?"+q.Encode(), stdout, writeBans)
		})
}

func writeBans(out io.Writer, page *banPage) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range page.Bans {
		b := &page.Bans[i]
		fmt.Fprintf(w, "%s\t%s\t%s\tby %s\t%s\t%s\n", printable(b.ID), b.what(), b.end(), printable(b.By),
			printable(b.Text), printable(b.Reason))
	}
	fmt.Fprintf(w, "%d of %d bans\n", len(page.Bans), page.Total)
	return w.Flush()
}

// what says what is banned.
func (b *doorBan) what() string {
	if b.Range == "" {
		return "device " + printable(b.Device)
	}
	s := "range " + printable(b.Range)
	if len(b.Except) > 0 {
		s += " except " + printable(strings.Join(b.Except, ", "))
	}
	return s
}

func (b *doorBan) end() string {
	if b.Until.IsZero() {
		return "for ever"
	}
	return "until " + b.Until.Format(time.RFC3339)
}

// banFlags say whom or what to ban.
type banFlags struct {
	account, network, device text
	until                    moment
	length                   span
	text, reason             text
	except                   repeated
}

const wantSubject = "want one of --account, --range and --device"

func newAdminBan() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin ban --account NAME | --range CIDR | --device HASH [flags]

Keeps out an account, an address range or a device, on all nodes of the store, for ever unless an end is given. Players
inside leave within a second. Who logs in with the right password is told until when, and --text; --reason is for operators,
and players never see it. "rushgate admin players --json" has the hashes of devices.

  rushgate admin ban --account mallory --for 72h --text "Insults in the chat" --reason "third time, see ticket 7"
  rushgate admin ban --range 203.0.113.0/24 --except carol,dave --reason "bots in the market"
  rushgate admin ban --device 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --until 2027-01-31`)
	b := &banFlags{length: span{low: time.Second, high: maxBan}}
	f.add(&b.account, "account", "", "`NAME` of the account")
	f.add(&b.network, "range", "", "`CIDR` of the network, or one address")
	f.add(&b.device, "device", "", "`HASH` of the device")
	f.add(&b.until, "until", "", "`TIME` at which the ban ends: 2027-01-31, or 2027-01-31T18:00:00Z")
	f.add(&b.length, "for", "", "`TIME` from now after which it ends, such as 72h").def = "for ever"
	f.add(&b.text, "text", "", "`TEXT` that the player is told, at most 256 bytes")
	f.add(&b.reason, "reason", "", "`TEXT` for operators, at most 512 bytes, which players never see")
	f.add(&b.except, "except", "", "`NAMES` of accounts that a ban of a range leaves alone, separated by commas or one in "+
		"each of several flags")
	return newCommand("ban", "keep out an account, an address range or a device, on all nodes", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if len(args) > 0 {
				return usagef("say by a flag what to ban: --account for a player's name, --range or --device")
			}
			return b.order(ctx, v, time.Now(), stdout)
		})
}

// order has a node ban what the flags say.
func (b *banFlags) order(ctx context.Context, v *adminFlags, now time.Time, stdout io.Writer) error {
	given := 0
	for _, s := range []text{b.account, b.network, b.device} {
		if s != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return usagef(wantSubject)
	case len(b.except) > 0 && b.network == "":
		return usagef("--except goes with --range")
	}
	// Those of accounts have names of their own for the two texts.
	times := &ban{
		until: b.until, length: b.length, reason: b.text, note: b.reason, reasonFlag: "text", noteFlag: "reason",
	}
	d, err := times.of(now)
	if err != nil {
		return err
	}
	in := map[string]any{}
	if d.Until.Before(rushgate.Forever()) {
		in["until"] = d.Until.UTC().Format(time.RFC3339)
	}
	if b.account != "" {
		name, err := playerName([]string{string(b.account)}, whyOneName)
		if err != nil {
			return err
		}
		in["reason"], in["note"] = d.Reason, d.Note
		return explain(post(ctx, v, accountPath(name, "disable"), in, stdout, reported("banned")), name)
	}
	in["text"], in["reason"] = d.Reason, d.Note
	if b.network != "" {
		in["range"], in["except"] = string(b.network), []string(b.except)
	} else {
		in["device"] = string(b.device)
	}
	return post(ctx, v, "/bans", in, stdout, reportBan("banned"))
}

// reportBan prints what was done to a ban.
func reportBan(what string) func(io.Writer, *doorBan) error {
	return func(w io.Writer, b *doorBan) error {
		_, err := fmt.Fprintf(w, "%s %s, %s; the id is %s\n", what, b.what(), b.end(), printable(b.ID))
		return err
	}
}

func newAdminUnban() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin unban ID | --account NAME [flags]

Ends a ban before its time: that of a range or a device by its id, which "rushgate admin bans" has, or that of an account.

  rushgate admin unban k2j5x7m3q4ab
  rushgate admin unban --account mallory`)
	name := text("")
	f.add(&name, "account", "", "`NAME` of the account")
	return newCommand("unban", "end a ban before its time", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			switch {
			case len(args) > 1 || (len(args) == 1) == (name != "") || len(args) == 1 && args[0] == "":
				return usagef("want the id of one ban, or --account")
			case len(args) == 1:
				path := "/bans/" + url.PathEscape(args[0]) + "/lift"
				return post(ctx, v, path, nothing{}, stdout, reportBan("lifted the ban of"))
			}
			who, err := playerName([]string{string(name)}, whyOneName)
			if err != nil {
				return err
			}
			return explain(post(ctx, v, accountPath(who, "enable"), nothing{}, stdout, reported("lifted the ban of")), who)
		})
}

func newAdminList() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin list staff|allowlist [flags]

Prints who comes in when not all may ("rushgate admin mode"), or changes it, on all nodes of the store. Staff comes in with
the modes staff and allowlist, the allowlist with the second. The accounts need not exist yet.

  rushgate admin list staff
  rushgate admin list staff --add anna,ben
  rushgate admin list allowlist --add carol --remove dave`)
	var add, remove repeated
	const how = ", separated by commas or one in each of several flags"
	f.add(&add, "add", "", "`NAMES` to add"+how)
	f.add(&remove, "remove", "", "`NAMES` to take off"+how)
	return newCommand("list", "print or change who comes in when not all may", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if len(args) != 1 || args[0] != "staff" && args[0] != "allowlist" {
				return usagef("want one list: staff or allowlist")
			}
			if len(add)+len(remove) == 0 {
				return get(ctx, v, "/lists", stdout, func(w io.Writer, all *map[string][]string) error {
					return writeNames(w, (*all)[args[0]])
				})
			}
			in := map[string]any{"list": args[0], "add": []string(add), "remove": []string(remove)}
			return post(ctx, v, "/lists", in, stdout, func(w io.Writer, out *struct{ Names []string }) error {
				return writeNames(w, out.Names)
			})
		})
}

func writeNames(w io.Writer, names []string) error {
	var errs []error
	for _, name := range names {
		_, err := fmt.Fprintln(w, printable(name))
		errs = append(errs, err)
	}
	if len(names) == 0 {
		_, err := fmt.Fprintln(w, "nobody")
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
