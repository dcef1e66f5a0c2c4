package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/password"
)

// errNoProof refuses what takes the password of an account that has none: a session alone proves nothing, for it may
// have been left open on another's device.
var errNoProof = rejection{http.StatusConflict, "The account has no password. One that is proved by OPAQUE is proved " +
	"from /v1/opaque/confirm/start on, one with an identity by that; otherwise ask those who run the game."}

// proof is what a player shows to prove that the account of a session is theirs: the password, what was begun at
// /v1/opaque/confirm/start, or an identity of the account, and a code beside each.
type proof struct {
	password, exact string            // see [rushgate.LoginPassword]
	opaque          auth.Opaque       // in place of a password
	identity        shownIdentity     // in place of a password
	code            secondfactor.Code // of a second factor; empty for none
}

func (p *proof) byOpaque() bool { return p.opaque.State != nil }
func (p *proof) shown() bool {
	return p.byOpaque() || p.identity.shown() || p.password != "" || p.exact != ""
}

var (
	// opaqueProofFields are those by which a request shows a proof by OPAQUE in place of the password.
	opaqueProofFields = []strictjson.Field{{Name: "login_state"}, {Name: "ke3"}}
	// identityProofFields are those by which it shows an identity of the account.
	identityProofFields = []strictjson.Field{{Name: "guest_secret"}, {Name: "identity_proof"}}
	// proofFields are those of a request that takes a proof and nothing else.
	proofFields = slices.Concat(
		[]strictjson.Field{{Name: "password"}, {Name: "code"}}, opaqueProofFields, identityProofFields,
	)
	removingFields = slices.Concat([]strictjson.Field{{Name: "remember"}}, proofFields)
)

// nothingShown is for a request that shows no proof, whose password would be in a field of that name.
func nothingShown(field string) malformed {
	return malformed{"The field " + field + " is needed, which is the account's password, or login_state and ke3, or " +
		"guest_secret, or identity_proof."}
}

// proofIn returns the proof in the fields of a request: the password, in the field that the route calls it, or what
// finishes a proof by OPAQUE, and the code if there is one.
func proofIn(given strictjson.Values, field string) (p proof, err error) {
	if p.code, err = parseCode(given.String("code")); err != nil {
		return p, err
	}
	byOpaque := given.String("login_state") != "" || given.String("ke3") != ""
	if p.identity, err = identityIn(given, "guest_secret", "identity_proof"); err != nil {
		return p, err
	}
	switch _, there := given[field]; {
	case byOpaque && given.String(field) != "":
		return p, malformed{"There is both a password and a proof by OPAQUE: one of them is needed."}
	case p.identity.shown() && (byOpaque || given.String(field) != ""):
		return p, malformed{"There is an identity beside another proof: one of them is needed."}
	case p.identity.shown():
		return p, nil
	case byOpaque:
		p.opaque, err = finishing(given, "login_state", "ke3", opaque.KE3Size)
		return p, err
	case !there:
		return p, nothingShown(field)
	}
	if p.password, p.exact, err = rushgate.LoginPassword(given.String(field)); err != nil {
		return p, malformed{sentence(err)}
	}
	return p, nil
}

// parseProof reads a request that takes a proof and nothing else.
func parseProof(body []byte) (proof, error) {
	given, err := object(body, proofFields...)
	if err != nil {
		return proof{}, err
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
	shown, err := h.credential(&p.identity)
	return auth.Request{
		Player: o.player, Username: name, Imported: imported, Password: p.password, Exact: p.exact, Opaque: p.opaque,
		Shown: auth.Shown{Credential: shown}, Factor: p.code, Addr: h.Proxies.Client(r),
	}, err
}

// prove has the player of a session prove that the account is theirs: by the password, by OPAQUE or by an identity and,
// if the account has a second factor, a code. It is the one way to do so for what changes the account, which writes
// what is proved: a code is used up with the change that it is shown for. But for OPAQUE it is an errand: in a rush it
// gets a small share of the hashing.
func (h *handler) prove(r *http.Request, o owner, p *proof) (secondfactor.Proved, error) {
	if err := h.takesProof(p); err != nil {
		return secondfactor.Proved{}, err
	}
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return secondfactor.Proved{}, err
	}
	if !p.byOpaque() && !p.identity.shown() && (a.PasswordHash == "" || password.IsLocked(a.PasswordHash)) {
		return secondfactor.Proved{}, errNoProof
	}
	request, err := h.errand(r, o, p)
	if err != nil {
		return secondfactor.Proved{}, err
	}
	if p.byOpaque() {
		request.Kind = auth.FinishConfirm
		proven, err := h.Pool.FinishProof(r.Context(), request)
		return proven, ofOpaque(err)
	}
	proven, err := h.Pool.Confirm(r.Context(), request)
	return proven, err
}

// takesProof returns the refusal of a node that does not take a proof of its kind.
func (h *handler) takesProof(p *proof) error {
	switch {
	case p.identity.shown():
		return nil
	case !p.byOpaque():
		return h.takesPasswords()
	case h.Opaque == nil:
		return errNoOpaque
	}
	return nil
}

// parseRemoval checks the form of a wish to take a way into the account away: the proof, and what to call the device
// that stays remembered.
func parseRemoval(body []byte) (shown proof, remember string, err error) {
	given, err := object(body, removingFields...)
	if err != nil {
		return shown, "", err
	}
	shown, err = proofIn(given, "password")
	return shown, given.String("remember"), err
}

// proveRemoval has the player of a session prove that the account is theirs, of which a way in is to be taken away, and
// returns what to call the device that stays remembered.
func (h *handler) proveRemoval(r *http.Request, o owner) (proved secondfactor.Proved, remember string, err error) {
	body, err := readBody(r)
	if err != nil {
		return proved, "", err
	}
	shown, remember, err := parseRemoval(body)
	if err == nil {
		err = h.remembered(r, remember, false)
	}
	if err == nil {
		proved, err = h.prove(r, o, &shown)
	}
	return proved, remember, err
}

// leave returns what ends a player's session here, with a last save, for the ledger to call.
func (h *handler) leave(player rushgate.PlayerID) func(context.Context) error {
	return func(ctx context.Context) error { return h.Realm.End(ctx, player) }
}
