package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/outbox"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

// authenticator shows the codes of a key, each another one: the next period's, where this one's was used.
type authenticator struct {
	secret string
	used   time.Time
}

func (a *authenticator) code(t *testing.T) string {
	t.Helper()
	at := time.Now()
	if next := a.used.Add(secondfactor.Period); at.Before(next) {
		at = next
	}
	a.used = at
	code, err := totp.GenerateCode(a.secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// stringsOf returns a field of an answer that is a list of texts.
func stringsOf(e exchange, field string) (list []string) {
	all, _ := e.json[field].([]any)
	for _, one := range all {
		s, _ := one.(string)
		list = append(list, s)
	}
	return list
}

const (
	factorFrom = "192.0.2.1"
	factorPath = "/v1/account/totp"
)

// factored is a player inside with a second factor.
type factored struct {
	*gate
	app      *authenticator
	session  string
	recovery []string
}

func newFactored(t *testing.T) *factored {
	t.Helper()
	d := newDoor(t, func(_ *auth.Config, c *Config) {
		c.Outbox = outbox.New(outbox.Config{Agenda: c.Store.(rushgate.Agenda), Ledger: c.Accounts, Logger: c.Logger})
	})
	in := d.call(t, "POST", "/v1/register", `{"username":"alice","password":"correct horse","remember":"phone"}`,
		factorFrom, "")
	f := &factored{gate: d, session: in.text("session_token")}
	setup := f.ask(t, "POST", "", `{"password":"correct horse"}`)
	setup.want(t, "set up", 200, "")
	f.app = &authenticator{secret: setup.text("secret")}
	confirmed := f.ask(t, "POST", "/confirm", fmt.Sprintf(`{"code":%q}`, f.app.code(t)))
	confirmed.want(t, "confirm", 200, "")
	f.recovery = stringsOf(confirmed, "recovery_codes")
	return f
}

// ask asks for something about the second factor.
func (f *factored) ask(t *testing.T, method, below, body string) exchange {
	t.Helper()
	return f.call(t, method, factorPath+below, body, factorFrom, f.session)
}

func (f *factored) wantStatus(t *testing.T, want string) {
	t.Helper()
	e := f.ask(t, "GET", "", "")
	e.want(t, "status", 200, "")
	if strings.TrimSpace(e.body) != want {
		t.Errorf("the second factor is %s, want %s", e.body, want)
	}
}

func (f *factored) wantNoSecret(t *testing.T, more ...string) {
	t.Helper()
	for _, secret := range append(append(more, f.recovery...), f.app.secret, "correct horse", "otpauth") {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("a secret is in the log: %s", f.log.String())
		}
	}
}

// A player sets up an authenticator, which is not asked for before it is confirmed.
func TestSecondFactorSetup(t *testing.T) {
	d := newDoor(t, nil)
	in := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), factorFrom, "")
	f := &factored{gate: d, session: in.text("session_token"), app: &authenticator{secret: "none"}}
	f.wantStatus(t, `{"active":false,"recovery_codes":0}`)
	f.ask(t, "POST", "/confirm", `{"code":"123456"}`).want(t, "nothing to confirm", 409, rushgate.MissingCredentials)
	f.ask(t, "DELETE", "", `{"password":"correct horse","code":"123456"}`).
		want(t, "nothing to remove", 404, rushgate.MissingCredentials)
	f.ask(t, "POST", "", `{"password":"wrong horse"}`).want(t, "wrong", 401, rushgate.BadCredentials)
	setup := f.ask(t, "POST", "", `{"password":"correct horse"}`)
	setup.want(t, "set up", 200, "")
	f.wantStatus(t, `{"active":false,"recovery_codes":0}`)
	f.app.secret = setup.text("secret")
	f.ask(t, "POST", "/confirm", `{"code":"ABCD-EFGH-IJKL-MNOP"}`).want(t, "a wrong code", 401, rushgate.SecondFactor)
	f.ask(t, "POST", "/confirm", fmt.Sprintf(`{"code":%q}`, f.app.code(t))).want(t, "confirm", 200, "")
	f.wantStatus(t, `{"active":true,"ask":"new-devices","recovery_codes":10}`)
	f.ask(t, "POST", "", `{"password":"correct horse"}`).want(t, "a second one", 409, rushgate.MissingCredentials)
	f.wantNoSecret(t)
}

// Logins are asked for a code, of the authenticator or a recovery code.
func TestSecondFactorLogin(t *testing.T) {
	f := newFactored(t)
	f.call(t, "POST", "/v1/logout", "", factorFrom, f.session).want(t, "logout", 204, "")
	login := func(code string) exchange {
		body := `{"username":"alice","password":"correct horse","code":` + code + `}`
		return f.call(t, "POST", "/v1/login", body, factorFrom, "")
	}
	asked := login("null")
	asked.want(t, "without a code", 401, rushgate.SecondFactor)
	if asked.header.Get("WWW-Authenticate") == "" {
		t.Error("a refusal with status 401 has no WWW-Authenticate")
	}
	login(`"12345"`).want(t, "no code at all", 400, rushgate.MissingCredentials)
	in := login(fmt.Sprintf("%q", strings.ToLower(f.recovery[3])))
	in.want(t, "a recovery code", 200, "")
	f.session = in.text("session_token")
	f.wantStatus(t, `{"active":true,"ask":"new-devices","recovery_codes":9}`)
	f.call(t, "POST", "/v1/logout", "", factorFrom, f.session).want(t, "logout", 204, "")
	code := f.app.code(t)
	login(fmt.Sprintf("%q", code)).want(t, "a code of the authenticator", 200, "")
	f.wantNoSecret(t, code)
}

// A player says when to be asked; an account that asks always forgets its devices.
func TestSecondFactorAlways(t *testing.T) {
	f := newFactored(t)
	code := f.app.code(t)
	set := func(code, ask string) exchange {
		return f.ask(t, "POST", "/ask", fmt.Sprintf(`{"password":"correct horse","code":%q,"ask":%q}`, code, ask))
	}
	set(code, "never").want(t, "never", 400, rushgate.MissingCredentials)
	set(code, "always").want(t, "always", 204, "")
	set(code, "new-devices").want(t, "the same code again", 401, rushgate.SecondFactor)
	f.wantStatus(t, `{"active":true,"ask":"always","recovery_codes":10}`)
	a := f.call(t, "GET", "/v1/account", "", factorFrom, f.session)
	if !strings.Contains(a.body, `"devices":[]`) {
		t.Errorf("an account that asks always has devices: %s", a.body)
	}
	f.wantNoSecret(t, code)
}

// Recovery codes are made anew, and the second factor is removed, by the password and a code.
func TestSecondFactorRemoved(t *testing.T) {
	f := newFactored(t)
	proof := func(code string) string { return fmt.Sprintf(`{"password":"correct horse","code":%q}`, code) }
	renewed := f.ask(t, "POST", "/recovery-codes", proof(f.recovery[0]))
	renewed.want(t, "other recovery codes", 200, "")
	f.ask(t, "POST", "/recovery-codes", proof(f.recovery[1])).want(t, "one of before", 401, rushgate.SecondFactor)
	fresh := proof(stringsOf(renewed, "recovery_codes")[0])
	f.ask(t, "DELETE", "", strings.Replace(fresh, "correct", "wrong", 1)).
		want(t, "a wrong password", 401, rushgate.BadCredentials)
	f.ask(t, "DELETE", "", fresh).want(t, "remove", 204, "")
	f.call(t, "POST", "/v1/logout", "", factorFrom, f.session).want(t, "logout", 204, "")
	f.call(t, "POST", "/v1/login", creds("alice", "correct horse"), factorFrom, "").
		want(t, "the password alone", 200, "")
}

// Every route wants a session, and bodies that have what they need and nothing else.
func TestSecondFactorForms(t *testing.T) {
	d := newDoor(t, nil)
	const from, path = "192.0.2.1", "/v1/account/totp"
	d.call(t, "POST", "/v1/register",
		`{"username":"alice","password":"correct horse","code":"123456"}`, from, "").
		want(t, "a registration with a code", 400, rushgate.MissingCredentials)
	session := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), from, "").text("session_token")
	for _, route := range []struct{ method, path string }{
		{"POST", path}, {"POST", path + "/confirm"}, {"POST", path + "/ask"}, {"POST", path + "/recovery-codes"},
		{"DELETE", path},
	} {
		what := route.method + " " + route.path
		d.call(t, route.method, route.path, `{}`, from, "").want(t, what+" without a session", 401, rushgate.BadCredentials)
		for _, body := range []string{``, `{}`} {
			d.call(t, route.method, route.path, body, from, session).want(t, what+" "+body, 400, rushgate.MissingCredentials)
		}
	}
	d.call(t, "GET", path, "", from, "").want(t, "without a session", 401, rushgate.BadCredentials)
	d.call(t, "POST", path, `{"password":"correct horse","code":"123456"}`, from, session).
		want(t, "a field too many", 400, rushgate.MissingCredentials)
}

// Whatever is sent about a second factor: what is accepted has all that is needed, in its form.
func FuzzParseFactor(f *testing.F) {
	for _, s := range []string{
		`{"password":"correct horse","code":"123 456","ask":"always"}`, `{"password":"x","code":"123456","ask":"never"}`,
		`{"password":"a\tb","code":"abcd-efgh-ijkl-mnop","ask":"new-devices"}`, `{"code":null}`, `[]`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseFactor(body, needs{proof: true, code: true, ask: true})
		if err != nil {
			var m malformed
			if !errors.As(err, &m) || m.message == "" {
				t.Fatalf("error %v is not one for the player", err)
			}
			return
		}
		canonical, err := secondfactor.ParseCode(string(got.code))
		if err != nil || canonical != got.code || got.code == "" || !got.shown() ||
			got.ask != secondfactor.NewDevices && got.ask != secondfactor.Always {
			t.Fatalf("accepted %q", body)
		}
	})
}
