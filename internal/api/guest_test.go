package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/token"
)

// guest is the wish of a device to come in, with other fields of the request.
func guest(secret token.Guest, more string) string {
	return fmt.Sprintf(`{"secret":%q%s}`, secret.Text(), more)
}

// A device comes in by a secret of its own, comes back to the same player, and is remembered if it asks for that.
func TestGuest(t *testing.T) {
	d := newDoor(t, func(_ *auth.Config, c *Config) { c.Guests = true })
	status := d.call(t, "GET", "/v1/status", "", "", "")
	if status.json["guests"] != true {
		t.Errorf("the status says %s", status.body)
	}
	secret := token.NewGuest()
	first := d.call(t, "POST", "/v1/guest", guest(secret, `,"attempt_id":"a"`), "192.0.2.1", "")
	first.want(t, "the first time", 200, "")
	lost := d.call(t, "POST", "/v1/guest", guest(secret, `,"attempt_id":"a"`), "192.0.2.1", "")
	lost.want(t, "the same attempt", 200, "")
	if lost.text("session_token") != first.text("session_token") {
		t.Error("the same attempt got another session")
	}
	d.call(t, "POST", "/v1/guest", guest(secret, `,"attempt_id":"b"`), "192.0.2.1", "").
		want(t, "while inside", 409, rushgate.AlreadyLoggedIn)
	me := d.call(t, "GET", "/v1/me", "", "", first.text("session_token"))
	if !linked.IsGuestName(me.text("name")) {
		t.Errorf("is called %q", me.text("name"))
	}
	d.call(t, "POST", "/v1/logout", "", "", first.text("session_token")).want(t, "logout", 204, "")
	again := d.call(t, "POST", "/v1/guest", guest(secret, `,"remember":"phone"`), "192.0.2.1", "")
	again.want(t, "again", 200, "")
	if again.json["player_id"] != first.json["player_id"] || again.text("resume_token") == "" {
		t.Errorf("after %s came %s", first.body, again.body)
	}
	body := fmt.Sprintf(`{"username":%q,"password":"a password"}`, me.text("name"))
	d.call(t, "POST", "/v1/login", body, "192.0.2.1", "").want(t, "by a password", 401, rushgate.BadCredentials)
	if strings.Contains(d.log.String(), secret.Text()) {
		t.Errorf("the secret is in the log: %s", d.log.String())
	}
}

func FuzzParseGuest(f *testing.F) {
	f.Add([]byte(guest(token.NewGuest(), `,"attempt_id":"a","wait":true,"line_secret":"0123456789abcdef0123456789abcdef"`)))
	f.Add([]byte(`{"secret":null}`))
	f.Add([]byte(`{"secret":"AAAA","code":"123456"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, _, err := parseGuest(body)
		if err != nil {
			return
		}
		if _, ok := linked.Key(r.Shown.Credential); !ok || r.Shown.Credential.Secret == "" || !r.Shown.Create ||
			r.Wait && r.Holder == (line.Holder{}) || r.Attempt != "" && !rushgate.ValidAttempt(r.Attempt) {
			t.Errorf("taken: %+v", r.Kind)
		}
	})
}

// What is no secret of 256 bits is told so, and a node that takes no guests says that.
func TestGuestRefused(t *testing.T) {
	d := newDoor(t, func(_ *auth.Config, c *Config) { c.Guests = true })
	secret := token.NewGuest()
	for _, body := range []string{
		`{}`, `{"secret":""}`, `{"secret":"short"}`, guest(token.Guest{}, ""), guest(secret, `,"username":"ada"`),
		guest(secret, `,"wait":true`), guest(secret, `,"attempt_id":"?"`), guest(secret, `,"remember_cookie":true`),
		strings.Replace(guest(secret, ""), `"}`, `="}`, 1),
	} {
		d.call(t, "POST", "/v1/guest", body, "", "").want(t, body, 400, rushgate.MissingCredentials)
	}
	none := newDoor(t, nil)
	none.call(t, "POST", "/v1/guest", guest(secret, ""), "", "").want(t, "no guests", 404, rushgate.MissingCredentials)
	if status := none.call(t, "GET", "/v1/status", "", "", ""); status.json["guests"] != nil {
		t.Errorf("the status says %s", status.body)
	}
}
