package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

// rate is a total, and by how much it grows.
type rate struct {
	Total     int64   `json:"total"`
	PerSecond float64 `json:"per_s"`
}

// nodeStatus is what the command shows of a node's figures.
type nodeStatus struct {
	State    string `json:"state"`
	Headline string `json:"headline"`
	ToDo     *struct {
		Text string `json:"text"`
	} `json:"todo"`
	Admitted rate `json:"admitted"`
	Busy     rate `json:"busy"`
	Queue    int  `json:"queue"`
	Players  int  `json:"players"`
	Places   int  `json:"players_max"`
	Line     struct {
		Waiting int `json:"waiting"`
	} `json:"line"`
	Locked   int `json:"locked"`
	Lateness struct {
		P99 float64 `json:"p99_ms"`
	} `json:"lateness"`
	StoreMS   float64 `json:"store_ms"`
	StoreAway bool    `json:"store_away"`
}

func newAdminStatus() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin status [flags]

Prints how the node is: what the top of the dashboard says, and the figures behind it.

  rushgate admin status
  rushgate admin status --json | jq .players`)
	return newCommand("status", "print how the node is", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return get(ctx, v, "/status", stdout, writeStatus)
		})
}

func writeStatus(w io.Writer, s *nodeStatus) error {
	store := fmt.Sprintf("%.1f ms a call", s.StoreMS)
	if s.StoreAway {
		store = "away"
	}
	fmt.Fprintln(w, printable(s.Headline))
	if s.ToDo != nil {
		fmt.Fprintln(w, printable(s.ToDo.Text))
	}
	_, err := fmt.Fprintf(w, `state      %s
players    %d of %d
let in     %d, %.1f a second
told busy  %d, %.1f a second
queue      %d
line       %d
lockouts   %d
tick       %.1f ms late (p99)
store      %s
`,
		printable(s.State), s.Players, s.Places, s.Admitted.Total, s.Admitted.PerSecond, s.Busy.Total, s.Busy.PerSecond,
		s.Queue, s.Line.Waiting, s.Locked, s.Lateness.P99, store)
	return err
}

// insidePage is a page of the players inside.
type insidePage struct {
	Players []struct {
		ID        rushgate.PlayerID `json:"id"`
		Name      string            `json:"name"`
		Since     time.Time         `json:"since"`
		Zone      string            `json:"zone"`
		Origin    string            `json:"origin"`
		Transport string            `json:"transport"`
	} `json:"players"`
	Found  int `json:"found"`
	Inside int `json:"inside"`
}

func newAdminPlayers() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin players [flags]

Prints who is inside the node.

  rushgate admin players
  rushgate admin players --search ali --sort since --limit 200`)
	search, sort := text(""), choice{"name", []string{"name", "since", "zone", "origin", "transport", "rtt"}}
	limit, offset := number{50, 1, 200}, number{0, 0, 1 << 20}
	f.add(&search, "search", "", "`TEXT` that the name has somewhere")
	f.add(&sort, "sort", "", "`COLUMN` to sort by: name, since, zone, origin, transport or rtt")
	f.add(&limit, "limit", "", "`N` players at most")
	f.add(&offset, "offset", "", "`N` players to leave out at the beginning")
	return newCommand("players", "print who is inside the node", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			q := url.Values{"sort": {sort.value}, "limit": {limit.String()}, "offset": {offset.String()}}
			if search != "" {
				q.Set("search", string(search))
			}
			return get(ctx, v, "/players?"+q.Encode(), stdout, writePlayers)
		})
}

func writePlayers(out io.Writer, page *insidePage) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range page.Players {
		fmt.Fprintf(w, "%d\t%s\tsince %s\t%s\t%s\t%s\n", p.ID, printable(p.Name), p.Since.Local().Format(time.DateTime),
			printable(p.Zone), printable(p.Transport), printable(p.Origin))
	}
	fmt.Fprintf(w, "%d of %d found, %d inside\n", len(page.Players), page.Found, page.Inside)
	return w.Flush()
}

// foundAccounts is a page of accounts.
type foundAccounts struct {
	Accounts []struct {
		PlayerID      rushgate.PlayerID `json:"player_id"`
		Name          string            `json:"name"`
		CreatedAt     time.Time         `json:"created_at"`
		DisabledUntil *time.Time        `json:"disabled_until"`
		Damaged       bool              `json:"damaged"`
	} `json:"accounts"`
	Cursor string `json:"cursor"`
}

func newAdminSearch() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin search [PREFIX] [flags]

Prints accounts: those whose name begins with PREFIX, all of them, the one with an id, or those with an e-mail address, a
network or a device. For the last three the node looks through a part of its accounts at a time, takes the role help, and
writes into the audit log who has searched by what.

  rushgate admin search ali
  rushgate admin search --id 7
  rushgate admin search --email alice@example.org --all
  rushgate admin search --address 203.0.113.0/24 --all
  rushgate admin search --limit 200 --cursor …            the next page, as the one before says`)
	id, limit, cursor := seed(0), number{50, 1, 200}, text("")
	f.add(&id, "id", "", "`ID` of the player").def = "any"
	f.add(&limit, "limit", "", "`N` accounts, about")
	f.add(&cursor, "cursor", "", "`TEXT` that the page before has printed")
	t, all := &traceFlags{}, toggle(false)
	t.declare(f)
	f.add(&all, "all", "", "look through all accounts, and say how far that is")
	return newCommand("search", "find accounts by name, id, e-mail, address or device", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if in := t.given(); len(in) > 0 {
				if len(in) > 1 || len(args) > 0 || id != 0 {
					return usagef("want the beginning of a name, --id, --email, --address or --device, and one of them")
				}
				in["cursor"] = string(cursor)
				return findAccounts(ctx, v, in, bool(all), stdout, stderr)
			}
			if all {
				return usagef("--all goes with --email, --address or --device")
			}
			q := url.Values{"limit": {limit.String()}}
			switch {
			case len(args) > 1 || len(args) == 1 && id != 0:
				return usagef("want the beginning of a name or --id, and one of them")
			case len(args) == 1:
				q.Set("prefix", args[0])
			case id != 0:
				q.Set("id", strconv.FormatUint(uint64(id), 10))
			}
			if cursor != "" {
				q.Set("cursor", string(cursor))
			}
			for id != 0 && !bool(v.json) { // the node looks through a part of the accounts at a time
				var page foundAccounts
				keep := func(_ io.Writer, p *foundAccounts) error { page = *p; return nil }
				if err := get(ctx, v, "/accounts?"+q.Encode(), stdout, keep); err != nil {
					return err
				}
				if page.Cursor == "" {
					return writeAccounts(stdout, &page)
				}
				q.Set("cursor", page.Cursor)
			}
			return get(ctx, v, "/accounts?"+q.Encode(), stdout, writeAccounts)
		})
}

func writeAccounts(out io.Writer, page *foundAccounts) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, a := range page.Accounts {
		state := ""
		switch {
		case a.Damaged:
			state = "the record is damaged"
		case a.DisabledUntil != nil && time.Now().Before(*a.DisabledUntil):
			state = "disabled until " + a.DisabledUntil.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", a.PlayerID, printable(a.Name), a.CreatedAt.Format(time.DateOnly), state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var err error
	switch {
	case page.Cursor != "":
		_, err = fmt.Fprintf(out, "there are more: --cursor %s\n", printable(page.Cursor))
	case len(page.Accounts) == 0:
		_, err = fmt.Fprintln(out, "no account is like that")
	}
	return err
}

// playerPage is what there is to see of a player.
type playerPage struct {
	Account account.Record `json:"account"`
	Live    *struct {
		Inside     string `json:"inside"`
		Connection string `json:"connection"`
	} `json:"live"`
	Devices []struct {
		Label  string    `json:"label"`
		UsedAt time.Time `json:"used_at"`
	} `json:"devices"`
	History []struct {
		At   time.Time `json:"at"`
		Kind string    `json:"kind"`
		By   string    `json:"by"`
		From string    `json:"from"`
		Text string    `json:"text"`
	} `json:"history"`
}

func newAdminShow() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin show NAME [flags]

Prints all there is to see of a player: the account, where the player is, the devices it is remembered on, and what has
happened to it, the newest first.

  rushgate admin show alice`)
	return newCommand("show", "print all there is to see of a player", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			name, err := playerName(args, whyOneName)
			if err != nil {
				return err
			}
			return explain(get(ctx, v, accountPath(name, ""), stdout, writePlayerPage), name)
		})
}

func writePlayerPage(w io.Writer, page *playerPage) error {
	if err := writeRecord(w, &page.Account); err != nil {
		return err
	}
	if page.Live != nil {
		fmt.Fprintf(w, "inside          %s, connection %s\n", printable(page.Live.Inside), printable(page.Live.Connection))
	}
	for _, d := range page.Devices {
		fmt.Fprintf(w, "device          %s, used %s\n", printable(d.Label), d.UsedAt.Format(time.RFC3339))
	}
	for _, e := range page.History {
		line := e.At.Format(time.RFC3339) + "  " + printable(e.Kind)
		if e.By != "" {
			line += "  by " + printable(e.By)
		}
		if e.From != "" {
			line += "  from " + printable(e.From)
		}
		if e.Text != "" {
			line += "  " + printable(e.Text)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func newAdminAudit() *cobra.Command {
	v, f := newAdminFlags(`Usage: rushgate admin audit [flags]

Prints what operators have done, newest first. "rushgate audit verify" finds out whether it is as it was written.

  rushgate admin audit --limit 200`)
	limit := number{50, 1, 500}
	f.add(&limit, "limit", "", "`N` entries at most")
	return newCommand("audit", "print what operators have done", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return get(ctx, v, "/audit?limit="+limit.String(), stdout, func(w io.Writer, page *auditPage) error {
				return writeEntries(w, page.Entries)
			})
		})
}
