package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/token"
)

// text returns a field of an answer.
func (e exchange) text(field string) string {
	s, _ := e.json[field].(string)
	return s
}

// resumeBody is that of a resume with a token.
func resumeBody(resume, attempt string) string {
	return fmt.Sprintf(`{"resume_token":%q,"attempt_id":%q,"takeover":true}`, resume, attempt)
}

func TestARememberedDevice(t *testing.T) {
	d := newDoor(t, nil)
	const from = "192.0.2.1"
	in := d.call(t, "POST", "/v1/register", `{"username":"alice","password":"correct horse","remember":"phone"}`, from, "")
	in.want(t, "register", 201, "")
	first := in.text("resume_token")
	d.call(t, "POST", "/v1/logout", "", from, in.text("session_token"))

	again := d.call(t, "POST", "/v1/resume", resumeBody(first, "a"), from, "")
	again.want(t, "resume", 200, "")
	next := again.text("resume_token")
	if next == "" || next == first || again.json["player_id"] != in.json["player_id"] {
		t.Errorf("resume: %s", again.body)
	}
	d.call(t, "GET", "/v1/me", "", from, again.text("session_token")).want(t, "me", 200, "")
	lost := d.call(t, "POST", "/v1/resume", resumeBody(first, "a"), from, "")
	if lost.text("resume_token") != next || lost.text("session_token") != again.text("session_token") {
		t.Errorf("the same try again: %s, want %s", lost.body, again.body)
	}
	d.call(t, "POST", "/v1/resume", resumeBody(first, "b"), "192.0.2.2", "").
		want(t, "a token that was replaced", 401, rushgate.BadCredentials)
	d.call(t, "POST", "/v1/resume", resumeBody(next, "c"), from, "").
		want(t, "the one that has replaced it, after that", 401, rushgate.BadCredentials)

	quiet := d.call(t, "POST", "/v1/register", creds("bob", "correct horse"), from, "")
	if _, given := quiet.json["resume_token"]; given {
		t.Errorf("nobody has asked for a resume token: %s", quiet.body)
	}
	if strings.Contains(d.log.String(), "rgr1.") || strings.Contains(d.log.String(), "rgs1.") {
		t.Errorf("a token is in the log: %s", d.log.String())
	}
}

func TestMalformedResumes(t *testing.T) {
	d := newDoor(t, nil)
	resume, session := token.NewResume("alice").Text(), token.NewSession("alice").Text()
	for _, tt := range []struct {
		body   string
		status int
	}{
		{`{}`, 400}, {``, 400}, {`[]`, 400}, {`{"resume_token":1}`, 400}, {`{"resume_token":""}`, 400},
		{`{"resume_token":"x","unknown":1}`, 400}, {`{"resume_token":"` + resume + `","attempt_id":"a b"}`, 400},
		{`{"resume_token":"` + resume + `","wait":true}`, 400}, {`{"resume_token":"` + resume + `","line_secret":"x"}`, 400},
		{`{"resume_token":"` + resume + `","session_token":"` + session + `"}`, 400},
		{`{"session_token":"` + session + `","wait":true,"line_secret":"0123456789abcdef"}`, 400},
		{`{"session_token":"` + session + `","remember_cookie":true}`, 400},
		{`{"resume_token":"x"}`, 401}, {`{"session_token":"x"}`, 401}, {`{"resume_token":"` + session + `"}`, 401},
		{`{"session_token":"` + resume + `"}`, 401}, {`{"resume_token":"` + resume + `"}`, 401},
		{`{"session_token":"` + session + `"}`, 401}, {`{"remember_cookie":true}`, 401},
	} {
		if e := d.call(t, "POST", "/v1/resume", tt.body, "", ""); e.status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.body, e.status, e.body, tt.status)
		}
	}
	for _, body := range []string{
		`{"username":"alice","password":"correct horse","remember":"` + strings.Repeat("x", 65) + `"}`,
		`{"username":"alice","password":"correct horse","remember":"a\u0007"}`,
		`{"username":"alice","password":"correct horse","remember_cookie":true}`,
	} {
		d.call(t, "POST", "/v1/register", body, "", "").want(t, body, 400, rushgate.MissingCredentials)
	}
}

// page sends a request as a page in a browser does, with the cookies that it has.
func (d *gate) page(t *testing.T, method, path, body string, jar *http.Cookie, header ...string) exchange {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if jar != nil {
		req.AddCookie(&http.Cookie{Name: jar.Name, Value: jar.Value})
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return d.do(t, req)
}

// cookieOf returns the one cookie that an answer sets, or nil.
func cookieOf(t *testing.T, e exchange) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: e.header}).Cookies()
	switch {
	case len(cookies) == 0:
		return nil
	case len(cookies) > 1 || cookies[0].Name != cookieName || cookies[0].Path != "" ||
		!cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Domain != "":
		t.Errorf("cookies %q", e.header.Values("Set-Cookie"))
	}
	return cookies[0]
}

func TestAResumeTokenInACookie(t *testing.T) {
	const remember = `{"username":"alice","password":"correct horse","remember":"browser","remember_cookie":true}`
	d := newDoor(t, func(_ *auth.Config, cfg *Config) { cfg.Origins = []string{"https://friend.example"} })
	own := []string{"Sec-Fetch-Site", "same-origin", "Origin", d.URL}
	in := d.page(t, "POST", "/v1/register", remember, nil, own...)
	in.want(t, "register", 201, "")
	jar := cookieOf(t, in)
	if jar == nil || jar.MaxAge != 30*24*3600 || jar.Secure || in.text("resume_token") != "" {
		t.Fatalf("cookie %v, answer %s", jar, in.body)
	}
	const takeover = `{"takeover":true,"attempt_id":"a"}`
	for _, foreign := range [][]string{
		{"Sec-Fetch-Site", "same-site", "Origin", "https://friend.example"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "https://friend.example"},
		{"Origin", "https://friend.example"},
	} {
		e := d.page(t, "POST", "/v1/resume", takeover, jar, foreign...)
		e.want(t, "a page that is not the node's own", 400, rushgate.MissingCredentials)
		if cookieOf(t, e) != nil {
			t.Error("a foreign page has changed the cookie")
		}
		d.page(t, "POST", "/v1/register", strings.Replace(remember, "alice", "bob", 1), nil, foreign...).
			want(t, "a cookie for a foreign page", 403, rushgate.MissingCredentials)
		if e := d.page(t, "DELETE", "/v1/resume", "", jar, foreign...); cookieOf(t, e) != nil {
			t.Error("a foreign page has taken the cookie away")
		}
	}
	d.call(t, "POST", "/v1/logout", "", "", in.text("session_token"))
	back := d.page(t, "POST", "/v1/resume", takeover, jar, own...)
	back.want(t, "resume by the cookie", 200, "")
	old := jar
	if jar = cookieOf(t, back); jar == nil || jar.Value == old.Value || back.text("resume_token") != "" {
		t.Fatalf("cookie %v, answer %s", jar, back.body)
	}
	lost := d.page(t, "POST", "/v1/resume", takeover, old, own...)
	if c := cookieOf(t, lost); c == nil || c.Value != jar.Value {
		t.Errorf("the same try again: cookie %v, want %v", c, jar)
	}
	d.call(t, "POST", "/v1/logout", "", "", back.text("session_token"))
	tls := d.page(t, "POST", "/v1/resume", `{"takeover":true,"attempt_id":"b"}`, jar, "Sec-Fetch-Site", "same-origin",
		"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https")
	if c := cookieOf(t, tls); c == nil || !c.Secure {
		t.Errorf("over TLS: %d, cookie %v", tls.status, c)
	}
	refused := d.page(t, "POST", "/v1/resume", takeover, &http.Cookie{Name: cookieName, Value: "rubbish"}, own...)
	refused.want(t, "a cookie that is no token", 401, rushgate.BadCredentials)
	if c := cookieOf(t, refused); c == nil || c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("a cookie that is refused: %v, want it taken away", c)
	}
}

// A page cannot see whether it was given a cookie: the answer tells, and so it does of a token that it has.
func TestAnswersTellWhetherADeviceIsRemembered(t *testing.T) {
	for life, want := range map[time.Duration]any{24 * time.Hour: true, 0: nil} {
		d := newDoor(t, func(pool *auth.Config, cfg *Config) { pool.Remember, cfg.Remember = life, life })
		own := []string{"Sec-Fetch-Site", "same-origin", "Origin", d.URL}
		const credentials = `{"username":"%s","password":"correct horse"%s}`
		for i, remember := range []string{
			`,"remember":"phone"`, `,"remember":"phone","remember_cookie":true`, `,"remember":""`, ``,
		} {
			body := fmt.Sprintf(credentials, fmt.Sprint("player-", i), remember)
			in := d.page(t, "POST", "/v1/register", body, nil, own...)
			in.want(t, "register", 201, "")
			told, asked := in.json["remembered"], i < 2
			given := in.text("resume_token") != "" || cookieOf(t, in) != nil
			if asked && told != want || !asked && told != nil || given != (told == true) {
				t.Errorf("remembered for %v, with %q: told %v, and given a token: %v", life, remember, told, given)
			}
		}
	}
}

func TestForgetADevice(t *testing.T) {
	d := newDoor(t, nil)
	in := d.call(t, "POST", "/v1/register", `{"username":"alice","password":"correct horse","remember":"phone"}`, "", "")
	resume, session := in.text("resume_token"), in.text("session_token")
	unknown := fmt.Sprintf(`{"resume_token":%q}`, token.NewResume("a").Text())
	for _, body := range []string{``, `{}`, `{"resume_token":"x"}`, unknown} {
		if e := d.call(t, "DELETE", "/v1/resume", body, "", ""); e.status != 204 {
			t.Errorf("%s: %d %s", body, e.status, e.body)
		}
	}
	d.call(t, "DELETE", "/v1/resume", `{"x":1}`, "", "").want(t, "another field", 400, rushgate.MissingCredentials)
	d.call(t, "GET", "/v1/me", "", "", session).want(t, "me", 200, "")
	e := d.call(t, "DELETE", "/v1/resume", fmt.Sprintf(`{"resume_token":%q}`, resume), "", session)
	if c := cookieOf(t, e); e.status != 204 || c == nil || c.MaxAge >= 0 {
		t.Errorf("forget: %d %s, cookie %v", e.status, e.body, c)
	}
	d.call(t, "GET", "/v1/me", "", "", session).want(t, "me after it", 401, rushgate.BadCredentials)
	d.call(t, "POST", "/v1/resume", resumeBody(resume, "a"), "", "").
		want(t, "resume after it", 401, rushgate.BadCredentials)
}

// Calls of the player's own go on with a session that this node does not have yet: of its run before, say.
func TestASessionGoesOn(t *testing.T) {
	for _, call := range []string{"POST /v1/connect", "GET /v1/me", "POST /v1/logout", "POST /v1/resume"} {
		method, path, _ := strings.Cut(call, " ")
		connect := func(_ *auth.Config, cfg *Config) {
			cfg.ConnectToken = func(rushgate.Session) ([]byte, error) { return make([]byte, 2048), nil }
		}
		before := newDoor(t, connect)
		in := before.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "", "")
		session := in.text("session_token")
		if err := before.realm.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		d := newDoorOn(t, before.store.Store, connect)
		body, bearer := "", session
		if path == "/v1/resume" {
			body, bearer = fmt.Sprintf(`{"session_token":%q}`, session), ""
		}
		e := d.call(t, method, path, body, "", bearer)
		if e.status != 200 && e.status != 204 {
			t.Errorf("%s: %d %s", call, e.status, e.body)
			continue
		}
		if s := e.text("session_token"); path == "/v1/resume" && s != session {
			t.Errorf("%s: the session has another token", call)
		}
		want := 200
		if path == "/v1/logout" {
			want = 401
		}
		if e := d.call(t, "GET", "/v1/me", "", "", session); e.status != want {
			t.Errorf("%s: me after it: %d %s, want %d", call, e.status, e.body, want)
		}
	}
}
