package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

var (
	emailFields = slices.Concat([]strictjson.Field{{Name: "email"}, {Name: "current"}, {Name: "code"}}, opaqueProofFields,
		identityProofFields)
	verifyFields = []strictjson.Field{{Name: "code"}}
)

// emailBody has the addresses of an account. It is for its player alone.
type emailBody struct {
	Email   string `json:"email,omitempty"`
	Pending string `json:"pending,omitempty"`
	Mail    bool   `json:"mail"` // the server sends mail
}

// emailRoutes are what players may do with the address of their accounts while they are inside.
func (h *handler) emailRoutes() []route {
	return []route{
		{"GET /v1/account/email", h.ofAccount(h.email)},
		{"POST /v1/account/email", h.ofAccount(h.setEmail)},
		{"POST /v1/account/email/verify", h.ofAccount(h.verifyEmail)},
		{"DELETE /v1/account/email", h.ofAccount(h.removeEmail)},
	}
}

// email tells a player which addresses the account has.
func (h *handler) email(w http.ResponseWriter, r *http.Request, o owner) error {
	addresses, err := h.Accounts.Addresses(r.Context(), o.account())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, emailBody{addresses.Proved, addresses.Pending, h.Outbox != nil})
	return nil
}

// parseEmail checks the form of a wish for an address, and returns it with the proof.
func parseEmail(body []byte) (address string, p proof, err error) {
	given, err := object(body, emailFields...)
	if err != nil {
		return "", p, err
	}
	if _, named := given["email"]; !named {
		return "", p, malformed{"The field email is needed."}
	}
	if address, err = mail.ParseAddress(given.String("email")); err != nil {
		said := strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()+": ")
		return "", p, malformed{"That is not an e-mail address to which mail is sent: " + said + "."}
	}
	p, err = proofIn(given, "current")
	return address, p, err
}

// setEmail has a code sent to the address that a player wants the account to have, who proves to own it.
func (h *handler) setEmail(w http.ResponseWriter, r *http.Request, o owner) error {
	if h.Outbox == nil {
		return errNoMail
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	address, shown, err := parseEmail(body)
	if err != nil {
		return err
	}
	proved, err := h.prove(r, o, &shown)
	if err != nil {
		return err
	}
	name, _, err := loginName(o.name)
	if err != nil {
		return err
	}
	if err := h.Door.Mail(h.Proxies.Client(r), name); err != nil { // before the account is changed for nothing
		return err
	}
	if err := h.Accounts.SetEmail(r.Context(), &proved, address); err != nil {
		return err
	}
	if err := h.ofOutbox(h.Outbox.Verify(r.Context(), o.account(), languages(r))); err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, willBeSent)
	return nil
}

// verifyEmail makes the address that a code was sent to the account's.
func (h *handler) verifyEmail(w http.ResponseWriter, r *http.Request, o owner) error {
	given, err := readFields(r, verifyFields)
	if err != nil {
		return err
	}
	code, err := token.ParseCode(given.String("code"))
	if err != nil {
		return malformed{"A code has twelve letters and digits, as in 7K2M-QX9D-4HPT."}
	}
	before, err := h.Accounts.VerifyEmail(r.Context(), o.account(), code)
	if errors.Is(err, account.ErrWrongCode) {
		return errWrongCode
	}
	if err != nil {
		return err
	}
	h.tellBefore(r, o, before)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

var errWrongCode = rejection{http.StatusConflict, "That is not, or no longer, the code that was sent."}

// removeEmail takes the addresses of an account away, whose player proves to own it: without an address a lost password
// stays lost.
func (h *handler) removeEmail(w http.ResponseWriter, r *http.Request, o owner) error {
	shown, err := readForm(r, parseProof)
	if err != nil {
		return err
	}
	proved, err := h.prove(r, o, &shown)
	if err != nil {
		return err
	}
	before, err := h.Accounts.RemoveEmail(r.Context(), &proved)
	if err != nil {
		return err
	}
	h.tellBefore(r, o, before)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tellBefore has the reader of an address told that it is no longer the account's. That it cannot be noted undoes
// nothing.
func (h *handler) tellBefore(r *http.Request, o owner, address string) {
	if address == "" || h.Outbox == nil {
		return
	}
	ctx := context.WithoutCancel(r.Context()) // the client may have its answer, and be gone
	if err := h.Outbox.Changed(ctx, o.account(), address, languages(r)); err != nil {
		h.Logger.Warn("the reader of an address is not told that it is an account's no more", "player", o.player,
			"error", err)
	}
}
