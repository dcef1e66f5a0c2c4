package oidc

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/rushgate/rushgate/internal/identity"
)

// fromFile returns what a provider file with one provider says, and what asks a stand-in of it.
func fromFile(t *testing.T, s *standIn, more string) *Provider {
	t.Helper()
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(signingKeys["1"])
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"secret": "secret of the web\n", "key.p8": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"providers.json": `{"providers":[{"name":"one","client_id":"web","redirect":"https://game.example/back",` +
			strings.ReplaceAll(more, "DIR", filepath.ToSlash(dir)) + `}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Load(filepath.Join(dir, "providers.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s.client(t, func(s *Settings) { *s = all[0] })
}

// about is what the providers of presets say of themselves, as far as it is used.
func serveAbout(s *standIn, issuer string) {
	u, _ := url.Parse(issuer)
	s.replies[u.Path+"/.well-known/openid-configuration"] = says(200, strings.ReplaceAll(
		strings.Replace(discovery, `,
	"authorization_response_iss_parameter_supported":true`, "", 1), "https://id.example", issuer))
	s.replies[u.Path+"/keys"] = says(200, keysOf("1"))
}

func TestWhatPresetsAskFor(t *testing.T) {
	for preset, c := range map[string]struct {
		more  string
		page  string
		asks  url.Values
		posts bool
	}{
		"google": {
			`"client_secret_file":"DIR/secret"`, "https://accounts.google.com/authorize",
			url.Values{"scope": {"openid profile email"}}, false,
		},
		"microsoft": {
			`"tenant":"01234567-89ab-cdef-0123-456789abcdef"`,
			"https://login.microsoftonline.com/01234567-89ab-cdef-0123-456789abcdef/v2.0/authorize",
			url.Values{"scope": {"openid profile"}}, false,
		},
		"epic": {
			`"client_secret_file":"DIR/secret"`, "https://api.epicgames.dev/epic/oauth/v1/authorize",
			url.Values{"scope": {"openid basic_profile"}}, false,
		},
		"twitch": {
			`"client_secret_file":"DIR/secret"`, "https://id.twitch.tv/oauth2/authorize",
			url.Values{"claims": {`{"id_token":{"preferred_username":null}}`}}, false,
		},
		"discord": {
			`"client_secret_file":"DIR/secret"`, "https://discord.com/oauth2/authorize",
			url.Values{"scope": {"identify"}, "nonce": nil}, false,
		},
		"apple": {
			`"team_id":"T","key_id":"K","key_file":"DIR/key.p8","scopes":["openid","email"]`,
			"https://appleid.apple.com/authorize",
			url.Values{"scope": {"openid email"}, "response_mode": {"form_post"}}, true},
	} {
		s := newStandIn()
		p := fromFile(t, s, `"preset":"`+preset+`",`+c.more)
		serveAbout(s, p.Issuer)
		_, page, err := p.Begin(t.Context())
		if err != nil {
			t.Fatal(preset, err)
		}
		at, query, _ := strings.Cut(page, "?")
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if at != c.page || p.Posted() != c.posts || len(q.Get("code_challenge")) != 43 {
			t.Errorf("%s: %s", preset, page)
		}
		for name, value := range map[string]string{
			"redirect_uri": "https://game.example/back", "client_id": "web", "response_type": "code",
			"code_challenge_method": "S256",
		} {
			c.asks.Set(name, value)
		}
		for name, want := range c.asks {
			if q.Get(name) != strings.Join(want, "") {
				t.Errorf("%s: %s is %q, want %q", preset, name, q[name], want)
			}
		}
	}
}

// Discord has OAuth 2 and no OpenID Connect: who the player is, is asked for with the token.
func TestDiscordIsAskedWhoThePlayerIs(t *testing.T) {
	for body, want := range map[string]identity.Identity{
		`{"id":"80351110224678912","username":"nelly","global_name":"Nelly","email":"nelly@discord.com","verified":true}`: {
			Issuer: "https://discord.com", Subject: "80351110224678912", Name: "Nelly", Email: "nelly@discord.com"},
		`{"id":"80351110224678912","username":"nelly","global_name":null,"email":"nelly@discord.com","verified":false}`: {
			Issuer: "https://discord.com", Subject: "80351110224678912", Name: "nelly"},
	} {
		s := newStandIn()
		p := fromFile(t, s, `"preset":"discord","client_secret_file":"DIR/secret","scopes":["identify","email"]`)
		bearer := ""
		s.replies["/api/users/@me"] = func(r *http.Request) (int, string) {
			bearer = r.Header.Get("Authorization")
			return 200, body
		}
		got, err := finish(t, s, p, func(string) (int, string) { return tokens("") })
		if err != nil || got != want || bearer != "Bearer the access" || s.form.Get("client_secret") != "secret of the web" {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		_, err = p.Native(t.Context(), sign("1", good("web", "a")), "a")
		wantError(t, "an ID token", err, identity.Player, identity.ErrForm)
	}
}

// Apple has clients prove themselves with a token that they sign, and writes verified as a string.
func TestAppleTakesASignedSecret(t *testing.T) {
	s := newStandIn()
	p := fromFile(t, s, `"preset":"apple","team_id":"T","key_id":"K","key_file":"DIR/key.p8"`)
	serveAbout(s, p.Issuer)
	id, err := finish(t, s, p, func(nonce string) (int, string) {
		said := good("web", nonce)
		said["iss"], said["email"], said["email_verified"] = p.Issuer, "a@privaterelay.appleid.com", "true"
		return tokens(sign("1", said))
	})
	if err != nil || id.Email != "a@privaterelay.appleid.com" {
		t.Fatal(id, err)
	}
	jws, err := jose.ParseSignedCompact(s.form.Get("client_secret"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(signingKeys["1"].Public())
	if err != nil {
		t.Fatal(err)
	}
	said, err := parseClaims(payload)
	life, _ := said["exp"].(float64)
	began, _ := said["iat"].(float64)
	if err != nil || jws.Signatures[0].Header.KeyID != "K" || said["iss"] != "T" || said["sub"] != "web" ||
		said["aud"] != "https://appleid.apple.com" || life-began != 300 {
		t.Errorf("%v, %v", said, err)
	}
}

// An address of Microsoft's is no proof, whatever its token says.
func TestAnAddressThatCanBeChangedIsNotTakenForVerified(t *testing.T) {
	s := newStandIn()
	p := fromFile(t, s, `"preset":"microsoft"`)
	serveAbout(s, p.Issuer)
	id, err := finish(t, s, p, func(nonce string) (int, string) {
		said := good("web", nonce)
		said["iss"], said["email"], said["email_verified"] = p.Issuer, "ada@example.org", true
		return tokens(sign("1", said))
	})
	if err != nil || id.Email != "" || id.Subject != "player" {
		t.Error(id, err)
	}
	if s.form.Has("client_secret") || s.form.Get("client_id") != "web" || len(s.form.Get("code_verifier")) != 43 {
		t.Errorf("a public client shows %v", s.form)
	}
}
