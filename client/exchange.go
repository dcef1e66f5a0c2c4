package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rushgate/rushgate"
)

var (
	// ErrNoAnswer is wrapped by errors of requests to which no whole answer came: the server cannot be reached, the
	// connection broke, or [Options.TryTimeout] passed. The server may have acted on the request all the same.
	ErrNoAnswer = errors.New("no answer from the server")
	// ErrTryTimeout is wrapped, besides ErrNoAnswer, when it is the try's own time ([Options].TryTimeout, or less for
	// calls that say so) that was up: the server was silent.
	ErrTryTimeout = errors.New("the time for a try is up")
	// ErrBadAnswer is wrapped by errors of requests whose answer is not one of a Rushgate server.
	ErrBadAnswer = errors.New("the answer makes no sense")
	// ErrSessionEnded is matched by errors of sessions that are over, in whatever way: the player has to log in again.
	// They match [rushgate.BadCredentials], too, which is what the server calls a token without a session.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrNoChannel is wrapped by errors of sessions on a server that has no realtime channel.
	ErrNoChannel = errors.New("the server has no realtime channel")
)

// Bounds of what a server can make the client keep or believe.
const (
	maxAnswer     = 256 << 10 // bytes of a body
	maxReason     = 64        // bytes
	maxMessage    = 256       // bytes
	maxToken      = 4 << 10   // bytes
	maxAddress    = 255 + 6   // bytes: the longest name of RFC 1035, a colon, a port
	maxRetryAfter = 24 * time.Hour
)

// request is one call of the API.
type request struct {
	op           string // for errors
	method, path string
	body         []byte   // nil: none
	token        string   // session token, or empty
	languages    string   // that an answer by mail is to be in, or empty
	base         string   // of another node than the client's own, or empty
	secrets      []string // what must not turn up in an error, besides the token
	cookie       string   // name=value, or empty
	line         bool     // a refusal may have a place in the line
	// outdated: what is shown is good for a time, or once; a status 409 that has no reason of its own says that it is good
	// no longer, see ErrBeginAgain.
	outdated bool
	// within bounds the try if it is less than Options.TryTimeout; 0: that bounds it.
	within time.Duration
}

// leaks reports whether text, which came from elsewhere, repeats a secret of the request.
func (r *request) leaks(text string) bool {
	for _, s := range append(r.secrets, r.token) {
		if s != "" && strings.Contains(text, s) {
			return true
		}
	}
	return false
}

func (r *request) bad(format string, args ...any) error {
	return fmt.Errorf("client: %s: %w: "+format, append([]any{r.op, ErrBadAnswer}, args...)...)
}

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// exchange sends a request once and reads the whole answer, whatever it is. Its errors wrap ErrNoAnswer, ErrBadAnswer
// or ctx.Err().
func (c *Client) exchange(ctx context.Context, r request) (answer, error) {
	if c.stale.Swap(false) {
		c.CloseIdleConnections()
	}
	if r.within == 0 || r.within > c.opts.TryTimeout {
		r.within = c.opts.TryTimeout
	}
	tryCtx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	hr, err := http.NewRequestWithContext(tryCtx, r.method, cmp.Or(r.base, c.base)+r.path, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, fmt.Errorf("client: %s: %w", r.op, err)
	}
	hr.Header.Set("Accept", "application/json")
	if r.body != nil {
		hr.Header.Set("Content-Type", "application/json")
		// The attempt id makes it safe to send again. An empty list tells so to http.Transport alone: it then
		// replaces by itself a connection that the server has closed during a pause.
		hr.Header["Idempotency-Key"] = []string{}
	}
	if r.languages != "" {
		hr.Header.Set("Accept-Language", r.languages)
	}
	if r.cookie != "" {
		hr.Header.Set("Cookie", r.cookie)
	}
	if r.token != "" {
		hr.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := c.opts.Transport.RoundTrip(hr)
	if err != nil {
		return answer{}, c.lost(ctx, tryCtx, &r, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, c.lost(ctx, tryCtx, &r, err)
	}
	ans := answer{status: resp.StatusCode, header: resp.Header, body: body}
	if len(body) > maxAnswer {
		return ans, r.bad("HTTP status %d with more than %d bytes", resp.StatusCode, maxAnswer)
	}
	return ans, nil
}

// lost says why no answer came: the caller's context, the try's own timeout, or the transport's error.
func (c *Client) lost(ctx, tryCtx context.Context, r *request, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("client: %s: %w", r.op, ctx.Err())
	case tryCtx.Err() != nil:
		c.stale.Store(true)
		// Not context.DeadlineExceeded: callers must be able to tell their own deadline from this one.
		return fmt.Errorf("client: %s: %w within %v: %w", r.op, ErrNoAnswer, r.within, ErrTryTimeout)
	case r.leaks(err.Error()):
		return fmt.Errorf("client: %s: %w", r.op, ErrNoAnswer)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("client: %s: %w", r.op, err) // trying again will not change the certificate
	}
	return fmt.Errorf("client: %s: %w: %w", r.op, ErrNoAnswer, err)
}

// decode reads a success with one of the given statuses into v. Unknown fields are left to newer clients.
func (r *request) decode(ans answer, v any, statuses ...int) error {
	for _, s := range statuses {
		if ans.status != s {
			continue
		}
		if err := json.Unmarshal(ans.body, v); err != nil {
			return r.bad("HTTP status %d with a body that is not the JSON expected", ans.status)
		}
		return nil
	}
	return r.refusal(ans)
}

// refusal turns any other answer into an error.
func (r *request) refusal(ans answer) error {
	if ans.status < 400 {
		if ans.status >= 300 {
			return r.bad("HTTP status %d: redirects are not followed", ans.status)
		}
		return r.bad("HTTP status %d", ans.status)
	}
	var body struct {
		Reason       rushgate.Reason `json:"reason"`
		Message      string          `json:"message"`
		RetryAfterMS int64           `json:"retry_after_ms"`
		Address      string          `json:"address"`
		Until        string          `json:"disabled_until"`
		Text         string          `json:"disabled_reason"`
		AppealURL    string          `json:"appeal_url"`
		Mode         rushgate.Mode   `json:"mode"`
		OpensAt      string          `json:"opens_at"`
	}
	if json.Unmarshal(ans.body, &body) == nil && validReason(string(body.Reason)) {
		ref := &rushgate.Refusal{Reason: body.Reason, RetryAfter: retryAfter(ans.header)}
		if ms := body.RetryAfterMS; ms > 0 { // more precise than the header's whole seconds
			ref.RetryAfter = min(time.Duration(min(ms, maxRetryAfter.Milliseconds()))*time.Millisecond, maxRetryAfter)
		}
		if ref.Reason == rushgate.WrongZone && validAddress(body.Address) {
			ref.Address = body.Address
		}
		if r.line && ref.Reason == rushgate.ServerBusy {
			ref.Place = placeIn(ans.body, ref.RetryAfter)
			ref.Work = workIn(ans.body)
		}
		if ref.Reason == rushgate.AccountDisabled {
			ref.Until = rushgate.Forever()
			if until, err := time.Parse(time.RFC3339, body.Until); err == nil {
				ref.Until = until
			}
			if !r.leaks(body.Text) {
				ref.Text = printable(body.Text)
			}
			if validAppeal(body.AppealURL) && !r.leaks(body.AppealURL) {
				ref.AppealURL = body.AppealURL
			}
		}
		if m := body.Mode; ref.Reason == rushgate.ServerBusy && m != rushgate.ModeOpen && validReason(string(m)) {
			ref.Mode, ref.OpensAt = m, instant(body.OpensAt)
			if !r.leaks(body.Message) {
				ref.Text = printable(body.Message)
			}
		}
		if m := printable(body.Message); m != "" && !r.leaks(body.Message) {
			ref.Cause = errors.New(m)
		}
		if ref.Reason == rushgate.BadCredentials && r.token != "" {
			return &endedError{ref}
		}
		if r.outdated && ans.status == http.StatusConflict && ref.Reason == rushgate.MissingCredentials {
			return fmt.Errorf("client: %s: %w: %w", r.op, ErrBeginAgain, ref)
		}
		return ref
	}
	switch ans.status { // a proxy speaks
	case http.StatusServiceUnavailable:
		return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: retryAfter(ans.header)}
	case http.StatusTooManyRequests:
		return &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: retryAfter(ans.header)}
	case http.StatusGatewayTimeout:
		return &rushgate.Refusal{Reason: rushgate.RequestExpired, RetryAfter: retryAfter(ans.header)}
	case http.StatusBadGateway:
		return fmt.Errorf("client: %s: %w: a proxy cannot reach it", r.op, ErrNoAnswer)
	}
	return r.bad("HTTP status %d without a reason", ans.status)
}

// endedError is a server's word that a session is over. No password was wrong, so it does not read as if one were.
type endedError struct{ said *rushgate.Refusal }

func (e *endedError) Error() string        { return "client: " + ErrSessionEnded.Error() + ": log in again" }
func (e *endedError) Unwrap() error        { return e.said }
func (e *endedError) Is(target error) bool { return target == ErrSessionEnded }

// validReason accepts what a reason of a newer server may look like.
func validReason(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxReason
}

// validAddress accepts host:port with a name or an address that can stand in a URL.
func validAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || len(s) > maxAddress {
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == ""
	}
	for _, c := range []byte(host) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return host != ""
}

// instant reads a time that may be missing.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// maxAppeal is the greatest length of a URL at which a player can appeal, in bytes.
const maxAppeal = 200

// validAppeal accepts what a game may open in a browser.
func validAppeal(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxAppeal && u.Scheme == "https" && u.Host != "" && u.User == nil && printable(s) == s
}

// printable returns s cut to maxMessage bytes, without characters that could play tricks on a terminal or log.
func printable(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxMessage)], "")
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, s)
}

// retryAfter reads the Retry-After header, RFC 9110 section 10.2.3: seconds or a date. A date counts from the answer's
// own Date if it has one, since the player's clock may be wrong.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if secs, err := strconv.ParseUint(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(secs, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now := time.Now()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
