package oidc

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/oidctest"
	"github.com/rushgate/rushgate/internal/outbound"
)

// other is a provider that others have written, unmodified.
type other struct{ *oidctest.Provider }

// client returns what asks the provider, by a clock that is off by so much.
func (o *other) client(t *testing.T, off time.Duration, change ...func(*Settings)) *Provider {
	t.Helper()
	s := Settings{
		Name: "other", Issuer: o.Issuer, ClientID: "web", Secret: "secret of the web", Redirect: oidctest.Back,
		Scopes: ordinary.scopes, NameFrom: ordinary.nameFrom, Userinfo: true,
	}
	for _, c := range change {
		c(&s)
	}
	calls := outbound.New(outbound.Config{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: time.Minute, // of a busy machine
	})
	t.Cleanup(calls.Close)
	now := func() time.Time { return time.Now().Add(off) }
	p, err := New(s, Config{Calls: calls, Now: now, Once: identity.NewSeen(100, now).Once})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// login has a player go to the provider and come back.
func login(t *testing.T, p *Provider) (identity.Attempt, url.Values) {
	t.Helper()
	a, page, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a, oidctest.Visit(t, page)
}

// wantError checks an error, and that it tells nothing that it should not.
func wantError(t *testing.T, what string, err error, whose identity.Whose, kind error, secrets ...string) {
	t.Helper()
	var e *identity.Error
	if !errors.As(err, &e) || e.Whose != whose || !errors.Is(e, kind) {
		t.Errorf("%s: %v (%#v), want the %v's: %v", what, err, e, whose, kind)
		return
	}
	if (whose == identity.Provider) != (e.After >= time.Second) {
		t.Errorf("%s: come back after %v", what, e.After)
	}
	for _, secret := range append(secrets, "secret of the web") {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error says %v", what, err)
		}
	}
}

func TestProvidersThatOthersHaveWritten(t *testing.T) {
	providers := map[string]*other{"Go": {oidctest.StartGo(t, ".")}}
	t.Run("Node", func(t *testing.T) { // which alone is skipped without it
		providers["Node"] = &other{oidctest.StartNode(t, ".")}
		testOther(t, providers["Node"], providers["Go"])
	})
	t.Run("Go", func(t *testing.T) { testOther(t, providers["Go"], nil) })
}

func testOther(t *testing.T, o, another *other) {
	t.Run("a player visits and comes back", o.testVisit)
	t.Run("clocks", o.testClocks)
	t.Run("a native client hands a token over", o.testNative)
	t.Run("the provider changes its key", o.testRotation)
	t.Run("the client is not configured as it is there", o.testConfiguration)
	if another != nil {
		t.Run("two providers are mixed up", func(t *testing.T) { testMixedUp(t, o, another) })
	}
}

func (o *other) testVisit(t *testing.T) {
	p := o.client(t, 0)
	a, answer := login(t, p)
	again, err := identity.ParseAttempt(a.Cookie())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(url.Values){
		"another state": func(v url.Values) { v.Set("state", "x") },
		"no state":      func(v url.Values) { v.Del("state") },
	} {
		changed := clone(answer)
		change(changed)
		_, err := p.Finish(t.Context(), again, changed)
		wantError(t, name, err, identity.Player, identity.ErrState, answer.Get("code"))
	}
	_, err = p.Finish(t.Context(), identity.NewAttempt(time.Now()), answer)
	wantError(t, "another browser", err, identity.Player, identity.ErrState, answer.Get("code"))

	got, err := p.Finish(t.Context(), again, answer)
	want := identity.Identity{Issuer: o.Issuer, Subject: o.Subject, Name: o.Name, Email: o.Email}
	if err != nil || got != want {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	_, err = p.Finish(t.Context(), again, answer)
	wantError(t, "a code that was used", err, identity.Player, identity.ErrRefused, answer.Get("code"))

	// Of two attempts in one browser, the code of one is none for the other: PKCE's verifier and the nonce are another.
	b, other := login(t, p)
	other.Set("state", a.Derive("state", p.Name))
	_, err = p.Finish(t.Context(), a, other)
	wantError(t, "a code of another attempt", err, identity.Player, identity.ErrRefused, other.Get("code"))
	_ = b
}

func clone(v url.Values) url.Values {
	c := make(url.Values)
	for name, values := range v {
		c[name] = append([]string(nil), values...)
	}
	return c
}

// The clocks of provider and node differ; an attempt begins and ends by the node's.
func (o *other) testClocks(t *testing.T) {
	for _, off := range []time.Duration{-50 * time.Second, 50 * time.Second} {
		p := o.client(t, off)
		a, answer := login(t, p)
		if id, err := p.Finish(t.Context(), a, answer); err != nil || id.Subject != o.Subject {
			t.Errorf("off by %v: %v, %v", off, id, err)
		}
	}
	for _, off := range []time.Duration{-5 * time.Minute, 26 * time.Hour} {
		p := o.client(t, off)
		a, answer := login(t, p)
		_, err := p.Finish(t.Context(), a, answer)
		wantError(t, fmt.Sprintf("off by %v", off), err, identity.Provider, identity.ErrExpired, answer.Get("code"))
	}
}

func native(s *Settings) { s.Audiences = []string{"native"} }

func (o *other) testNative(t *testing.T) {
	p := o.client(t, 0, native)
	nonce := oauth2.GenerateVerifier()
	token := o.IDToken(t, nonce)
	refused := func(what string, p *Provider, token, nonce string, kind error) {
		t.Helper()
		_, err := p.Native(t.Context(), token, nonce)
		wantError(t, what, err, identity.Player, kind, token, nonce)
	}
	refused("another nonce", p, token, "x", identity.ErrState)
	refused("for others", o.client(t, 0), token, nonce, identity.ErrAudience)
	refused("later", o.client(t, 26*time.Hour, native), token, nonce, identity.ErrExpired)
	refused("not yet", o.client(t, -5*time.Minute, native), token, nonce, identity.ErrExpired)
	refused("no token", p, "a.b", nonce, identity.ErrForm)
	refused("without a signature", p, token[:strings.LastIndex(token, ".")+1], nonce, identity.ErrRefused)
	head, rest, _ := strings.Cut(token, ".")
	refused("another claim", p, head+"."+"A"+rest[1:], nonce, identity.ErrRefused)
	got, err := p.Native(t.Context(), token, nonce)
	if want := (identity.Identity{Issuer: o.Issuer, Subject: o.Subject}); err != nil || got != want {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	refused("a second time", p, token, nonce, identity.ErrUsed)
}

// A token that is signed with a new key is taken at once, one with the old key no more once the new are known.
func (o *other) testRotation(t *testing.T) {
	p := o.client(t, 0, native)
	p.keys = outbound.NewShared(outbound.Keep{Fresh: time.Hour, Stale: time.Hour}, p.fetchKeys)
	old := o.IDToken(t, "1")
	if _, err := p.Native(t.Context(), old, "1"); err != nil {
		t.Fatal(err)
	}
	leftOver := o.IDToken(t, "2")
	o.Rotate(t)
	if _, err := p.Native(t.Context(), o.IDToken(t, "3"), "3"); err != nil {
		t.Fatal(err)
	}
	_, err := p.Native(t.Context(), leftOver, "2")
	wantError(t, "the old key", err, identity.Player, identity.ErrRefused)
}

func (o *other) testConfiguration(t *testing.T) {
	p := o.client(t, 0, func(s *Settings) { s.Secret = "not the secret" })
	a, answer := login(t, p)
	_, err := p.Finish(t.Context(), a, answer)
	wantError(t, "another secret", err, identity.Node, identity.ErrConfig, answer.Get("code"), "not the secret")
	_, _, err = o.client(t, 0, func(s *Settings) { s.Issuer += "/" }).Begin(t.Context())
	wantError(t, "another issuer", err, identity.Node, identity.ErrConfig)
}

// testMixedUp has one provider answer what another was asked, as RFC 9207 describes: a provider that is not honest
// sends the browser on to one that is, and would be given the code of that.
func testMixedUp(t *testing.T, honest, asked *other) {
	p, dishonest := honest.client(t, 0), asked.client(t, 0)
	a, _, err := dishonest.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	about, err := p.know(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer := oidctest.Visit(t, p.client(about, "").AuthCodeURL(a.Derive("state", p.Name),
		oauth2.S256ChallengeOption(a.Derive("verifier", p.Name)), oauth2.SetAuthURLParam("nonce", "x")))
	_, err = dishonest.Finish(t.Context(), a, answer)
	wantError(t, "who has answered is not who was asked", err, identity.Player, identity.ErrMixedUp, answer.Get("code"))

	// Who says who it is has to, and a token is none of another's.
	b, answer := login(t, p)
	answer.Del("iss")
	_, err = p.Finish(t.Context(), b, answer)
	wantError(t, "who answers is left out", err, identity.Player, identity.ErrMixedUp, answer.Get("code"))
	_, err = honest.client(t, 0, native).Native(t.Context(), asked.IDToken(t, "n"), "n")
	wantError(t, "a token of the other", err, identity.Player, identity.ErrRefused)
}
