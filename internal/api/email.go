package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

var (
	emailFields  = append([]strictjson.Field{{Name: "email"}, {Name: "current"}}, opaqueProofFields...)
	verifyFields = []strictjson.Field{{Name: "code"}}
)

// emailBody has the addresses of an account. It is for its player alone.
type emailBody struct {
	Email   string `json:"email,omitempty"`
	Pending string `json:"pending,omitempty"`
}

// emailRoutes are what players may do with the address of their accounts while they are inside.
func (h *handler) emailRoutes() []route {
	return []route{
		{"GET /v1/account/email", h.ofAccount(h.email)},
		{"POST /v1/account/email", h.setEmail},
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
	writeJSON(w, http.StatusOK, emailBody{addresses.Proved, addresses.Pending})
	return nil
}

// parseEmail checks the form of a wish for an address, and returns it with what proves the account.
func (h *handler) parseEmail(body []byte) (address string, shown proof, err error) {
	given, err := strictjson.Object(body, emailFields...)
	if err != nil {
		return "", shown, malformed{err.Error()}
	}
	if _, named := given["email"]; !named {
		return "", shown, malformed{"Both email and current, the password, are needed."}
	}
	if address, err = mail.ParseAddress(given.String("email")); err != nil {
		said := strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()+": ")
		return "", shown, malformed{"That is not an e-mail address to which mail is sent: " + said + "."}
	}
	if shown, err = h.proofOf(given, "current"); errors.Is(err, errNothingShown) {
		err = malformed{"Both email and current, the password, are needed."}
	}
	return address, shown, err
}

// setEmail has a code sent to the address that a player wants the account to have, who shows the password.
func (h *handler) setEmail(w http.ResponseWriter, r *http.Request) {
	if err := h.askEmail(r); err != nil {
		h.answer(w, r, auth.Welcome{}, ofLedger(err), 0, false)
		return
	}
	writeJSON(w, http.StatusAccepted, willBeSent)
}

func (h *handler) askEmail(r *http.Request) error {
	if h.Outbox == nil {
		return errNoMail
	}
	text, err := bearerToken(r)
	if err != nil {
		return err
	}
	if _, err := token.ParseSession(text); err != nil {
		return rushgate.BadCredentials
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	address, shown, err := h.parseEmail(body)
	if err != nil {
		return err
	}
	HoldConn(r.Context())
	o, err := h.owner(r)
	if err != nil {
		return err
	}
	if _, err := h.proveOwner(r, o, &shown); err != nil {
		return err
	}
	name, _, err := loginName(o.name)
	if err != nil {
		return err
	}
	if err := h.Door.Mail(h.Proxies.Client(r), name); err != nil { // before the account is changed for nothing
		return err
	}
	if err := h.Accounts.SetEmail(r.Context(), o.account(), address); err != nil {
		return err
	}
	return h.ofOutbox(h.Outbox.Verify(r.Context(), o.account(), languages(r)))
}

// verifyEmail makes the address that a code was sent to the account's.
func (h *handler) verifyEmail(w http.ResponseWriter, r *http.Request, o owner) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	given, err := strictjson.Object(body, verifyFields...)
	if err != nil {
		return malformed{err.Error()}
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

// removeEmail takes the addresses of an account away.
func (h *handler) removeEmail(w http.ResponseWriter, r *http.Request, o owner) error {
	before, err := h.Accounts.RemoveEmail(r.Context(), o.account())
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
