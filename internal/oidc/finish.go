package oidc

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// maxCode is how many characters a code has at most; Microsoft's have some 1,500.
const maxCode = 4096

// Finish takes what the provider has sent the browser back with, in a query or a form, and the attempt of the browser's
// cookie. It proves that the player who has this browser is the one whom the provider names, now. A code is good once:
// providers see to that, and the answer to another attempt is none to this. The error is an [*identity.Error], or that
// of the context.
func (p *Provider) Finish(ctx context.Context, a identity.Attempt, answer url.Values) (identity.Identity, error) {
	about, err := p.know(ctx)
	if err != nil {
		return identity.Identity{}, err
	}
	code, err := p.code(about, a, answer)
	if err != nil {
		return identity.Identity{}, err
	}
	token, err := p.exchange(ctx, about, code, a.Derive("verifier", p.Name))
	if err != nil {
		return identity.Identity{}, err
	}
	if p.preset.plain != nil {
		said, err := p.userinfo(ctx, about, token)
		if err != nil {
			return identity.Identity{}, err
		}
		return p.identify(said, p.preset.plain.subject, p.preset.plain.email, p.preset.plain.verified)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return identity.Identity{}, p.fail(identity.Provider, fmt.Errorf("%w: no ID token", identity.ErrGarbage))
	}
	checked, err := p.checkToken(ctx, about, raw, check{nonce: a.Derive("nonce", p.Name), code: true, since: a.Began()})
	if err != nil {
		return identity.Identity{}, err
	}
	if p.Userinfo && about.user != "" {
		said, err := p.userinfo(ctx, about, token)
		if err != nil {
			return identity.Identity{}, err
		}
		if said["sub"] != checked["sub"] { // OpenID Connect Core 1.0, section 5.3.2
			err := fmt.Errorf("%w: userinfo of another player", identity.ErrGarbage)
			return identity.Identity{}, p.fail(identity.Provider, err)
		}
		checked = said
	}
	return p.identify(checked, "sub", "email", "email_verified")
}

// code returns the code of an answer to this attempt.
func (p *Provider) code(about *about, a identity.Attempt, answer url.Values) (string, error) {
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(answer[name]) > 1 || len(answer.Get(name)) > maxCode {
			return "", p.fail(identity.Player, identity.ErrForm)
		}
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.Derive("state", p.Name))) != 1 {
		return "", p.fail(identity.Player, identity.ErrState)
	}
	if a.Expired(p.cfg.Now(), p.cfg.Tolerance) {
		return "", p.fail(identity.Player, identity.ErrExpired)
	}
	// RFC 9207: who answers says who it is, so that a code of one provider is not brought to another.
	if iss, said := answer.Get("iss"), answer.Has("iss"); about.saysIssuer && !said || said && iss != p.Issuer {
		return "", p.fail(identity.Player, identity.ErrMixedUp)
	}
	if code := answer.Get("error"); answer.Has("error") {
		return "", p.refusal(code)
	}
	if answer.Get("code") == "" {
		return "", p.fail(identity.Player, identity.ErrForm)
	}
	return answer.Get("code"), nil
}

// exchange has the provider give tokens for a code.
func (p *Provider) exchange(ctx context.Context, about *about, code, verifier string) (*oauth2.Token, error) {
	secret := string(p.Secret)
	if p.apple.key != nil {
		var err error
		if secret, err = p.apple.secret(p.ClientID, p.cfg.Now()); err != nil {
			return nil, p.fail(identity.Node, identity.ErrConfig)
		}
	}
	client := p.client(about, secret)
	if secret == "" { // a public client, RFC 6749, section 3.2.1
		client.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	calls := gooidc.ClientContext(ctx, p.target.Client(outbound.JSONObject))
	token, err := client.Exchange(calls, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, p.exchangeError(ctx, err)
	}
	return token, nil
}
