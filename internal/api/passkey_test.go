package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/passkeytest"
)

const (
	keyOrigin = "https://play.example.com"
	keyFrom   = "192.0.2.7"
	keyPath   = "/v1/account/passkeys"
)

// keyed is a player inside, at a node with passkeys.
type keyed struct {
	*gate
	session string
	key     *passkeytest.Authenticator
}

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	party, err := passkey.New("The Game", []string{keyOrigin})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := line.NewKeyring(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	party.SetKeyring(ring)
	d := newDoor(t, func(pool *auth.Config, c *Config) { pool.Passkeys, c.Passkeys = party, party })
	in := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), keyFrom, "")
	in.want(t, "register", 201, "")
	return &keyed{gate: d, session: in.text("session_token"), key: passkeytest.New(keyOrigin, "play.example.com")}
}

// options returns what a client gives its browser.
func (e exchange) options(t *testing.T) []byte {
	t.Helper()
	b, err := json.Marshal(e.json["options"])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// add has the account get a passkey, named as given, and returns what became of it.
func (k *keyed) add(t *testing.T, key *passkeytest.Authenticator, name, proof string) exchange {
	t.Helper()
	begun := k.call(t, "POST", keyPath+"/start", proof, keyFrom, k.session)
	if begun.status != 200 {
		return begun
	}
	answer, err := key.Create(begun.options(t))
	if err != nil {
		t.Fatal(err)
	}
	return k.call(t, "POST", keyPath+"/finish", fmt.Sprintf(`{"name":%q,"credential":%s}`, name, answer), keyFrom,
		k.session)
}

// enrol gives the account the player's passkey, and logs the player out.
func (k *keyed) enrol(t *testing.T) {
	t.Helper()
	k.add(t, k.key, "my phone", `{"password":"correct horse"}`).want(t, "add", 200, "")
	k.logout(t)
}

func (k *keyed) logout(t *testing.T) {
	t.Helper()
	k.call(t, "POST", "/v1/logout", "", keyFrom, k.session).want(t, "logout", 204, "")
}

// answer returns what a passkey answers to a challenge of now.
func (k *keyed) answer(t *testing.T, key *passkeytest.Authenticator) json.RawMessage {
	t.Helper()
	begun := k.call(t, "POST", "/v1/passkey/start", "", keyFrom, "")
	begun.want(t, "start", 200, "")
	answer, err := key.Get(begun.options(t))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// show shows an answer, with other fields of the request.
func (k *keyed) show(t *testing.T, answer json.RawMessage, more string) exchange {
	t.Helper()
	return k.call(t, "POST", "/v1/passkey/finish", fmt.Sprintf(`{"credential":%s%s}`, answer, more), keyFrom, "")
}

// A player adds a passkey, comes in with it, sees when it was used, and removes it.
func TestPasskey(t *testing.T) {
	k := newKeyed(t)
	k.add(t, k.key, "x", `{"password":"wrong horse"}`).want(t, "no proof", 401, rushgate.BadCredentials)
	added := k.add(t, k.key, "my phone", `{"password":"correct horse"}`)
	added.want(t, "add", 200, "")
	if !strings.Contains(added.body, `"name":"my phone"`) || strings.Contains(added.body, "used_at") {
		t.Errorf("the account has %s", added.body)
	}
	k.add(t, k.key, "again", `{"password":"correct horse"}`).want(t, "the same", 409, rushgate.MissingCredentials)
	k.logout(t)

	in := k.show(t, k.answer(t, k.key), `,"remember":"phone"`)
	in.want(t, "in", 200, "")
	if k.session = in.text("session_token"); in.text("resume_token") == "" {
		t.Errorf("the device is not remembered: %s", in.body)
	}
	list := k.call(t, "GET", keyPath, "", keyFrom, k.session)
	list.want(t, "list", 200, "")
	keys := list.json["passkeys"].([]any)
	one := keys[0].(map[string]any)
	if len(keys) != 1 || one["used_at"] == nil || one["synced"] != false {
		t.Errorf("the account has %s", list.body)
	}
	export := k.call(t, "GET", "/v1/account/export", "", keyFrom, k.session)
	if !strings.Contains(export.body, `{"kind":"passkey","since":"`) || !strings.Contains(export.body, "my phone") {
		t.Errorf("the export says %s", export.body)
	}
	history := k.call(t, "GET", "/v1/account/history", "", keyFrom, k.session)
	if !strings.Contains(history.body, "passkey-added") {
		t.Errorf("the history says %s", history.body)
	}
	path := keyPath + "/" + one["handle"].(string)
	k.call(t, "DELETE", path, `{"password":"wrong horse"}`, keyFrom, k.session).
		want(t, "remove without proof", 401, rushgate.BadCredentials)
	removed := k.call(t, "DELETE", path, `{"password":"correct horse"}`, keyFrom, k.session)
	removed.want(t, "remove", 200, "")
	k.session = removed.text("session_token")
	k.call(t, "DELETE", path, `{"password":"correct horse"}`, keyFrom, k.session).
		want(t, "remove again", 404, rushgate.MissingCredentials)
	k.logout(t)
	k.show(t, k.answer(t, k.key), "").want(t, "removed", 401, rushgate.BadCredentials)
	for _, secret := range []string{string(k.key.ID), "correct horse", "alice"} {
		if strings.Contains(k.log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, k.log.String())
		}
	}
}

// A passkey that is removed takes all with it that it may have opened: sessions and devices. Who removes it stays in.
func TestRemovedPasskeyEndsWhatItOpened(t *testing.T) {
	k := newKeyed(t)
	k.enrol(t)
	stolen := k.show(t, k.answer(t, k.key), `,"remember":"the thief's"`)
	stolen.want(t, "the thief", 200, "")
	k.session = stolen.text("session_token")
	k.logout(t)
	in := k.call(t, "POST", "/v1/login", `{"username":"alice","password":"correct horse","remember":"own"}`, keyFrom, "")
	in.want(t, "the owner", 200, "")
	list := k.call(t, "GET", keyPath, "", keyFrom, in.text("session_token"))
	path := keyPath + "/" + list.json["passkeys"].([]any)[0].(map[string]any)["handle"].(string)
	k.call(t, "DELETE", path, `{"password":"correct horse","remember":"a\tb"}`, keyFrom, in.text("session_token")).
		want(t, "a bad label", 400, rushgate.MissingCredentials)
	removal := `{"password":"correct horse","remember":"own"}`
	removed := k.call(t, "DELETE", path, removal, keyFrom, in.text("session_token"))
	removed.want(t, "remove", 200, "")
	k.call(t, "GET", "/v1/account", "", keyFrom, in.text("session_token")).
		want(t, "the session of before", 401, rushgate.BadCredentials)
	account := k.call(t, "GET", "/v1/account", "", keyFrom, removed.text("session_token"))
	account.want(t, "who has removed it", 200, "")
	if devices := account.json["devices"].([]any); len(devices) != 1 {
		t.Errorf("remembered on %v", devices)
	}
	k.session = removed.text("session_token")
	k.logout(t)
	for what, e := range map[string]exchange{"the thief's": stolen, "the one of before": in} {
		body := fmt.Sprintf(`{"resume_token":%q}`, e.text("resume_token"))
		k.call(t, "POST", "/v1/resume", body, keyFrom, "").want(t, what, 401, rushgate.BadCredentials)
	}
	body := fmt.Sprintf(`{"resume_token":%q}`, removed.text("resume_token"))
	k.call(t, "POST", "/v1/resume", body, keyFrom, "").want(t, "the device that has asked", 200, "")
}

// A proof is good for one passkey: what else was begun with it is not, nor after a change of the password.
func TestOneProofAddsOnePasskey(t *testing.T) {
	k := newKeyed(t)
	const proof, changed = `{"password":"correct horse"}`, `{"current":"correct horse","new":"better horse"}`
	begin := func(proof string) []byte {
		t.Helper()
		begun := k.call(t, "POST", keyPath+"/start", proof, keyFrom, k.session)
		begun.want(t, "start", 200, "")
		return begun.options(t)
	}
	finish := func(options []byte) exchange {
		t.Helper()
		answer, err := passkeytest.New(keyOrigin, "play.example.com").Create(options)
		if err != nil {
			t.Fatal(err)
		}
		return k.call(t, "POST", keyPath+"/finish", fmt.Sprintf(`{"name":"x","credential":%s}`, answer), keyFrom, k.session)
	}
	first, second := begin(proof), begin(proof)
	finish(first).want(t, "the first", 200, "")
	finish(first).want(t, "another by the same proof", 409, rushgate.MissingCredentials)
	finish(second).want(t, "another that was begun before", 409, rushgate.MissingCredentials)
	third := begin(proof)
	in := k.call(t, "POST", "/v1/account/password", changed, keyFrom, k.session)
	in.want(t, "another password", 200, "")
	k.session = in.text("session_token")
	finish(third).want(t, "begun with the password of before", 409, rushgate.MissingCredentials)
	finish(begin(`{"password":"better horse"}`)).want(t, "proved again", 200, "")
}

// What is not good is answered alike, whatever is wrong with it, and counted against where it comes from.
func TestPasskeyRefusals(t *testing.T) {
	k := newKeyed(t)
	k.enrol(t)
	clone := k.key.Clone()
	good := k.answer(t, k.key)
	in := k.show(t, good, `,"attempt_id":"try-1"`)
	in.want(t, "good", 200, "")
	again := k.show(t, good, `,"attempt_id":"try-1"`)
	again.want(t, "repeated by the same attempt", 200, "")
	k.session = again.text("session_token")
	k.logout(t)
	bodies := make(map[string]bool)
	refused := func(what string, e exchange) {
		t.Helper()
		e.want(t, what, 401, rushgate.BadCredentials)
		bodies[e.body] = true
	}
	refused("used", k.show(t, good, ""))
	refused("cloned", k.show(t, k.answer(t, clone), ""))
	stranger := passkeytest.New(keyOrigin, "play.example.com")
	stranger.Handle = k.key.Handle
	refused("an unknown id", k.show(t, k.answer(t, stranger), ""))
	stranger.ID = k.key.ID
	refused("another key", k.show(t, k.answer(t, stranger), ""))
	stranger.Handle = []byte{0, 0, 0, 0, 0, 0, 1, 0}
	refused("no such account", k.show(t, k.answer(t, stranger), ""))
	page := k.key.Clone()
	page.Origin = "https://play.example.org"
	refused("another page", k.show(t, k.answer(t, page), ""))
	answer, err := k.key.Clone().Get([]byte(`{"challenge":"AQ"}`))
	if err != nil {
		t.Fatal(err)
	}
	refused("no challenge of ours", k.show(t, answer, ""))
	if len(bodies) != 1 {
		t.Errorf("refusals differ: %v", bodies)
	}
	for what, body := range map[string]string{
		"nothing": `{}`, "no answer": `{"credential":{}}`, "no object": `{"credential":"x"}`,
		"a cookie that would not arrive": fmt.Sprintf(`{"credential":%s,"remember":"x","remember_cookie":true}`, answer),
	} {
		k.call(t, "POST", "/v1/passkey/finish", body, keyFrom, "").want(t, what, 400, rushgate.MissingCredentials)
	}
	k.show(t, k.answer(t, k.key), "").want(t, "good after all that", 200, "")
}

// A passkey is both factors: an account that asks for a code asks for none of who shows one, but for who adds one.
func TestPasskeyAndSecondFactor(t *testing.T) {
	k := newKeyed(t)
	f := &factored{gate: k.gate, session: k.session}
	setup := f.ask(t, "POST", "", `{"password":"correct horse"}`)
	setup.want(t, "set up", 200, "")
	f.app = &authenticator{secret: setup.text("secret")}
	f.ask(t, "POST", "/confirm", fmt.Sprintf(`{"code":%q}`, f.app.code(t))).want(t, "confirm", 200, "")
	k.add(t, k.key, "x", `{"password":"correct horse"}`).want(t, "without a code", 401, rushgate.SecondFactor)
	code := f.app.code(t)
	proof := fmt.Sprintf(`{"password":"correct horse","code":%q}`, code)
	k.add(t, k.key, "x", proof).want(t, "with a code", 200, "")
	k.add(t, k.key, "x", proof).want(t, "with the same code", 401, rushgate.SecondFactor)
	k.logout(t)
	k.show(t, k.answer(t, k.key), "").want(t, "in", 200, "")
}

// Bans, sessions elsewhere and a full list are told as at a login, and a refusal that is not the passkey's fault leaves
// its answer good.
func TestPasskeyAtTheDoor(t *testing.T) {
	k := newKeyed(t)
	k.enrol(t)
	if _, err := k.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
		Player: 1, Name: "alice", Disabled: &rushgate.Disabled{Until: rushgate.Forever(), Reason: "cheating"},
	}}); err != nil {
		t.Fatal(err)
	}
	answer := k.answer(t, k.key)
	banned := k.show(t, answer, "")
	banned.want(t, "banned", 403, rushgate.AccountDisabled)
	if !strings.Contains(banned.body, "cheating") {
		t.Errorf("told %s", banned.body)
	}
	if _, err := k.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
		Player: 1, Name: "alice", Disabled: &rushgate.Disabled{},
	}}); err != nil {
		t.Fatal(err)
	}
	k.show(t, answer, "").want(t, "the same once the ban is over", 200, "")
	k.show(t, k.answer(t, k.key), "").want(t, "inside already", 409, rushgate.AlreadyLoggedIn)
}

// A node without passkeys says so, and one takes eight for an account.
func TestPasskeyBounds(t *testing.T) {
	none := newDoor(t, nil)
	for _, path := range []string{"/v1/passkey/start", "/v1/passkey/finish"} {
		none.call(t, "POST", path, "{}", keyFrom, "").want(t, path, http.StatusNotFound, rushgate.MissingCredentials)
	}
	k := newKeyed(t)
	for i := range passkey.Most + 1 {
		e := k.add(t, passkeytest.New(keyOrigin, "play.example.com"), "x", `{"password":"correct horse"}`)
		if i < 5 { // a session has some calls in a while
			e.want(t, "add", 200, "")
		}
	}
	k.call(t, "POST", "/v1/passkey/start", `{"name":"alice"}`, keyFrom, "").
		want(t, "a name", 400, rushgate.MissingCredentials)
}

// FuzzParsePasskey feeds what an outsider may send to come in with a passkey.
func FuzzParsePasskey(f *testing.F) {
	f.Add([]byte(`{"credential":{"id":"AQ"},"attempt_id":"a","wait":true,"line_secret":"0123456789abcdef"}`))
	f.Add([]byte(`{"credential":null}`))
	f.Add([]byte(`{"credential":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, credential, _, err := parsePasskey(body)
		if err == nil && (len(credential) == 0 || credential[0] != '{' || r.Wait && r.Holder == (line.Holder{})) {
			t.Errorf("taken: %+v", r)
		}
	})
}
