package adapter_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/adapter"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	for _, tt := range []struct {
		cfg  adapter.Config
		want string
	}{
		{adapter.Config{}, "Kind"},
		{adapter.Config{Kind: "firebase"}, "Kind"},
		{adapter.Config{Kind: adapter.Kratos, Key: "k"}, "Key"},
		{adapter.Config{Kind: adapter.PocketBase, Key: "k"}, "Key"},
		{adapter.Config{Kind: adapter.Nakama, Key: "a:b"}, "Key"},
		{adapter.Config{Kind: adapter.Supabase, Key: "a\nb"}, "Key"},
		{adapter.Config{Kind: adapter.Supabase, Key: strings.Repeat("k", 5000)}, "Key"},
		{adapter.Config{Kind: adapter.Kratos, Domain: "localhost"}, "Domain"},
		{adapter.Config{Kind: adapter.Kratos, Domain: "a..example"}, "Domain"},
		{adapter.Config{Kind: adapter.Kratos, Domain: "-a.example"}, "Domain"},
		{adapter.Config{Kind: adapter.Kratos, Domain: "a@b.example"}, "Domain"},
		{adapter.Config{Kind: adapter.PocketBase, Collection: "../settings"}, "Collection"},
		{adapter.Config{Kind: adapter.Kratos, OperatorToken: "t"}, "OperatorToken"},
		{adapter.Config{Kind: adapter.PocketBase, OperatorToken: "a\r\nb"}, "OperatorToken"},
	} {
		_, err := adapter.New(tt.cfg, http.DefaultTransport)
		if err == nil || !strings.Contains(err.Error(), "adapter: "+tt.want+":") {
			t.Errorf("%.60q: %v, want an error about %s", tt.cfg, err, tt.want)
		}
		if err != nil && tt.cfg.Key != "" && strings.Contains(err.Error(), tt.cfg.Key+" ") {
			t.Errorf("the key is in %q", err)
		}
	}
	if _, err := adapter.New(adapter.Config{Kind: adapter.Kratos}, nil); err != nil {
		t.Errorf("with the default transport: %v", err)
	}
}

func TestSettingsAreSent(t *testing.T) {
	var got *http.Request
	var body struct{ Email, Identity string }
	keep := func(r *http.Request) (*http.Response, error) {
		got = r
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
		return says(503, "")(r)
	}
	ask := func(cfg adapter.Config) {
		newPlayer(t, cfg, "http://game.test", &script{steps: []answerer{keep}}).ask(t, login, alice)
	}
	ask(adapter.Config{Kind: adapter.Nakama, Key: "mykey", Domain: "a.example"})
	if user, pass, _ := got.BasicAuth(); user != "mykey" || pass != "" || body.Email != "stress-000001@a.example" {
		t.Errorf("Nakama got key %q:%q, address %q", user, pass, body.Email)
	}
	ask(adapter.Config{Kind: adapter.Supabase, Key: "mykey"})
	if got.Header.Get("apikey") != "mykey" || got.Header.Get("Authorization") != "" {
		t.Errorf("Supabase got %v", got.Header)
	}
	ask(adapter.Config{Kind: adapter.PocketBase, Collection: "players"})
	if got.URL.Path != "/api/collections/players/auth-with-password" {
		t.Errorf("PocketBase got %s", got.URL)
	}
}

// Every name that Rushgate allows gets an address of its own that is one for every server.
func TestNamesBecomeAddresses(t *testing.T) {
	names := []string{
		"stress-000001", "alice_2", "a1", "-abc", "abc-", "_abc_", "a.b", ".ab", "ab.", "a..b", "al ice", "älice",
		"魔法使い", "a@b",
		"x-" + strings.Repeat("0", 30), strings.Repeat("魔", 32), strings.Repeat("a", 65),
	}
	seen := map[string]string{}
	for _, name := range names {
		var address string
		s := &script{steps: []answerer{func(r *http.Request) (*http.Response, error) {
			var body struct{ Email string }
			err := json.NewDecoder(r.Body).Decode(&body)
			address = body.Email
			if err != nil {
				return nil, err
			}
			return says(200, supabaseToken)(r)
		}}}
		c := newClient(t, adapter.Config{Kind: adapter.Supabase}, s, client.Options{})
		if _, err := c.Login(t.Context(), name, "pw"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		local, domain, _ := strings.Cut(address, "@")
		plain := strings.Trim(local, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "" && strings.Trim(local, "-_") == local
		if !plain || local == "" || len(local) > 64 || domain != adapter.DefaultDomain {
			t.Errorf("%q: address %q", name, address)
		}
		if other, ok := seen[address]; ok {
			t.Errorf("%q and %q: address %q", name, other, address)
		}
		seen[address] = name
	}
}

// One transport may be used by several goroutines, if only for one player.
func TestGoroutines(t *testing.T) {
	for _, kind := range adapter.Kinds() {
		rt, err := adapter.New(adapter.Config{Kind: kind}, anyServer{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := client.New("http://game.test", client.Options{Transport: rt, MaxRetries: -1})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := c.Register(t.Context(), "alice", password)
				if err == nil {
					s, err = c.Login(t.Context(), "alice", password)
				}
				if err != nil {
					t.Errorf("%s: %v", kind, err)
					return
				}
				// Another goroutine's session may have taken the place of this one by now.
				if err := s.Logout(t.Context()); err != nil && rushgate.ReasonOf(err) != rushgate.BadCredentials {
					t.Errorf("%s: logout: %v", kind, err)
				}
			})
		}
		wg.Wait()
	}
}

// anyServer answers everything with what opens a session on each of the servers.
type anyServer struct{}

func (anyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	const in = `{"id":"f1","created":true,"token":"t","refresh_token":"r","access_token":"t","session_token":"t"}`
	return says(200, in)(r)
}
