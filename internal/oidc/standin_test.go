package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// standIn takes the place of a provider's servers where a test wants answers that no provider gives. What is asked for
// at a path is answered by replies.
type standIn struct {
	replies map[string]func(*http.Request) (int, string)
	asked   map[string]int
	form    url.Values // of the last request to the token endpoint
}

const issuer = "https://id.example"

// RoundTrip implements [http.RoundTripper].
func (s *standIn) RoundTrip(req *http.Request) (*http.Response, error) {
	s.asked[req.URL.Path]++
	if req.Method == http.MethodPost {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		s.form, _ = url.ParseQuery(string(b))
	}
	reply, ok := s.replies[req.URL.Path]
	if !ok {
		reply = says(http.StatusNotFound, "{}")
	}
	status, body := reply(req)
	if status == 0 {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func says(status int, body string) func(*http.Request) (int, string) {
	return func(*http.Request) (int, string) { return status, body }
}

func hangs(*http.Request) (int, string) { return 0, "" }

var signingKeys = map[string]*ecdsa.PrivateKey{"1": newKey(), "2": newKey()}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// keysOf returns a JWK set.
func keysOf(ids ...string) string {
	var set jose.JSONWebKeySet
	for _, id := range ids {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: signingKeys[id].Public(), KeyID: id, Algorithm: "ES256", Use: "sig"})
	}
	b, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sign makes a token.
func sign(key string, c claims, options ...func(*jose.SignerOptions)) string {
	o := (&jose.SignerOptions{}).WithHeader("kid", key)
	for _, option := range options {
		option(o)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: signingKeys[key]}, o)
	if err != nil {
		panic(err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(b)
	if err != nil {
		panic(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

const discovery = `{"issuer":"https://id.example","authorization_endpoint":"https://id.example/authorize",
	"token_endpoint":"https://id.example/token","userinfo_endpoint":"https://id.example/me",
	"jwks_uri":"https://id.example/keys","id_token_signing_alg_values_supported":["ES256","none","HS256"],
	"authorization_response_iss_parameter_supported":true}`

func newStandIn() *standIn {
	return &standIn{asked: make(map[string]int), replies: map[string]func(*http.Request) (int, string){
		"/.well-known/openid-configuration": says(200, discovery),
		"/keys":                             says(200, keysOf("1")),
	}}
}

// client returns what asks the stand-in.
func (s *standIn) client(tb testing.TB, change ...func(*Settings)) *Provider {
	tb.Helper()
	settings := Settings{
		Name: "stand-in", Issuer: issuer, ClientID: "web", Secret: "secret of the web", Redirect: "https://game.example/back",
		Scopes: []string{"openid"}, NameFrom: []string{"name"}, Audiences: []string{"native"},
	}
	for _, c := range change {
		c(&settings)
	}
	p, err := New(settings, Config{
		Calls: outbound.New(outbound.Config{Transport: s, Failures: 1 << 20}), Once: identity.NewSeen(1<<20, time.Now).Once,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// good are the claims of a token that is taken.
func good(audience, nonce string) claims {
	now := time.Now().Unix()
	return claims{"iss": issuer, "sub": "player", "aud": audience, "nonce": nonce, "iat": now, "exp": now + 600}
}

func TestAKeyThatIsNotKnownHasTheProviderAskedOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStandIn()
		p := s.client(t)
		if _, err := p.Native(t.Context(), sign("1", good("native", "a")), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for range 100 {
			_, err := p.Native(t.Context(), sign("2", good("native", "b")), "b")
			var e *identity.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
		}
		if s.asked["/keys"] != 2 {
			t.Errorf("asked for keys %d times", s.asked["/keys"])
		}
		_, err := p.Native(t.Context(), sign("2", good("native", "b")), "b")
		wantError(t, "a moment later", err, identity.Provider, identity.ErrAway)
		if _, err := p.Native(t.Context(), sign("1", good("native", "c")), "c"); err != nil {
			t.Error("those with keys that are known notice:", err)
		}
		s.replies["/keys"] = says(200, keysOf("1", "2"))
		time.Sleep(10 * time.Second)
		if _, err := p.Native(t.Context(), sign("2", good("native", "b")), "b"); err != nil {
			t.Error(err)
		}

		s.replies["/keys"] = hangs // what is known is good for a while
		time.Sleep(2 * time.Hour)
		if _, err := p.Native(t.Context(), sign("2", good("native", "d")), "d"); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Hour)
		_, err = p.Native(t.Context(), sign("2", good("native", "e")), "e")
		wantError(t, "no keys for hours", err, identity.Provider, identity.ErrAway)
	})
}

// A rush begins with what all want, and one of them asks for it.
func TestManyAtOnceHaveTheProviderAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStandIn()
		for path, reply := range s.replies {
			s.replies[path] = func(r *http.Request) (int, string) {
				time.Sleep(time.Second)
				return reply(r)
			}
		}
		p := s.client(t)
		token := sign("1", good("native", "a"))
		var wg sync.WaitGroup
		var in atomic.Int32
		for range 100 {
			wg.Go(func() {
				_, err := p.Native(t.Context(), token, "a")
				if err == nil {
					in.Add(1)
				} else if !errors.Is(err, identity.ErrUsed) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in.Load() != 1 || s.asked["/.well-known/openid-configuration"] != 1 || s.asked["/keys"] != 1 {
			t.Errorf("%d are in, asked: %v", in.Load(), s.asked)
		}
	})
}

func TestIDTokensThatAreNotGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Unix()
		for name, c := range map[string]struct {
			change claims
			kind   error
		}{
			"nothing":           {nil, nil},
			"other claims":      {claims{"x": []int{1}, "nbf": now + 200}, nil},
			"several audiences": {claims{"aud": []string{"native", "web"}, "azp": "web"}, nil},
			"clocks":            {claims{"exp": now - 59, "iat": now - 600}, nil},
			"the nonce's hash": {
				claims{"nonce": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}, nil,
			},
			"an unknown client": {claims{"aud": "others"}, identity.ErrAudience},
			"a client and an unknown one": {
				claims{"aud": []string{"native", "others"}, "azp": "native"}, identity.ErrAudience,
			},
			"several, and an unknown party":  {claims{"aud": []string{"native", "web"}, "azp": "others"}, identity.ErrAudience},
			"several, and no party":          {claims{"aud": []string{"native", "web"}}, identity.ErrAudience},
			"no audience":                    {claims{"aud": nil}, identity.ErrAudience},
			"an empty list":                  {claims{"aud": []string{}}, identity.ErrAudience},
			"another issuer":                 {claims{"iss": "https://id.example/"}, identity.ErrRefused},
			"no issuer":                      {claims{"iss": nil}, identity.ErrRefused},
			"expired":                        {claims{"exp": now - 61}, identity.ErrExpired},
			"no expiry":                      {claims{"exp": nil}, identity.ErrExpired},
			"of later":                       {claims{"iat": now + 61}, identity.ErrExpired},
			"of long ago":                    {claims{"iat": now - 3661}, identity.ErrExpired},
			"of no time":                     {claims{"iat": nil}, identity.ErrExpired},
			"not yet good":                   {claims{"nbf": now + 400}, identity.ErrRefused},
			"another nonce":                  {claims{"nonce": "b"}, identity.ErrState},
			"no nonce":                       {claims{"nonce": nil}, identity.ErrState},
			"a nonce that is not a string":   {claims{"nonce": 1}, identity.ErrRefused},
			"a party that is not a string":   {claims{"azp": 1}, identity.ErrGarbage},
			"an expiry that is not a number": {claims{"exp": "soon"}, identity.ErrRefused},
		} {
			said := good("native", "a")
			maps.Copy(said, c.change)
			maps.DeleteFunc(said, func(_ string, v any) bool { return v == nil })
			id, err := newStandIn().client(t).Native(t.Context(), sign("1", said), "a")
			if c.kind == nil {
				if err != nil || id.Subject != "player" {
					t.Errorf("%s: %v, %v", name, id, err)
				}
				continue
			}
			wantError(t, name, err, identity.Player, c.kind)
		}
		for name, sub := range map[string]any{
			"none": nil, "empty": "", "long": strings.Repeat("a", 256), "é": "é", "space": "a b",
		} {
			said := good("native", "a")
			said["sub"] = sub
			_, err := newStandIn().client(t).Native(t.Context(), sign("1", said), "a")
			wantError(t, "the subject: "+name, err, identity.Provider, identity.ErrGarbage)
		}
	})
}

func TestSignaturesThatAreNoProof(t *testing.T) {
	p := newStandIn().client(t)
	said, err := json.Marshal(good("native", "a"))
	if err != nil {
		t.Fatal(err)
	}
	mac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(keysOf("1"))},
		(&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := mac.Sign(said)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	token := sign("1", good("native", "a"))
	_, rest, _ := strings.Cut(token, ".")
	embedded := sign("2", good("native", "a"), func(o *jose.SignerOptions) { o.EmbedJWK = true; o.WithHeader("kid", "1") })
	for name, token := range map[string]string{
		"the key as a shared secret": shared,
		"no algorithm":               "eyJhbGciOiJub25lIiwia2lkIjoiMSJ9." + strings.Split(token, ".")[1] + ".",
		"a header that is not JSON":  "AAAA." + rest,
		"a key in the token":         embedded,
		"two dots":                   "..",
	} {
		_, err := p.Native(t.Context(), token, "a")
		wantError(t, name, err, identity.Player, identity.ErrRefused)
	}
}

// finish has a browser come back with a code to a stand-in that answers the token endpoint by what said makes of the
// nonce.
func finish(t *testing.T, s *standIn, p *Provider, said func(nonce string) (int, string)) (identity.Identity, error) {
	t.Helper()
	a, page, err := p.Begin(t.Context())
	if err != nil {
		return identity.Identity{}, err
	}
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	about, err := p.know(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(about.endpoint.TokenURL)
	if err != nil {
		t.Fatal(err)
	}
	s.replies[at.Path] = func(*http.Request) (int, string) { return said(q.Get("nonce")) }
	return p.Finish(t.Context(), a, url.Values{"state": {q.Get("state")}, "code": {"the code"}, "iss": {p.Issuer}})
}

// tokens answers as a token endpoint does.
func tokens(idToken string) (int, string) {
	b, err := json.Marshal(map[string]any{"access_token": "the access", "token_type": "Bearer", "id_token": idToken})
	if err != nil {
		panic(err)
	}
	return 200, string(b)
}

// Whose an error is decides whether a player tries again, waits, or the operator has something to do.
func TestWhoseAnErrorIs(t *testing.T) {
	taken := func(nonce string) (int, string) { return tokens(sign("1", good("web", nonce))) }
	refuses := func(code string) func(string) (int, string) {
		return func(string) (int, string) {
			return 400, `{"error":"` + code + `","error_description":"the code and the secret of the web"}`
		}
	}
	twitch := func(status int) func(string) (int, string) {
		return func(string) (int, string) { return status, `{"status":400,"message":"the code"}` }
	}
	type reply = func(*http.Request) (int, string)
	const about = "/.well-known/openid-configuration"
	for name, c := range map[string]struct {
		path  string
		reply reply
		token func(string) (int, string)
		whose identity.Whose
		kind  error
	}{
		"all is well": {},
		"the provider is down": {
			about, says(503, "the secret of the web"), nil, identity.Provider, identity.ErrAway,
		},
		"it hangs":           {about, hangs, nil, identity.Provider, identity.ErrAway},
		"it is another page": {about, says(200, "<html>the code"), nil, identity.Provider, identity.ErrGarbage},
		"it is not there":    {about, says(404, "the code"), nil, identity.Provider, identity.ErrGarbage},
		"it calls itself another": {
			about, says(200, strings.Replace(discovery, issuer, issuer+"/x", 1)), nil, identity.Node, identity.ErrConfig,
		},
		"it sends codes in the clear": {
			about, says(200, strings.Replace(discovery, "https://id.example/token", "http://id.example/token", 1)), nil,
			identity.Provider, identity.ErrGarbage,
		},
		"it has no keys": {
			about, says(200, strings.Replace(discovery, "jwks_uri", "x", 1)), nil, identity.Provider, identity.ErrGarbage,
		},
		"it signs with shared secrets": {
			about, says(200, strings.Replace(discovery, `"ES256",`, "", 1)), nil, identity.Provider, identity.ErrGarbage,
		},
		"a field of another kind": {
			about, says(200, strings.Replace(discovery, `true`, `"true"`, 1)), nil, identity.Provider, identity.ErrGarbage,
		},
		"its keys are garbage": {"/keys", says(200, `{"keys":7}`), taken, identity.Provider, identity.ErrGarbage},
		"its keys are not for signatures": {
			"/keys", says(200, strings.ReplaceAll(keysOf("1"), `"sig"`, `"enc"`)), taken, identity.Provider, identity.ErrGarbage,
		},
		"its keys are away": {"/keys", says(500, ""), taken, identity.Provider, identity.ErrAway},
		"the code is wrong": {
			token: refuses("invalid_grant"), whose: identity.Player, kind: identity.ErrRefused,
		},
		"the secret is wrong": {token: refuses("invalid_client"), whose: identity.Node, kind: identity.ErrConfig},
		"the redirect is another": {
			token: refuses("invalid_request"), whose: identity.Node, kind: identity.ErrConfig,
		},
		"the code is wrong at Twitch":   {token: twitch(400), whose: identity.Player, kind: identity.ErrRefused},
		"the secret is wrong at Twitch": {token: twitch(403), whose: identity.Node, kind: identity.ErrConfig},
		"it cannot now": {
			token: refuses("temporarily_unavailable"), whose: identity.Provider, kind: identity.ErrAway,
		},
		"it says something else": {token: refuses("the code"), whose: identity.Provider, kind: identity.ErrGarbage},
		"it has too many": {
			token: func(string) (int, string) { return 429, "" }, whose: identity.Provider, kind: identity.ErrAway,
		},
		"no token": {
			token: func(string) (int, string) { return 200, `{"id_token":"the code"}` }, whose: identity.Provider,
			kind: identity.ErrGarbage,
		},
		"no ID token": {
			token: func(string) (int, string) { return 200, `{"access_token":"the access"}` }, whose: identity.Provider,
			kind: identity.ErrGarbage,
		},
		"an ID token of others": {
			token: func(nonce string) (int, string) { return tokens(sign("1", good("native", nonce))) },
			whose: identity.Provider, kind: identity.ErrAudience,
		},
		"an ID token of another attempt": {
			token: func(string) (int, string) { return tokens(sign("1", good("web", "x"))) }, whose: identity.Player,
			kind: identity.ErrState,
		},
		"no way in": {"/me", says(403, "the access"), taken, identity.Provider, identity.ErrGarbage},
		"another player": {
			"/me", says(200, `{"sub":"other"}`), taken, identity.Provider, identity.ErrGarbage,
		},
		"userinfo is away": {"/me", hangs, taken, identity.Provider, identity.ErrAway},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStandIn()
				s.replies["/me"] = says(200, `{"sub":"player","name":" Ada `+strings.Repeat("ä", 100)+`"}`)
				if c.path != "" {
					s.replies[c.path] = c.reply
				}
				if c.token == nil {
					c.token = taken
				}
				id, err := finish(t, s, s.client(t, func(s *Settings) { s.Userinfo = true }), c.token)
				if c.kind != nil {
					wantError(t, name, err, c.whose, c.kind, "the code", "the access")
				} else if err != nil || id.Subject != "player" || len([]rune(id.Name)) != identity.MaxName {
					t.Errorf("%+v, %v", id, err)
				}
			})
		})
	}
}

func TestAnswersThatArePlayersNoes(t *testing.T) {
	s := newStandIn()
	p := s.client(t)
	a, page, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	state := u.Query().Get("state")
	for name, c := range map[string]struct {
		answer url.Values
		whose  identity.Whose
		kind   error
	}{
		"no": {
			url.Values{"error": {"access_denied"}, "error_description": {"secret of the web"}}, identity.Player,
			identity.ErrDenied,
		},
		"not now":       {url.Values{"error": {"server_error"}}, identity.Provider, identity.ErrAway},
		"never":         {url.Values{"error": {"unauthorized_client"}}, identity.Node, identity.ErrConfig},
		"no code":       {url.Values{}, identity.Player, identity.ErrForm},
		"two codes":     {url.Values{"code": {"a", "b"}}, identity.Player, identity.ErrForm},
		"a long code":   {url.Values{"code": {strings.Repeat("a", maxCode+1)}}, identity.Player, identity.ErrForm},
		"another":       {url.Values{"code": {"a"}, "iss": {"https://other.example"}}, identity.Player, identity.ErrMixedUp},
		"the state too": {url.Values{"code": {"a"}, "state": {state, state}}, identity.Player, identity.ErrForm},
	} {
		for name, value := range map[string]string{"state": state, "iss": issuer} {
			if !c.answer.Has(name) {
				c.answer.Set(name, value)
			}
		}
		_, err := p.Finish(t.Context(), a, c.answer)
		wantError(t, name, err, c.whose, c.kind)
	}
	if s.asked["/token"] != 0 {
		t.Error("a code was shown to the provider")
	}
}
