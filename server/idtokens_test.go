package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// signingProvider stands in for an OpenID provider whose keys, clock and claims a test decides.
type signingProvider struct {
	*httptest.Server

	mu    sync.Mutex
	kid   int
	key   *ecdsa.PrivateKey
	asked int // for keys
}

func newSigningProvider(t *testing.T) *signingProvider {
	t.Helper()
	p := new(signingProvider)
	p.rotate(t)
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.Close)
	return p
}

// rotate has it sign with another key, and know the one before no longer.
func (p *signingProvider) rotate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kid, p.key = p.kid+1, key
}

func (p *signingProvider) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path != "/keys" {
		fmt.Fprintf(w, `{"issuer":"http://%[1]s","authorization_endpoint":"http://%[1]s/a",`+
			`"token_endpoint":"http://%[1]s/t","jwks_uri":"http://%[1]s/keys",`+
			`"id_token_signing_alg_values_supported":["ES256"]}`, r.Host)
		return
	}
	p.asked++
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"%d","x":%q,"y":%q}]}`,
		p.kid, base64url(point[1:33]), base64url(point[33:]))
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token is an ID token for a nonce, made by a clock that is off by so much, with some claims changed: a duration is one
// from now by the right clock.
func (p *signingProvider) token(t *testing.T, nonce string, off time.Duration, change map[string]any) string {
	t.Helper()
	right := time.Now()
	now := right.Add(off).Unix()
	claims := map[string]any{
		"iss": p.URL, "sub": "ann-7", "aud": "native", "nonce": nonce, "iat": now, "exp": now + 300,
	}
	for name, value := range change {
		if from, ok := value.(time.Duration); ok {
			value = right.Add(from).Unix()
		}
		claims[name] = value
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	signed := base64url(fmt.Appendf(nil, `{"alg":"ES256","kid":"%d"}`, p.kid)) + "." + base64url(body)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64url(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// At whole nodes of a fleet: clocks may differ by a minute, a nonce is good once whatever token it is in, and a key
// that changes while the nodes run is asked for.
func TestIDTokensAtTheNodesOfAFleet(t *testing.T) {
	p := newSigningProvider(t)
	entry := fmt.Sprintf(`{"name":"guild","issuer":%q,"client_id":"web","audiences":["native"],`+
		`"redirect":"https://play.example/play/back/guild"}`, p.URL)
	store := memory.New(memory.Options{})
	t.Cleanup(func() { store.Close() })
	var nodes [3]*browser
	for i := range nodes {
		cfg := config(t, t.TempDir())
		cfg.Store, cfg.UDPAddr = store, server.NoUDP
		cfg.OIDCFile, cfg.ProviderNetworks = providersFile(t, entry), loopback
		nodes[i] = newBrowser(t, start(t, cfg))
	}
	here, there, idle := nodes[0], nodes[1], nodes[2]
	nonce := func() string { return here.post("/v1/identities/guild/native/start", nil).Nonce }
	hand := func(b *browser, token, nonce string) answer {
		return b.post("/v1/identities/guild/native", map[string]any{"id_token": token, "nonce": nonce})
	}
	for what, c := range map[string]struct {
		off    time.Duration
		change map[string]any
		want   int
	}{
		"a clock that is right":                 {0, nil, 200},
		"a clock that is behind":                {-50 * time.Second, nil, 200},
		"one that is ahead":                     {50 * time.Second, nil, 200},
		"one that is ahead by too much":         {5 * time.Minute, nil, 409},
		"a token that has ended":                {-10 * time.Minute, nil, 409},
		"one that ended a moment ago":           {0, map[string]any{"exp": -30 * time.Second}, 200},
		"one that was made long ago, and lasts": {-2 * time.Hour, map[string]any{"exp": 10 * time.Minute}, 409},
		"one for others":                        {0, map[string]any{"aud": "another game"}, 401},
		"one of another issuer":                 {0, map[string]any{"iss": "https://id.example"}, 401},
	} {
		n := nonce()
		hand(there, p.token(t, n, c.off, c.change), n).want(t, what, c.want)
	}
	began := time.Now() // before one of the two is asked for keys
	n := nonce()
	first, second := p.token(t, n, 0, nil), p.token(t, n, time.Second, nil)
	hand(here, first, n).want(t, "a nonce", 200)
	hand(there, first, n).want(t, "the same token", 409)
	hand(there, second, n).want(t, "another token for the nonce", 409)

	before := nonce()
	old := p.token(t, before, 0, nil)
	p.rotate(t)
	n = nonce()
	fresh := p.token(t, n, 0, nil)
	soon := hand(here, fresh, n)
	after, gone, known := hand(idle, fresh, n), hand(idle, old, before), hand(here, old, before)
	p.mu.Lock()
	defer p.mu.Unlock()
	if took := time.Since(began); took > 10*time.Second { // after which they ask again
		t.Logf("a machine on which this takes %v cannot show what nodes do that have just asked for keys", took)
		return
	}
	if soon.status != 503 || soon.After < 1000 || soon.After > 15_000 {
		t.Errorf("a new key, at a node that has just asked for keys: %+v", soon)
	}
	after.want(t, "a new key, at one that has not", 200)
	gone.want(t, "a key that is no more", 503) // or is newer than those that the node has
	known.want(t, "where the old key is known", 200)
	if p.asked != 3 { // each node once: nobody has it asked more often by what clients show
		t.Errorf("asked for keys %d times", p.asked)
	}
}
