package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// What a player may do with the account is answered as the document has it, and tells no secret.
func TestAccount(t *testing.T) {
	d := newDoor(t, nil)
	const from = "192.0.2.1"
	in := d.call(t, "POST", "/v1/register", `{"username":"alice","password":"correct horse","remember":"phone"}`, from, "")
	session := in.text("session_token")
	const change = `{"current":"correct horse","new":"better horse"}`
	for path, body := range map[string]string{
		"/v1/account/password": change, "/v1/password": change, "/v1/account/logout-everywhere": "",
	} {
		d.call(t, "POST", path, body, from, "").want(t, path+" without a session", 401, rushgate.BadCredentials)
		d.call(t, "POST", path, body, from, "rgs1.made-up").want(t, path+" of none", 401, rushgate.BadCredentials)
	}
	d.call(t, "GET", "/v1/account", "", from, "").want(t, "account without a session", 401, rushgate.BadCredentials)
	a := d.call(t, "GET", "/v1/account", "", from, session)
	a.want(t, "account", 200, "")
	req, err := http.NewRequestWithContext(t.Context(), "GET", d.URL+"/v1/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+session)
	req.AddCookie(&http.Cookie{Name: cookieName, Value: in.text("resume_token")})
	if this := d.do(t, req); strings.Count(this.body, `"this":true`) != 1 || strings.Contains(a.body, `"this"`) {
		t.Errorf("which device it is: with its cookie %s, without %s", this.body, a.body)
	}
	for _, body := range []string{
		``, `{}`, `{"current":"correct horse"}`, `{"new":"better horse"}`, `{"current":"correct horse","new":"short"}`,
		`{"current":"correct horse","new":"better horse","x":1}`, `{"current":"correct horse","new":"correct horse"}`,
		`{"current":"correct horse","new":"better horse","attempt_id":"a b"}`,
		`{"current":"correct horse","new":"better horse","remember_cookie":true}`,
		`{"current":"correct horse","new":"better horse","remember":"page","remember_cookie":true}`,
	} {
		d.call(t, "POST", "/v1/account/password", body, from, session).want(t, body, 400, rushgate.MissingCredentials)
	}
	body := `{"current":"correct horse","new":"better horse"}`
	changed := d.call(t, "POST", "/v1/account/password", body, from, session)
	changed.want(t, "change", 200, "")
	session = changed.text("session_token")
	d.call(t, "DELETE", "/v1/account/devices/x", "", from, session).want(t, "no device", 404, rushgate.MissingCredentials)
	for range 5 {
		d.call(t, "POST", "/v1/account/password", strings.Replace(body, "correct", "wrong", 1), from, session).
			want(t, "wrong", 401, rushgate.BadCredentials)
	}
	for _, proof := range []string{``, `{}`, `{"password":""}`, `{"password":"correct horse","x":1}`} {
		d.call(t, "POST", "/v1/account/delete", proof, from, session).
			want(t, "delete by "+proof, 400, rushgate.MissingCredentials)
	}
	d.call(t, "POST", "/v1/account/delete", `{"password":"better horse"}`, from, "").
		want(t, "delete without a session", 401, rushgate.BadCredentials)
	d.call(t, "GET", "/v1/account/history", "", from, session).want(t, "history", 200, "")
	d.call(t, "GET", "/v1/account/export", "", from, session).want(t, "export", 200, "")
	d.call(t, "POST", "/v1/account/keep", "", from, session).want(t, "keep", 204, "")
	d.call(t, "POST", "/v1/account/password", body, from, session).want(t, "guesses", 429, rushgate.RateLimited)
	d.call(t, "POST", "/v1/account/logout-everywhere", "", from, session).want(t, "everywhere", 204, "")
	for _, secret := range []string{"correct horse", "better horse", "rgr1.", "rgs1."} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("a secret is in the log: %s", d.log.String())
		}
	}
}

// A page that changes the password is remembered anew by a cookie, which goes with what is beside the path.
func TestPasswordOfAPage(t *testing.T) {
	d := newDoor(t, nil)
	const from = "192.0.2.1"
	in := d.call(t, "POST", "/v1/register", `{"username":"alice","password":"correct horse"}`, from, "")
	body := `{"current":"correct horse","new":"better horse","remember":"page","remember_cookie":true}`
	changed := d.call(t, "POST", "/v1/password", body, from, in.text("session_token"))
	changed.want(t, "change", 200, "")
	if cookie := changed.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, cookieName+"=rgr1.") ||
		strings.Contains(cookie, "Path=") || strings.Contains(changed.body, "resume_token") {
		t.Errorf("%q %s", cookie, changed.body)
	}
}
