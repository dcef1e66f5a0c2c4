package api

import (
	"net/http"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// errNoProof refuses what takes the password of an account that has none: a session alone proves nothing, for it may
// have been left open on another's device.
var errNoProof = rejection{http.StatusConflict, "The account has no password, and nothing else proves here that it " +
	"is yours. Ask those who run the game."}

// proof is what a player shows to prove that the account of a session is theirs.
type proof struct {
	password, exact string            // see [rushgate.LoginPassword]
	code            secondfactor.Code // of a second factor; empty for none
}

// proofFields are those of a request that takes a proof and nothing else.
var proofFields = []strictjson.Field{{Name: "password"}, {Name: "code"}}

// proofIn returns the proof in the fields of a request: the password, in the field that the route calls it, and the
// code if there is one.
func proofIn(given strictjson.Values, password string) (p proof, err error) {
	if _, there := given[password]; !there {
		return p, malformed{"The field " + password + " is needed, which is the account's password."}
	}
	if p.password, p.exact, err = rushgate.LoginPassword(given.String(password)); err != nil {
		return p, malformed{sentence(err)}
	}
	p.code, err = parseCode(given.String("code"))
	return p, err
}

// parseProof reads a request that takes a proof and nothing else.
func parseProof(body []byte) (proof, error) {
	given, err := strictjson.Object(body, proofFields...)
	if err != nil {
		return proof{}, malformed{err.Error()}
	}
	return proofIn(given, "password")
}

// parseCode returns the code that a player has typed, which may be none.
func parseCode(s string) (secondfactor.Code, error) {
	code, err := secondfactor.ParseCode(s)
	if err != nil {
		return "", malformed{sentence(err)}
	}
	return code, nil
}

// errand is the request that shows a proof of a session's account to the pool.
func (h *handler) errand(r *http.Request, o owner, p *proof) (auth.Request, error) {
	name, imported, err := loginName(o.name)
	if err != nil {
		return auth.Request{}, err
	}
	return auth.Request{
		Player: o.player, Username: name, Imported: imported, Password: p.password, Exact: p.exact, Factor: p.code,
		Addr: h.Proxies.Client(r),
	}, nil
}

// prove has the player of a session prove that the account is theirs: by the password and, if the account has a second
// factor, a code. It is the one way to do so for what changes the account, which writes what is proved: a code is used
// up with the change that it is shown for. It is an errand: in a rush it gets a small share of the hashing.
func (h *handler) prove(r *http.Request, o owner, p *proof) (account.Proved, error) {
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return account.Proved{}, err
	}
	if a.PasswordHash == "" {
		return account.Proved{}, errNoProof
	}
	request, err := h.errand(r, o, p)
	if err != nil {
		return account.Proved{}, err
	}
	proven, err := h.Pool.Confirm(r.Context(), request)
	return account.Proved(proven), err
}
