package api

import (
	"net/http"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// errNoProof refuses what takes the password of an account that has none: a session alone proves nothing, for it may
// have been left open on another's device.
var errNoProof = rejection{http.StatusConflict, "The account has no password, and nothing else proves here that it " +
	"is yours. Ask those who run the game."}

var proofFields = []strictjson.Field{{Name: "password"}}

type deleteBody struct {
	DeleteAt timestamp `json:"delete_at"`
}

// deleteAt returns when an account is to be deleted, nil if it is not.
func deleteAt(a *rushgate.Account) *timestamp {
	at := account.DeleteAt(a)
	if at.IsZero() {
		return nil
	}
	t := timestamp(at)
	return &t
}

// parseProof checks the form of a request that shows the password of an account, and returns that in its forms.
func parseProof(body []byte) (password, exact string, err error) {
	given, err := strictjson.Object(body, proofFields...)
	if err != nil {
		return "", "", malformed{err.Error()}
	}
	if _, proved := given["password"]; !proved {
		return "", "", malformed{"The password is needed."}
	}
	if password, exact, err = rushgate.LoginPassword(given.String("password")); err != nil {
		return "", "", malformed{sentence(err)}
	}
	return password, exact, nil
}

// proveOwner has the player of a session show the password, and returns the account as it was then. It is an errand: in
// a rush it gets a small share of the hashing.
func (h *handler) proveOwner(r *http.Request, o owner, password, exact string) (rushgate.Account, error) {
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return rushgate.Account{}, err
	}
	if a.PasswordHash == "" {
		return rushgate.Account{}, errNoProof
	}
	name, imported, err := loginName(o.name)
	if err != nil {
		return rushgate.Account{}, err
	}
	return h.Pool.Errand(r.Context(), auth.Request{
		Kind: auth.Prove, Player: o.player, Username: name, Imported: imported, Password: password, Exact: exact,
		Addr: h.Proxies.Client(r),
	})
}

// deleteAccount has the account deleted, once the grace is over. The player is out at once.
func (h *handler) deleteAccount(w http.ResponseWriter, r *http.Request, o owner) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	password, exact, err := parseProof(body)
	if err != nil {
		return err
	}
	a, err := h.proveOwner(r, o, password, exact)
	if err != nil {
		return err
	}
	at, err := h.Accounts.PlanDeletion(r.Context(), &a, h.DeleteAfter, h.from(r))
	if err != nil {
		return err
	}
	h.sendOut(r, o)
	if h.DeleteAfter == 0 && h.DeleteNow != nil {
		h.DeleteNow()
	}
	writeJSON(w, http.StatusOK, deleteBody{timestamp(at)})
	return nil
}

// keepAccount takes back that the account is to be deleted.
func (h *handler) keepAccount(w http.ResponseWriter, r *http.Request, o owner) error {
	if err := h.Accounts.Keep(r.Context(), o.account(), h.from(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
