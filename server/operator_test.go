package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// order has the operator of a node do something with a player, or look at the player's page if there is nothing to do.
func order(t *testing.T, s *server.Server, what, name string) (status int, answer map[string]any) {
	t.Helper()
	base := "http://" + s.AdminAddr().String()
	path := base + "/accounts/" + url.PathEscape(name)
	var resp *http.Response
	var err error
	switch {
	case name == "":
		resp, err = http.Post(base+"/"+what, "application/json", strings.NewReader("{}"))
	case what == "":
		resp, err = http.Get(path)
	default:
		resp, err = http.Post(path+"/"+what, "application/json", strings.NewReader("{}"))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %s: %v", what, resp.Status, err)
	}
	if live, ok := answer["live"].(map[string]any); ok {
		return resp.StatusCode, live
	}
	return resp.StatusCode, answer
}

// wantOrder checks some fields of an answer.
func wantOrder(t *testing.T, s *server.Server, path, name string, wantStatus int, want map[string]any) {
	t.Helper()
	status, answer := order(t, s, path, name)
	if status != wantStatus {
		t.Errorf("%s of %s: %d %v", path, name, status, answer)
	}
	for field, v := range want {
		if answer[field] != v {
			t.Errorf("%s of %s: %s is %v, want %v", path, name, field, answer[field], v)
		}
	}
}

// The operator sees who a player is and where, and nothing secret; ends the session; and the player can come back.
func TestOperatorAndAPlayer(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	c := newClient(t, s, client.Options{})
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	_, answer := order(t, s, "", "ALICE")
	for _, field := range []string{"id", "created_at", "hash_cost", "zone", "xp", "deaths", "playtime_ms"} {
		if v, ok := answer[field]; !ok || v == "" {
			t.Errorf("%s is missing: %v", field, answer)
		}
	}
	for field, v := range answer {
		if text, ok := v.(string); ok && (strings.Contains(text, "127.0.0.1") || len(text) > 40) {
			t.Errorf("%s tells too much: %q", field, text)
		}
	}
	wantOrder(t, s, "", "alice", 200, map[string]any{
		"name": "alice", "inside": "here", "connection": "none", "level": 1.0, "record_version": 5.0,
		"hash_scheme": "PBKDF2-HMAC-SHA256",
	})
	world, err := session.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	await(t, "connection", func(context.Context) bool {
		_, answer := order(t, s, "", "alice")
		return answer["connection"] == "udp"
	})
	wantOrder(t, s, "end-session", "alice", 200, map[string]any{"outcome": "ended"})
	if _, err := session.Me(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the session goes on: %v", err)
	}
	wantOrder(t, s, "", "alice", 200, map[string]any{"inside": "nowhere", "connection": "none"})
	wantOrder(t, s, "end-session", "alice", 200, map[string]any{"outcome": "not-inside"})
	if _, err := c.Login(t.Context(), "alice", "correct horse"); err != nil {
		t.Errorf("coming back: %v", err)
	}
	for _, path := range []string{"", "end-session"} {
		wantOrder(t, s, path, "nobody-i-know", 404, nil)
		wantOrder(t, s, path, "no\x00name", 400, nil)
	}
}

// A session at another node is ended there.
func TestOperatorEndsASessionElsewhere(t *testing.T) {
	r := redistest.Start(t)
	here, there := start(t, onRedis(t, r)), start(t, onRedis(t, r))
	c := newClient(t, there, client.Options{})
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	wantOrder(t, here, "", "alice", 200, map[string]any{"inside": "elsewhere"})
	wantOrder(t, here, "end-session", "alice", 200, map[string]any{"outcome": "elsewhere"})
	await(t, "end of the session", func(ctx context.Context) bool {
		_, err := session.Me(ctx)
		return errors.Is(err, rushgate.BadCredentials)
	})
	await(t, "free lease", func(context.Context) bool {
		_, answer := order(t, here, "end-session", "alice")
		return answer["outcome"] == "not-inside"
	})
	if _, err := c.Login(t.Context(), "alice", "correct horse"); err != nil {
		t.Errorf("coming back: %v", err)
	}
}

// The operator's drain is that of SIGTERM: everyone is saved, Run returns without an error, and a browser that looks
// on is told and does not hold it up.
func TestOperatorDrains(t *testing.T) {
	dir := t.TempDir()
	ready, ended := make(chan *server.Server), make(chan error, 1)
	go func() {
		ended <- server.Run(context.Background(), config(t, dir), func(s *server.Server) { ready <- s })
	}()
	s := <-ready
	if _, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	stream := resp.Body
	defer stream.Close()
	events := bufio.NewReader(stream)
	if line, err := events.ReadString('\n'); err != nil || line != "event: about\n" {
		t.Fatalf("%q, %v", line, err)
	}
	status, asked := order(t, s, "drain", "")
	if status != http.StatusConflict {
		t.Fatalf("a drain that nobody has confirmed: %d %v", status, asked)
	}
	resp, err = http.Post("http://"+s.AdminAddr().String()+"/drain", "application/json",
		strings.NewReader(fmt.Sprintf(`{"confirm":%q}`, asked["confirm"])))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("a drain that was confirmed: %s", resp.Status)
	}
	if err := <-ended; err != nil {
		t.Errorf("the node ends with %v", err)
	}
	rest, err := io.ReadAll(events)
	if err != nil || !strings.Contains(string(rest), "event: stopped\n") {
		t.Errorf("the stream ends with %q, %v", rest[max(0, len(rest)-200):], err)
	}
	again := start(t, config(t, dir))
	if _, err := newClient(t, again, client.Options{}).Login(t.Context(), "alice", "correct horse"); err != nil {
		t.Errorf("alice was not saved and released: %v", err)
	}
}

// Beyond this machine the operator's listener takes a token and TLS; what is missing is named.
func TestOperatorBeyondLoopback(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("0123456789", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*server.Config)
		says   []string
	}{
		"nothing":  {func(*server.Config) {}, []string{"needs an admin token file", "needs an admin TLS certificate"}},
		"no TLS":   {func(c *server.Config) { c.AdminTokenFile = token }, []string{"needs an admin TLS certificate"}},
		"no token": {func(c *server.Config) { c.TLS = true }, []string{"needs an admin token file"}},
		"half of TLS": {func(c *server.Config) { c.TLS, c.AdminTokenFile, c.AdminTLSKey = true, token, "k" },
			[]string{"needs its key"}},
		"no such file": {func(c *server.Config) { c.TLS, c.AdminTokenFile = true, token+"x" }, []string{"no such file"}},
	} {
		for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
			cfg := config(t, t.TempDir())
			cfg.AdminAddr = addr
			c.change(&cfg)
			s, err := server.Start(t.Context(), cfg)
			if err == nil {
				s.Stop()
			}
			for _, want := range c.says {
				if !errors.Is(err, server.ErrInvalidConfig) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s on %s: %v, want an error that says %q", name, addr, err, want)
				}
			}
		}
	}
	cfg := config(t, t.TempDir())
	cfg.AdminAddr, cfg.AdminTokenFile, cfg.TLS = "0.0.0.0:0", token, true
	s := start(t, cfg)
	c := trusting(t, filepath.Join(cfg.DataDir, "tls-cert.pem"))
	_, port, _ := strings.Cut(strings.TrimPrefix(s.AdminAddr().String(), "[::]"), ":")
	for bearer, want := range map[string]int{"": 401, strings.Repeat("0123456789", 4): 200} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://localhost:"+port+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+bearer)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with %q: %s", bearer, resp.Status)
		}
	}
}

// trusting returns a client that trusts a certificate and no other.
func trusting(t *testing.T, certFile string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// On loopback there is plain HTTP, also where players have TLS: scrapers go on working.
func TestOperatorOnLoopback(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.TLS = true
	s := start(t, cfg)
	if status, body := operator(t, s, "/"); status != http.StatusOK || !strings.Contains(body, "dashboard.js") {
		t.Errorf("%d\n%s", status, body)
	}
}

// An operator who was added at one node is one at all nodes of the store, which from then on ask for a token, and what
// was done at each is in one log.
func TestOperatorsOfAFleet(t *testing.T) {
	r := redistest.Start(t)
	here, there := start(t, onRedis(t, r)), start(t, onRedis(t, r))
	ask := func(s *server.Server, method, path, body, token string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.AdminAddr().String()+path,
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	status, body := ask(here, "POST", "/operators", `{"name":"anna","role":"all"}`, "")
	var added struct{ Token string }
	if err := json.Unmarshal([]byte(body), &added); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if status, _ := ask(here, "GET", "/players", "", ""); status != 401 {
		t.Errorf("the node itself, without a token: %d", status)
	}
	await(t, "other node", func(context.Context) bool {
		status, _ := ask(there, "GET", "/players", "", "")
		return status == 401
	})
	if status, body := ask(there, "POST", "/operators", `{"name":"ben","role":"look"}`, added.Token); status != 200 {
		t.Errorf("at the other node: %d %s", status, body)
	}
	status, body = ask(here, "GET", "/audit/verify", "", added.Token)
	if status != 200 || !strings.Contains(body, `"last":4`) || strings.Contains(body, `"bad"`) {
		t.Errorf("the log: %d %s", status, body)
	}
	if _, body := ask(here, "GET", "/audit", "", added.Token); !strings.Contains(body, `"who":"local","role":"all"`) ||
		!strings.Contains(body, `"who":"anna","role":"all","what":"operator.add","detail":"ben as look"`) {
		t.Errorf("the log: %s", body)
	}
}
