package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

// OpaqueMode says what a node does with OPAQUE. It is part of the API: /v1/status tells it.
type OpaqueMode string

// What a node can do with OPAQUE.
const (
	// OpaqueOff: there is none.
	OpaqueOff OpaqueMode = "off"
	// OpaquePrefer: players may register by it, and move over from a password.
	OpaquePrefer OpaqueMode = "prefer"
	// OpaqueOnly: no password is taken.
	OpaqueOnly OpaqueMode = "only"
)

var (
	errNoOpaque    = rejection{http.StatusNotFound, "This server does not know OPAQUE: log in with the password."}
	errNoPasswords = rejection{http.StatusForbidden,
		"This server takes no passwords: log in and register by OPAQUE, at /v1/opaque/."}
	errStale = rejection{http.StatusConflict,
		"The state has expired, or was used before. Begin again."}
	errBadState = malformed{"That is not a state of this server for what is asked. Begin again."}
	errNotFresh = rejection{http.StatusConflict,
		"The login of this session was by no password, or too long ago: the password is needed once more."}
	errNoRecord = rejection{http.StatusConflict, "The account is not proved by OPAQUE."}
)

// opaqueRoutes are those of OPAQUE.
func (h *handler) opaqueRoutes() []route {
	return []route{
		{"POST /v1/opaque/login/start", h.beginLogin},
		{"POST /v1/opaque/login/finish", h.finishLogin},
		{"POST /v1/opaque/register/start", h.beginRegistration},
		{"POST /v1/opaque/register/finish", h.finishRegistration},
		{"POST " + cookieLogin, h.finishLogin},
		{"POST " + cookieRegister, h.finishRegistration},
		{"POST /v1/opaque/confirm/start", h.ofAccount(h.beginConfirm)},
	}
}

// opaqueMode is what clients are told.
func (h *handler) opaqueMode() OpaqueMode {
	if h.OpaqueMode == OpaqueOff {
		return ""
	}
	return h.OpaqueMode
}

// takesPasswords returns the refusal of a node that takes no passwords.
func (h *handler) takesPasswords() error {
	if h.OpaqueMode == OpaqueOnly {
		return errNoPasswords
	}
	return nil
}

// begunBody is what a client is answered that begins a login or a registration.
type begunBody struct {
	KE2      string `json:"ke2,omitempty"`
	Response string `json:"response,omitempty"`
	State    string `json:"state"`
	LifeMS   int64  `json:"state_valid_ms"` // for how long the state is good
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode returns the bytes of a field that is needed, of low to high bytes in base64url without padding.
func decode(given strictjson.Values, name string, low, high int) ([]byte, error) {
	text := given.String(name)
	if text == "" {
		return nil, malformed{"The field " + name + " is needed."}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < low || len(b) > high || encode(b) != text {
		want := fmt.Sprintf("%d", high)
		if low != high {
			want = fmt.Sprintf("%d to %d", low, high)
		}
		return nil, malformed{name + " must be " + want + " bytes in base64url without padding."}
	}
	return b, nil
}

// finishing returns what a request finishes with: the state, and the message in a field of its own, of so many bytes.
func finishing(given strictjson.Values, state, message string, size int) (o auth.Opaque, err error) {
	if o.State, err = decode(given, state, 1, opaque.MaxLoginState); err == nil {
		o.Message, err = decode(given, message, size, size)
	}
	return o, err
}

var (
	beginLoginFields   = []strictjson.Field{{Name: "username"}, {Name: "ke1"}, {Name: "device_id"}}
	beginConfirmFields = []strictjson.Field{{Name: "ke1"}}
	registerFields     = []strictjson.Field{
		{Name: "username"}, {Name: "request"}, {Name: "recover", Kind: strictjson.Bool}, {Name: "device_id"},
	}
	insideFields = []strictjson.Field{
		{Name: "state"}, {Name: "upload"}, {Name: "password"}, {Name: "code"}, {Name: "login_state"}, {Name: "ke3"},
		{Name: "guest_secret"}, {Name: "identity_proof"}, {Name: "attempt_id"},
		{Name: "remember"}, {Name: "remember_cookie", Kind: strictjson.Bool},
	}
)

// parseBegin checks the form of the beginning of a login.
func parseBegin(body []byte) (b auth.Request, err error) {
	b.Kind = auth.BeginLogin
	given, err := object(body, beginLoginFields...)
	if err != nil {
		return b, err
	}
	if b.Username, b.Imported, err = loginName(given.String("username")); err != nil {
		return b, malformed{sentence(err)}
	}
	if b.Device, err = deviceOf(given.String("device_id")); err != nil {
		return b, err
	}
	b.Opaque.Message, err = decode(given, "ke1", opaque.KE1Size, opaque.KE1Size)
	return b, err
}

// beginLogin answers KE1 with KE2, which tells the client alone whether it knows the password.
func (h *handler) beginLogin(w http.ResponseWriter, r *http.Request) {
	if h.Opaque == nil {
		h.refuse(w, errNoOpaque)
		return
	}
	request, err := readForm(r, parseBegin)
	if err != nil {
		h.refuse(w, err)
		return
	}
	h.begin(w, r, request)
}

// begin answers a beginning.
func (h *handler) begin(w http.ResponseWriter, r *http.Request, request auth.Request) {
	HoldConn(r.Context())
	request.Addr = h.Proxies.Client(r)
	begun, err := h.Pool.Begin(r.Context(), request)
	if err != nil {
		h.answer(w, r, auth.Welcome{}, ofOpaque(err), 0, false)
		return
	}
	body := begunBody{State: encode(begun.State), LifeMS: begun.Life.Milliseconds()}
	if request.Kind == auth.BeginRegister {
		body.Response = encode(begun.Message)
	} else {
		body.KE2 = encode(begun.Message)
	}
	writeJSON(w, http.StatusOK, body)
}

// ofOpaque turns the errors of package opaque into those for players.
func ofOpaque(err error) error {
	switch {
	case errors.Is(err, opaque.ErrMalformed):
		return malformed{"A message of OPAQUE is none: it is of another group, or of no client that keeps to the protocol."}
	case errors.Is(err, opaque.ErrBadState):
		return errBadState
	case errors.Is(err, opaque.ErrExpired), errors.Is(err, opaque.ErrUsed), errors.Is(err, opaque.ErrUnknownKey):
		return errStale
	}
	return err
}

// beginConfirm begins to prove that the player of a session knows the password.
func (h *handler) beginConfirm(w http.ResponseWriter, r *http.Request, o owner) error {
	if h.Opaque == nil {
		return errNoOpaque
	}
	given, err := readFields(r, beginConfirmFields)
	if err != nil {
		return err
	}
	request := auth.Request{Kind: auth.BeginConfirm, Player: o.player}
	if request.Opaque.Message, err = decode(given, "ke1", opaque.KE1Size, opaque.KE1Size); err != nil {
		return err
	}
	if request.Username, request.Imported, err = loginName(o.name); err != nil {
		return err
	}
	h.begin(w, r, request)
	return nil
}

// finishLogin lets in a player who has begun a login by OPAQUE.
func (h *handler) finishLogin(w http.ResponseWriter, r *http.Request) {
	h.finish(w, r, auth.FinishLogin, http.StatusOK)
}

// finish answers as a login or a registration with a password is answered.
func (h *handler) finish(w http.ResponseWriter, r *http.Request, kind auth.Kind, status int) {
	if h.Opaque == nil {
		h.refuse(w, errNoOpaque)
		return
	}
	f := form{name: newName, message: "upload", size: opaque.UploadSize}
	if kind == auth.FinishLogin {
		f = form{name: loginName, login: true, message: "ke3", size: opaque.KE3Size}
	}
	c, err := readCredentials(r, f)
	if err == nil {
		err = cookieReaches(r, c.inCookie)
	}
	if err == nil {
		err = h.remembered(r, c.remember, c.inCookie)
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	s, err := h.Pool.Finish(r.Context(), auth.Request{
		Kind: kind, Username: c.username, Imported: c.imported, Opaque: c.opaque, Attempt: c.attempt,
		Takeover: c.takeover, Addr: h.Proxies.Client(r), Holder: c.holder, Wait: c.wait,
		Remember: c.remember, Device: c.device, Factor: c.code,
	})
	h.answer(w, r, s, ofOpaque(err), status, c.inCookie)
}

// beginRegistration answers the beginning of a registration: of a new account, of another password for one whose
// password is lost, or with the token of a session, of the player's own account.
func (h *handler) beginRegistration(w http.ResponseWriter, r *http.Request) {
	request, err := h.parseRegistration(r)
	if err != nil {
		h.refuse(w, ofLedger(err))
		return
	}
	h.begin(w, r, request)
}

func (h *handler) parseRegistration(r *http.Request) (b auth.Request, err error) {
	b.Kind = auth.BeginRegister
	if h.Opaque == nil {
		return b, errNoOpaque
	}
	given, err := readFields(r, registerFields)
	if err != nil {
		return b, err
	}
	if b.Opaque.Message, err = decode(given, "request", opaque.RequestSize, opaque.RequestSize); err != nil {
		return b, err
	}
	if b.Device, err = deviceOf(given.String("device_id")); err != nil {
		return b, err
	}
	name, lost := given.String("username"), given.Bool("recover")
	if r.Header.Get("Authorization") != "" {
		if name != "" || lost {
			return b, malformed{"With the token of a session the registration is of its account: no other can be named."}
		}
		return b, h.ofSession(r, &b)
	}
	if lost {
		b.Username, b.Imported, err = loginName(name)
		b.Opaque.For = recoveryOf(b.Username)
	} else {
		b.Username, _, err = newName(name)
		b.Opaque.For = auth.RegistrationOf(b.Username)
	}
	if err != nil {
		return b, malformed{sentence(err)}
	}
	return b, nil
}

// ofSession has a registration be of the account of the request's session.
func (h *handler) ofSession(r *http.Request, b *auth.Request) error {
	o, err := h.owner(r)
	if err == nil {
		err = h.mayCall(o)
	}
	if err != nil {
		return err
	}
	b.Player, b.Opaque.For = o.player, ownOf(o.player)
	b.Username, b.Imported, err = loginName(o.name)
	return err
}

// What registrations are for, besides new accounts: see [opaquerecord.Identifier.Of].
func ownOf(player rushgate.PlayerID) string { return fmt.Sprintf("player %d", player) }
func recoveryOf(name string) string         { return "lost " + name }

// registered returns what a registration that was begun for something has come to, and what has it be good again.
func (h *handler) registered(o auth.Opaque, of string) (p opaquerecord.Proof, again func(), err error) {
	id, record, err := h.Opaque.RegisterFinish(o.State, o.Message)
	if err != nil {
		if errors.Is(err, opaque.ErrFull) {
			return p, nil, rushgate.ServerBusy
		}
		return p, nil, ofOpaque(err)
	}
	again = func() {
		if id, ok := opaque.StateIDOf(o.State); ok {
			h.Opaque.GiveBack(id)
		}
	}
	p = opaquerecord.Proof{Identifier: opaquerecord.Identifier(id), Record: record}
	if !p.Identifier.Of(of) {
		again()
		return p, nil, errBadState
	}
	return p, again, nil
}

// finishRegistration makes an account, or with the token of a session gives the player's own another proof.
func (h *handler) finishRegistration(w http.ResponseWriter, r *http.Request) {
	if h.Opaque == nil || r.Header.Get("Authorization") == "" {
		h.finish(w, r, auth.FinishRegister, http.StatusCreated)
		return
	}
	i, err := h.parseInside(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	key := h.changes.key(i.parts()...)
	done, err := h.changeOnce(r, key, i.attempt != "", func(r *http.Request) (changed, error) {
		return h.changeRecord(r, &i)
	})
	if err != nil {
		h.answer(w, r, auth.Welcome{}, ofOpaque(ofLedger(err)), 0, false)
		return
	}
	if done == (changed{}) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.reenter(w, r, auth.Request{
		Username: done.name, Player: done.player, Attempt: i.attempt, Remember: i.remember,
	}, done.epoch, i.inCookie)
}

// changeRecord gives the account of the session a record.
func (h *handler) changeRecord(r *http.Request, i *inside) (changed, error) {
	o, err := h.owner(r)
	if err == nil {
		err = h.mayCall(o)
	}
	if err != nil {
		return changed{}, err
	}
	before, replaced, err := h.setRecord(r, o, i)
	if err != nil || !replaced {
		return changed{}, err
	}
	return changed{before.Account.ID, before.Account.Username, before.Account.Epoch + 1}, nil
}

// inside is the form of the end of a registration by a player who is inside.
type inside struct {
	session           string
	registration      auth.Opaque
	proof             proof
	attempt, remember string
	inCookie          bool
}

// parts is all that tells the request from another, see [changes]: a proof is a login's, and no two have the same.
func (i *inside) parts() []string {
	p := &i.proof
	return []string{
		i.session, i.attempt, string(i.registration.State), string(i.registration.Message), p.password, p.exact,
		string(p.code), string(p.opaque.State), string(p.opaque.Message),
	}
}

func (h *handler) parseInside(r *http.Request) (i inside, err error) {
	if i.session, err = bearerToken(r); err != nil {
		return i, err
	}
	if _, err := token.ParseSession(i.session); err != nil {
		return i, rushgate.BadCredentials
	}
	given, err := readFields(r, insideFields)
	if err != nil {
		return i, err
	}
	if i.registration, err = finishing(given, "state", "upload", opaque.UploadSize); err != nil {
		return i, err
	}
	if i.proof, err = proofIn(given, "password"); err != nil && !errors.Is(err, nothingShown("password")) {
		return i, err
	}
	i.attempt, i.remember, i.inCookie = given.String("attempt_id"), given.String("remember"), given.Bool("remember_cookie")
	if err := validAttempt(i.attempt); err != nil {
		return i, err
	}
	if err := cookieReaches(r, i.inCookie); err != nil {
		return i, err
	}
	return i, h.remembered(r, i.remember, i.inCookie)
}

// cookieReaches refuses to put a token into a cookie from where that does not reach what it is for.
func cookieReaches(r *http.Request, inCookie bool) error {
	if inCookie && r.URL.Path != cookieLogin && r.URL.Path != cookieRegister {
		return malformed{
			"A cookie would not reach /v1/resume from here. Finish at " + cookieLogin + " or " + cookieRegister + ".",
		}
	}
	return nil
}

// setRecord gives the account of a session its record, and returns the account as it was proved, and whether its
// password was changed by that: an account that has a record already is proved by it.
func (h *handler) setRecord(
	r *http.Request, o owner, i *inside,
) (proved secondfactor.Proved, replaced bool, err error) {
	record, again, err := h.registered(i.registration, ownOf(o.player))
	if err != nil {
		return proved, false, err
	}
	defer func() {
		if err != nil {
			again()
		}
	}()
	a, err := h.found(r, o)
	if err != nil {
		return proved, false, err
	}
	replaced = opaquerecord.Has(a.Credentials)
	switch {
	case replaced && !i.proof.byOpaque():
		return proved, false, malformed{"The account is proved by OPAQUE: both login_state and ke3 are needed."}
	case !replaced && i.proof.byOpaque():
		return proved, false, errNoRecord
	case !replaced && !i.proof.shown() && h.fresh.is(i.session, time.Now()):
		proved.Account = a
	case !i.proof.shown():
		return proved, false, errNotFresh
	default:
		if proved, err = h.prove(r, o, &i.proof); err != nil {
			return proved, false, err
		}
	}
	return proved, replaced, h.Accounts.SetRecord(r.Context(), account.Registration{
		Proved: proved, Record: record, Replaces: replaced, From: h.from(r),
	})
}
