package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// enterFields are those of an entry.
var enterFields = []strictjson.Field{
	{Name: "ticket"}, {Name: "line_secret"}, {Name: "proof"}, {Name: "attempt_id"},
	{Name: "takeover", Kind: strictjson.Bool}, {Name: "remember"}, {Name: "remember_cookie", Kind: strictjson.Bool},
	{Name: "device_id"},
}

// enter lets in a player who has proved to own an account, and has waited for the world since.
func (h *handler) enter(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	e, inCookie, err := parseEntry(body)
	if err == nil {
		err = h.remembered(r, e.Remember, inCookie)
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	e.Addr = h.Proxies.Client(r)
	s, err := h.Pool.Enter(r.Context(), e)
	h.answer(w, r, s, err, http.StatusOK, inCookie)
}

// reenter gives the player of a request another session, in place of the one that a change of the account has ended,
// which has the epoch by now. If there is none the answer is 204: the change holds all the same, and the player can log
// in.
func (h *handler) reenter(w http.ResponseWriter, r *http.Request, request auth.Request, epoch uint64, inCookie bool) {
	request.Addr = h.Proxies.Client(r)
	welcome, err := h.Pool.Reenter(r.Context(), request, epoch)
	if err != nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.answer(w, r, welcome, nil, http.StatusOK, inCookie)
}

// letIn lets in a player by what a request shows in place of a name: read finds out what that is, and show has the pool
// judge it.
func (h *handler) letIn(
	w http.ResponseWriter, r *http.Request, read func(*http.Request) (request auth.Request, inCookie bool, err error),
	show func(context.Context, auth.Request) (auth.Welcome, error),
) {
	request, inCookie, err := read(r)
	if err == nil {
		err = h.remembered(r, request.Remember, inCookie)
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	request.Addr = h.Proxies.Client(r)
	s, err := show(r.Context(), request)
	h.answer(w, r, s, err, http.StatusOK, inCookie)
}

// parseEntry checks the form of an entry. What its ticket and its proof are worth is the door's to judge.
func parseEntry(body []byte) (e auth.Request, inCookie bool, err error) {
	given, err := object(body, enterFields...)
	if err != nil {
		return e, false, err
	}
	e = auth.Request{
		Kind: auth.Enter, Attempt: given.String("attempt_id"), Takeover: given.Bool("takeover"),
		Proof: given.String("proof"), Remember: given.String("remember"),
	}
	secret, ticket := given.String("line_secret"), given.String("ticket")
	if secret == "" || ticket == "" || e.Proof == "" {
		return e, false, malformed{"All of ticket, line_secret and proof are needed."}
	}
	if err := validAttempt(e.Attempt); err != nil {
		return e, false, err
	}
	if e.Device, err = deviceOf(given.String("device_id")); err != nil {
		return e, false, err
	}
	if len(e.Proof) > line.MaxProofText {
		return e, false, malformed{fmt.Sprintf("proof has more than %d characters.", line.MaxProofText)}
	}
	e.Holder, e.Ticket, err = place(secret, ticket)
	return e, given.Bool("remember_cookie"), err
}
