package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
)

// outcomes is the one table from reasons to what goes over the wire.
var outcomes = map[rushgate.Reason]struct {
	status  int
	message string
}{
	rushgate.ServerBusy:     {http.StatusServiceUnavailable, "The server is busy. Come back after the given time."},
	rushgate.RateLimited:    {http.StatusTooManyRequests, "Too many attempts. Come back after the given time."},
	rushgate.BadCredentials: {http.StatusUnauthorized, "Unknown user or wrong password, or no valid session token."},
	rushgate.SecondFactor: {http.StatusUnauthorized,
		"A code of your authenticator is needed, or a recovery code. Each is good once: after a wrong one, type the next."},
	rushgate.UsernameTaken:      {http.StatusConflict, "That name is taken."},
	rushgate.AlreadyLoggedIn:    {http.StatusConflict, "This account is already logged in."},
	rushgate.MissingCredentials: {http.StatusBadRequest, "The request is incomplete or malformed."},
	rushgate.RequestExpired:     {http.StatusGatewayTimeout, "The request waited too long. Try again."},
	rushgate.WrongZone: {http.StatusMisdirectedRequest,
		"Your character is in a part of the world that another server runs. Log in there."},
	rushgate.AccountDisabled: {http.StatusForbidden, "This account is disabled"}, // and until when, and why
	rushgate.InternalError:   {http.StatusInternalServerError, "Something went wrong. Try again later."},
}

// modes are what players are told of a mode, if the operator says nothing else.
var modes = map[rushgate.Mode]string{
	rushgate.ModeClosed:    "The server is closed for now. Come back after the given time.",
	rushgate.ModeStaff:     "The server is open to staff only for now, or name or password are wrong. Come back later.",
	rushgate.ModeAllowlist: "The server is open to some players only, or name or password are wrong.",
}

// messageFor returns what a player is told of a mode.
func messageFor(r *rushgate.Refusal) string {
	if r.Text != "" {
		return r.Text
	}
	return modes[r.Mode]
}

type refusalBody struct {
	Reason  rushgate.Reason `json:"reason"`
	Message string          `json:"message"`
	// Field comes with missing-credentials, where the form of one field is wrong, or the node does not know it. It is not
	// in Message: clients of every age read in that which fields the node knows.
	Field        string `json:"field,omitempty"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
	// Mode comes with server-busy if the operators let in nobody, or only some; OpensAt is when they mean to open.
	Mode    rushgate.Mode `json:"mode,omitempty"`
	OpensAt *timestamp    `json:"opens_at,omitempty"`
	placeBody
	workBody
	Address string `json:"address,omitempty"` // with wrong-zone
	// DisabledUntil and DisabledReason come with account-disabled; there is no end to a ban for ever.
	DisabledUntil  *time.Time `json:"disabled_until,omitempty"`
	DisabledReason string     `json:"disabled_reason,omitempty"`
	AppealURL      string     `json:"appeal_url,omitempty"`
}

// placeBody is a place in the line before the door, or in that of the world, with server-busy where there is one. An
// ETA may be 0.
type placeBody struct {
	Place     int    `json:"place,omitempty"`
	Low       *int64 `json:"eta_low_ms,omitempty"`
	High      *int64 `json:"eta_high_ms,omitempty"`
	PollAfter int64  `json:"poll_after_ms,omitempty"`
	Turn      int64  `json:"turn_ms,omitempty"`
	Ticket    string `json:"ticket,omitempty"`
	Lost      string `json:"place_lost,omitempty"`
	Proof     string `json:"proof,omitempty"`
}

// workBody is what a client has to find before it is given a place, with server-busy and in the document of the line.
type workBody struct {
	Bits int    `json:"work_bits,omitempty"`
	Salt string `json:"work_salt,omitempty"`
}

func newWorkBody(w rushgate.Work) workBody {
	if w.Bits == 0 {
		return workBody{}
	}
	return workBody{w.Bits, line.Salt(w.Salt).String()}
}

func newPlaceBody(p *rushgate.Place) placeBody {
	low, high := p.Low.Milliseconds(), roundUp(p.High, time.Millisecond)
	return placeBody{
		Place: p.Number, Low: &low, High: &high, PollAfter: roundUp(p.PollAfter, time.Millisecond), Turn: p.Turn.UnixMilli(),
		Ticket: p.Ticket, Lost: p.Lost, Proof: p.Proof,
	}
}

// disabled tells a player of a ban, also through clients that do not know the reason and show the message.
func (b *refusalBody) disabled(r *rushgate.Refusal) {
	if until := r.Until.UTC(); until.Before(rushgate.Forever()) {
		b.DisabledUntil = &until
		b.Message += until.Format(" until 2006-01-02 15:04 MST")
	}
	if b.DisabledReason = r.Text; r.Text != "" {
		b.Message += ": " + r.Text
	}
	if !strings.HasSuffix(b.Message, ".") {
		b.Message += "."
	}
}

// malformed is a [rushgate.MissingCredentials] whose message may be shown: it says what is wrong with the request.
type malformed struct{ message string }

func (m malformed) Error() string { return m.message }
func (m malformed) Unwrap() error { return rushgate.MissingCredentials }

// misread is a [malformed] with the name of the field that is wrong, for the client that sent it.
type misread struct {
	malformed
	field string // "" if there is none that can be shown
}

func (m misread) Unwrap() error { return m.malformed }

// rejection is a [rushgate.MissingCredentials] for which HTTP has a status that says more than 400. Its message may be
// shown.
type rejection struct {
	status  int
	message string
}

func (r rejection) Error() string { return r.message }
func (r rejection) Unwrap() error { return rushgate.MissingCredentials }

// told is a reason with words of its own for the player.
type told struct {
	reason  rushgate.Reason
	message string
}

func (t told) Error() string { return t.message }
func (t told) Unwrap() error { return t.reason }

var (
	errNoPath      = rejection{http.StatusNotFound, "There is nothing at this path."}
	errNoBoard     = rejection{http.StatusNotFound, "There is no such leaderboard."}
	errNoChannel   = rejection{http.StatusNotFound, "This server has no such realtime channel."}
	errForeignPage = rejection{http.StatusForbidden, "Pages of this origin may not do that."}
)

// refuse answers a request with an error's reason. Nothing else of the error is shown, unless it is a [malformed], a
// [rejection] or a [told]. An error without a reason is logged; of the others what gave them has logged what there is
// to log.
func (h *handler) refuse(w http.ResponseWriter, err error) {
	var reason rushgate.Reason
	if !errors.As(err, &reason) {
		if reason = rushgate.InternalError; errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			reason = rushgate.RequestExpired // the request's own context
		} else {
			h.Logger.Error("request failed", "error", err)
		}
	}
	out, ok := outcomes[reason]
	if !ok {
		reason = rushgate.InternalError
		out = outcomes[reason]
	}
	body := refusalBody{Reason: reason, Message: out.message}
	if m, ok := errors.AsType[malformed](err); ok {
		body.Message = m.message
	}
	if m, ok := errors.AsType[misread](err); ok {
		body.Field = m.field
	}
	if r, ok := errors.AsType[rejection](err); ok {
		out.status, body.Message = r.status, r.message
	}
	if t, ok := errors.AsType[told](err); ok {
		body.Message = t.message
	}
	if errors.Is(err, auth.ErrNoRegistration) {
		body.Message = "New accounts cannot be made from here"
	}
	if wait := h.retryAfter(err, reason); wait > 0 {
		body.RetryAfterMS = int64(math.Ceil(float64(wait) / float64(time.Millisecond)))
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
	}
	var refusal *rushgate.Refusal
	found := errors.As(err, &refusal)
	if found && refusal.Mode != "" {
		body.Mode, body.OpensAt, body.Message = refusal.Mode, opensAt(refusal.OpensAt), messageFor(refusal)
	}
	switch {
	case found && refusal.Place.Number > 0:
		body.placeBody = newPlaceBody(&refusal.Place)
	case found && refusal.Work.Bits > 0:
		body.workBody = newWorkBody(refusal.Work)
	case found && reason == rushgate.WrongZone:
		body.Address = refusal.Address
	case found && reason == rushgate.AccountDisabled:
		body.disabled(refusal)
		body.AppealURL = h.AppealURL
	}
	if reason == rushgate.BadCredentials || reason == rushgate.SecondFactor {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 section 15.5.2 demands one with every 401
	}
	writeJSON(w, out.status, body)
}

// retryAfter returns when to ask again; refusals that do not know it have it from the door.
func (h *handler) retryAfter(err error, reason rushgate.Reason) time.Duration {
	var refusal *rushgate.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.RetryAfter > 0:
		return refusal.RetryAfter
	case reason == rushgate.ServerBusy || reason == rushgate.RateLimited:
		return h.Door.Later(door.Crowded)
	default:
		return 0
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only types of this package come here, and all of them can be marshalled
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
