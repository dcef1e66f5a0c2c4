// Package oidctest has tests visit OpenID providers that others have written, unmodified: internal/oidc/goserver and
// internal/oidc/nodeserver run them.
package oidctest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// Back is where the providers send browsers back to. Nobody listens there: browsers of tests stop before it.
const Back = "http://127.0.0.1:1/callback"

// Provider is a provider that others have written. It knows the client "web", whose secret is "secret of the web", and
// the public client "native".
type Provider struct {
	Issuer string
	// What it says of its player.
	Subject, Name, Email string
	SaysIssuer           bool // in its answers, RFC 9207

	in  io.Writer
	out *bufio.Scanner
}

// Rotate has it change its key.
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, "rotate"); err != nil || !p.out.Scan() || p.out.Text() != "rotated" {
		t.Fatal("the key was not changed: ", err)
	}
}

// start starts a provider, which ends with the test, and reads its issuer.
func (p *Provider) start(t testing.TB, cmd *exec.Cmd) *Provider {
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
	p.in, p.out = in, bufio.NewScanner(out)
	if !p.out.Scan() {
		t.Fatal("the provider says nothing")
	}
	p.Issuer = p.out.Text()
	return p
}

// StartGo starts the provider of github.com/zitadel/oidc, in the folder of package oidc.
func StartGo(t testing.TB, folder string) *Provider {
	t.Helper()
	program := filepath.Join(t.TempDir(), "goserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(folder, "goserver"), "-ldflags=-s -w",
		"-o", program, ".")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	p := &Provider{Subject: "id1", Name: "test-user@127.0.0.1", Email: "test-user@zitadel.ch"}
	return p.start(t, exec.CommandContext(t.Context(), program, Back))
}

// StartNode starts oidc-provider of npm, or skips the test if Node.js, or what `npm ci` installs, is not there. The
// folder is that of package oidc.
func StartNode(t testing.TB, folder string) *Provider {
	t.Helper()
	at := filepath.Join(folder, "nodeserver")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(at, "node_modules"))
	}
	switch {
	case err != nil && (os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_NODE") != ""):
		t.Fatalf("npm ci has not been run in %s, or there is no node: %v", at, err)
	case err != nil:
		t.Skipf("npm ci has not been run in %s, or there is no node", at)
	}
	p := &Provider{Subject: "player-1", Name: "Ada L.", Email: "ada@example.org", SaysIssuer: true}
	return p.start(t, exec.CommandContext(t.Context(), node, filepath.Join(at, "server.js"), Back))
}

// Visit goes to a provider's page as a browser does, logs in if it is asked to, and returns what the provider sends it
// back with.
func Visit(t testing.TB, page string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), Back) {
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

// IDToken returns one that a native client gets, for itself and a nonce.
func (p *Provider) IDToken(t testing.TB, nonce string) string {
	t.Helper()
	c := oauth2.Config{ClientID: "native", Endpoint: p.endpoint(t), RedirectURL: Back, Scopes: []string{"openid"}}
	verifier := oauth2.GenerateVerifier()
	answer := Visit(t, c.AuthCodeURL("state",
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

// endpoint is what the provider says of itself.
func (p *Provider) endpoint(t testing.TB) oauth2.Endpoint {
	t.Helper()
	resp, err := http.Get(p.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var says struct {
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&says); err != nil {
		t.Fatal(err)
	}
	return oauth2.Endpoint{AuthURL: says.Authorize, TokenURL: says.Token, AuthStyle: oauth2.AuthStyleInParams}
}
