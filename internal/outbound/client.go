package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRedirects is how often a request is led on.
const maxRedirects = 2

// Client returns an HTTP client whose requests are calls of this target, for libraries that take one. Form says whether
// the body of an answer of success is of the form that is asked for; another one counts as a failure. Bodies of answers
// are read when they are returned.
//
// A request's error wraps an [*Error], or is that of its context, whose deadline must leave a call its time: to let it
// pass counts as a failure of the target. The [net/url.Error] around it quotes the URL, so take only what it wraps.
func (t *Target) Client(form func(body []byte) bool) *http.Client {
	return &http.Client{Transport: caller{t, form}, CheckRedirect: t.checkRedirect}
}

// JSONObject reports whether an answer is one.
func JSONObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) && json.Valid(body)
}

// innocent are the headers that a request may have and be led on with.
var innocent = []string{"Accept", "Cache-Control", "User-Agent", "Referer"}

func (t *Target) checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	follow := len(via) <= maxRedirects && first.Method == http.MethodGet &&
		(req.URL.Scheme == "https" || first.URL.Scheme == "http") && req.URL.User == nil
	for name := range first.Header {
		follow = follow && slices.Contains(innocent, name)
	}
	if !follow {
		return t.errorf(0, ErrRedirect)
	}
	return nil
}

// caller makes the calls of a client.
type caller struct {
	*Target
	form func([]byte) bool
}

// RoundTrip implements [http.RoundTripper].
func (c caller) RoundTrip(req *http.Request) (*http.Response, error) {
	leave, err := c.enter(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // nothing was sent of it
		}
		return nil, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(req.Context(), c.calls.cfg.Timeout)
	defer cancel()
	resp, err := c.read(req.WithContext(ctx))
	// A caller that gives up early says nothing about the target; one that has waited for half of the time does.
	if errors.Is(req.Context().Err(), context.Canceled) && err != nil && time.Since(began) < c.calls.cfg.Timeout/2 {
		leave(none, 0)
		return nil, req.Context().Err()
	}
	v, hint, kind := c.judge(resp, err)
	leave(v, hint)
	if kind != nil {
		after, _ := c.circuit.open(time.Now())
		return nil, c.errorf(max(after, min(hint, c.calls.cfg.LongestRest)), kind)
	}
	return resp, nil
}

// judge returns what an answer, or the lack of one, says of the target, for how long that wants to be left alone, and
// why the answer is none that a caller gets.
func (c caller) judge(resp *http.Response, err error) (v verdict, hint time.Duration, kind error) {
	switch {
	case errors.Is(err, ErrForbidden): // which is no sign that it is away
		return none, 0, describe(err)
	case err != nil:
		return bad, 0, describe(err)
	case resp.StatusCode == http.StatusTooManyRequests:
		return limited, retryAfter(resp.Header), fmt.Errorf("%w (%d)", ErrStatus, resp.StatusCode)
	case resp.StatusCode >= 500:
		return bad, retryAfter(resp.Header), fmt.Errorf("%w (%d)", ErrStatus, resp.StatusCode)
	case resp.StatusCode == http.StatusOK && !c.form(resp.Body.(*body).b):
		return bad, 0, ErrGarbage
	default:
		return good, 0, nil
	}
}

// body is that of an answer, which has been read.
type body struct {
	io.Reader
	b []byte
}

// Close implements [io.Closer].
func (*body) Close() error { return nil }

// read makes a request and reads the answer to its end.
func (c caller) read(req *http.Request) (*http.Response, error) {
	transport := c.calls.secure
	switch req.URL.Scheme {
	case "https":
	case "http":
		transport = c.calls.plain
	default:
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("%w: neither HTTPS nor HTTP", ErrForbidden)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, c.calls.cfg.Size+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > c.calls.cfg.Size:
		return nil, ErrTooLarge
	}
	resp.Body = &body{bytes.NewReader(b), b}
	return resp, nil
}

// retryAfter returns for how long a server wants to be left alone, if it says so in seconds.
func retryAfter(h http.Header) time.Duration {
	s, err := strconv.ParseUint(strings.TrimSpace(h.Get("Retry-After")), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(s) * time.Second
}
