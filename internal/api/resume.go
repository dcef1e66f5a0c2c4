package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

// resumeFields are those of a resume, forgetFields those of its opposite.
var (
	resumeFields = []strictjson.Field{
		{Name: "resume_token"}, {Name: "session_token"}, {Name: "attempt_id"}, {Name: "takeover", Kind: strictjson.Bool},
		{Name: "line_secret"}, {Name: "wait", Kind: strictjson.Bool}, {Name: "remember_cookie", Kind: strictjson.Bool},
		{Name: "device_id"},
	}
	forgetFields = []strictjson.Field{{Name: "resume_token"}}
)

// resume lets in a player with a token in place of a password: that of a remembered device, which the body or the
// cookie has, or that of a session which goes on.
func (h *handler) resume(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	request, cookie, err := h.parseResume(r, body)
	if err != nil {
		if cookie == usedCookie && errors.Is(err, rushgate.BadCredentials) {
			h.clearCookie(w, r)
		}
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	request.Addr = h.Proxies.Client(r)
	welcome, err := h.Pool.Resume(r.Context(), request)
	if cookie == usedCookie && errors.Is(err, rushgate.BadCredentials) {
		h.clearCookie(w, r)
	}
	h.answer(w, r, welcome, err, http.StatusOK, cookie != noCookie)
}

// cookieUse is what a resume has to do with the cookie.
type cookieUse int

const (
	noCookie     cookieUse = iota
	wantedCookie           // the token is to go there
	usedCookie             // it comes from there, too
)

// parseResume checks the form of a resume. What its token is worth is not known by that. A token that is in the cookie
// is answered with one that is.
func (h *handler) parseResume(r *http.Request, body []byte) (request auth.Request, cookie cookieUse, err error) {
	given, err := object(body, resumeFields...)
	if err != nil {
		return request, noCookie, err
	}
	request = auth.Request{
		Attempt: given.String("attempt_id"), Takeover: given.Bool("takeover"), Wait: given.Bool("wait"),
	}
	if err := validAttempt(request.Attempt); err != nil {
		return request, noCookie, err
	}
	if request.Device, err = deviceOf(given.String("device_id")); err != nil {
		return request, noCookie, err
	}
	if request.Holder, _, err = place(given.String("line_secret"), ""); err != nil {
		return request, noCookie, err
	}
	if request.Wait && given.String("line_secret") == "" {
		return request, noCookie, malformed{"To wait for the world needs a line_secret, which is to hold the place."}
	}
	wanted := given.Bool("remember_cookie")
	if err := h.mayHaveCookie(r, wanted); err != nil {
		return request, noCookie, err
	}
	if wanted {
		cookie = wantedCookie
	}
	cookie, err = h.parseTokens(r, &request, given, cookie)
	return request, cookie, err
}

// parseTokens puts the one token that a resume has into the request.
func (h *handler) parseTokens(
	r *http.Request, request *auth.Request, given strictjson.Values, cookie cookieUse,
) (_ cookieUse, err error) {
	session, resume := given.String("session_token"), given.String("resume_token")
	switch {
	case session != "" && resume != "":
		return noCookie, malformed{"Only one of resume_token and session_token can be given."}
	case session != "" && (request.Wait || cookie != noCookie):
		return noCookie, malformed{"A session that goes on neither waits for the world nor has a cookie."}
	case session != "":
		if request.Takeover {
			request.Elsewhere = auth.Move
		}
		request.SessionToken, err = token.ParseSession(session)
	case resume != "":
		request.ResumeToken, err = token.ParseResume(resume)
	default:
		resume, found := h.cookie(r)
		if !found && cookie == noCookie {
			return noCookie, malformed{"One of resume_token and session_token is needed."}
		}
		cookie = usedCookie
		request.ResumeToken, err = token.ParseResume(resume)
	}
	if err != nil { // which says no more to the client than that of a token that nobody has
		err = rushgate.BadCredentials
	}
	return cookie, err
}

// forget ends a remembered device, and with it the session of the Authorization header, if there is one.
func (h *handler) forget(w http.ResponseWriter, r *http.Request) {
	resume, err := h.parseForget(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	if t, err := token.ParseResume(resume); err == nil {
		HoldConn(r.Context())
		if err := h.Pool.Forget(r.Context(), auth.Request{ResumeToken: t, Addr: h.Proxies.Client(r)}); err != nil {
			h.refuse(w, err)
			return
		}
	}
	if session, err := bearerToken(r); err == nil {
		if err := h.endSession(r, session); err != nil && !errors.Is(err, rushgate.BadCredentials) {
			h.refuse(w, err)
			return
		}
	}
	if h.ownPage(r) {
		h.clearCookie(w, r)
	}
	w.WriteHeader(http.StatusNoContent)
}

// parseForget returns the resume token that a request is to end, of the body, which may be empty, or of the cookie;
// empty if there is none.
func (h *handler) parseForget(r *http.Request) (string, error) {
	body, err := readBody(r)
	if err != nil {
		return "", err
	}
	if len(body) > 0 {
		given, err := object(body, forgetFields...)
		if err != nil {
			return "", err
		}
		if t := given.String("resume_token"); t != "" {
			return t, nil
		}
	}
	t, _ := h.cookie(r)
	return t, nil
}

// goOn goes on here with a session that this node does not have. The form of the token is looked at before anything
// that costs something.
func (h *handler) goOn(
	ctx context.Context, from netip.Addr, text string, elsewhere auth.Elsewhere,
) (rushgate.Session, error) {
	t, err := token.ParseSession(text)
	if err != nil {
		return rushgate.Session{}, rushgate.BadCredentials
	}
	welcome, err := h.Pool.Resume(ctx, auth.Request{SessionToken: t, Elsewhere: elsewhere, Addr: from})
	if errors.Is(err, rushgate.AlreadyLoggedIn) { // on a node of which it is not known where: the next try may get there
		err = &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: h.Door.Later(door.UnderWay), Cause: err}
	}
	return welcome.Session, err
}

// renew returns the session of a token with another ticket, wherever that session is.
func (h *handler) renew(r *http.Request, text string) (rushgate.Session, error) {
	s, err := h.Realm.Renew(text)
	if errors.Is(err, rushgate.BadCredentials) {
		s, err = h.goOn(r.Context(), h.Proxies.Client(r), text, auth.MoveUnlessReachable)
	}
	return s, err
}

// endSession logs out the player of a session, which goes on here for it if the node that had it is gone.
func (h *handler) endSession(r *http.Request, text string) error {
	HoldConn(r.Context()) // it waits for the player's save
	err := h.Realm.Logout(r.Context(), text)
	if !errors.Is(err, rushgate.BadCredentials) {
		return err
	}
	if _, err := h.goOn(r.Context(), h.Proxies.Client(r), text, auth.Leave); err != nil {
		return err
	}
	return h.Realm.Logout(r.Context(), text)
}

// character returns the state of the player of a session, which goes on here if the node that had it is gone.
func (h *handler) character(r *http.Request, text string) (c rushgate.Character, expires timestamp, err error) {
	for range 2 {
		c, until, err := h.Realm.Character(r.Context(), text)
		if !errors.Is(err, rushgate.BadCredentials) {
			return c, timestamp(until), err
		}
		if _, err := h.goOn(r.Context(), h.Proxies.Client(r), text, auth.Leave); err != nil {
			return c, expires, err
		}
	}
	return c, expires, rushgate.BadCredentials
}

// remembered checks what a request says of the device that the account is to be remembered on.
func (h *handler) remembered(r *http.Request, label string, inCookie bool) error {
	switch {
	case label == "" && inCookie:
		return malformed{"remember_cookie needs remember, the name of the device."}
	case label != "" && !rushgate.ValidDeviceLabel(label):
		return malformed{fmt.Sprintf("remember must be 1 to %d bytes without control characters.", rushgate.MaxDeviceLabel)}
	}
	return h.mayHaveCookie(r, inCookie)
}
