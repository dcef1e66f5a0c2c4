package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/rushgate/rushgate"
)

// maxBody bounds each body that is read, of the client and of the server.
const maxBody = 256 << 10

// call is one request of the client, in the course of which requests go to the server.
type call struct {
	original *http.Request
	next     http.RoundTripper
	base     string // path of the server's API
}

// request is one request to the server.
type request struct {
	method, path string
	query        url.Values
	header       map[string]string
	body         any // marshalled as JSON; nil: none
}

// reply is a whole answer of the server.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// strange is an answer that has no meaning in Rushgate's terms.
type strange struct{ status int }

func (e *strange) Error() string {
	return fmt.Sprintf("adapter: HTTP status %d without a meaning", e.status)
}

// refusal is an answer that means one of Rushgate's reasons.
type refusal struct {
	reason rushgate.Reason
	reply  reply
}

func (e *refusal) Error() string { return fmt.Sprintf("%s: HTTP status %d", e.reason, e.reply.status) }

// Unwrap makes the reason visible to errors.Is.
func (e *refusal) Unwrap() error { return e.reason }

// send carries out r at the place that the original request was sent to, whatever the answer is. No answer can change
// that place: redirects and addresses in answers are not followed.
func (c *call) send(r request) (reply, error) {
	to := *c.original.URL
	to.Path, to.RawPath, to.RawQuery = c.base+r.path, "", r.query.Encode()
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return reply{}, fmt.Errorf("adapter: %w", err)
		}
		body = bytes.NewReader(data)
	}
	hr, err := http.NewRequestWithContext(c.original.Context(), r.method, to.String(), body)
	if err != nil {
		return reply{}, fmt.Errorf("adapter: %w", err)
	}
	hr.Header.Set("Accept", "application/json")
	if body != nil {
		hr.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		hr.Header.Set(name, value)
	}
	// What the client tells http.Transport of connections that the server has closed during a pause goes for these
	// requests too.
	if v, ok := c.original.Header["Idempotency-Key"]; ok {
		hr.Header["Idempotency-Key"] = v
	}
	return c.exchange(hr)
}

func (c *call) exchange(hr *http.Request) (reply, error) {
	resp, err := c.next.RoundTrip(hr)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return reply{}, err
	}
	if len(data) > maxBody {
		return reply{}, &strange{resp.StatusCode}
	}
	return reply{resp.StatusCode, resp.Header, data}, nil
}

// decode reads the body into v, and reports whether it is JSON of that form. Fields that v does not have are ignored.
func (r reply) decode(v any) bool { return json.Unmarshal(r.body, v) == nil }

// means returns the answer as a refusal.
func (r reply) means(reason rushgate.Reason) error { return &refusal{reason, r} }

// failure says what an answer means by its status alone. It is what remains once a server's own codes are looked at.
func (r reply) failure() error {
	switch s := r.status; {
	case s == http.StatusTooManyRequests:
		return r.means(rushgate.RateLimited)
	case s == http.StatusServiceUnavailable:
		return r.means(rushgate.ServerBusy)
	case s == http.StatusGatewayTimeout:
		return r.means(rushgate.RequestExpired)
	case s == http.StatusBadGateway: // a proxy cannot reach the server, for which the client has an outcome of its own
		return &strange{s}
	case s >= 500 && s < 600:
		return r.means(rushgate.InternalError)
	}
	return &strange{r.status}
}

// text returns a field of the body, empty if it is missing or not text.
func (r reply) text(field string) string {
	var fields map[string]any
	if !r.decode(&fields) {
		return ""
	}
	s, _ := fields[field].(string)
	return s
}

// admission reads the grant from an answer that lets the player in, if its token is in that field.
func (r reply) admission(field string) (grant, error) {
	token := r.text(field)
	if !validToken(token) {
		return grant{}, &strange{r.status}
	}
	return grant{token: token}, nil
}

// ended says what the answer to a logout means.
func (r reply) ended() error {
	switch r.status {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return r.means(rushgate.BadCredentials)
	}
	return r.failure()
}

// validToken accepts what can stand in an Authorization header.
func validToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != ""
}

// readRequest reads and closes the body of the client's request.
func readRequest(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBody {
		return nil, errors.New("adapter: a request of more than 256 KiB")
	}
	return data, nil
}
