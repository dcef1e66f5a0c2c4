package providers

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/oidc"
)

const (
	// NonceLife is for how long a native client may take to have an ID token made for a nonce, and to show it.
	NonceLife = 10 * time.Minute
	// nonceSkew is by how much the clocks of a fleet's nodes may differ.
	nonceSkew = time.Minute
)

// Handed is what a native client hands over, one of these: see [Takes].
type Handed struct {
	IDToken, Nonce string
	Ticket         string // in hex
	Shown          []byte
}

// Nonce returns one for an ID token of a provider's, which any node of the fleet knows again, and when it is good no
// longer. The node keeps nothing of it. The error is [ErrNone] or [ErrNoKeys].
func (p *Providers) Nonce(name string) (nonce string, expires time.Time, err error) {
	s, err := p.find(name)
	if err != nil || s.Takes != TakesIDToken {
		return "", time.Time{}, ErrNone
	}
	ring := p.ring.Load()
	if ring == nil {
		return "", time.Time{}, ErrNoKeys
	}
	now := p.cfg.Now()
	b, err := ring.SealChallenge(noncePurpose(name), now, nil)
	if err != nil {
		return "", time.Time{}, err
	}
	return base64.RawURLEncoding.EncodeToString(b), now.Add(NonceLife), nil
}

func noncePurpose(name string) string { return "identity nonce " + name }

// Native takes what a native client hands over. What there is has to be what the provider takes, see [Description]. The
// errors are those of [Providers.Finish].
func (p *Providers) Native(ctx context.Context, name string, h *Handed) (Vouched, error) {
	s, err := p.find(name)
	if err != nil || s.native == nil {
		return Vouched{}, ErrNone
	}
	return p.vouch(ctx, s, func(ctx context.Context) (identity.Identity, error) { return s.native(ctx, h) })
}

// Takes returns what a provider goes by; nothing, if there is no such provider.
func (p *Providers) Takes(name string) Takes {
	s, err := p.find(name)
	if err != nil {
		return TakesNothing
	}
	return s.Takes
}

// idToken takes an ID token, for a nonce of this fleet's.
func (p *Providers) idToken(ctx context.Context, provider *oidc.Provider, h *Handed) (identity.Identity, error) {
	fail := func(kind error) (identity.Identity, error) {
		return identity.Identity{}, identity.Fail(provider.Name, identity.Player, kind)
	}
	ring := p.ring.Load()
	b, err := base64.RawURLEncoding.Strict().DecodeString(h.Nonce)
	if ring == nil || err != nil || base64.RawURLEncoding.EncodeToString(b) != h.Nonce {
		return fail(identity.ErrState)
	}
	at, err := ring.OpenChallenge(noncePurpose(provider.Name), b)
	if err != nil {
		return fail(identity.ErrState)
	}
	if age := p.cfg.Now().Sub(at); age >= NonceLife || age < -nonceSkew {
		return fail(identity.ErrExpired)
	}
	return provider.Native(ctx, h.IDToken, h.Nonce)
}

// onceForNonces remembers nonces, which are refused for their age sooner than package oidc knows.
func (p *Providers) onceForNonces(ctx context.Context, what string, until time.Time) (bool, error) {
	if refused := p.cfg.Now().Add(NonceLife + 2*nonceSkew); refused.Before(until) {
		until = refused
	}
	return p.cfg.Once(ctx, what, until)
}
