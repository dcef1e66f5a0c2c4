package api

import (
	"errors"
	"net/http"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/outbox"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

var errNoMail = rejection{http.StatusNotFound, "This server sends no mail: ask those who run it for a code."}

var (
	recoverFields = []strictjson.Field{{Name: "username"}}
	finishFields  = []strictjson.Field{
		{Name: "username"}, {Name: "code"}, {Name: "password"}, {Name: "state"}, {Name: "upload"},
	}
)

// sentBody is what a client is told of a mail that will be sent, if there is anybody to send it to.
type sentBody struct {
	ValidMS int64 `json:"code_valid_ms"`
}

var willBeSent = sentBody{account.CodeTTL.Milliseconds()}

// parseRecover reads whose password is lost: the name as it was typed, and the one that the door counts by.
func parseRecover(body []byte) (typed, name string, err error) {
	given, err := object(body, recoverFields...)
	if err != nil {
		return "", "", err
	}
	typed = given.String("username")
	if name, _, err = loginName(typed); err != nil {
		return "", "", malformed{sentence(err)}
	}
	return typed, name, nil
}

// recover has a code sent to the player of a name. It does not look whether there is one: the answer and its time are
// the same for all names.
func (h *handler) recover(w http.ResponseWriter, r *http.Request) {
	if err := h.askRecovery(r); err != nil {
		h.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusAccepted, willBeSent)
}

func (h *handler) askRecovery(r *http.Request) error {
	if h.Outbox == nil {
		return errNoMail
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	typed, name, err := parseRecover(body)
	if err != nil {
		return err
	}
	if err := h.Door.Mail(h.Proxies.Client(r), name); err != nil {
		return err
	}
	HoldConn(r.Context()) // it waits for the store
	return h.ofOutbox(h.Outbox.Recover(r.Context(), typed, name, languages(r)))
}

// languages are those that a client wants its mail in.
func languages(r *http.Request) string { return mail.Languages(r.Header.Get("Accept-Language")) }

// ofOutbox turns an outbox's errors into those for players.
func (h *handler) ofOutbox(err error) error {
	switch {
	case errors.Is(err, outbox.ErrFull):
		return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: h.Door.Later(door.Crowded), Cause: err}
	case errors.Is(err, rushgate.ErrUnavailable):
		return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: h.Door.Later(door.StoreAway), Cause: err}
	}
	return err
}

// parseFinish checks everything about another password for a lost one that can be checked without asking anyone.
func parseFinish(body []byte, passwordMin int) (auth.Request, error) {
	out := auth.Request{Kind: auth.Recover}
	given, err := object(body, finishFields...)
	if err != nil {
		return out, err
	}
	_, typed := given["password"]
	uploaded := given.String("upload") != "" || given.String("state") != ""
	_, named := given["username"]
	if _, coded := given["code"]; !named || !coded || !typed && !uploaded || given.String("password") != "" && uploaded {
		return out, malformed{"All of username, code and password are needed, or state and upload in place of the password."}
	}
	if out.Username, out.Imported, err = loginName(given.String("username")); err != nil {
		return out, malformed{sentence(err)}
	}
	if out.Code, err = token.ParseCode(given.String("code")); err != nil {
		return out, malformed{"A code has twelve letters and digits, as in 7K2M-QX9D-4HPT."}
	}
	if uploaded {
		out.Opaque, err = finishing(given, "state", "upload", opaque.UploadSize)
		return out, err
	}
	if out.Password, err = rushgate.NewPassword(given.String("password"), out.Username, passwordMin); err != nil {
		return out, malformed{sentence(err)}
	}
	return out, nil
}

// errCode is the answer to a code that is not good, by whatever name: it does not tell whether there is an account.
var errCode = told{rushgate.BadCredentials,
	"The code is wrong, used or too old, or it is for another name. Check it, or ask for a new one."}

// ofCode has an errand that was refused for its code say so: it has brought no password that could be wrong.
func ofCode(err error) error {
	if _, more := errors.AsType[*rushgate.Refusal](err); !more && errors.Is(err, rushgate.BadCredentials) {
		return errCode
	}
	return err
}

// finishRecovery gives an account another password whose player has a code.
func (h *handler) finishRecovery(w http.ResponseWriter, r *http.Request) {
	request, err := readForm(r, func(body []byte) (auth.Request, error) { return parseFinish(body, h.PasswordMin) })
	if err != nil {
		h.refuse(w, err)
		return
	}
	again, err := h.recovered(&request)
	if err != nil {
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	request.Addr = h.Proxies.Client(r)
	if _, err := h.Pool.Errand(r.Context(), request); err != nil {
		again()
		h.answer(w, r, auth.Welcome{}, ofCode(err), 0, false)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// recovered has what a player whose password is lost has registered by OPAQUE take the place of another password, and
// returns what has it be good again. A password is refused where none is taken.
func (h *handler) recovered(request *auth.Request) (again func(), err error) {
	switch {
	case request.Opaque.State == nil:
		return func() {}, h.takesPasswords()
	case h.Opaque == nil:
		return nil, errNoOpaque
	}
	request.Record, again, err = h.registered(request.Opaque, recoveryOf(request.Username))
	return again, err
}
