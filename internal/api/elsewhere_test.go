package api

import (
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
)

// A login that takes over is told to come back, as openapi.yaml says, until the session before it has ended, and then
// has what that one had.
func TestTakeover(t *testing.T) {
	d := newDoor(t, nil)
	const from = "192.0.2.1"
	first := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), from, "")
	first.want(t, "register", 201, "")
	token, _ := first.json["session_token"].(string)
	plain := `{"username":"alice","password":"correct horse","takeover":false}`
	d.call(t, "POST", "/v1/login", plain, from, "").want(t, "login", 409, rushgate.AlreadyLoggedIn)
	d.call(t, "GET", "/v1/me", "", from, token).want(t, "me after a login that was refused", 200, "")

	taking := `{"username":"alice","password":"correct horse","attempt_id":"b","takeover":true}`
	second := d.call(t, "POST", "/v1/login", taking, from, "")
	second.want(t, "takeover", 503, rushgate.ServerBusy)
	if ms, _ := second.json["retry_after_ms"].(float64); ms != 1000 || second.header.Get("Retry-After") != "1" {
		t.Errorf("come back after %s", second.body)
	}
	// However the first session ends, the takeover now gets in.
	if out := d.call(t, "POST", "/v1/logout", "", from, token); out.status != 204 && out.status != 401 {
		t.Errorf("logout: %d %s", out.status, out.body)
	}
	second = d.call(t, "POST", "/v1/login", taking, from, "")
	second.want(t, "takeover in the end", 200, "")
	if second.json["player_id"] != first.json["player_id"] || second.json["session_token"] == token {
		t.Errorf("first %s, second %s", first.body, second.body)
	}
	d.call(t, "GET", "/v1/me", "", from, token).want(t, "me of the first session", 401, rushgate.BadCredentials)
	token, _ = second.json["session_token"].(string)
	d.call(t, "GET", "/v1/me", "", from, token).want(t, "me of the second session", 200, "")
}

func TestTakeoverIsTrueOrFalseAndForLoginsOnly(t *testing.T) {
	d := newDoor(t, nil)
	for value, message := range map[string]string{
		`"true"`: "takeover must be true or false", `1`: "takeover must be true or false",
		`[]`: "takeover must be true or false", `true,"takeover":true`: "takeover is there twice", `tru`: "not valid JSON",
	} {
		for _, path := range []string{"/v1/login", "/v1/register"} {
			e := d.call(t, "POST", path, `{"username":"alice","password":"secret","takeover":`+value+`}`, "192.0.2.1", "")
			e.want(t, path+" "+value, 400, rushgate.MissingCredentials)
			if m, _ := e.json["message"].(string); !strings.Contains(m, message) {
				t.Errorf("%s: takeover %s: message %q does not say %q", path, value, m, message)
			}
		}
	}
	e := d.call(t, "POST", "/v1/register", `{"username":"alice","password":"secret","takeover":true}`, "192.0.2.1", "")
	e.want(t, "registration", 400, rushgate.MissingCredentials)
	if m, _ := e.json["message"].(string); !strings.Contains(m, "takeover is for logins") {
		t.Errorf("registration: message %q", m)
	}
}

// Who belongs on another node is told which one.
func TestWrongZone(t *testing.T) {
	const home = "[2001:db8::7]:8443"
	d := newDoor(t, func(p *auth.Config, _ *Config) {
		p.Zones = func(zone string) (string, bool) { return home, zone != "" }
	})
	in := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "")
	in.want(t, "register", 201, "")
	d.call(t, "POST", "/v1/logout", "", "", in.json["session_token"].(string))
	e := d.call(t, "POST", "/v1/login", creds("alice", "correct horse"), "192.0.2.1", "")
	e.want(t, "login", 421, rushgate.WrongZone)
	if e.json["address"] != home || e.header.Get("Retry-After") != "" || e.json["retry_after_ms"] != nil {
		t.Errorf("answer %s", e.body)
	}
	wrong := d.call(t, "POST", "/v1/login", creds("alice", "wrong"), "192.0.2.2", "")
	wrong.want(t, "wrong password", 401, rushgate.BadCredentials)
	if strings.Contains(wrong.body, home) {
		t.Errorf("with a wrong password the zone is told: %s", wrong.body)
	}
}
