package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// maxPause is the longest pause a server can impose on a call that retries. Asked for more, the call gives up: a
// player would think that the game hangs.
const maxPause = 5 * time.Minute

// Wait tells that Register or Login is about to pause before it tries again.
type Wait struct {
	// Reason is [rushgate.ServerBusy] or [rushgate.RequestExpired], or empty if no answer came.
	Reason rushgate.Reason
	// Delay is how long the pause will last.
	Delay time.Duration
	// Retry counts the retries from 1 to MaxRetries.
	Retry, MaxRetries int
}

// String returns a sentence to show to the player, with the delay rounded up to whole seconds.
func (w Wait) String() string {
	what := "Server is busy"
	if w.Reason == "" {
		what = "No answer from the server"
	}
	secs := max(1, (w.Delay+time.Second-1)/time.Second)
	return fmt.Sprintf("%s, retrying in %d s (%d of %d)", what, secs, w.Retry, w.MaxRetries)
}

// Answer is what became of one try of Register or Login.
type Answer struct {
	// Try counts the tries of one call from 1.
	Try int
	// Status is the HTTP status, zero if no whole answer came.
	Status int
	// Reason is why the server refused; empty if it did not.
	Reason rushgate.Reason
	// Latency is the time from before the request was sent (dialing included) until the answer was complete, or
	// until the try failed.
	Latency time.Duration
	// Err is nil if the answer was a session or a refusal; otherwise it wraps [ErrNoAnswer], [ErrBadAnswer] or the
	// context's error.
	Err error
}

// BusyError ends a Register or Login whose tries are used up while the server is busy. It matches
// [rushgate.ServerBusy] with errors.Is.
type BusyError struct {
	// Tries is how many tries were made.
	Tries int
	// RetryAfter is how long the server asked to wait in its last answer; zero if it did not say.
	RetryAfter time.Duration
	// Last is the last answer: server-busy or request-expired.
	Last *rushgate.Refusal
}

// Error returns a sentence to show to the player.
func (e *BusyError) Error() string { return "Server is too busy. Please try again later." }

// Unwrap makes [rushgate.ServerBusy] and the last answer visible to errors.Is and errors.As.
func (e *BusyError) Unwrap() []error { return []error{rushgate.ServerBusy, e.Last} }

// Register makes an account and opens its first session. See [Client.Login] for retries and errors; a name that is
// already in use is [rushgate.UsernameTaken].
func (c *Client) Register(ctx context.Context, username, password string) (*Session, error) {
	return c.authenticate(ctx, entry{op: "register", path: "/v1/register"}, username, password)
}

// entry is a way to open a session.
type entry struct {
	op, path string
	takeover bool
}

// Login opens a session.
//
// It tries again, up to [Options.MaxRetries] times, when the server is busy ([rushgate.ServerBusy],
// [rushgate.RequestExpired]) or no answer came ([ErrNoAnswer]), and never earlier than the server asked for. Other
// refusals, [rushgate.RateLimited] among them, are returned at once; Refusal.RetryAfter says when to come back.
//
// When ctx ends, Login returns at once with an error that wraps ctx.Err(). When ctx's deadline would pass during a
// pause, Login does not begin the pause: it returns at once with an error that wraps both context.DeadlineExceeded and
// the last answer. A server that asks for a pause of more than five minutes is taken to be too busy at once.
//
// [rushgate.AlreadyLoggedIn] means that the account has a session already; [Client.Takeover] ends it. With
// [rushgate.WrongZone], Refusal.Address is the host:port of the server to log in to instead; with
// [rushgate.AccountDisabled], Refusal.Until and Refusal.Text say until when and why.
func (c *Client) Login(ctx context.Context, username, password string) (*Session, error) {
	return c.authenticate(ctx, entry{op: "login", path: "/v1/login"}, username, password)
}

// Takeover is a [Client.Login] that ends a session which the account has already, on this server or another, such as
// one that a player has left behind on another device: it is saved, and the new one begins with what was saved. Until
// it has ended the server says that it is busy, so this takes one or two retries, a second each.
func (c *Client) Takeover(ctx context.Context, username, password string) (*Session, error) {
	return c.authenticate(ctx, entry{op: "take over", path: "/v1/login", takeover: true}, username, password)
}

func (c *Client) authenticate(ctx context.Context, e entry, username, password string) (*Session, error) {
	req, err := c.credentials(e, username, password)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s, err := c.try(ctx, req, try)
		if err == nil || !retryable(err) {
			return s, err
		}
		refusal, _ := errors.AsType[*rushgate.Refusal](err)
		if try > c.opts.MaxRetries || refusal != nil && refusal.RetryAfter > maxPause {
			if refusal == nil {
				return nil, fmt.Errorf("%w (tried %d times)", err, try)
			}
			return nil, &BusyError{Tries: try, RetryAfter: refusal.RetryAfter, Last: refusal}
		}
		if err := c.pause(ctx, try, refusal, err); err != nil {
			return nil, fmt.Errorf("client: %s: %w", e.op, err)
		}
	}
}

// credentials builds the request that every try of one call sends.
func (c *Client) credentials(e entry, username, password string) (request, error) {
	if !utf8.ValidString(username) || !utf8.ValidString(password) {
		// JSON would replace the broken bytes, and the account would get a password that the player never typed.
		return request{}, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: errors.New("not UTF-8")}
	}
	attempt := c.opts.AttemptID()
	if !rushgate.ValidAttempt(attempt) {
		return request{}, fmt.Errorf("client: %s: Options.AttemptID returned an invalid attempt id", e.op)
	}
	body, err := json.Marshal(struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Attempt  string `json:"attempt_id"`
		Takeover bool   `json:"takeover,omitempty"` // older servers do not know it
	}{username, password, attempt, e.takeover})
	if err != nil {
		return request{}, fmt.Errorf("client: %s: %w", e.op, err)
	}
	return request{op: e.op, method: http.MethodPost, path: e.path, body: body, secret: password}, nil
}

// try sends the request once and reports to OnAnswer what came of it.
func (c *Client) try(ctx context.Context, req request, try int) (*Session, error) {
	start := time.Now()
	ans, err := c.exchange(ctx, req)
	latency := time.Since(start)
	var s *Session
	if err == nil {
		s, err = c.newSession(req, ans)
	}
	if c.opts.OnAnswer != nil {
		a := Answer{Try: try, Status: ans.status, Latency: latency, Err: err}
		if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok {
			a.Reason, a.Err = refusal.Reason, nil
		}
		c.opts.OnAnswer(a)
	}
	return s, err
}

func retryable(err error) bool {
	return errors.Is(err, ErrNoAnswer) || errors.Is(err, rushgate.ServerBusy) || errors.Is(err, rushgate.RequestExpired)
}

// pause waits before the retry of that number, which counts from 1. last is why the try before it failed, refusal the
// same if it was one.
func (c *Client) pause(ctx context.Context, retry int, refusal *rushgate.Refusal, last error) error {
	w := Wait{Retry: retry, MaxRetries: c.opts.MaxRetries, Delay: c.jitter(retry - 1)}
	if refusal != nil {
		w.Reason, w.Delay = refusal.Reason, max(w.Delay, refusal.RetryAfter)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w after: %w", err, last)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= w.Delay {
		return fmt.Errorf("%w before the next try is due, after: %w", context.DeadlineExceeded, last)
	}
	if c.opts.OnWait != nil {
		c.opts.OnWait(w)
	}
	timer := time.NewTimer(w.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w after: %w", ctx.Err(), last)
	}
}

// jitter is exponential backoff with full jitter, see
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
func (c *Client) jitter(n int) time.Duration {
	ceiling := c.opts.BackoffCap
	if base := c.opts.BackoffBase; n < 63 && base <= ceiling>>n {
		ceiling = base << n
	}
	return c.random(ceiling)
}

// random returns a time between 0 and ceiling.
func (c *Client) random(ceiling time.Duration) time.Duration {
	return time.Duration(min(max(c.opts.Rand(), 0), 1) * float64(ceiling))
}
