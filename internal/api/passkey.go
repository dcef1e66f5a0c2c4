package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// cookiePasskey is where pages come in with a passkey that are to have a cookie, see [cookiePassword].
const cookiePasskey = "/v1/passkey"

var (
	errNoPasskeys   = rejection{http.StatusNotFound, "There are no passkeys here."}
	errNoPasskey    = rejection{http.StatusNotFound, "The account has no such passkey."}
	errPasskeyKnown = rejection{http.StatusConflict, "The account has this passkey already."}
	errPasskeysFull = rejection{http.StatusConflict, "The account has too many passkeys."}
	errPasskeyLate  = rejection{http.StatusConflict, "That took too long, or was begun elsewhere: begin again."}
	errPasskeyBad   = malformed{"That is no passkey for this game whose user was verified."}
	errPasskeyLarge = malformed{"That passkey is too large."}
	errCredential   = malformed{"credential must be what navigator.credentials returns, as its toJSON has it."}
)

var (
	passkeyLoginFields = []strictjson.Field{
		{Name: "credential", Kind: strictjson.Nested}, {Name: "attempt_id"}, {Name: "takeover", Kind: strictjson.Bool},
		{Name: "line_secret"}, {Name: "wait", Kind: strictjson.Bool}, {Name: "remember"},
		{Name: "remember_cookie", Kind: strictjson.Bool}, {Name: "device_id"},
	}
	passkeyFields = []strictjson.Field{{Name: "name"}, {Name: "credential", Kind: strictjson.Nested}}
)

// optionsBody is what a client gives its browser.
type optionsBody struct {
	Options json.RawMessage `json:"options"`
}

type passkeysBody struct {
	Passkeys []passkeyBody `json:"passkeys"`
}

type passkeyBody struct {
	Handle    string     `json:"handle"`
	Name      string     `json:"name"`
	CreatedAt timestamp  `json:"created_at"`
	UsedAt    *timestamp `json:"used_at,omitempty"` // only if it was
	Synced    bool       `json:"synced"`
}

func newPasskeysBody(a *rushgate.Account) passkeysBody {
	body := passkeysBody{Passkeys: []passkeyBody{}}
	for _, k := range passkey.List(a.Credentials) {
		b := passkeyBody{Handle: k.Handle, Name: k.Name, CreatedAt: timestamp(k.Created), Synced: k.Synced}
		if !k.Used.IsZero() {
			used := timestamp(k.Used)
			b.UsedAt = &used
		}
		body.Passkeys = append(body.Passkeys, b)
	}
	return body
}

// passkeyRoutes are those of passkeys: to come in, and for players inside.
func (h *handler) passkeyRoutes() []route {
	return []route{
		{"POST /v1/passkey/start", h.bare(h.startPasskey)},
		{"POST /v1/passkey/finish", h.passkey},
		{"POST " + cookiePasskey, h.passkey},
		{"GET /v1/account/passkeys", h.ofAccount(h.passkeys)},
		{"POST /v1/account/passkeys/start", h.ofAccount(h.beginPasskey)},
		{"POST /v1/account/passkeys/finish", h.ofAccount(h.addPasskey)},
		{"DELETE /v1/account/passkeys/{handle}", h.ofAccount(h.removePasskey)},
	}
}

// startPasskey tells a client what to give its browser to have the player choose a passkey. It costs a hash of a few
// bytes, and nothing is kept of it.
func (h *handler) startPasskey(w http.ResponseWriter, r *http.Request) {
	if h.Passkeys == nil {
		h.refuse(w, errNoPasskeys)
		return
	}
	options, err := h.Passkeys.BeginLogin(time.Now())
	if err != nil {
		h.refuse(w, ofPasskey(err))
		return
	}
	writeJSON(w, http.StatusOK, optionsBody{options})
}

// passkey lets in a player who shows a passkey.
func (h *handler) passkey(w http.ResponseWriter, r *http.Request) {
	if h.Passkeys == nil {
		h.refuse(w, errNoPasskeys)
		return
	}
	h.letIn(w, r, h.readPasskey, h.Pool.Passkey)
}

// readPasskey reads a login with a passkey. What that is worth is for the pool to judge.
func (h *handler) readPasskey(r *http.Request) (request auth.Request, inCookie bool, err error) {
	body, err := readBody(r)
	if err != nil {
		return request, false, err
	}
	request, credential, inCookie, err := parsePasskey(body)
	if err != nil {
		return request, false, err
	}
	if inCookie && r.URL.Path != cookiePasskey {
		return request, false, malformed{"A cookie would not reach /v1/resume from here. Ask at " + cookiePasskey + "."}
	}
	request.Assertion, err = h.Passkeys.Read(credential, time.Now())
	if errors.Is(err, passkey.ErrChallenge) { // which has cost nothing, and tells nothing of an account
		return request, false, rushgate.BadCredentials
	}
	return request, inCookie, ofPasskey(err)
}

// parsePasskey checks the form of a login with a passkey, but for the passkey.
func parsePasskey(body []byte) (request auth.Request, credential json.RawMessage, inCookie bool, err error) {
	given, err := object(body, passkeyLoginFields...)
	if err != nil {
		return request, nil, false, err
	}
	request = auth.Request{
		Attempt: given.String("attempt_id"), Takeover: given.Bool("takeover"), Wait: given.Bool("wait"),
		Remember: given.String("remember"),
	}
	if credential = given.Nested("credential"); credential == nil {
		return request, nil, false, malformed{"The field credential is needed."}
	}
	if request.Wait && given.String("line_secret") == "" {
		return request, nil, false, malformed{"To wait for the world needs a line_secret, which is to hold the place."}
	}
	if err := validAttempt(request.Attempt); err != nil {
		return request, nil, false, err
	}
	if request.Device, err = deviceOf(given.String("device_id")); err != nil {
		return request, nil, false, err
	}
	request.Holder, _, err = place(given.String("line_secret"), "")
	return request, credential, given.Bool("remember_cookie"), err
}

// passkeys tells a player which passkeys the account has.
func (h *handler) passkeys(w http.ResponseWriter, r *http.Request, o owner) error {
	if h.Passkeys == nil {
		return errNoPasskeys
	}
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, newPasskeysBody(&a))
	return nil
}

// beginPasskey tells the client of a player, who proves the account, what to give its browser to make a passkey.
func (h *handler) beginPasskey(w http.ResponseWriter, r *http.Request, o owner) error {
	if h.Passkeys == nil {
		return errNoPasskeys
	}
	shown, err := readForm(r, parseProof)
	if err != nil {
		return err
	}
	proved, err := h.prove(r, o, &shown)
	if err != nil {
		return err
	}
	a := &proved.Account
	options, err := h.Passkeys.BeginAdd(a, time.Now())
	if err == nil && proved.Credentials != nil {
		err = h.Accounts.ChangeCredentials(r.Context(), a, proved.Credentials, false)
	}
	if err != nil {
		return ofPasskey(err)
	}
	writeJSON(w, http.StatusOK, optionsBody{options})
	return nil
}

// addPasskey adds a passkey to the account of a player, who has proved it when the passkey was begun: only then is
// there a challenge that it answers.
func (h *handler) addPasskey(w http.ResponseWriter, r *http.Request, o owner) error {
	if h.Passkeys == nil {
		return errNoPasskeys
	}
	given, err := readFields(r, passkeyFields)
	if err != nil {
		return err
	}
	name, credential := given.String("name"), given.Nested("credential")
	switch {
	case !passkey.ValidName(name):
		return malformed{"name must be 1 to 64 bytes without control characters."}
	case credential == nil:
		return malformed{"The field credential is needed."}
	}
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return err
	}
	after, err := h.Passkeys.Add(&a, name, credential, time.Now())
	if err == nil {
		err = h.Accounts.AddedPasskey(r.Context(), &a, after, h.from(r))
	}
	if err != nil {
		return ofPasskey(err)
	}
	a.Credentials = after
	writeJSON(w, http.StatusOK, newPasskeysBody(&a))
	return nil
}

// removePasskey takes a passkey away from the account of a player, who proves it. All sessions and devices of the
// account end, for the passkey may have opened them; the player who asks gets another session.
func (h *handler) removePasskey(w http.ResponseWriter, r *http.Request, o owner) error {
	if h.Passkeys == nil {
		return errNoPasskeys
	}
	proved, remember, err := h.proveRemoval(r, o)
	if err != nil {
		return err
	}
	a := &proved.Account
	after, err := passkey.Remove(proved.Left(), r.PathValue("handle"))
	if err == nil {
		err = h.Accounts.RemovedPasskey(r.Context(), a, after, h.from(r))
	}
	if err != nil {
		return ofPasskey(err)
	}
	h.reenter(w, r, auth.Request{Username: a.Username, Player: a.ID, Remember: remember}, a.Epoch+1, false)
	return nil
}

// ofPasskey turns the errors of package passkey into those for players.
func ofPasskey(err error) error {
	for own, told := range map[error]error{
		passkey.ErrNoKeys: rushgate.ServerBusy, passkey.ErrForm: errCredential, passkey.ErrChallenge: errPasskeyLate,
		passkey.ErrRefused: errPasskeyBad, passkey.ErrKnown: errPasskeyKnown, passkey.ErrFull: errPasskeysFull,
		passkey.ErrTooLarge: errPasskeyLarge, passkey.ErrNone: errNoPasskey,
	} {
		if errors.Is(err, own) {
			return told
		}
	}
	return err
}
