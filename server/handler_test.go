package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// What is the node's own stays so, whatever the game's handler would make of it; all else is the game's.
func TestHandlerBesideTheNode(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panics" {
			panic("of the game")
		}
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "game: %s, %d bytes", r.URL.Path, len(b))
	})
	s := start(t, cfg)
	url := "http://" + s.HTTPAddr().String()
	long := strings.Repeat("x", 100_000) // more than the node itself would take
	for path, want := range map[string]string{
		"/": "game: /, 100000 bytes", "/shop/1": "game: /shop/1, 100000 bytes", "/v2/login": "game: /v2/login, 100000 bytes",
		"/v1": `"reason"`, "/v1/": `"reason"`, "/v1/shop": `"reason"`, "/v1/login": `"reason"`, "/play/nothing": `"reason"`,
	} {
		resp, err := http.Post(url+path, "application/json", strings.NewReader(long))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is answered %d %s, want %s", path, resp.StatusCode, b, want)
		}
	}
	if resp, err := http.Get(url + "/panics"); err == nil {
		resp.Body.Close()
		t.Errorf("a handler that panics is answered %d", resp.StatusCode)
	}
	resp, err := http.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("afterwards the node answers %d", resp.StatusCode)
	}
}

// A request of a session goes to the node that has it, with the token and nothing else of the player's.
func TestRequestOfASession(t *testing.T) {
	cfg := config(t, t.TempDir())
	var node *server.Server
	cfg.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		c, err := node.Character(r.Context(), token)
		fmt.Fprint(w, c.Name, " ", err, " ", r.URL.RawQuery)
	})
	node = start(t, cfg)
	session, err := newClient(t, node, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		r, err := session.NewRequest(t.Context(), http.MethodGet, "/shop?of=hats", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	if got := ask(); got != "alice <nil> of=hats" {
		t.Errorf("answered %q", got)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(); strings.HasPrefix(got, "alice") || !strings.Contains(got, "bad-credentials") {
		t.Errorf("after the logout: %q", got)
	}
	if _, err := session.NewRequest(t.Context(), http.MethodGet, "@elsewhere.example/", nil); err == nil {
		t.Error("the token would go to another host")
	}
}
