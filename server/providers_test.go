package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/oidctest"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// loopback is where providers of tests are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// providersFile writes a file of providers.
func providersFile(t *testing.T, entries ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "providers.json")
	writeProviders(t, path, entries...)
	return path
}

func writeProviders(t *testing.T, path string, entries ...string) {
	t.Helper()
	content := `{"providers":[` + strings.Join(entries, ",") + `]}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// browser is a browser at the pages of a node.
type browser struct {
	*http.Client
	t    *testing.T
	node string
}

func newBrowser(t *testing.T, s *server.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{Client: &http.Client{Jar: jar}, t: t, node: "http://" + s.HTTPAddr().String()}
	t.Cleanup(b.CloseIdleConnections)
	return b
}

// answer is what a node has answered.
type answer struct {
	status int
	Reason rushgate.Reason   `json:"reason"`
	URL    string            `json:"url"`
	Nonce  string            `json:"nonce"`
	Proof  string            `json:"proof"`
	Name   string            `json:"name"`
	Player rushgate.PlayerID `json:"player_id"`
	Token  string            `json:"session_token"`
	After  int64             `json:"retry_after_ms"`
}

// post sends fields to the node.
func (b *browser) post(path string, fields map[string]any) (a answer) {
	b.t.Helper()
	if fields == nil {
		fields = map[string]any{}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.Post(b.node+path, "application/json", bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(said, &a)
	}
	if err != nil {
		b.t.Fatalf("%s: %v: %s", path, err, said)
	}
	a.status = resp.StatusCode
	return a
}

func (a answer) want(t *testing.T, what string, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %+v, want %d", what, a, status)
	}
}

// Providers that others have written vouch for players at two nodes of a fleet: what one has begun, the other knows.
func TestProvidersVouchAtTheNodesOfAFleet(t *testing.T) {
	others := map[string]*oidctest.Provider{"go": oidctest.StartGo(t, "../internal/oidc")}
	t.Run("Go", func(t *testing.T) { vouchAtAFleet(t, others["go"], nil) })
	t.Run("Node", func(t *testing.T) { // which alone is skipped without it
		vouchAtAFleet(t, oidctest.StartNode(t, "../internal/oidc"), others["go"])
	})
}

func vouchAtAFleet(t *testing.T, p, other *oidctest.Provider) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret of the web\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const entry = `{"name":%q,"issuer":%q,"client_id":"web","client_secret_file":%q,"redirect":%q,"userinfo":true%s}`
	entries := []string{
		fmt.Sprintf(entry, "guild", p.Issuer, secret, oidctest.Back, `,"audiences":["native"]`),
		fmt.Sprintf(entry, "strict", p.Issuer, secret, oidctest.Back, ""), // takes no native clients
	}
	if other != nil {
		entries = append(entries, fmt.Sprintf(entry, "other", other.Issuer, secret, oidctest.Back, `,"audiences":["native"]`))
	}
	store := memory.New(memory.Options{})
	t.Cleanup(func() { store.Close() })
	var nodes [2]*browser
	for i := range nodes {
		cfg := config(t, t.TempDir())
		cfg.Store, cfg.UDPAddr = store, server.NoUDP
		cfg.OIDCFile, cfg.ProviderNetworks = providersFile(t, entries...), loopback
		nodes[i] = newBrowser(t, start(t, cfg))
	}
	player := visitAndLogIn(t, p, nodes)
	handOver(t, p, nodes, player)
	if other != nil {
		mixUp(t, p, other, nodes[0])
	}
	p.Rotate(t)
	begun := nodes[1].post("/v1/identities/guild/native/start", nil)
	token := p.IDToken(t, begun.Nonce)
	fresh := nodes[1].post("/v1/identities/guild/native", map[string]any{"id_token": token, "nonce": begun.Nonce})
	// The keys may have been asked for a moment ago; then the client is told to come back within ten seconds.
	if fresh.status != 200 && (fresh.status != 503 || fresh.After < 1000 || fresh.After > 15_000) {
		t.Errorf("with a new key: %+v", fresh)
	}
	if os.Getenv("RUSHGATE_LONG") != "" && fresh.status == 503 {
		time.Sleep(time.Duration(fresh.After) * time.Millisecond)
		nodes[1].post("/v1/identities/guild/native", map[string]any{"id_token": token, "nonce": begun.Nonce}).
			want(t, "with a new key, later", 200)
	}
}

// visitAndLogIn has a browser visit a provider and come back, and returns who comes in with the proof.
func visitAndLogIn(t *testing.T, p *oidctest.Provider, nodes [2]*browser) rushgate.PlayerID {
	t.Helper()
	here, there := nodes[0], nodes[1]
	begun := here.post("/v1/identities/guild/begin", nil)
	begun.want(t, "begin", 200)
	query := oidctest.Visit(t, begun.URL).Encode()
	stranger := &browser{Client: &http.Client{}, t: t, node: here.node}
	finish := "/v1/identities/guild/finish"
	stranger.post(finish, map[string]any{"answer": query}).want(t, "in another browser", 409)
	proof := here.post(finish, map[string]any{"answer": query})
	proof.want(t, "finish", 200)
	if proof.Name != p.Name {
		t.Errorf("the player is called %q there, not %q", proof.Name, p.Name)
	}
	again := here.post(finish, map[string]any{"answer": query})
	again.want(t, "once more, without the cookie", 409)
	first := there.post("/v1/identities/login", map[string]any{"proof": proof.Proof, "attempt_id": "a"})
	first.want(t, "login at the other node", 200)
	lost := there.post("/v1/identities/login", map[string]any{"proof": proof.Proof, "attempt_id": "a"})
	if lost.Token != first.Token {
		t.Errorf("an answer that was lost: %+v", lost)
	}
	there.logout(first.Token)

	begun = here.post("/v1/identities/guild/begin", nil) // the cookie is there, the code was used
	jar := here.Jar
	query = oidctest.Visit(t, begun.URL).Encode()
	at, err := url.Parse(here.node + finish)
	if err != nil {
		t.Fatal(err)
	}
	kept := jar.Cookies(at)
	here.post(finish, map[string]any{"answer": query}).want(t, "another visit", 200)
	jar.SetCookies(at, kept)
	here.post(finish, map[string]any{"answer": query}).want(t, "a code that was used", 401)
	return first.Player
}

func (b *browser) logout(token string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.node+"/v1/logout", http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := b.Do(req)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		b.t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
}

// handOver has a native client hand over an ID token for a nonce of the other node.
func handOver(t *testing.T, p *oidctest.Provider, nodes [2]*browser, player rushgate.PlayerID) {
	t.Helper()
	here, there := nodes[0], nodes[1]
	begun := here.post("/v1/identities/guild/native/start", nil)
	begun.want(t, "nonce", 200)
	handed := map[string]any{"id_token": p.IDToken(t, begun.Nonce), "nonce": begun.Nonce}
	there.post("/v1/identities/strict/native", handed).want(t, "a nonce for another provider", 409)
	proof := there.post("/v1/identities/guild/native", handed)
	proof.want(t, "native", 200)
	here.post("/v1/identities/guild/native", handed).want(t, "shown at both nodes", 409)
	login := here.post("/v1/identities/login", map[string]any{"proof": proof.Proof})
	if login.Player != player {
		t.Errorf("by the browser came %d, by the ID token %+v", player, login)
	}
	other := here.post("/v1/identities/guild/native/start", nil)
	handed["nonce"] = other.Nonce
	here.post("/v1/identities/guild/native", handed).want(t, "a token for another nonce", 409)

	strict := here.post("/v1/identities/strict/native/start", nil)
	here.post("/v1/identities/strict/native", map[string]any{
		"id_token": p.IDToken(t, strict.Nonce), "nonce": strict.Nonce,
	}).want(t, "a token for others", 401)
}

// mixUp brings what one provider has said to another.
func mixUp(t *testing.T, p, other *oidctest.Provider, b *browser) {
	t.Helper()
	begun := b.post("/v1/identities/guild/begin", nil)
	answer := oidctest.Visit(t, begun.URL)
	b.post("/v1/identities/other/begin", nil).want(t, "begin", 200)
	b.post("/v1/identities/other/finish", map[string]any{"answer": answer.Encode()}).want(t, "brought to another", 409)
	answer.Set("iss", other.Issuer)
	b.post("/v1/identities/guild/finish", map[string]any{"answer": answer.Encode()}).want(t, "said by another", 401)
	answer.Del("iss")
	b.post("/v1/identities/guild/finish", map[string]any{"answer": answer.Encode()}).want(t, "said by nobody", 401)
	nonce := b.post("/v1/identities/other/native/start", nil).Nonce
	b.post("/v1/identities/other/native", map[string]any{"id_token": p.IDToken(t, nonce), "nonce": nonce}).
		want(t, "a token of another", 401)
}

// The file of providers is read again when it changes; one that cannot be used changes nothing. Its faults, and those of
// Steam's settings, name the setting when a node is started with them.
func TestProvidersAreReadAgain(t *testing.T) {
	const entry = `{"name":%q,"issuer":"https://id.example","client_id":"web","redirect":"https://play.example/back"}`
	cfg := config(t, t.TempDir())
	cfg.Backend, cfg.UDPAddr = server.Memory, server.NoUDP
	cfg.OIDCFile = providersFile(t, fmt.Sprintf(entry, "first"))
	s := start(t, cfg)
	list := func() string {
		resp, err := http.Get("http://" + s.HTTPAddr().String() + "/v1/identities")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	writeProviders(t, cfg.OIDCFile, fmt.Sprintf(entry, "second"))
	if err := s.Reload(); err != nil || !strings.Contains(list(), "second") || strings.Contains(list(), "first") {
		t.Errorf("%v, %s", err, list())
	}
	writeProviders(t, cfg.OIDCFile, `{"name":"third"}`)
	if err := s.Reload(); err == nil || !strings.Contains(list(), "second") {
		t.Errorf("%v, %s", err, list())
	}
	for setting, change := range map[string]func(*server.Config){
		"OIDCFile":         func(*server.Config) {},
		"SteamKeyFile":     func(c *server.Config) { c.OIDCFile, c.SteamAppID = "", 480 },
		"SteamAppID":       func(c *server.Config) { c.OIDCFile, c.SteamKeyFile = "", cfg.OIDCFile },
		"SteamIdentity":    func(c *server.Config) { c.OIDCFile, c.SteamIdentity = "", "x" },
		"SteamReturn":      func(c *server.Config) { c.OIDCFile, c.SteamReturn = "", "http://play.example" },
		"ProviderNetworks": func(c *server.Config) { c.OIDCFile, c.ProviderNetworks = "", loopback },
		"Provers":          func(c *server.Config) { c.OIDCFile, c.Provers = "", map[string]server.Prover{"Bad Name": nil} },
	} {
		bad := cfg
		change(&bad)
		_, err := server.Start(t.Context(), bad)
		var wrong *server.SettingError
		if !errors.As(err, &wrong) || wrong.Setting != setting || !errors.Is(err, server.ErrInvalidConfig) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
