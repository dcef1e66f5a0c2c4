package client

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate"
)

var errNotByIdentity = errors.New("not the proof by a guest's device or a provider")

// Upgrade gives an account that a device or a provider opens a password, and another name unless that is empty: a guest
// becomes a player with a name. The player's id and the character stay what they are, and the device or the provider
// goes on opening the account until it is unlinked. The proof is [ByGuest] or [ByIdentity]; so this is also how a
// player who has lost the password gets another one.
//
// All sessions and devices of the account end; this Session goes on with another one that the server opens for it, and
// the device is remembered anew if [Options].Remember says so. A [Realtime] of the session ends: connect anew.
//
// It is tried once. [rushgate.UsernameTaken] says that the name is another's. The password comes first: with this
// error, and after a lost answer, the account may have it under the old name, and the session may be over. The error is
// [ErrPasswordChanged] if all was done and the session is over. [rushgate.MissingCredentials] says that the name or the
// password is not taken, and why.
//
// Where the client proves passwords by OPAQUE ([Options].Opaque), the server does not see this one. The account is then
// renamed by another request, as by [Session.RenameBy], and only that ends sessions; whatever is said of the name, the
// password is set.
func (s Session) Upgrade(ctx context.Context, name, password string, by AccountProof) error {
	const op = "upgrade"
	if err := notText(name, password); err != nil {
		return err
	}
	if p := by.shows(); !p.byIdentity() {
		return &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: errNotByIdentity}
	}
	if s.client.opts.Opaque != OpaqueOff {
		switch err := s.upgradeByOpaque(ctx, op, password, by); {
		case err == nil && name == "":
			return nil
		case err == nil:
			return s.RenameBy(ctx, name, by)
		default:
			if err := s.client.mayShow(err, op, s.ByOpaque()); err != nil {
				return err
			}
		}
	}
	return s.proving(ctx, op, by, func(p shown) error {
		r, err := post(op, "/v1/account/upgrade", struct {
			Name string `json:"name,omitempty"`
			New  string `json:"new_password"`
			shown
			Remember string `json:"remember,omitempty"`
		}{name, password, p, s.client.opts.Remember}, append(p.secrets(), password)...)
		if err != nil {
			return err
		}
		return s.replaced(ctx, r, ErrPasswordChanged)
	})
}

// upgradeByOpaque gives the account of the session a password that the server does not see.
func (s Session) upgradeByOpaque(ctx context.Context, op, password string, by AccountProof) error {
	form, err := newOpaquePassword(password, "")
	if err != nil {
		return err
	}
	c := s.client
	b, err := c.enlist(ctx, s.call, request{op: op, path: opaqueRegisterPath + "start"}, nil, form, &Answer{})
	if err != nil {
		return err
	}
	err = s.proving(ctx, op, by, func(p shown) error {
		r, err := post(op, opaqueRegisterPath+"finish", struct {
			State  string `json:"state"`
			Upload string `json:"upload"`
			shown
		}{b.State, b.Message, p}, append(p.secrets(), b.State, b.Message)...)
		if err != nil {
			return err
		}
		return s.sendProof(ctx, r, nil)
	})
	if err == nil {
		c.noteMoved("", s.PlayerID)
	}
	return err
}
