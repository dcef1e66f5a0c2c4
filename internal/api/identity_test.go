package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/oidc"
	"github.com/rushgate/rushgate/internal/outbound"
	"github.com/rushgate/rushgate/internal/providers"
	"github.com/rushgate/rushgate/internal/steam"
	"github.com/rushgate/rushgate/internal/web"
	"github.com/rushgate/rushgate/store/memory"
)

const (
	steamID   = "76561197960287930"
	steamPage = "https://play.example.org/play/back/steam"
)

// elsewhere takes the place of all servers of others: of Steam, as its public documentation has it (see package steam),
// which knows one ticket and whose assertions are all its own; and of an OpenID provider that is away.
type elsewhere struct{ t *testing.T }

// RoundTrip implements [http.RoundTripper].
func (e elsewhere) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body := 503, ""
	switch req.URL.Host {
	case "partner.steam-api.com":
		status, body = 200, `{"response":{"error":{"errorcode":101,"errordesc":"Invalid ticket"}}}`
		if req.URL.Query().Get("ticket") == "beef" {
			body = fmt.Sprintf(`{"response":{"params":{"result":"OK","steamid":%q,"ownersteamid":%[1]q,"vacbanned":false,`+
				`"publisherbanned":false}}}`, steamID)
		}
		if req.Header.Get("X-Webapi-Key") != "ABCDEF" {
			status = 403
		}
	case "steamcommunity.com":
		status, body = 200, "ns:http://specs.openid.net/auth/2.0\nis_valid:true\n"
	}
	return &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body))}, nil
}

// vouched is a front door at which others vouch for players.
type vouched struct {
	*gate
	providers *providers.Providers
	logged    sharedLog // of providers
	now       time.Time // of proofs
}

// launcher is a prover: it knows who they are whose names begin with "player ".
func launcher(_ context.Context, shown []byte) (identity.Identity, error) {
	switch name, ok := strings.CutPrefix(string(shown), "player "); {
	case ok:
		return identity.Identity{Subject: name, Name: name}, nil
	case string(shown) == "busy":
		return identity.Identity{}, &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: 7 * time.Second}
	case string(shown) == "panic":
		panic("the launcher")
	case string(shown) == "broken":
		return identity.Identity{}, errors.New("the database is gone")
	case string(shown) == "nobody":
		return identity.Identity{}, nil
	}
	return identity.Identity{}, fmt.Errorf("not a ticket: %w", rushgate.BadCredentials)
}

func newVouched(t *testing.T) *vouched {
	t.Helper()
	v := &vouched{now: time.Now()}
	store := memory.New(memory.Options{})
	ring, err := line.NewKeyring(nil, v.now)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return v.now }
	v.gate = newDoorOn(t, store, func(_ *auth.Config, c *Config) {
		c.Providers, err = providers.New(providers.Config{
			Settings: providers.Settings{
				OpenID: []oidc.Settings{{
					Name: "guild", Issuer: "https://id.example", ClientID: "web", Redirect: "https://play.example.org/back",
					Scopes: []string{"openid"},
				}},
				Tickets: &steam.TicketSettings{AppID: 480, Key: "ABCDEF", Identity: "game"},
			},
			SteamReturn: steamPage, Provers: map[string]providers.Prover{"launcher": launcher},
			Calls: outbound.New(outbound.Config{Transport: elsewhere{t}}), Once: providers.Once(store, now), Now: now,
			Logger: slog.New(slog.NewTextHandler(&v.logged, nil)),
		})
		v.providers = c.Providers
	})
	if err != nil {
		t.Fatal(err)
	}
	v.providers.SetKeyring(ring)
	return v
}

// prove has a native client get a proof.
func (v *vouched) prove(t *testing.T, provider, body string) exchange {
	t.Helper()
	return v.call(t, "POST", identitiesPath+provider+"/native", body, "192.0.2.1", "")
}

func proofOf(e exchange, more string) string {
	return fmt.Sprintf(`{"proof":%q%s}`, e.text("proof"), more)
}

func TestClientsAreToldWhoVouches(t *testing.T) {
	v := newVouched(t)
	got := v.call(t, "GET", "/v1/identities", "", "", "")
	const want = `{"providers":[{"name":"guild","kind":"openid","browser":true,"native":"id_token"},` +
		`{"name":"launcher","kind":"game","browser":false,"native":"shown"},` +
		`{"name":"steam","kind":"steam","browser":true,"native":"ticket"}]}`
	if got.status != 200 || strings.TrimSpace(got.body) != want {
		t.Errorf("%d %s", got.status, got.body)
	}
	none := newDoor(t, nil)
	if got := none.call(t, "GET", "/v1/identities", "", "", ""); strings.TrimSpace(got.body) != `{"providers":[]}` {
		t.Errorf("without any: %s", got.body)
	}
	none.call(t, "POST", "/v1/identities/guild/begin", "", "", "").want(t, "none", 404, rushgate.MissingCredentials)
	none.call(t, "POST", "/v1/identities/login", `{"proof":"x"}`, "", "").want(t, "none", 404, rushgate.MissingCredentials)
}

// A proof brings a player in, as often as it is shown while it is good, to the account that is the player's from the
// first time on, and whose name is the one that was proposed, or like it.
func TestAProofBringsAPlayerIn(t *testing.T) {
	v := newVouched(t)
	proof := v.prove(t, "launcher", `{"shown":"player Ada"}`)
	proof.want(t, "proof", 200, "")
	if proof.text("name") != "Ada" || proof.text("provider") != "launcher" {
		t.Error(proof.body)
	}
	login := func(what, path, body string, status int, reason rushgate.Reason) exchange {
		t.Helper()
		e := v.call(t, "POST", path, body, "192.0.2.1", "")
		e.want(t, what, status, reason)
		return e
	}
	first := login("the first time", "/v1/identities/login", proofOf(proof, `,"attempt_id":"a"`), 200, "")
	login("while inside", "/v1/identities/login", proofOf(proof, `,"attempt_id":"b"`), 409, rushgate.AlreadyLoggedIn)
	if me := v.call(t, "GET", "/v1/me", "", "", first.text("session_token")); me.text("name") != "ada" {
		t.Error(me.body)
	}
	v.call(t, "POST", "/v1/logout", "", "", first.text("session_token")).want(t, "logout", 204, "")
	again := login("once more", "/v1/identity", proofOf(proof, `,"remember":"phone","remember_cookie":true`), 200, "")
	if again.json["player_id"] != first.json["player_id"] || !strings.Contains(again.header.Get("Set-Cookie"), "HttpOnly") {
		t.Errorf("after %s came %s", first.body, again.body)
	}
	login("a cookie that does not reach", "/v1/identities/login", proofOf(proof, `,"remember":"x","remember_cookie":true`),
		400, rushgate.MissingCredentials)
	other := login("another who is called so", "/v1/identities/login",
		proofOf(v.prove(t, "launcher", `{"shown":"player ADA"}`), ""), 200, "")
	me := v.call(t, "GET", "/v1/me", "", "", other.text("session_token"))
	if !strings.HasPrefix(me.text("name"), "ada") || me.text("name") == "ada" {
		t.Error(me.body)
	}
	v.now = v.now.Add(10 * time.Minute)
	login("an old one", "/v1/identities/login", proofOf(proof, ""), 409, rushgate.MissingCredentials)
	for _, body := range []string{`{}`, `{"proof":""}`, `{"proof":"x","username":"ada"}`, `{"proof":"x","wait":true}`} {
		login(body, "/v1/identities/login", body, 400, rushgate.MissingCredentials)
	}
	login("none", "/v1/identities/login", `{"proof":"`+strings.Repeat("A", 1600)+`"}`, 401, rushgate.BadCredentials)
	if strings.Contains(v.log.String()+v.logged.String(), proof.text("proof")) {
		t.Error("a proof is in the log")
	}
}

// What others say is the player's fault, or theirs, and then the player hears when to come back.
func TestWhatAProverRefuses(t *testing.T) {
	v := newVouched(t)
	for _, c := range []struct {
		body   string
		status int
		reason rushgate.Reason
	}{
		{`{"shown":"stranger"}`, 401, rushgate.BadCredentials},
		{`{"shown":"busy"}`, 503, rushgate.ServerBusy},
		{`{"shown":"panic"}`, 503, rushgate.ServerBusy},
		{`{"shown":"broken"}`, 503, rushgate.ServerBusy},
		{`{"shown":"nobody"}`, 503, rushgate.ServerBusy},
		{`{"shown":""}`, 400, rushgate.MissingCredentials},
		{`{}`, 400, rushgate.MissingCredentials},
		{`{"ticket":"beef"}`, 400, rushgate.MissingCredentials},
		{`{"shown":"` + strings.Repeat("x", 4097) + `"}`, 400, rushgate.MissingCredentials},
		{`{"shown":"` + strings.Repeat("x", maxHanded) + `"}`, 400, rushgate.MissingCredentials},
	} {
		v.now = v.now.Add(time.Minute) // the log is told once in a minute
		e := v.prove(t, "launcher", c.body)
		e.want(t, fmt.Sprintf("%.40s", c.body), c.status, c.reason)
		if strings.Contains(e.body, "gone") {
			t.Error(e.body)
		}
		if strings.Contains(c.body, "busy") && e.json["retry_after_ms"] != 7000.0 {
			t.Error(e.body)
		}
	}
	if log := v.logged.String(); !strings.Contains(log, "the database is gone") || strings.Contains(log, "stranger") {
		t.Error(log)
	}
	v.prove(t, "steam", `{"shown":"x"}`).want(t, "to Steam", 400, rushgate.MissingCredentials)
	for _, path := range []string{"nobody/native", "nobody/begin", "launcher/begin", "steam/native/start", "launcher/finish"} {
		body := ""
		if strings.HasSuffix(path, "finish") {
			body = `{"answer":"a=b"}`
		}
		v.call(t, "POST", identitiesPath+path, body, "", "").want(t, path, 404, rushgate.MissingCredentials)
	}
}

// Steam, as its documentation has it: a ticket is good once, and a browser that visits it comes back with an answer that
// is good once, in this browser.
func TestSteamVouches(t *testing.T) {
	v := newVouched(t)
	v.prove(t, "steam", `{"ticket":"dead"}`).want(t, "another ticket", 401, rushgate.BadCredentials)
	v.prove(t, "steam", `{"ticket":"no hex"}`).want(t, "no ticket", 400, rushgate.MissingCredentials)
	byTicket := v.prove(t, "steam", `{"ticket":"beef"}`)
	byTicket.want(t, "a ticket", 200, "")
	v.prove(t, "steam", `{"ticket":"BEEF"}`).want(t, "once more", 409, rushgate.MissingCredentials)
	first := v.call(t, "POST", "/v1/identities/login", proofOf(byTicket, `,"attempt_id":"a"`), "192.0.2.1", "")
	first.want(t, "login", 200, "")

	begun := v.call(t, "POST", identitiesPath+"steam/begin", "", "192.0.2.1", "")
	begun.want(t, "begin", 200, "")
	cookie := begun.header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Max-Age=900"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("%s is not in %s", part, cookie)
		}
	}
	answer := fmt.Sprintf(`{"answer":%q}`, visitSteam(t, begun.text("url"), v.now))
	finish := func(cookie string) exchange {
		req, err := http.NewRequestWithContext(t.Context(), "POST", v.URL+identitiesPath+"steam/finish",
			strings.NewReader(answer))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", cookie)
		return v.do(t, req)
	}
	cookie, _, _ = strings.Cut(cookie, ";")
	finish("").want(t, "another browser", 409, rushgate.MissingCredentials)
	byPage := finish(cookie)
	byPage.want(t, "finish", 200, "")
	if !strings.Contains(byPage.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Error("the attempt goes on:", byPage.header)
	}
	finish(cookie).want(t, "once more", 409, rushgate.MissingCredentials)
	v.call(t, "POST", "/v1/logout", "", "", first.text("session_token")).want(t, "logout", 204, "")
	same := v.call(t, "POST", "/v1/identities/login", proofOf(byPage, ""), "192.0.2.1", "")
	if same.json["player_id"] != first.json["player_id"] {
		t.Errorf("by the page came %s, by the ticket %s", same.body, first.body)
	}
}

// visitSteam returns what the browser of a player, who is logged in there, is sent back with.
func visitSteam(t *testing.T, page string, now time.Time) string {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(u.Query().Get("openid.return_to"))
	if err != nil || !strings.HasPrefix(back.String(), steamPage) {
		t.Fatal(back, err)
	}
	answer, id := back.Query(), "https://steamcommunity.com/openid/id/"+steamID
	for name, value := range map[string]string{
		"ns": "http://specs.openid.net/auth/2.0", "mode": "id_res", "op_endpoint": "https://steamcommunity.com/openid/login",
		"claimed_id": id, "identity": id, "return_to": back.String(), "assoc_handle": "1", "sig": "x",
		"response_nonce": now.UTC().Format("2006-01-02T15:04:05Z") + "abc",
		"signed":         "signed,op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle",
	} {
		answer.Set("openid."+name, value)
	}
	return answer.Encode()
}

// A provider that is away costs its own players a time to come back, and says so.
func TestAProviderThatIsAway(t *testing.T) {
	v := newVouched(t)
	for range 7 {
		e := v.call(t, "POST", identitiesPath+"guild/begin", "", "192.0.2.1", "")
		e.want(t, "away", 503, rushgate.ServerBusy)
		if e.header.Get("Retry-After") == "" || e.header.Get("Set-Cookie") != "" {
			t.Error(e.header)
		}
	}
	if n := strings.Count(v.logged.String(), "provider=guild"); n != 1 {
		t.Errorf("the log was told %d times", n)
	}
	v.prove(t, "launcher", `{"shown":"player Bob"}`).want(t, "another", 200, "")
	nonce := v.call(t, "POST", identitiesPath+"guild/native/start", "", "", "")
	nonce.want(t, "nonce", 200, "")
	for body, status := range map[string]int{
		fmt.Sprintf(`{"id_token":"a.b.c","nonce":%q}`, nonce.text("nonce")): 503,
		`{"id_token":"a.b.c","nonce":"of my own"}`:                          409,
		`{"id_token":"a.b.c"}`:                                              400,
	} {
		if e := v.prove(t, "guild", body); e.status != status {
			t.Errorf("%.40s: %d %s", body, e.status, e.body)
		}
	}
	v.now = v.now.Add(providers.NonceLife)
	v.prove(t, "guild", fmt.Sprintf(`{"id_token":"a.b.c","nonce":%q}`, nonce.text("nonce"))).
		want(t, "an old nonce", 409, rushgate.MissingCredentials)
}

// Pages of other origins begin no visit and finish none, and answers have a form and a size.
func TestVisitsAreForOwnPages(t *testing.T) {
	v := newVouched(t)
	for _, path := range []string{"steam/begin", "steam/finish"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", v.URL+identitiesPath+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://elsewhere.example")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		v.do(t, req).want(t, path, 403, rushgate.MissingCredentials)
	}
	for _, body := range []string{
		`{}`, `{"answer":""}`, `{"answer":"%"}`, `{"answer":"a=b","more":1}`, `{"answer":"` + strings.Repeat("a", maxAnswer) + `"}`,
	} {
		v.call(t, "POST", identitiesPath+"steam/finish", body, "", "").
			want(t, fmt.Sprintf("%.30s", body), 400, rushgate.MissingCredentials)
	}
}

// A provider that has the browser post its answer does so from its own page, which may do nothing else here.
func TestAPostedAnswer(t *testing.T) {
	d := newDoor(t, func(_ *auth.Config, c *Config) { c.Play = web.Play(web.Look{}) })
	d.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	post := func(path string) exchange {
		req, err := http.NewRequestWithContext(t.Context(), "POST", d.URL+path, strings.NewReader("code=a&state=b"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://appleid.apple.com")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		return d.do(t, req)
	}
	if e := post("/play/back/apple"); e.status != 303 || e.header.Get("Location") != "./apple#code=a&state=b" {
		t.Errorf("%d %v", e.status, e.header)
	}
	post("/play/").want(t, "elsewhere", 403, rushgate.MissingCredentials)
}

// FuzzParseIdentity looks for bodies that crash a parser, or whose error says nothing to the client.
func FuzzParseIdentity(f *testing.F) {
	f.Add([]byte(`{"proof":"AAAA","attempt_id":"a","takeover":true}`))
	f.Add([]byte(`{"answer":"code=a&state=b"}`))
	f.Add([]byte(`{"id_token":"a.b.c","nonce":"d"}`))
	f.Add([]byte(`{"ticket":"beef"}`))
	f.Add([]byte(`{"shown":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		check := func(err error) {
			var m malformed
			if err != nil && (!errors.As(err, &m) || m.message == "") {
				t.Error(err)
			}
		}
		_, proof, _, err := parseIdentity(body)
		if check(err); err == nil && proof == "" {
			t.Error("no proof")
		}
		answer, err := parseAnswer(body)
		if check(err); err == nil && len(answer) == 0 {
			t.Error("no answer")
		}
		for _, takes := range []providers.Takes{providers.TakesIDToken, providers.TakesTicket, providers.TakesShown} {
			handed, err := parseHanded(body, takes)
			if check(err); err == nil && handed.IDToken == "" && handed.Ticket == "" && len(handed.Shown) == 0 {
				t.Error("nothing was handed over")
			}
		}
	})
}
