package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/oidctest"
	passwords "github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// launcher is a prover that knows players by what they show, which is "secret of" and who they are.
func launcher(_ context.Context, shown []byte) (server.ProvenIdentity, error) {
	who, ok := strings.CutPrefix(string(shown), "secret of ")
	if !ok {
		return server.ProvenIdentity{}, rushgate.BadCredentials
	}
	return server.ProvenIdentity{Subject: who, Name: who}, nil
}

// vouchingNode starts a node with a prover and whatever else is changed.
func vouchingNode(t *testing.T, change func(*server.Config)) *server.Server {
	t.Helper()
	cfg := server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: server.NoUDP, Backend: server.Memory,
		HashIterations: passwords.MinIterations, Logger: slog.New(slog.DiscardHandler), DataDir: t.TempDir(),
		GuestKeep: time.Hour, Provers: map[string]server.Prover{"launcher": launcher},
	}
	if change != nil {
		change(&cfg)
	}
	node, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Stop() })
	return node
}

func clientOf(t *testing.T, node *server.Server, opts client.Options) *client.Client {
	t.Helper()
	opts.BackoffBase, opts.BackoffCap = time.Millisecond, time.Millisecond
	c, err := client.New("http://"+node.HTTPAddr().String(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// vouched returns the launcher's word for a player.
func vouched(t *testing.T, c *client.Client, who string) client.IdentityProof {
	t.Helper()
	proof, err := c.VouchShown(t.Context(), "launcher", "secret of "+who)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// Against a real node: a player comes in by what a prover knows, is remembered, takes over what was left behind, and
// leaves no second account behind when an answer is lost.
func TestLoginByAProver(t *testing.T) {
	node := vouchingNode(t, nil)
	lossy := &losesFirst{next: http.DefaultTransport, path: "/v1/identities/login"}
	var kept client.Resume
	c := clientOf(t, node, client.Options{
		Transport: lossy, Remember: "Ada's laptop", OnResume: func(r client.Resume) { kept = r },
	})
	all, err := c.Providers(t.Context())
	if err != nil || len(all) != 1 ||
		all[0] != (client.Provider{Name: "launcher", Kind: client.ProviderGame, Takes: client.HandedShown}) {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := c.VouchShown(t.Context(), "launcher", "a guess"); !errors.Is(err, rushgate.BadCredentials) ||
		errors.Is(err, client.ErrSessionEnded) {
		t.Errorf("a guess: %v", err)
	}
	if _, err := c.VouchShown(t.Context(), "nobody", "x"); !errors.Is(err, rushgate.MissingCredentials) {
		t.Errorf("no such provider: %v", err)
	}
	proof := vouched(t, c, "ada")
	if proof.Provider != "launcher" || proof.Name != "ada" || time.Until(proof.ExpiresAt) < time.Minute {
		t.Errorf("%q, %q, %v", proof.Provider, proof.Name, proof.ExpiresAt)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", proof, proof, proof), fmt.Sprintf("%+v", &proof)} {
		if strings.Contains(shown, proof.Text()) {
			t.Errorf("prints as %s", shown)
		}
	}
	lossy.armed = true
	first, err := c.LoginWithIdentity(t.Context(), proof)
	if err != nil {
		t.Fatal(err)
	}
	if me, err := first.Me(t.Context()); err != nil || me.Name != "ada" {
		t.Errorf("%+v, %v", me, err)
	}
	handed, err := client.ParseIdentityProof(proof.Text()) // as from a launcher
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.LoginWithIdentity(t.Context(), handed); !errors.Is(err, rushgate.AlreadyLoggedIn) {
		t.Errorf("while inside: %v", err)
	}
	again, err := c.TakeoverWithIdentity(t.Context(), handed)
	if err != nil || again.PlayerID != first.PlayerID {
		t.Fatalf("%+v, %v", again, err)
	}
	later := clientOf(t, node, client.Options{Resume: kept})
	if s, err := later.Resume(t.Context()); err != nil || s.PlayerID != first.PlayerID {
		t.Errorf("coming back: %+v, %v", s, err)
	}
	forged, err := client.ParseIdentityProof(strings.Repeat("A", 200))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.LoginWithIdentity(t.Context(), forged); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("a forged proof: %v", err)
	}
	if _, err := c.LoginWithIdentity(t.Context(), client.IdentityProof{}); !errors.Is(err, rushgate.MissingCredentials) {
		t.Errorf("no proof: %v", err)
	}
	if p, err := client.ParseIdentityProof("a b"); !errors.Is(err, client.ErrNotIdentityProof) || !p.IsZero() {
		t.Errorf("no text of a proof: %v", err)
	}
}

// Against a node and an OpenID provider that others have written: the player's browser visits the provider and the game
// takes what it comes back with; an ID token is made for the node's nonce. Both are the same player.
func TestLoginByAnOpenIDProvider(t *testing.T) {
	p := oidctest.StartGo(t, "../internal/oidc")
	folder := t.TempDir()
	secret, file := filepath.Join(folder, "secret"), filepath.Join(folder, "providers.json")
	entry := fmt.Sprintf(`{"providers":[{"name":"guild","issuer":%q,"client_id":"web","client_secret_file":%q,`+
		`"redirect":%q,"audiences":["native"]}]}`, p.Issuer, secret, oidctest.Back)
	for path, content := range map[string]string{secret: "secret of the web\n", file: entry} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := clientOf(t, vouchingNode(t, func(cfg *server.Config) {
		cfg.OIDCFile, cfg.ProviderNetworks = file, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}), client.Options{})

	visit, err := c.BeginVisit(t.Context(), "guild")
	if err != nil {
		t.Fatal(err)
	}
	other, err := c.BeginVisit(t.Context(), "guild")
	if err != nil {
		t.Fatal(err)
	}
	answer := oidctest.Visit(t, visit.URL)
	if _, err := c.FinishVisit(t.Context(), other, answer); !errors.Is(err, client.ErrBeginAgain) {
		t.Errorf("the answer of another visit: %v", err)
	}
	none := client.Visit{Provider: "guild"}
	if _, err := c.FinishVisit(t.Context(), none, answer); !errors.Is(err, client.ErrBeginAgain) {
		t.Errorf("no visit: %v", err)
	}
	proof, err := c.FinishVisit(t.Context(), visit, answer)
	if err != nil || proof.Name != p.Name && proof.Name != "" {
		t.Fatalf("%q, %v", proof.Name, err)
	}
	if _, err := c.FinishVisit(t.Context(), visit, answer); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("a code that was used: %v", err)
	}
	denied := url.Values{"error": {"access_denied"}, "state": {answer.Get("state")}}
	if _, err := c.FinishVisit(t.Context(), visit, denied); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the player has said no: %v", err)
	}
	inBrowser, err := c.LoginWithIdentity(t.Context(), proof)
	if err != nil {
		t.Fatal(err)
	}

	nonce, err := c.Nonce(t.Context(), "guild")
	if err != nil {
		t.Fatal(err)
	}
	token := p.IDToken(t, nonce.Text)
	proof, err = c.VouchIDToken(t.Context(), "guild", token, nonce)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.VouchIDToken(t.Context(), "guild", token, nonce); !errors.Is(err, client.ErrBeginAgain) {
		t.Errorf("a token that was used: %v", err)
	}
	if _, err := c.VouchTicket(t.Context(), "guild", []byte("x")); !errors.Is(err, rushgate.MissingCredentials) {
		t.Errorf("a ticket for one who takes none: %v", err)
	}
	native, err := c.TakeoverWithIdentity(t.Context(), proof)
	if err != nil || native.PlayerID != inBrowser.PlayerID {
		t.Errorf("%+v, %v", native, err)
	}
}
