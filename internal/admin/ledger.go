package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// accounts serves orders about accounts, over TLS or on loopback: hashes come with some of them.
type accounts struct {
	*acts
	ledger  *account.Ledger
	actions *Actions // nil: whether players are inside this very node is not known
	book    Book
	// nameHold is for how long a name is held that was given up.
	nameHold time.Duration
	// noPasswords says that nobody could log in with a password that is set.
	noPasswords bool
	// factorGone has the reader of an address told that the second factor of an owner's account is gone; nil: no mail is
	// sent.
	factorGone func(ctx context.Context, who account.Owner, address string) error
}

// Book is what a node knows of accounts besides what they are: the way through all of them, and what has happened to
// each.
type Book interface {
	rushgate.Directory
	rushgate.Histories
}

func (a *accounts) serve(mux *routes) {
	mux.HandleFunc("POST /accounts", a.create)
	mux.HandleFunc("GET /accounts/{name}", a.show)
	mux.HandleFunc("POST /accounts/{name}/password", a.setPassword)
	mux.HandleFunc("POST /accounts/{name}/disable", a.disable)
	mux.HandleFunc("POST /accounts/{name}/enable", a.enable)
	mux.HandleFunc("POST /accounts/{name}/end-sessions", a.endSessions)
	mux.HandleFunc("POST /accounts/{name}/recovery-code", a.recoveryCode)
	mux.HandleFunc("POST /accounts/{name}/name", a.rename)
	mux.HandleFunc("POST /accounts/{name}/remove-second-factor", a.removeFactor)
	mux.HandleFunc("POST /accounts/{name}/remove-passkeys", a.removePasskeys)
	mux.HandleFunc("POST /accounts/{name}/delete", a.remove)
	mux.HandleFunc("POST /accounts/delete", a.removeAll)
	if a.actions != nil {
		mux.HandleFunc("POST /accounts/{name}/end-session", a.endSession)
	}
	if a.book != nil {
		mux.HandleFunc("GET /accounts", a.search)
		mux.HandleFunc("POST /accounts/find", (&finder{accounts: a, pages: findPages}).find)
		mux.HandleFunc("POST /accounts/{name}/notes", a.note)
	}
}

// named finds the account that a path names, or answers the request.
func (a *accounts) named(w http.ResponseWriter, r *http.Request) (rushgate.Account, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	found, err := a.ledger.Find(ctx, r.PathValue("name"))
	if err != nil {
		a.logger.Debug("an account could not be found", "error", err)
		answerOrder(w, 0, nil, err)
		return rushgate.Account{}, false
	}
	return found, true
}

// simple carries out an order about an account that says everything by its path.
func (a *accounts) simple(
	w http.ResponseWriter, r *http.Request, what string, how func(ctx context.Context, name string) (any, error),
) {
	if _, ok := readNothing(w, r); !ok {
		return
	}
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	do := act{what: what, whom: who.ID, player: who.Username}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) { return how(ctx, who.Username) })
}

func (a *accounts) create(w http.ResponseWriter, r *http.Request) {
	hasName := func(in strictjson.Values) bool { return in.String("name") != "" }
	in, ok := read(w, r, maxOrder, `{"name": "...", "password_hash": "..."}`, hasName,
		strictjson.Field{Name: "name"}, strictjson.Field{Name: "password_hash"})
	if !ok {
		return
	}
	// Whose it will be is not known before, so the entry has no player.
	a.carryOut(w, r, act{what: "account.create", player: in.String("name")}, func(ctx context.Context) (any, error) {
		return a.ledger.Create(ctx, in.String("name"), in.String("password_hash"))
	})
}

// errNoPasswords refuses a password that nobody could log in with, and that would take away the record of OPAQUE by
// which the player can.
var errNoPasswords = errors.New("the node takes no passwords (--opaque only), so the player could not log in with " +
	"one, and would lose the one that the account has: hand out a code (POST /accounts/{name}/recovery-code)")

func (a *accounts) setPassword(w http.ResponseWriter, r *http.Request) {
	hasHash := func(in strictjson.Values) bool { return in.String("password_hash") != "" }
	in, ok := read(w, r, maxOrder, `{"password_hash": "..."}`, hasHash, strictjson.Field{Name: "password_hash"})
	if !ok {
		return
	}
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	if a.noPasswords {
		answerOrder(w, 0, nil, errNoPasswords)
		return
	}
	do := act{what: "account.password", whom: who.ID, player: who.Username}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		return a.ledger.SetPassword(ctx, who.Username, in.String("password_hash"))
	})
}

func (a *accounts) disable(w http.ResponseWriter, r *http.Request) {
	d := account.Ban{Disabled: rushgate.Disabled{Until: rushgate.Forever()}, By: personOf(r.Context()).name}
	readable := func(in strictjson.Values) bool {
		d.Reason, d.Note = in.String("reason"), in.String("note")
		s := in.String("until")
		if s == "" {
			return true
		}
		until, err := time.Parse(time.RFC3339, s)
		d.Until = until
		return err == nil
	}
	const want = `{"until": "2027-01-31T00:00:00Z", "reason": "...", "note": "..."}, without until for ever; ` +
		`the reason is for the player, the note for operators`
	_, ok := read(w, r, maxOrder, want, readable,
		strictjson.Field{Name: "until"}, strictjson.Field{Name: "reason"}, strictjson.Field{Name: "note"})
	if !ok {
		return
	}
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	do := act{
		what: "account.disable", whom: who.ID, player: who.Username, detail: endOf(d.Until),
	}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) { return a.ledger.Disable(ctx, who.Username, d) })
}

func (a *accounts) enable(w http.ResponseWriter, r *http.Request) {
	a.simple(w, r, "account.enable", func(ctx context.Context, name string) (any, error) {
		return a.ledger.Enable(ctx, name, personOf(r.Context()).name)
	})
}

func (a *accounts) endSessions(w http.ResponseWriter, r *http.Request) {
	a.simple(w, r, "account.end-sessions", func(ctx context.Context, name string) (any, error) {
		return a.ledger.EndSessions(ctx, name)
	})
}

func (a *accounts) endSession(w http.ResponseWriter, r *http.Request) {
	a.simple(w, r, "session.end", func(ctx context.Context, name string) (any, error) {
		ended, err := a.actions.EndSession(ctx, name)
		return map[string]Ended{"outcome": ended}, err
	})
}

// remove deletes one account.
func (a *accounts) remove(w http.ResponseWriter, r *http.Request) {
	confirm, ok := readConfirm(w, r)
	if !ok {
		return
	}
	who, ok := a.damagedToo(w, r)
	if !ok {
		return
	}
	would := fmt.Sprintf("delete player %d, %s, and the character for ever", who.ID, who.Username)
	if !a.confirmed(w, r, confirm, "account.delete", would, "") {
		return
	}
	do := act{what: "account.delete", whom: who.ID, player: who.Username}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		return account.Changed{Player: who.ID, Name: who.Username}, a.ledger.Delete(ctx, who.Username)
	})
}
