package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// ErrRenamed says that an account was renamed, and that the server could open no session for the player in place of the
// one that the change has ended: the player logs in with the new name.
var ErrRenamed = errors.New("the account is renamed; log in with the new name")

// Rename gives the account another name, with the password as the proof, and the code that [Options].Code asks the
// player for if the account has a second factor. It ends all sessions of the account and has its devices forgotten;
// this Session goes on with another one that the server opens for it, and the device is remembered anew if
// [Options].Remember says so. A [Realtime] of the session ends: connect anew. The character stays where it is.
//
// It is tried once; without an answer, log in with the new name, or else with the old one. The error is [ErrRenamed] if
// the account was renamed and the session is over. [rushgate.UsernameTaken] says that the name is another's, or held
// for another who had it; [rushgate.MissingCredentials] that it is no name, or too soon after the last one, which the
// error says: [Account].RenameAt has when. Each of these may come with the session's end.
func (s Session) Rename(ctx context.Context, name, password string) error {
	return s.RenameBy(ctx, name, ByPassword(password))
}

// RenameBy is a [Session.Rename] by any proof of the account, as for a guest, who has no password.
func (s Session) RenameBy(ctx context.Context, name string, by AccountProof) error {
	const op = "rename"
	if err := notText(name); err != nil {
		return err
	}
	return s.proving(ctx, op, by, func(p shown) error {
		r, err := post(op, "/v1/account/name", struct {
			Name string `json:"name"`
			shown
			Remember string `json:"remember,omitempty"`
		}{name, p, s.client.opts.Remember}, p.secrets()...)
		if err != nil {
			return err
		}
		err = s.replaced(ctx, r, ErrRenamed)
		s.noteRenamed(name, err)
		return err
	})
}

// replaced sends what ends the session and opens another one in its place, which this Session goes on with; over is the
// error if there is none.
func (s Session) replaced(ctx context.Context, r request, over error) error {
	ans, err := s.call(ctx, &r)
	if err != nil {
		return err
	}
	if ans.status == http.StatusNoContent {
		return fmt.Errorf("client: %s: %w", r.op, over)
	}
	r.secrets, r.token = append(r.secrets, r.token), "" // a wrong proof is no end of the session
	next, err := s.client.newSession(r, ans)
	if err != nil {
		return err
	}
	s.grant.adopt(next.grant)
	return nil
}
