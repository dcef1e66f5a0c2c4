package api

import (
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/strictjson"
)

var (
	errHasFactor   = rejection{http.StatusConflict, "The account has a second factor."}
	errNoFactor    = rejection{http.StatusNotFound, "The account has no second factor."}
	errNoSetup     = rejection{http.StatusConflict, "No authenticator is being set up, or it took too long: begin again."}
	errCredentials = rejection{http.StatusConflict, "The account has too many credentials."}
)

// factorBody is what a player is told of the account's second factor.
type factorBody struct {
	Active        bool             `json:"active"`
	Ask           secondfactor.Ask `json:"ask,omitempty"`
	RecoveryCodes int              `json:"recovery_codes"` // that are left
}

// setupBody is for the player's authenticator. All of it is secret.
type setupBody struct {
	Secret string `json:"secret"`
	URI    string `json:"uri"`
	QR     string `json:"qr"`
}

// recoveryBody has the recovery codes, which are shown once.
type recoveryBody struct {
	Codes []string `json:"recovery_codes"`
}

// factorRoutes are what players may do with the second factor of their accounts while they are inside.
func (h *handler) factorRoutes() []route {
	return []route{
		{"GET /v1/account/totp", h.ofAccount(h.factor)},
		{"POST /v1/account/totp", h.ofAccount(h.beginFactor)},
		{"POST /v1/account/totp/confirm", h.ofAccount(h.confirmFactor)},
		{"POST /v1/account/totp/recovery-codes", h.ofAccount(h.renewRecovery)},
		{"POST /v1/account/totp/ask", h.ofAccount(h.setFactor)},
		{"DELETE /v1/account/totp", h.ofAccount(h.removeFactor)},
	}
}

// factorForm is what a request about a second factor may hold.
type factorForm struct {
	proof
	ask secondfactor.Ask
}

// needs says which fields a request has to have; of proof, the password or what is shown in its place.
type needs struct{ proof, code, ask bool }

// parseFactor checks the form of a request about a second factor.
func parseFactor(body []byte, n needs) (f factorForm, err error) {
	var needed, beside []strictjson.Field
	for name, is := range map[string]bool{"code": n.code, "ask": n.ask} {
		if is {
			needed = append(needed, strictjson.Field{Name: name})
		}
	}
	if n.proof {
		beside = slices.Concat([]strictjson.Field{{Name: "password"}}, opaqueProofFields, identityProofFields)
	}
	given, err := object(body, slices.Concat(needed, beside)...)
	if err != nil {
		return f, err
	}
	for _, field := range needed {
		if given.String(field.Name) == "" {
			return f, malformed{"The field " + field.Name + " is needed."}
		}
	}
	if n.proof {
		f.proof, err = proofIn(given, "password")
	} else {
		f.code, err = parseCode(given.String("code"))
	}
	if err != nil {
		return f, err
	}
	if f.ask = secondfactor.Ask(given.String("ask")); n.ask && f.ask != secondfactor.NewDevices &&
		f.ask != secondfactor.Always {
		return f, malformed{"ask must be new-devices or always."}
	}
	return f, nil
}

// readFactor reads a request about a second factor.
func readFactor(r *http.Request, n needs) (factorForm, error) {
	return readForm(r, func(body []byte) (factorForm, error) { return parseFactor(body, n) })
}

// found returns the account of a session as it is now.
func (h *handler) found(r *http.Request, o owner) (rushgate.Account, error) {
	a, err := h.Accounts.Find(r.Context(), o.name)
	if err == nil && a.ID != o.player {
		err = rushgate.BadCredentials
	}
	return a, err
}

// factor tells a player of the second factor.
func (h *handler) factor(w http.ResponseWriter, r *http.Request, o owner) error {
	a, err := h.found(r, o)
	if err != nil {
		return err
	}
	s := secondfactor.Of(a.Credentials)
	writeJSON(w, http.StatusOK, factorBody{s.Active, s.Ask, s.RecoveryCodes})
	return nil
}

// beginFactor makes a key for the player's authenticator.
func (h *handler) beginFactor(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readFactor(r, needs{proof: true})
	if err != nil {
		return err
	}
	if err := h.hasFactor(r, o, false); err != nil {
		return err
	}
	proven, err := h.prove(r, o, &f.proof)
	if err != nil {
		return err
	}
	a := &proven.Account
	after, setup, err := secondfactor.Begin(a.Credentials, gameName(r), a.Username, nil, time.Now())
	if err == nil {
		err = h.Accounts.ChangeCredentials(r.Context(), a, after, false)
	}
	if err != nil {
		return ofFactor(err)
	}
	writeJSON(w, http.StatusOK, setupBody{
		Secret: setup.Secret, URI: setup.URI, QR: "data:image/png;base64," + base64.StdEncoding.EncodeToString(setup.QR),
	})
	return nil
}

// confirmFactor has the account ask for codes from now on.
func (h *handler) confirmFactor(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readFactor(r, needs{code: true})
	if err != nil {
		return err
	}
	a, err := h.found(r, o)
	if err != nil {
		return err
	}
	after, codes, err := secondfactor.Confirm(a.Credentials, f.code, nil, time.Now())
	if err == nil {
		err = h.Accounts.ChangeCredentials(r.Context(), &a, after, false)
	}
	if err != nil {
		return ofFactor(err)
	}
	h.Accounts.FactorChanged(r.Context(), o.account(), true, h.from(r))
	writeJSON(w, http.StatusOK, recoveryBody{codes})
	return nil
}

// setFactor says when the account is to ask. One that asks always remembers no devices.
func (h *handler) setFactor(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readFactor(r, needs{proof: true, code: true, ask: true})
	if err != nil {
		return err
	}
	err = h.changeFactor(r, o, &f, func(c []rushgate.Credential) ([]rushgate.Credential, error) {
		return secondfactor.SetAsk(c, f.ask)
	})
	return noContent(w, err)
}

// removeFactor has the account ask for no codes any more.
func (h *handler) removeFactor(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readFactor(r, needs{proof: true, code: true})
	if err != nil {
		return err
	}
	err = h.changeFactor(r, o, &f, func(c []rushgate.Credential) ([]rushgate.Credential, error) {
		return secondfactor.Remove(c), nil
	})
	if err == nil {
		h.Accounts.FactorChanged(r.Context(), o.account(), false, h.from(r))
	}
	return noContent(w, err)
}

// renewRecovery gives the player other recovery codes.
func (h *handler) renewRecovery(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readFactor(r, needs{proof: true, code: true})
	if err != nil {
		return err
	}
	var codes []string
	err = h.changeFactor(r, o, &f, func(c []rushgate.Credential) (after []rushgate.Credential, err error) {
		after, codes, err = secondfactor.Renew(c, nil, time.Now())
		return after, err
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, recoveryBody{codes})
	return nil
}

// changeFactor makes a change that takes the password and a code, which is used up by it.
func (h *handler) changeFactor(
	r *http.Request, o owner, f *factorForm, change func([]rushgate.Credential) ([]rushgate.Credential, error),
) error {
	if err := h.hasFactor(r, o, true); err != nil {
		return err
	}
	proven, err := h.prove(r, o, &f.proof)
	if err != nil {
		return err
	}
	if proven.Credentials == nil { // it was removed a moment ago
		return errNoFactor
	}
	after, err := change(proven.Credentials)
	if err == nil {
		err = h.Accounts.ChangeCredentials(r.Context(), &proven.Account, after, f.ask == secondfactor.Always)
	}
	return ofFactor(err)
}

// hasFactor returns the refusal for an account that has a second factor and should not, or the other way round, before
// that costs a hash.
func (h *handler) hasFactor(r *http.Request, o owner, want bool) error {
	a, err := h.found(r, o)
	switch active := secondfactor.Of(a.Credentials).Active; {
	case err != nil:
		return err
	case active && !want:
		return errHasFactor
	case want && !active:
		return errNoFactor
	}
	return nil
}

// noContent answers a request that was carried out.
func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// ofFactor turns the errors of package secondfactor into those for players.
func ofFactor(err error) error {
	switch {
	case errors.Is(err, secondfactor.ErrActive):
		return errHasFactor
	case errors.Is(err, secondfactor.ErrInactive):
		return errNoFactor
	case errors.Is(err, secondfactor.ErrNoSetup):
		return errNoSetup
	case errors.Is(err, secondfactor.ErrWrongCode):
		return rushgate.SecondFactor
	case errors.Is(err, secondfactor.ErrFull):
		return errCredentials
	}
	return err
}

// hostName is what can be one, without a colon, which would end the name in an otpauth address.
var hostName = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)

// gameName is under what an authenticator lists the account: the host that the player's client has asked.
func gameName(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !hostName.MatchString(host) {
		return "Rushgate"
	}
	return host
}
