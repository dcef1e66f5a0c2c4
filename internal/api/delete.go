package api

import (
	"net/http"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

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

// deleteAccount has the account deleted, once the grace is over. The player is out at once.
func (h *handler) deleteAccount(w http.ResponseWriter, r *http.Request, o owner) error {
	shown, err := readForm(r, parseProof)
	if err != nil {
		return err
	}
	proved, err := h.prove(r, o, &shown)
	if err != nil {
		return err
	}
	at, err := h.Accounts.PlanDeletion(r.Context(), &proved, h.DeleteAfter, h.from(r))
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

// keepAccount takes back that the account is to be deleted. It asks for no proof: the plan has ended every session and
// device of before, so this session was opened since then, with the password and, where there is one, the second
// factor.
func (h *handler) keepAccount(w http.ResponseWriter, r *http.Request, o owner) error {
	if err := h.Accounts.Keep(r.Context(), o.account(), h.from(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
