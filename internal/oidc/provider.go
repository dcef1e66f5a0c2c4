// Package oidc has players proven by OpenID providers: by a visit of their browser there (authorization code with
// PKCE), or by an ID token that a game got from the platform it runs on. Discord, which has OAuth 2 and no OpenID
// Connect, is asked who the player is.
//
// Every call to a provider goes through package outbound, and may take seconds. Nothing of an attempt is kept on the
// node: see [identity.Attempt].
package oidc

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// DefaultTolerance is by how much the clocks of a provider and of this node may differ.
const DefaultTolerance = time.Minute

// keep is for how long what a provider says of itself, and its keys, are good. A key that it has withdrawn is taken for
// an hour at most, and for longer only while the provider is away.
var keep = outbound.Keep{Fresh: time.Hour, Stale: 6 * time.Hour, Again: 10 * time.Second}

// Config is what providers need of the node.
type Config struct {
	Calls *outbound.Calls
	// Once remembers the nonces of ID tokens that clients hand over.
	Once identity.Once
	// Now is the clock that tokens are held against; nil is that of the system.
	Now func() time.Time
	// Tolerance is by how much it may differ from the provider's; 0 is [DefaultTolerance].
	Tolerance time.Duration
}

// Provider has players proven by one provider. It is safe for concurrent use.
type Provider struct {
	Settings
	cfg    Config
	target *outbound.Target
	about  *outbound.Shared[*about]
	keys   *outbound.Shared[keySet]
}

// about is what a provider says of itself.
type about struct {
	endpoint   oauth2.Endpoint
	user       string // the userinfo endpoint
	keys       string // where its keys are
	algs       []string
	saysIssuer bool // in its answers, RFC 9207
}

// New returns a provider, which nobody has asked anything yet. The error wraps [ErrSettings].
func New(s Settings, cfg Config) (*Provider, error) {
	if err := s.check(); err != nil {
		return nil, errors.Join(ErrSettings, err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Tolerance == 0 {
		cfg.Tolerance = DefaultTolerance
	}
	p := &Provider{Settings: s, cfg: cfg, target: cfg.Calls.Target(s.Name)}
	p.about = outbound.NewShared(keep, p.discover)
	p.keys = outbound.NewShared(keep, p.fetchKeys)
	return p, nil
}

// Posted reports whether the provider has the browser post its answer. It comes from another site then, to which a
// browser sends only cookies that are SameSite=None and Secure.
func (p *Provider) Posted() bool { return p.posted() }

// HasTokens reports whether the provider has ID tokens, which a native client could hand over.
func (p *Provider) HasTokens() bool { return p.preset.plain == nil }

// Begin returns an attempt for the browser's cookie, and the provider's page to send the browser to. The error is an
// [*identity.Error], or that of the context.
func (p *Provider) Begin(ctx context.Context) (identity.Attempt, string, error) {
	about, err := p.know(ctx)
	if err != nil {
		return identity.Attempt{}, "", err
	}
	a := identity.NewAttempt(p.cfg.Now())
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.Derive("verifier", p.Name))}
	if p.preset.plain == nil {
		options = append(options, gooidc.Nonce(a.Derive("nonce", p.Name)))
	}
	for name, value := range p.preset.asks {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	if p.posted() {
		options = append(options, oauth2.SetAuthURLParam("response_mode", "form_post"))
	}
	return a, p.client(about, "").AuthCodeURL(a.Derive("state", p.Name), options...), nil
}

// client returns what x/oauth2 has to know.
func (p *Provider) client(about *about, secret string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: secret, Endpoint: about.endpoint, RedirectURL: p.Redirect, Scopes: p.Scopes,
	}
}

// know returns what the provider says of itself, asking it if that is not known.
func (p *Provider) know(ctx context.Context) (*about, error) {
	if plain := p.preset.plain; plain != nil {
		return &about{
			endpoint: oauth2.Endpoint{AuthURL: plain.authorize, TokenURL: plain.token, AuthStyle: p.preset.style},
			user:     plain.user,
		}, nil
	}
	known, _, err := p.about.Get(ctx)
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	return known, nil
}

// discover asks the provider what it is.
func (p *Provider) discover(ctx context.Context) (*about, error) {
	ctx = gooidc.ClientContext(ctx, p.target.Client(outbound.JSONObject))
	discovered, err := gooidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, discoveryError(err)
	}
	var says struct {
		Keys       string   `json:"jwks_uri"`
		Algs       []string `json:"id_token_signing_alg_values_supported"`
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
		SaysIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := discovered.Claims(&says); err != nil {
		return nil, identity.ErrGarbage
	}
	a := &about{
		endpoint: discovered.Endpoint(), user: discovered.UserInfoEndpoint(), keys: says.Keys,
		algs: supported(says.Algs), saysIssuer: says.SaysIssuer,
	}
	if a.endpoint.AuthStyle = p.preset.style; a.endpoint.AuthStyle == oauth2.AuthStyleAutoDetect {
		a.endpoint.AuthStyle = authStyle(says.Methods)
	}
	for _, at := range []string{a.endpoint.AuthURL, a.endpoint.TokenURL, a.keys} {
		if !p.plausible(at) {
			return nil, identity.ErrGarbage
		}
	}
	if a.user != "" && !p.plausible(a.user) || len(a.algs) == 0 {
		return nil, identity.ErrGarbage
	}
	return a, nil
}

// plausible reports whether an endpoint is one to send codes and secrets to: over HTTPS, unless the provider is here.
func (p *Provider) plausible(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Host != "" && u.User == nil && u.Fragment == "" && len(endpoint) <= 2048 &&
		(u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(p.Issuer, "http://"))
}

// authStyle returns how to send the secret (OpenID Connect Discovery 1.0, section 3): in the header if nothing is said.
func authStyle(methods []string) oauth2.AuthStyle {
	for _, m := range methods {
		if m == "client_secret_basic" {
			return oauth2.AuthStyleInHeader
		}
	}
	if len(methods) == 0 {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}
