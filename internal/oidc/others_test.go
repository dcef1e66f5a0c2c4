package oidc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// back is where providers send browsers back to. Nobody listens there: browsers of tests stop before it.
const back = "http://127.0.0.1:1/callback"

// other is a provider that others have written, unmodified.
type other struct {
	issuer string
	in     io.Writer
	out    *bufio.Scanner
	// What it says of its player.
	subject, name, email string
	saysIssuer           bool // in its answers, RFC 9207
}

// rotate has it change its key.
func (o *other) rotate(t *testing.T) {
	t.Helper()
	if _, err := fmt.Fprintln(o.in, "rotate"); err != nil || !o.out.Scan() || o.out.Text() != "rotated" {
		t.Fatal("the key was not changed: ", err)
	}
}

// start starts a provider, which ends with the test, and reads its issuer.
func (o *other) start(t *testing.T, cmd *exec.Cmd) *other {
	t.Helper()
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	o.in, o.out = in, bufio.NewScanner(out)
	if !o.out.Scan() {
		t.Fatal("the provider says nothing")
	}
	o.issuer = o.out.Text()
	return o
}

// startGo starts the provider of github.com/zitadel/oidc.
func startGo(t *testing.T) *other {
	t.Helper()
	program := filepath.Join(t.TempDir(), "goserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "goserver", "-o", program, ".")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	o := &other{subject: "id1", name: "test-user@127.0.0.1", email: "test-user@zitadel.ch"}
	return o.start(t, exec.CommandContext(t.Context(), program, back))
}

// startNode starts oidc-provider of npm, or skips the test if Node.js, or what `npm ci` installs, is not there.
func startNode(t *testing.T) *other {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("nodeserver/node_modules")
	}
	switch {
	case err != nil && (os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_NODE") != ""):
		t.Fatalf("npm ci has not been run in internal/oidc/nodeserver, or there is no node: %v", err)
	case err != nil:
		t.Skip("npm ci has not been run in internal/oidc/nodeserver, or there is no node")
	}
	o := &other{subject: "player-1", name: "Ada L.", email: "ada@example.org", saysIssuer: true}
	return o.start(t, exec.CommandContext(t.Context(), node, "nodeserver/server.js", back))
}

// visit goes to a provider's page as a browser does, logs in if it is asked to, and returns what the provider sends it
// back with.
func visit(t *testing.T, page string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), back) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	defer browser.CloseIdleConnections()
	resp, err := browser.Get(page)
	if err == nil && strings.HasSuffix(resp.Request.URL.Path, "/login/username") {
		_ = resp.Body.Close()
		resp, err = browser.PostForm(resp.Request.URL.String(), url.Values{
			"id":       {resp.Request.URL.Query().Get("authRequestID")},
			"username": {"test-user@127.0.0.1"}, "password": {"verysecure"},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("not sent back, but %s: %s", resp.Status, b)
	}
	return to.Query()
}

// client returns what asks the provider, by a clock that is off by so much.
func (o *other) client(t *testing.T, off time.Duration, change ...func(*Settings)) *Provider {
	t.Helper()
	s := Settings{
		Name: "other", Issuer: o.issuer, ClientID: "web", Secret: "secret of the web", Redirect: back,
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
	return a, visit(t, page)
}

// idToken returns one that a native client gets, for itself and a nonce.
func (o *other) idToken(t *testing.T, nonce string) string {
	t.Helper()
	p := o.client(t, 0)
	about, err := p.know(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := oauth2.Config{ClientID: "native", Endpoint: about.endpoint, RedirectURL: back, Scopes: []string{"openid"}}
	c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	verifier := oauth2.GenerateVerifier()
	answer := visit(t, c.AuthCodeURL("state",
		oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonce)))
	token, err := c.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		t.Fatal("no ID token")
	}
	return raw
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
	providers := map[string]*other{"Go": startGo(t)}
	t.Run("Node", func(t *testing.T) { // which alone is skipped without it
		providers["Node"] = startNode(t)
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
	want := identity.Identity{Issuer: o.issuer, Subject: o.subject, Name: o.name, Email: o.email}
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
		if id, err := p.Finish(t.Context(), a, answer); err != nil || id.Subject != o.subject {
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
	token := o.idToken(t, nonce)
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
	if want := (identity.Identity{Issuer: o.issuer, Subject: o.subject}); err != nil || got != want {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	refused("a second time", p, token, nonce, identity.ErrUsed)
}

// A token that is signed with a new key is taken at once, one with the old key no more once the new are known.
func (o *other) testRotation(t *testing.T) {
	p := o.client(t, 0, native)
	p.keys = outbound.NewShared(outbound.Keep{Fresh: time.Hour, Stale: time.Hour}, p.fetchKeys)
	old := o.idToken(t, "1")
	if _, err := p.Native(t.Context(), old, "1"); err != nil {
		t.Fatal(err)
	}
	leftOver := o.idToken(t, "2")
	o.rotate(t)
	if _, err := p.Native(t.Context(), o.idToken(t, "3"), "3"); err != nil {
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
	answer := visit(t, p.client(about, "").AuthCodeURL(a.Derive("state", p.Name),
		oauth2.S256ChallengeOption(a.Derive("verifier", p.Name)), oauth2.SetAuthURLParam("nonce", "x")))
	_, err = dishonest.Finish(t.Context(), a, answer)
	wantError(t, "who has answered is not who was asked", err, identity.Player, identity.ErrMixedUp, answer.Get("code"))

	// Who says who it is has to, and a token is none of another's.
	b, answer := login(t, p)
	answer.Del("iss")
	_, err = p.Finish(t.Context(), b, answer)
	wantError(t, "who answers is left out", err, identity.Player, identity.ErrMixedUp, answer.Get("code"))
	_, err = honest.client(t, 0, native).Native(t.Context(), asked.idToken(t, "n"), "n")
	wantError(t, "a token of the other", err, identity.Player, identity.ErrRefused)
}
