package api

import (
	"net/http"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// errNoProof refuses what takes the password of an account that has none: a session alone proves nothing, for it may
// have been left open on another's device.
var errNoProof = rejection{http.StatusConflict, "The account has no password. One that is proved by OPAQUE is proved " +
	"from /v1/opaque/confirm/start on; otherwise ask those who run the game."}

var proofFields = append([]strictjson.Field{{Name: "password"}}, opaqueProofFields...)

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

// parseProof checks the form of a request that shows a proof of an account, and returns that.
func (h *handler) parseProof(body []byte) (proof, error) {
	given, err := strictjson.Object(body, proofFields...)
	if err != nil {
		return proof{}, malformed{err.Error()}
	}
	return h.proofOf(given, "password")
}

// deleteAccount has the account deleted, once the grace is over. The player is out at once.
func (h *handler) deleteAccount(w http.ResponseWriter, r *http.Request, o owner) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	shown, err := h.parseProof(body)
	if err != nil {
		return err
	}
	a, err := h.proveOwner(r, o, &shown)
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
