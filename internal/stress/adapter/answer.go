package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
)

// statuses are the HTTP statuses with which Rushgate sends its reasons, as far as they are used here.
var statuses = map[rushgate.Reason]int{
	rushgate.ServerBusy:         http.StatusServiceUnavailable,
	rushgate.RateLimited:        http.StatusTooManyRequests,
	rushgate.BadCredentials:     http.StatusUnauthorized,
	rushgate.UsernameTaken:      http.StatusConflict,
	rushgate.MissingCredentials: http.StatusBadRequest,
	rushgate.RequestExpired:     http.StatusGatewayTimeout,
	rushgate.InternalError:      http.StatusInternalServerError,
}

// maxRetrySeconds keeps a Retry-After within what fits into milliseconds. Clients have lower limits.
const maxRetrySeconds = int64(30 * 24 * time.Hour / time.Second)

// refuse answers with what err means: a reason, a bare status, or no answer at all.
func refuse(to *http.Request, err error) (*http.Response, error) {
	if s, ok := errors.AsType[*strange](err); ok {
		return answer(to, s.status, nil), nil
	}
	reason, ok := errors.AsType[rushgate.Reason](err)
	if !ok {
		return nil, err
	}
	body := struct {
		Reason       rushgate.Reason `json:"reason"`
		Message      string          `json:"message"`
		RetryAfterMS int64           `json:"retry_after_ms,omitempty"`
	}{Reason: reason, Message: "the adapter knows of no such session, or cannot use the request"}
	var header http.Header
	if ref, ok := errors.AsType[*refusal](err); ok {
		body.Message = fmt.Sprintf("the server answered with HTTP status %d", ref.reply.status)
		header = ref.reply.header
		if s, err := strconv.ParseInt(header.Get("Retry-After"), 10, 64); err == nil && s > 0 {
			body.RetryAfterMS = min(s, maxRetrySeconds) * 1000
		}
	}
	resp := answer(to, statuses[reason], body)
	// The client also reads dates, by the clock of the server that they are from.
	for _, name := range []string{"Retry-After", "Date"} {
		if v := header.Get(name); v != "" {
			resp.Header.Set(name, v)
		}
	}
	return resp, nil
}

// answer is an answer to a request of the client, with body as JSON unless it is nil.
func answer(to *http.Request, status int, body any) *http.Response {
	var data []byte
	header := http.Header{}
	if body != nil {
		// Structs of strings, numbers and times of these years always marshal.
		data, _ = json.Marshal(body)
		header.Set("Content-Type", "application/json")
	}
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)), Request: to,
	}
}
