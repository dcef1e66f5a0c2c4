package client

import (
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
)

// replacement is another record for an account, as far as it has come: it is good for several tries.
type replacement struct {
	attempt string
	begun   *begun // nil: nothing yet
}

// replaceRecord gives an account that is proved by OPAQUE another password, with a proof of the one that it has.
func (s Session) replaceRecord(ctx context.Context, op string, p shown, next string, n *replacement) error {
	c := s.client
	if n.begun == nil {
		form, err := newOpaquePassword(next, "")
		if err != nil {
			return err
		}
		if n.attempt = c.opts.AttemptID(); !rushgate.ValidAttempt(n.attempt) {
			return fmt.Errorf("client: %s: Options.AttemptID returned an invalid attempt id", op)
		}
		begun, err := c.enlist(ctx, s.call, request{op: op, path: opaqueRegisterPath + "start"}, nil, form, &Answer{})
		if err != nil {
			return c.ofUnknown(err, op)
		}
		n.begun = begun
	}
	r, err := post(op, opaqueRegisterPath+"finish", struct {
		State  string `json:"state"`
		Upload string `json:"upload"`
		shown
		Attempt  string `json:"attempt_id"`
		Remember string `json:"remember,omitempty"`
	}{
		n.begun.State, n.begun.Message, p, n.attempt, c.opts.Remember,
	}, append(p.secrets(), n.begun.State, n.begun.Message)...)
	if err != nil {
		return err
	}
	return s.tryChange(ctx, r, n.attempt)
}

// ofUnknown is what a caller is told of an error by a server that may know no OPAQUE.
func (c *Client) ofUnknown(err error, op string) error { return c.mayShow(err, op, true) }

// recoverByOpaque registers another password by OPAQUE for one that is lost. It reports false if the server knows no
// OPAQUE and is to be sent the password, which it is not for an account that is known to have moved over.
func (c *Client) recoverByOpaque(ctx context.Context, username, code, password string) (done bool, err error) {
	const op = "finish recovery"
	if err := notText(username, code, password); err != nil {
		return false, err
	}
	form, err := newOpaquePassword(password, username)
	if err != nil {
		return false, err
	}
	r := request{op: op, path: opaqueRegisterPath + "start"}
	b, err := c.enlist(ctx, c.send, r, map[string]any{"username": username, "recover": true}, form, &Answer{})
	if err != nil {
		return false, c.mayShow(err, op, c.hasMoved(username))
	}
	r, err = post(op, "/v1/recover/finish", struct {
		Username string `json:"username"`
		Code     string `json:"code"`
		State    string `json:"state"`
		Upload   string `json:"upload"`
	}{username, code, b.State, b.Message}, code, b.State, b.Message)
	if err != nil {
		return false, err
	}
	if err := c.accepted(ctx, r); err != nil {
		return false, err
	}
	c.noteMoved(username, 0)
	return true, nil
}
