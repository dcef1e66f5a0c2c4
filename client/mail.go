package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/rushgate/rushgate"
)

// ErrWrongCode says that a code is not, or no longer, the one that was sent to prove an e-mail address.
var ErrWrongCode = errors.New("that is not, or no longer, the code that was sent")

// Addresses are the e-mail addresses of an account; either may be empty.
type Addresses struct {
	// Email is the one that the player has proved, to which a code goes if the password is lost.
	Email string
	// Pending is the one that is to be it, once [Session.VerifyEmail] is told the code that was sent there.
	Pending string
}

// Recover asks for a code in place of a lost password, for the account of a name. The server sends it to the account's
// e-mail address within some seconds, if there are both; it says nothing of that here. It is tried once. Languages are
// those that the player reads, as in an Accept-Language header, or empty. A server that sends no mail answers
// [rushgate.MissingCredentials]: its operator hands out codes.
func (c *Client) Recover(ctx context.Context, username, languages string) error {
	r, err := post("recover", "/v1/recover", struct {
		Username string `json:"username"`
	}{username})
	if err != nil {
		return err
	}
	r.languages = languages
	return c.accepted(ctx, r)
}

// FinishRecovery gives the account of a name another password, with a code in place of the one that is lost; spaces,
// hyphens and case of the code do not matter. The change ends all sessions of the account and has its devices
// forgotten: log in afterwards. It is tried once. [rushgate.BadCredentials] says that the code is wrong, late or used,
// or for another name; the text of the error says so, and to ask for a new one. If there is no answer, log in with the
// new password before anything else: it may have been changed. With [Options].Opaque the new password is registered by
// OPAQUE, where the server knows it; where it does not, the error is [ErrNoOpaque] if the password may not be sent, as
// for a login.
func (c *Client) FinishRecovery(ctx context.Context, username, code, password string) error {
	if c.opts.Opaque != OpaqueOff {
		done, err := c.recoverByOpaque(ctx, username, code, password)
		if done || err != nil {
			return err
		}
	}
	r, err := post("finish recovery", "/v1/recover/finish", struct {
		Username string `json:"username"`
		Code     string `json:"code"`
		Password string `json:"password"`
	}{username, code, password}, code, password)
	if err != nil {
		return err
	}
	return c.accepted(ctx, r)
}

// accepted sends a request that is answered with nothing to be read.
func (c *Client) accepted(ctx context.Context, r request) error {
	ans, err := c.exchange(ctx, r)
	if err != nil || ans.status == http.StatusNoContent || ans.status == http.StatusAccepted {
		return err
	}
	return r.refusal(ans)
}

// Email returns the e-mail addresses of the player's account, and keeps the session open. It is tried once.
func (s Session) Email(ctx context.Context) (Addresses, error) {
	r := request{op: "email", method: http.MethodGet, path: "/v1/account/email"}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return Addresses{}, err
	}
	var body struct {
		Email   string `json:"email"`
		Pending string `json:"pending"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return Addresses{}, err
	}
	return Addresses(body), nil
}

// SetEmail has the server send a code to an address, which becomes the account's once [Session.VerifyEmail] is told the
// code. Current is the password; if the account has a second factor, the player is asked by [Options].Code. It is tried
// once. [rushgate.BadCredentials] says that the password is wrong, or that
// the session has ended; [rushgate.MissingCredentials] that it is no address, or that the server sends no mail.
// Languages are as for [Client.Recover].
func (s Session) SetEmail(ctx context.Context, address, current, languages string) error {
	const op = "set email"
	if err := notText(address, current); err != nil {
		return err
	}
	return s.proving(ctx, op, ByPassword(current), func(p shown) error {
		r, err := post(op, "/v1/account/email", struct {
			Email string `json:"email"`
			shownAsCurrent
		}{address, shownAsCurrent(p)}, append(p.secrets(), address)...)
		if err != nil {
			return err
		}
		r.languages = languages
		return s.sendProof(ctx, r, nil)
	})
}

// VerifyEmail proves the address that a code was sent to. It is tried once. A code that is wrong or late is
// [ErrWrongCode].
func (s Session) VerifyEmail(ctx context.Context, code string) error {
	r, err := post("verify email", "/v1/account/email/verify", struct {
		Code string `json:"code"`
	}{code}, code)
	if err != nil {
		return err
	}
	return s.doAccepted(ctx, r)
}

// RemoveEmail takes the address of the account away. Current is the password; if the account has a second factor, the
// player is asked by [Options].Code. It is tried once. [rushgate.BadCredentials] says that the password is wrong, or
// that the session has ended.
func (s Session) RemoveEmail(ctx context.Context, current string) error {
	const op = "remove email"
	if err := notText(current); err != nil {
		return err
	}
	return s.proving(ctx, op, ByPassword(current), func(p shown) error {
		r, err := post(op, "/v1/account/email", p, p.secrets()...)
		if err != nil {
			return err
		}
		r.method = http.MethodDelete
		return s.sendProof(ctx, r, nil)
	})
}

// doAccepted sends a request of the session that is answered with nothing to be read.
func (s Session) doAccepted(ctx context.Context, r request) error {
	ans, err := s.call(ctx, &r)
	switch {
	case err != nil || ans.status == http.StatusNoContent || ans.status == http.StatusAccepted:
		return err
	case ans.status == http.StatusConflict:
		return &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: ErrWrongCode}
	}
	return r.refusal(ans)
}
