package oidc

import (
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/identity"
)

// FuzzToken has no ID token taken but one that the provider has signed.
func FuzzToken(f *testing.F) {
	p := newStandIn().client(f)
	signed := sign("1", good("native", "a"))
	f.Add(signed)
	f.Add(sign("2", good("native", "a")))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		_, err := p.Native(t.Context(), token, "a")
		var e *identity.Error
		if err == nil || errors.Is(err, identity.ErrUsed) {
			if head, _, _ := strings.Cut(token, "."); !strings.HasPrefix(signed, head+".") ||
				strings.Split(token, ".")[1] != strings.Split(signed, ".")[1] {
				t.Fatalf("%q is taken", token)
			}
		} else if !errors.As(err, &e) {
			t.Fatal(err)
		}
	})
}

// FuzzAnswers has a provider answer anything. What comes of it is an error that quotes nothing, or the player whom a
// signed token names.
func FuzzAnswers(f *testing.F) {
	for at, body := range []string{
		discovery, keysOf("1"), `{"access_token":"the access","id_token":"a.b.c"}`, `{"sub":"player","name":"Ada"}`,
	} {
		f.Add(uint8(at), 200, body)
	}
	f.Add(uint8(2), 400, `{"error":"invalid_grant"}`)
	f.Add(uint8(1), 200, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AA"},7]}`)
	f.Add(uint8(0), 200, `{"issuer":"https://id.example","jwks_uri":"https://127.0.0.1/"}`)
	f.Fuzz(func(t *testing.T, at uint8, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		s := newStandIn()
		s.replies["/me"] = says(200, `{"sub":"player"}`)
		paths := []string{"/.well-known/openid-configuration", "/keys", "/token", "/me"}
		path := paths[int(at)%len(paths)]
		s.replies[path] = says(status, body)
		p := s.client(t, func(s *Settings) { s.Userinfo = true })
		id, err := finish(t, s, p, func(nonce string) (int, string) {
			if path == "/token" {
				return status, body
			}
			return tokens(sign("1", good("web", nonce)))
		})
		var e *identity.Error
		switch {
		case err != nil && !errors.As(err, &e):
			t.Fatal(err)
		case err != nil && strings.Contains(err.Error(), "the access"):
			t.Fatalf("an error quotes the token: %v", err)
		case err == nil && (id.Subject != "player" || id.Issuer != issuer || len([]rune(id.Name)) > identity.MaxName):
			t.Fatalf("%+v", id)
		}
	})
}
