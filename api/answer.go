package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
)

// outcomes is the one table from reasons to what goes over the wire.
var outcomes = map[rushgate.Reason]struct {
	status  int
	message string
}{
	rushgate.ServerBusy:         {http.StatusServiceUnavailable, "The server is busy. Come back after the given time."},
	rushgate.RateLimited:        {http.StatusTooManyRequests, "Too many failed attempts. Come back after the given time."},
	rushgate.BadCredentials:     {http.StatusUnauthorized, "Unknown user or wrong password, or no valid session token."},
	rushgate.UsernameTaken:      {http.StatusConflict, "That name is taken."},
	rushgate.AlreadyLoggedIn:    {http.StatusConflict, "This account is already logged in."},
	rushgate.MissingCredentials: {http.StatusBadRequest, "The request is incomplete or malformed."},
	rushgate.RequestExpired:     {http.StatusGatewayTimeout, "The request waited too long. Try again."},
	rushgate.InternalError:      {http.StatusInternalServerError, "Something went wrong. Try again later."},
}

type refusalBody struct {
	Reason       rushgate.Reason `json:"reason"`
	Message      string          `json:"message"`
	RetryAfterMS int64           `json:"retry_after_ms,omitempty"`
}

// malformed is a [rushgate.MissingCredentials] whose message may be shown: it says what is wrong with the request.
type malformed struct{ message string }

func (m malformed) Error() string { return m.message }
func (m malformed) Unwrap() error { return rushgate.MissingCredentials }

// refuse answers a request with an error's reason. Nothing else of the error is shown, unless it is a [malformed].
func (h *handler) refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = rushgate.RequestExpired
	}
	reason := rushgate.ReasonOf(err)
	out, ok := outcomes[reason]
	if !ok {
		reason = rushgate.InternalError
		out = outcomes[reason]
	}
	if reason == rushgate.InternalError {
		h.Logger.Error("request failed", "error", err)
	}
	body := refusalBody{Reason: reason, Message: out.message}
	var m malformed
	if errors.As(err, &m) {
		body.Message = m.message
	}
	var refusal *rushgate.Refusal
	if errors.As(err, &refusal) && refusal.RetryAfter > 0 {
		body.RetryAfterMS = int64(math.Ceil(float64(refusal.RetryAfter) / float64(time.Millisecond)))
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(refusal.RetryAfter.Seconds())), 10))
	}
	if reason == rushgate.BadCredentials {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 section 15.5.2 demands one with every 401
	}
	writeJSON(w, out.status, body)
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
