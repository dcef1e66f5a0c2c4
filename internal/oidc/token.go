package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/rushgate/rushgate/internal/identity"
)

const (
	// maxToken is how many characters an ID token has at most.
	maxToken = 16 << 10
	// nonceLife is for how long a nonce can be shown with an ID token, from when that was made.
	nonceLife = time.Hour
)

// check is what an ID token is held against.
type check struct {
	nonce string
	code  bool      // it came for a code; otherwise a client hands it over
	since time.Time // it was made after that, for a code
}

// Native takes an ID token that a client got from the platform it runs on, for a nonce that this fleet has made and
// given it. It proves that who sends it is the player whom the provider names, within the last hour: the token is
// signed by the provider, made for one of the configured clients and for this nonce, and shown for the first time. That
// the nonce is one of this fleet's, and of now, is for the caller to have checked. Platforms that put the SHA-256 of a
// nonce into the token, in hex, are understood. The error is an [*identity.Error], or that of the context.
func (p *Provider) Native(ctx context.Context, token, nonce string) (identity.Identity, error) {
	if p.preset.plain != nil {
		return identity.Identity{}, p.fail(identity.Player, fmt.Errorf("%w: there are no ID tokens", identity.ErrForm))
	}
	if len(token) > maxToken || strings.Count(token, ".") != 2 || nonce == "" || len(nonce) > maxCode {
		return identity.Identity{}, p.fail(identity.Player, identity.ErrForm)
	}
	about, err := p.know(ctx)
	if err != nil {
		return identity.Identity{}, err
	}
	said, err := p.checkToken(ctx, about, token, check{nonce: nonce})
	if err != nil {
		return identity.Identity{}, err
	}
	id, err := p.identify(said, "sub", "email", "email_verified")
	if err != nil {
		return identity.Identity{}, err
	}
	if err := p.cfg.Once.First(ctx, p.Name, "nonce "+nonce, p.cfg.Now().Add(nonceLife+2*p.cfg.Tolerance)); err != nil {
		return identity.Identity{}, err
	}
	return id, nil
}

// checkToken checks an ID token by OpenID Connect Core 1.0, section 3.1.3.7, and returns what it says.
func (p *Provider) checkToken(ctx context.Context, about *about, raw string, c check) (claims, error) {
	keys := &keysOfCall{provider: p}
	verifier := gooidc.NewVerifier(p.Issuer, keys, &gooidc.Config{
		SupportedSigningAlgs: about.algs,
		SkipClientIDCheck:    true, // there may be several: see audience
		Now:                  func() time.Time { return p.cfg.Now().Add(-p.cfg.Tolerance) },
	})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, p.tokenError(ctx, c, keys, err)
	}
	if err := p.audience(token, c); err != nil {
		return nil, err
	}
	now := p.cfg.Now()
	age, most := now.Sub(token.IssuedAt), nonceLife
	if c.code {
		most = now.Sub(c.since)
	}
	if token.IssuedAt.Unix() <= 0 || age < -p.cfg.Tolerance || age > most+p.cfg.Tolerance {
		return nil, p.bad(c, identity.ErrExpired)
	}
	if !sameNonce(token.Nonce, c) {
		return nil, p.bad(c, identity.ErrState)
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, p.bad(c, identity.ErrGarbage)
	}
	said, err := parseClaims(payload)
	if err != nil {
		return nil, p.bad(c, err)
	}
	return said, nil
}

// bad returns the error about a token: that of the player who hands it over, or of the provider that has just sent it.
// That one with a wrong nonce came for a code is the player's, too: it is how a stolen code shows.
func (p *Provider) bad(c check, kind error) error {
	if c.code && !errors.Is(kind, identity.ErrState) {
		return p.fail(identity.Provider, fmt.Errorf("%w: %w", identity.ErrGarbage, kind))
	}
	return p.fail(identity.Player, kind)
}

// tokenError returns why a token was not verified.
func (p *Provider) tokenError(ctx context.Context, c check, keys *keysOfCall, err error) error {
	var expired *gooidc.TokenExpiredError
	switch {
	case keys.err != nil && !errors.Is(keys.err, identity.ErrRefused):
		return p.failed(ctx, keys.err)
	case errors.As(err, &expired):
		return p.bad(c, identity.ErrExpired)
	case keys.verified: // signed by the provider: then it is about the issuer, or about when it begins to be good
		return p.bad(c, fmt.Errorf("%w: by another issuer, or for later", identity.ErrRefused))
	default:
		return p.bad(c, identity.ErrRefused)
	}
}

// audience checks for whom a token is: for this game's clients, and for nobody else.
func (p *Provider) audience(token *gooidc.IDToken, c check) error {
	var authorized struct {
		Party string `json:"azp"`
	}
	if err := token.Claims(&authorized); err != nil {
		return p.bad(c, identity.ErrGarbage)
	}
	ours := func(id string) bool { return id == p.ClientID || slices.Contains(p.Audiences, id) }
	for _, id := range token.Audience {
		if !ours(id) {
			return p.bad(c, identity.ErrAudience)
		}
	}
	// With a code, the client is this node, which the token names. Google has native clients as the party.
	party := authorized.Party
	if c.code && (!slices.Contains(token.Audience, p.ClientID) || party != "" && party != p.ClientID) ||
		len(token.Audience) == 0 || len(token.Audience) > 1 && !ours(party) {
		return p.bad(c, identity.ErrAudience)
	}
	return nil
}

func sameNonce(got string, c check) bool {
	same := subtle.ConstantTimeCompare([]byte(got), []byte(c.nonce)) == 1
	if !c.code {
		sum := sha256.Sum256([]byte(c.nonce))
		same = same || subtle.ConstantTimeCompare([]byte(got), []byte(hex.EncodeToString(sum[:]))) == 1
	}
	return same
}
