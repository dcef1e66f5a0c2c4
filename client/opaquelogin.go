package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	opaqueLoginPath    = "/v1/opaque/login/"
	opaqueRegisterPath = "/v1/opaque/register/"
	opaqueConfirmPath  = "/v1/opaque/confirm/"
)

// opaqueTry is what a call by OPAQUE has come to.
type opaqueTry struct {
	password string // in the form that is proved
	begun    *begun // nil: there is nothing to finish
}

// runOpaque makes a call by OPAQUE, and by showing the password where the client may do that and has to.
func (k *call) runOpaque(ctx context.Context) (*Session, error) {
	c, login := k.client, k.path == loginPath
	form, err := opaquePassword(k.password)
	if !login {
		form, err = newOpaquePassword(k.password, k.username)
	}
	if err != nil {
		return nil, err
	}
	k.opaque = &opaqueTry{password: form}
	s, proof := k.run(ctx)
	if proof == nil {
		c.noteMoved(k.username, s.PlayerID)
	}
	if err := c.mayShow(proof, k.op, login && c.hasMoved(k.username)); err != nil || proof == nil {
		return s, err
	}
	k.opaque = nil
	s, err = k.run(ctx)
	if err == nil && errors.Is(proof, errNotOpened) {
		c.moveOver(ctx, s, k.username, k.password, form)
	}
	return s, err
}

// mayShow returns nil if a proof has failed in a way after which the password may be shown, or has not failed, and
// otherwise what the caller is told. Moved says that the account is known to be proved by OPAQUE.
func (c *Client) mayShow(err error, op string, moved bool) error {
	only := c.opts.Opaque == OpaqueOnly || moved
	switch unknown := errors.Is(err, errUnknownThere); {
	case !unknown && !errors.Is(err, errNotOpened):
		return err
	case !only:
		return nil
	case unknown:
		return fmt.Errorf("client: %s: %w", op, ErrNoOpaque)
	}
	return &rushgate.Refusal{Reason: rushgate.BadCredentials}
}

// tryOpaque makes a try by OPAQUE, and reports what came of it.
func (k *call) tryOpaque(ctx context.Context, try int) (*Session, error) {
	a := Answer{Try: try}
	s, err := k.finishOpaque(ctx, &a)
	if a.Status == http.StatusConflict && errors.Is(err, rushgate.MissingCredentials) { // what was begun is good no more
		k.opaque.begun = nil
		s, err = k.finishOpaque(ctx, &a)
	}
	told := err
	if errors.Is(err, errNotOpened) {
		told = &rushgate.Refusal{Reason: rushgate.BadCredentials}
	} else if errors.Is(err, errUnknownThere) {
		told = &rushgate.Refusal{Reason: rushgate.MissingCredentials}
	}
	k.report(a, told)
	return s, err
}

// finishOpaque finishes what was begun, which it begins first if need be.
func (k *call) finishOpaque(ctx context.Context, a *Answer) (s *Session, err error) {
	o := k.opaque
	if o.begun == nil || !time.Now().Before(o.begun.until) {
		if o.begun, err = k.beginOpaque(ctx, a); err != nil {
			return nil, err
		}
	}
	b := o.begun
	r, err := k.finishRequest(b)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	ans, err := k.client.exchange(ctx, r)
	a.Latency, a.Status = a.Latency+time.Since(start), ans.status
	if err == nil {
		err = b.check(&r, ans)
	}
	if err == nil {
		s, err = k.client.newSession(r, ans)
	}
	if !k.finishesAgain(err) {
		o.begun = nil
	}
	return s, err
}

// beginOpaque begins, and computes what it is to be finished with.
func (k *call) beginOpaque(ctx context.Context, a *Answer) (*begun, error) {
	c, r := k.client, request{op: k.op, path: opaqueLoginPath + "start"}
	fields := map[string]any{"username": k.username}
	if k.device != "" {
		fields["device_id"] = k.device
	}
	if k.path == loginPath {
		return c.prove(ctx, c.send, r, fields, k.opaque.password, a)
	}
	r.path = opaqueRegisterPath + "start"
	return c.enlist(ctx, c.send, r, fields, k.opaque.password, a)
}

// finishRequest returns what finishes a call. There is no line before the door for it, but the world has one.
func (k *call) finishRequest(b *begun) (request, error) {
	body := struct {
		Username string `json:"username"`
		State    string `json:"state"`
		KE3      string `json:"ke3,omitempty"`
		Upload   string `json:"upload,omitempty"`
		Attempt  string `json:"attempt_id"`
		Takeover bool   `json:"takeover,omitempty"`
		Secret   string `json:"line_secret,omitempty"`
		Wait     bool   `json:"wait,omitempty"`
		Remember string `json:"remember,omitempty"`
		Device   string `json:"device_id,omitempty"`
		Code     string `json:"code,omitempty"`
	}{
		Username: k.username, State: b.State, Attempt: k.attempt, Takeover: k.takeover, Remember: k.remember(),
		Device: k.device, Code: k.code,
	}
	if !k.plain && !k.noWait {
		body.Secret, body.Wait = k.line.place.secret, true
	}
	if k.path == loginPath {
		body.KE3 = b.Message
		return k.post(opaqueLoginPath+"finish", body, body.KE3, body.Secret, body.State, body.Code)
	}
	body.Upload = b.Message
	return k.post(opaqueRegisterPath+"finish", body, body.Upload, body.Secret, body.State)
}

// finishesAgain reports whether what was begun is good for another try, after one that has ended so. The server knows a
// registration whose answer was lost by what was uploaded; a login has to be begun again.
func (k *call) finishesAgain(err error) bool {
	switch {
	case k.path != loginPath:
		return true
	case errors.Is(err, rushgate.SecondFactor):
		return k.code == ""
	}
	return errors.Is(err, rushgate.ServerBusy)
}

// check returns an error if the session in an answer is not of the server that has proved to know the account.
func (b *begun) check(r *request, ans answer) error {
	if b.key == nil || ans.status != http.StatusOK {
		return nil
	}
	var body struct {
		Token string `json:"session_token"`
		Proof string `json:"session_proof"`
	}
	mac := hmac.New(sha256.New, b.key)
	if json.Unmarshal(ans.body, &body) == nil {
		mac.Write([]byte("rushgate session\x00" + body.Token))
		if hmac.Equal([]byte(encode(mac.Sum(nil))), []byte(body.Proof)) {
			return nil
		}
	}
	return r.bad("a session that is not of the server which has answered the login")
}

// moveOver has the account of a session that was opened with the password be proved by OPAQUE from now on. If that
// fails, the player is inside all the same, and the next login tries again.
func (c *Client) moveOver(ctx context.Context, s *Session, username, password, form string) {
	const op = "move over"
	b, err := c.enlist(ctx, s.call, request{op: op, path: opaqueRegisterPath + "start"}, nil, form, &Answer{})
	if err != nil {
		return
	}
	finish := func(shown string) int {
		r, err := post(op, opaqueRegisterPath+"finish", struct {
			State    string `json:"state"`
			Upload   string `json:"upload"`
			Password string `json:"password,omitempty"`
		}{b.State, b.Message, shown}, b.State, b.Message, shown)
		if err != nil {
			return 0
		}
		ans, err := s.call(ctx, &r)
		if err != nil {
			return 0
		}
		return ans.status
	}
	status := finish("")
	if status == http.StatusConflict { // the server does not know that the password was shown a moment ago
		status = finish(password)
	}
	if status == http.StatusNoContent {
		c.noteMoved(username, s.PlayerID)
	}
}
