package admin

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/strictjson"
)

const (
	// findPage is how many accounts a search through all reads at a time, and findPages how many such reads one request
	// makes at most. The next request goes on from there.
	findPage, findPages = 500, 40
	// findFor is after how long a request begins no further read.
	findFor = 5 * time.Second
)

// errSearching says that another search through all accounts is under way, of which a node makes one at a time.
var errSearching = errors.New("this node looks through the accounts for another operator; try again in a few seconds")

// trace is what a player has left behind that accounts are looked through for: no store has an index of any of it, for
// that would be another place where it is kept. One of the three is there.
type trace struct {
	kind    string // that of the three, for the audit log
	email   string // as package mail writes it
	network netip.Prefix
	device  string // in lower case, a part of what a player calls one
}

const wantTrace = `one of {"email": "..."}, {"address": "203.0.113.7 or 203.0.113.0/24"} and {"device": "part of ` +
	`what the player calls it"}, with the "cursor" of the answer before, if it had one`

// readTrace reads what to look for. The error is fit for the answer, and does not repeat what was asked.
func readTrace(in strictjson.Values) (t trace, err error) {
	given := 0
	for _, kind := range []string{"email", "address", "device"} {
		value := strings.TrimSpace(in.String(kind))
		if value == "" {
			continue
		}
		given++
		if t.kind = kind; len(value) > maxSearch && kind != "email" {
			return t, errors.New(kind + " is too long")
		}
		switch kind {
		case "email":
			t.email, err = mail.ParseAddress(value)
		case "address":
			t.network, err = parseNetwork(value)
		default:
			t.device = strings.ToLower(value)
		}
		if err != nil {
			return t, err
		}
	}
	if given != 1 || len(in.String("cursor")) > maxCursor {
		return t, errors.New("want " + wantTrace)
	}
	return t, nil
}

// parseNetwork reads one address or a range of them.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return network, errors.New("that is no address and no range: want 203.0.113.7 or 203.0.113.0/24")
	}
	if network = network.Masked(); network.Addr().Is4In6() { // which no address is compared with
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	return network, nil
}

// inAccount reports whether an account itself has the trace.
func (t *trace) inAccount(a *rushgate.Account) bool {
	switch {
	case t.email != "":
		return slices.ContainsFunc(a.Credentials, func(c rushgate.Credential) bool {
			return c.Kind == account.Email && c.Subject == t.email
		})
	case t.device != "":
		return slices.ContainsFunc(a.Devices.List, func(d rushgate.Device) bool {
			return strings.Contains(strings.ToLower(d.Label), t.device)
		})
	}
	return false
}

// inHistory reports whether what has happened to an account has the trace. It is written there as [account.From] does.
func (t *trace) inHistory(events []rushgate.AccountEvent) bool {
	return slices.ContainsFunc(events, func(e rushgate.AccountEvent) bool {
		address, device, _ := strings.Cut(e.From, " ")
		if t.device != "" {
			return strings.Contains(strings.ToLower(device), t.device)
		}
		addr, err := netip.ParseAddr(address)
		return err == nil && t.network.Contains(addr.Unmap())
	})
}

// tracePage is what a part of a search has found.
type tracePage struct {
	foundPage
	Looked int `json:"looked"` // how many accounts this part has looked at
}

// finder looks through all accounts for traces, one search at a time: it reads the store beside the logins.
type finder struct {
	*accounts
	pages int // findPages
	one   sync.Mutex
}

func (f *finder) find(w http.ResponseWriter, r *http.Request) {
	var (
		t       trace
		problem error
	)
	check := func(in strictjson.Values) bool { t, problem = readTrace(in); return true }
	in, ok := read(w, r, maxOrder, wantTrace, check, strictjson.Field{Name: "email"}, strictjson.Field{Name: "address"},
		strictjson.Field{Name: "device"}, strictjson.Field{Name: "cursor"})
	switch {
	case !ok:
		return
	case problem != nil:
		writeProblem(w, http.StatusBadRequest, problem.Error())
		return
	case !f.one.TryLock():
		answerOrder(w, 0, nil, errSearching)
		return
	}
	defer f.one.Unlock()
	do := act{what: "accounts.find", detail: "by " + t.kind}
	f.carryOut(w, r, do, func(ctx context.Context) (any, error) { return f.through(ctx, &t, in.String("cursor")) })
}

// through looks through a part of the accounts, from a cursor on.
func (f *finder) through(ctx context.Context, t *trace, cursor string) (page tracePage, err error) {
	page.Accounts, page.Cursor = []foundBody{}, cursor
	began := time.Now()
	for range f.pages {
		var names []string
		if names, page.Cursor, err = f.names(ctx, "", page.Cursor, findPage); err != nil {
			return page, err
		}
		if err = f.look(ctx, t, names, &page); err != nil {
			return page, err
		}
		if page.Cursor == "" || len(page.Accounts) >= maxFound || time.Since(began) > findFor {
			break
		}
	}
	return page, nil
}

// look looks at some accounts.
func (f *finder) look(ctx context.Context, t *trace, names []string, page *tracePage) error {
	found, err := f.ledger.Load(ctx, names)
	if err != nil {
		return err
	}
	histories := make([]rushgate.LoadedHistory, len(names))
	if t.email == "" && len(names) > 0 {
		if histories, err = f.book.LoadHistories(ctx, names); err != nil {
			return err
		}
	}
	page.Looked += len(names)
	for i := range found {
		if found[i].ID != 0 && (t.inAccount(&found[i].Account) || t.email == "" && t.inHistory(histories[i].Events)) {
			page.Accounts = append(page.Accounts, newFoundBody(&found[i], names[i]))
		}
	}
	return nil
}
