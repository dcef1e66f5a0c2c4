package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// maxPause is the longest pause a server can impose on a call that retries. Asked for more, the call gives up: a
// player would think that the game hangs.
const maxPause = 5 * time.Minute

// Wait tells that Register or Login is about to pause before it tries or asks again, and why; or that the player's turn
// in the line has come.
type Wait struct {
	// Reason is [rushgate.ServerBusy] or [rushgate.RequestExpired], or empty if no answer came.
	Reason rushgate.Reason
	// Delay is how long the pause will last; 0 if the turn has come, or with Working.
	Delay time.Duration
	// Retry counts the retries from 1 to MaxRetries. It is 0 for a pause that is no retry, as those in the line are, and
	// MaxRetries is 0 while retries do not count, as long as the player has a place in the line.
	Retry, MaxRetries int
	// Working says that the client works out a proof, which a server whose line is being filled on purpose asks for before
	// it gives the player a place: how long that takes is not known before.
	Working bool
	// Mode is set if the server's operators let in nobody, or only some; Text is then what they say, and OpensAt when they
	// mean to open: both may be missing.
	Mode    rushgate.Mode
	Text    string
	OpensAt time.Time
	// Line is where the player stands in the server's line, as far as is known by now; nil where there is no line. It is
	// the receiver's to keep.
	Line *Line

	kept bool // there is nothing new of the place
}

// shut notes what a refusal says of a mode.
func (w *Wait) shut(r *rushgate.Refusal) { w.Mode, w.Text, w.OpensAt = r.Mode, r.Text, r.OpensAt }

// String returns a sentence or two to show to the player, with the delay rounded up to whole seconds. In the line it is
// that of [Line.String] whenever something is new.
func (w Wait) String() string {
	if w.Mode != "" && w.Text != "" {
		return w.Text
	}
	if w.Working {
		return "Server is busy, asking for a place in line"
	}
	if w.Line != nil && !w.kept {
		return w.Line.String()
	}
	what := "Server is busy"
	if w.Reason == "" {
		what = "No answer from the server"
	}
	secs := max(1, (w.Delay+time.Second-1)/time.Second)
	what = fmt.Sprintf("%s, retrying in %d s", what, secs)
	switch {
	case w.Line != nil:
		return what + ". Your place in line is kept."
	case w.MaxRetries > 0:
		return fmt.Sprintf("%s (%d of %d)", what, w.Retry, w.MaxRetries)
	}
	return what
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
	// until the try failed. By OPAQUE a try is up to two requests: then it is the time of both, and Computed what the
	// client took between them, waiting for its turn included.
	Latency, Computed time.Duration
	// RetryAfter is how long the server asked to wait; zero if it did not say, or did not refuse.
	RetryAfter time.Duration
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

const loginPath = "/v1/login"

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
// A server whose line is being filled on purpose may ask for work before it gives out places: a number to be found by
// trying, which takes a second or so. Login finds it on the goroutine that called it, and tells so by [Options].OnWait
// ([Wait].Working); where MaxRetries is negative it does not.
//
// A server that gives the player a place in its line is another matter: Login waits until the turn comes, or until ctx
// ends, however long that is; to leave the line is to end ctx. [Options].OnWait tells where the player stands. These
// waits are no retries, nor are the tries that get no answer, or find no room and no place, within ten minutes of the
// last word of the place. The error of a call that ctx ends in the line matches [rushgate.ServerBusy] too. Where
// MaxRetries is negative, Login does not wait in the line either: the [*BusyError] has the place, and the next call
// shows it.
//
// The place outlives the call. A login that succeeds uses it up; after all others the Client keeps the ticket, for its
// next Register, Login or Takeover, of the same account or another: the player who mistyped the password, or chose a
// name that is taken, or closed the window in the line, has not lost the place. It is good until ten minutes after its
// turn, unless the server is set otherwise. [Line].Ticket outlives the Client, and [Options].Ticket gives it to another
// one. A Client keeps one place: where several players log in at once, give each a Client.
//
// [rushgate.AlreadyLoggedIn] means that the account has a session already; [Client.Takeover] ends it. With
// [rushgate.WrongZone], Refusal.Address is the host:port of the server to log in to instead; with
// [rushgate.AccountDisabled], Refusal.Until and Refusal.Text say until when and why, and Refusal.AppealURL where the
// player can say that this is wrong.
//
// A server whose operators let in nobody, or only some, is busy: Refusal.Mode says so, of the refusal that is in the
// [*BusyError] or [Wait], Refusal.Text what they have to say, and Refusal.OpensAt when they mean to open.
//
// [rushgate.SecondFactor] means that the password is right, and that the account asks for a code besides, see
// [Options].Code.
func (c *Client) Login(ctx context.Context, username, password string) (*Session, error) {
	return c.authenticate(ctx, entry{op: "login", path: loginPath}, username, password)
}

// Takeover is a [Client.Login] that ends a session which the account has already, on this server or another, such as
// one that a player has left behind on another device: it is saved, and the new one begins with what was saved. Until
// it has ended the server says that it is busy, so this takes one or two retries, a second each.
func (c *Client) Takeover(ctx context.Context, username, password string) (*Session, error) {
	return c.authenticate(ctx, entry{op: "take over", path: loginPath, takeover: true}, username, password)
}

// call is one Register, Login or Takeover.
type call struct {
	client *Client
	entry
	username, password, attempt string // or the password is what is shown in their place, see showsIdentity
	resume                      string // token to show in their place; empty: none
	// forgetful has logins not ask to be remembered: the server does not know of that, or the game does not want it.
	forgetful bool
	device    string // what tries say of the device; empty: nothing
	// plain has tries say nothing of the line: the server does not know of one, or the game wants none.
	plain bool
	// noWait has logins not wait for the world: the server knows no such wait, or the game wants none. again counts how
	// often the player had to log in again after a wait for the world.
	noWait bool
	again  int
	// code is of the player's second factor, once the server has asked for one, and codes counts how often it has.
	code  string
	codes int
	line  waiting
	// opaque is what the player proves the password by in place of showing it; nil: it is shown.
	opaque *opaqueTry
}

// mostAgain bounds how often a server can have one call wait for the world and log in again.
const mostAgain = 3

func (c *Client) authenticate(ctx context.Context, e entry, username, password string) (*Session, error) {
	if !utf8.ValidString(username) || !utf8.ValidString(password) {
		// JSON would replace the broken bytes, and the account would get a password that the player never typed.
		return nil, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: errors.New("not UTF-8")}
	}
	k := c.newCall(e, username, password, c.opts.AttemptID())
	if !rushgate.ValidAttempt(k.attempt) {
		return nil, fmt.Errorf("client: %s: Options.AttemptID returned an invalid attempt id", e.op)
	}
	if c.opts.Opaque != OpaqueOff {
		return k.runOpaque(ctx)
	}
	return k.run(ctx)
}

func (c *Client) newCall(e entry, username, password, attempt string) *call {
	return &call{
		client: c, entry: e, username: username, password: password, attempt: attempt, plain: c.opts.NoLine,
		device:    c.opts.DeviceID,
		noWait:    !c.opts.WaitForWorld || e.path != loginPath && e.path != resumePath && !e.showsIdentity(),
		forgetful: c.opts.Remember == "" || e.path == resumePath,
	}
}

// run makes the call.
func (k *call) run(ctx context.Context) (*Session, error) {
	c := k.client
	k.line = waiting{client: c, place: c.takePlace(!k.plain && !k.noWait, k.username, k.password), udp: knocker{
		dial: c.dialKnock, addrs: c.knockAddrs(), over: c.opts.KnockAddr == NoKnocks,
	}}
	defer k.line.udp.close()
	s, err := k.enter(ctx)
	c.noteKnockAddrs(&k.line.udp)
	if err != nil {
		c.keepPlace(k.line.place)
	}
	return s, err
}

// enter tries until it is let in, or refused for good.
func (k *call) enter(ctx context.Context) (*Session, error) {
	if k.client.opts.MaxRetries > 0 && !k.plain && k.resume == "" && !k.showsIdentity() && k.opaque == nil {
		if err := k.line.begin(ctx); err != nil {
			return nil, fmt.Errorf("client: %s: %w", k.op, err)
		}
	}
	for try, retry := 1, 0; ; try++ {
		s, err := k.tryOnce(ctx, try)
		if k.simpler(err) || k.logsInAgain(err) {
			continue
		}
		if k.asksCode(err) {
			if k.code, err = k.client.opts.Code(ctx); err != nil {
				return nil, fmt.Errorf("client: %s: %w: %w", k.op, rushgate.SecondFactor, err)
			}
			continue
		}
		if err == nil || !retryable(err) {
			return s, err
		}
		refusal, _ := errors.AsType[*rushgate.Refusal](err)
		inLine := refusal != nil && refusal.Place.Number > 0
		works := refusal != nil && refusal.Work.Bits > 0 && refusal.RetryAfter <= maxPause
		if retry++; works && k.line.nonce == "" {
			retry = 0
		}
		if inLine {
			retry = 0
			if refusal.Place.Proof != "" && !k.line.forWorld() {
				k.line.enterWorld(k.line.place.ownerOf(k.username, k.password))
			}
			if k.line.judge(refusal) && k.client.opts.MaxRetries > 0 {
				continue
			}
		}
		if err := k.tooBusy(try, retry, refusal, err); err != nil {
			return nil, err
		}
		switch {
		case inLine:
			err = k.line.wait(ctx)
		case works:
			err = k.line.work(ctx, refusal)
		default:
			err = k.pause(ctx, retry, refusal, err)
		}
		if err != nil {
			return nil, fmt.Errorf("client: %s: %w", k.op, err)
		}
	}
}

// tooBusy returns the error of the call if it is not to try again after a try that failed: with a refusal, if there was
// an answer, and last in any case. Retry is the number of the next retry; 0 with a place in the line.
func (k *call) tooBusy(try, retry int, refusal *rushgate.Refusal, last error) error {
	most := k.client.opts.MaxRetries
	switch {
	case most == 0: // one try
	case retry == 0:
		return nil
	case refusal != nil && refusal.RetryAfter > maxPause:
	case retry <= most || k.line.holds():
		return nil
	}
	if refusal == nil {
		return fmt.Errorf("%w (tried %d times)", last, try)
	}
	return &BusyError{Tries: try, RetryAfter: refusal.RetryAfter, Last: refusal}
}

// simpler reports whether an older server has refused a try for a field that it does not know, and has the next go
// without.
func (k *call) simpler(err error) bool {
	switch {
	case k.device != "" && knowsNo(err, "device_id"):
		k.device = ""
	case !k.forgetful && knowsNo(err, "remember"):
		k.forgetful = true
	case k.plain:
		return false
	case knowsNo(err, "line_secret"):
		k.plain, k.noWait = true, true
	case !k.noWait && knowsNo(err, "wait"):
		k.noWait = true
	default:
		return false
	}
	return true
}

// logsInAgain reports whether a player who has waited for the world is to log in again: the server honours the proof no
// longer.
func (k *call) logsInAgain(err error) bool {
	if !k.line.forWorld() || !errors.Is(err, rushgate.BadCredentials) || k.again == mostAgain {
		return false
	}
	k.again++
	k.code = "" // which the wait has used up
	k.line.leaveWorld()
	return true
}

// mostCodes bounds how often a player is asked for a code in one call.
const mostCodes = 3

// asksCode reports whether the server has asked for a code of a second factor, and the player is to be asked.
func (k *call) asksCode(err error) bool {
	if !errors.Is(err, rushgate.SecondFactor) || k.client.opts.Code == nil || k.codes == mostCodes ||
		k.path != loginPath && !k.showsIdentity() {
		return false
	}
	k.codes++
	return true
}

// request returns what a try sends: but for the ticket and the proof of work, which may be others by then, it is the
// same each time, until the player waits for the world.
func (k *call) request() (request, error) {
	switch {
	case k.line.forWorld():
		return k.worldRequest()
	case k.resume != "":
		return k.resumeRequest()
	case k.showsIdentity():
		return k.identityRequest()
	}
	b := struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Attempt  string `json:"attempt_id"`
		Takeover bool   `json:"takeover,omitempty"` // older servers do not know it, nor what follows
		Secret   string `json:"line_secret,omitempty"`
		Ticket   string `json:"ticket,omitempty"`
		Work     string `json:"line_work,omitempty"`
		Wait     bool   `json:"wait,omitempty"`
		Remember string `json:"remember,omitempty"`
		Device   string `json:"device_id,omitempty"`
		Code     string `json:"code,omitempty"`
	}{
		Username: k.username, Password: k.password, Attempt: k.attempt, Takeover: k.takeover, Remember: k.remember(),
		Device: k.device, Code: k.code,
	}
	if p := &k.line.place; !k.plain {
		b.Secret, b.Ticket, b.Work, b.Wait = p.secret, p.best(), k.line.nonce, !k.noWait
	}
	return k.post(k.path, b, k.password, b.Secret, b.Ticket, b.Code)
}

// remember returns under which name the device is to be remembered; empty: under none.
func (k *call) remember() string {
	if k.forgetful {
		return ""
	}
	return k.client.opts.Remember
}

// resumeRequest returns what a try sends of a player who comes back.
func (k *call) resumeRequest() (request, error) {
	b := struct {
		Resume   string `json:"resume_token"`
		Attempt  string `json:"attempt_id"`
		Takeover bool   `json:"takeover,omitempty"`
		Secret   string `json:"line_secret,omitempty"`
		Wait     bool   `json:"wait,omitempty"`
		Device   string `json:"device_id,omitempty"`
	}{Resume: k.resume, Attempt: k.attempt, Takeover: k.takeover, Device: k.device}
	if !k.plain {
		b.Secret, b.Wait = k.line.place.secret, !k.noWait
	}
	return k.post(k.path, b, k.resume, b.Secret)
}

// worldRequest returns what a try sends of a player who has waited for the world.
func (k *call) worldRequest() (request, error) {
	p := &k.line.place
	b := struct {
		Ticket   string `json:"ticket"`
		Secret   string `json:"line_secret"`
		Proof    string `json:"proof"`
		Attempt  string `json:"attempt_id"`
		Takeover bool   `json:"takeover,omitempty"`
		Remember string `json:"remember,omitempty"`
		Device   string `json:"device_id,omitempty"`
	}{p.ticket, p.secret, p.proof, k.attempt, k.takeover, k.remember(), k.device}
	return k.post("/v1/enter", b, p.secret, p.ticket, p.proof)
}

// post returns the request with a body that holds secrets.
func (k *call) post(path string, b any, secrets ...string) (request, error) {
	r, err := post(k.op, path, b, secrets...)
	r.line = !k.plain
	return r, err
}

func post(op, path string, b any, secrets ...string) (request, error) {
	body, err := json.Marshal(b)
	if err != nil {
		return request{}, fmt.Errorf("client: %s: %w", op, err)
	}
	return request{op: op, method: http.MethodPost, path: path, body: body, secrets: secrets}, nil
}

// knowsNo reports whether a server that is too old for a field has refused a request for having it.
func knowsNo(err error, field string) bool {
	r, ok := errors.AsType[*rushgate.Refusal](err)
	if !ok || r.Reason != rushgate.MissingCredentials || r.Cause == nil {
		return false
	}
	known, ok := strings.CutPrefix(r.Cause.Error(), "The body has a field other than ")
	return ok && !slices.Contains(strings.Split(strings.TrimSuffix(known, "."), ", "), field)
}

// tryOnce makes a try, in whichever way is due.
func (k *call) tryOnce(ctx context.Context, try int) (*Session, error) {
	if k.opaque != nil && !k.line.forWorld() {
		return k.tryOpaque(ctx, try)
	}
	return k.try(ctx, try)
}

// try sends the request once and reports to OnAnswer what came of it.
func (k *call) try(ctx context.Context, try int) (*Session, error) {
	c := k.client
	req, err := k.request()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	ans, err := c.exchange(ctx, req)
	latency := time.Since(start)
	var s *Session
	if err == nil {
		s, err = c.newSession(req, ans)
	}
	k.report(Answer{Try: try, Status: ans.status, Latency: latency}, err)
	return s, err
}

// report tells OnAnswer what came of a try.
func (k *call) report(a Answer, err error) {
	if k.client.opts.OnAnswer == nil {
		return
	}
	a.Err = err
	if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok {
		a.Reason, a.RetryAfter, a.Err = refusal.Reason, refusal.RetryAfter, nil
	}
	k.client.opts.OnAnswer(a)
}

func retryable(err error) bool {
	return errors.Is(err, ErrNoAnswer) || errors.Is(err, rushgate.ServerBusy) || errors.Is(err, rushgate.RequestExpired)
}

// pause waits before the retry of that number, which counts from 1. last is why the try before it failed, refusal the
// same if it was one.
func (k *call) pause(ctx context.Context, retry int, refusal *rushgate.Refusal, last error) error {
	c := k.client
	w := Wait{Retry: retry, MaxRetries: c.opts.MaxRetries, Delay: c.jitter(retry - 1), Line: k.line.line(), kept: true}
	if k.line.holds() {
		w.MaxRetries = 0
	}
	if refusal != nil {
		w.Reason, w.Delay = refusal.Reason, max(w.Delay, refusal.RetryAfter)
		w.shut(refusal)
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
