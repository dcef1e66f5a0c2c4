package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/strictjson"
)

var (
	errSameName = rejection{http.StatusConflict, "The account has that name."}
	errDoomed   = rejection{http.StatusConflict, "The account is to be deleted. Take that back first."}
	errHeld     = told{rushgate.UsernameTaken, "That name is held for the player who had it until not long ago."}
	errListed   = rejection{http.StatusConflict, "Those who run the game know you by this name. Ask them to rename you."}
	errStillIn  = told{rushgate.ServerBusy, "A session of the account has not ended yet. Log in again in a moment."}
)

var renameFields = slices.Concat([]strictjson.Field{{Name: "name"}, {Name: "remember"}}, proofFields)

// renameForm is what a request for another name holds.
type renameForm struct {
	proof
	name     string // canonical
	remember string
}

// parseRename checks everything about a wish for another name that can be checked without asking anyone.
func parseRename(body []byte) (f renameForm, err error) {
	given, err := object(body, renameFields...)
	if err != nil {
		return f, err
	}
	if _, named := given["name"]; !named {
		return f, malformed{"The field name is needed, which is the new one."}
	}
	if f.name, err = rushgate.NewUsername(given.String("name")); err != nil {
		return f, malformed{sentence(err)}
	}
	f.remember = given.String("remember")
	f.proof, err = proofIn(given, "password")
	return f, err
}

// rename gives the account of a player who proves to own it another name. All sessions and devices of the account end:
// their tokens hold the old name. The player who asks gets another session under the new one.
func (h *handler) rename(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readForm(r, parseRename)
	if err == nil {
		err = h.remembered(r, f.remember, false)
	}
	if err != nil {
		return err
	}
	if err := h.mayRename(r, o, f.name); err != nil {
		return err
	}
	proved, err := h.prove(r, o, &f.proof)
	if err != nil {
		return err
	}
	leave := h.leave(o.player)
	a, err := h.Accounts.Rename(r.Context(), &proved, f.name, h.Names, leave, h.from(r))
	if err != nil {
		return ofRename(err)
	}
	h.reenter(w, r, auth.Request{Username: a.Username, Player: a.ID, Remember: f.remember}, a.Epoch, false)
	return nil
}

// mayRename returns why a player cannot have a name, before a hash is made for that, be it that the embedder's policy
// refuses it. A name by which operators let players in is theirs to give: another player may have it one day. What the
// node knows of that is old by a moment, and the ledger looks again.
func (h *handler) mayRename(r *http.Request, o owner, name string) error {
	if h.Rules().Mentions(o.name) {
		return errListed
	}
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return err
	}
	if err := ofRename(account.MayRename(&a, name, h.Names.After)); err != nil {
		return err
	}
	return h.Pool.MayTake(h.Proxies.Client(r), name)
}

// ofRename turns the ledger's errors of a rename into those for players.
func ofRename(err error) error {
	var soon *account.TooSoonError
	switch {
	case errors.As(err, &soon):
		return rejection{http.StatusConflict, "The account was renamed not long ago. It can be renamed again from " +
			soon.When.UTC().Format("2006-01-02 15:04 MST") + " on."}
	case errors.Is(err, account.ErrSameName):
		return errSameName
	case errors.Is(err, account.ErrDoomed):
		return errDoomed
	case errors.Is(err, account.ErrTaken), errors.Is(err, account.ErrAwaited): // a player is not told who is on a list
		return rushgate.UsernameTaken
	case errors.Is(err, account.ErrListed):
		return errListed
	case errors.Is(err, account.ErrHeld):
		return errHeld
	case errors.Is(err, account.ErrInside):
		return errStillIn
	case errors.Is(err, account.ErrFull):
		return errCredentials
	}
	return err
}

// renameAt returns from when on the player of an account may rename it; nil if that is now.
func (h *handler) renameAt(a *rushgate.Account) *timestamp {
	var soon *account.TooSoonError
	if !errors.As(account.MayRename(a, "", h.Names.After), &soon) {
		return nil
	}
	at := timestamp(soon.When)
	return &at
}
