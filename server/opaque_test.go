package server_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bytemare "github.com/bytemare/opaque"
	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/opaqueclient"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

// opaquely is a client of OPAQUE that stretches no password: the server cannot tell, and the test need not wait.
type opaquely struct {
	s     *server.Server
	store rushgate.Store // nil if the node has opened its own
}

func unstretched(t *testing.T) *bytemare.Client {
	t.Helper()
	conf := bytemare.DefaultConfiguration()
	conf.KSF = 0
	c, err := conf.Client()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(t *testing.T, a answered, field string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(a.text(field))
	if err != nil || len(b) == 0 {
		t.Fatalf("%s of %d %s: %v", field, a.status, a.raw, err)
	}
	return b
}

// with is a body with some more fields.
func with(body map[string]any, more ...any) string {
	all := make(map[string]any)
	for k, v := range body {
		all[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i].(string)] = more[i+1]
	}
	b, _ := json.Marshal(all)
	return string(b)
}

// registration begins a registration at a node, and returns what it is to be finished with.
func (o opaquely) registration(t *testing.T, pass, session string, of ...any) map[string]any {
	t.Helper()
	c := unstretched(t)
	request, err := c.RegistrationInit([]byte(pass))
	if err != nil {
		t.Fatal(err)
	}
	a := call(t, o.s, "POST /v1/opaque/register/start",
		with(nil, append(of, "request", encode(request.Serialize()))...), session)
	a.want(t, "begin of the registration", 200)
	response, err := c.Deserialize.RegistrationResponse(decode(t, a, "response"))
	if err != nil {
		t.Fatal(err)
	}
	upload, _, err := c.RegistrationFinalize(response, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"state": a.text("state"), "upload": encode(upload.Serialize())}
}

func (o opaquely) register(t *testing.T, name, pass string, more ...any) answered {
	t.Helper()
	r := o.registration(t, pass, "", "username", name)
	return call(t, o.s, "POST /v1/opaque/register/finish", with(r, append(more, "username", name)...), "")
}

// begun is a login that a client has begun.
type begun struct {
	client *bytemare.Client
	answer answered
}

func (o opaquely) begin(t *testing.T, name, pass string) begun {
	t.Helper()
	return o.beginAt(t, "/v1/opaque/login/start", "", pass, "username", name)
}

func (o opaquely) beginAt(t *testing.T, path, session, pass string, of ...any) begun {
	t.Helper()
	c := unstretched(t)
	ke1, err := c.GenerateKE1([]byte(pass))
	if err != nil {
		t.Fatal(err)
	}
	a := call(t, o.s, "POST "+path, with(nil, append(of, "ke1", encode(ke1.Serialize()))...), session)
	return begun{c, a}
}

// proof returns KE3, and the key of the session; without them if the password does not open the answer.
func (b begun) proof(t *testing.T) (ke3, key []byte) {
	t.Helper()
	b.answer.want(t, "begin of the login", 200)
	ke2, err := b.client.Deserialize.KE2(decode(t, b.answer, "ke2"))
	if err != nil {
		t.Fatal(err)
	}
	m, key, _, err := b.client.GenerateKE3(ke2, nil, nil)
	if err != nil {
		return nil, nil
	}
	return m.Serialize(), key
}

// finish finishes a login.
func (o opaquely) finish(t *testing.T, b begun, name string, ke3 []byte, more ...any) answered {
	t.Helper()
	return call(t, o.s, "POST /v1/opaque/login/finish",
		with(nil, append(more, "username", name, "state", b.answer.text("state"), "ke3", encode(ke3))...), "")
}

// login logs in. A client that finds the password wrong tries with nonsense all the same.
func (o opaquely) login(t *testing.T, name, pass string, more ...any) answered {
	t.Helper()
	b := o.begin(t, name, pass)
	if b.answer.status != 200 {
		return b.answer
	}
	ke3, _ := b.proof(t)
	if ke3 == nil {
		ke3 = make([]byte, 64)
	}
	return o.finish(t, b, name, ke3, more...)
}

// opaqueEverywhere runs a test on a node with OPAQUE and each kind of store.
func opaqueEverywhere(t *testing.T, mode server.OpaqueMode, test func(t *testing.T, o opaquely)) {
	run := func(name string, open func(t *testing.T) rushgate.Store) {
		t.Run(name, func(t *testing.T) {
			c := config(t, t.TempDir())
			c.Opaque, c.Store, c.OriginFailures = mode, open(t), server.Unbounded
			test(t, opaquely{start(t, c), c.Store})
		})
	}
	run("memory", func(*testing.T) rushgate.Store { return memory.New(memory.Options{}) })
	run("sqlite", func(t *testing.T) rushgate.Store {
		store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		return store
	})
	run("redis", func(t *testing.T) rushgate.Store {
		store, err := redis.Open(t.Context(), redis.Options{URLs: []string{redistest.Start(t).URL()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		return store
	})
}

// opaqueOn returns a client of a node with OPAQUE whose players are in memory.
func opaqueOn(t *testing.T, mode server.OpaqueMode, change func(*server.Config)) opaquely {
	t.Helper()
	c := config(t, t.TempDir())
	c.Opaque, c.Store = mode, memory.New(memory.Options{})
	if change != nil {
		change(&c)
	}
	return opaquely{start(t, c), c.Store}
}

// account returns an account as the store has it.
func (o opaquely) account(t *testing.T, name string) rushgate.Account {
	t.Helper()
	accounts, err := o.store.LoadAccounts(t.Context(), []string{name})
	if err != nil || accounts[0].Err != nil {
		t.Fatal(err, accounts)
	}
	return accounts[0].Account
}

// wantOpaque reports an account that a password could open, or that has no record.
func (o opaquely) wantOpaque(t *testing.T, name string, want bool) {
	t.Helper()
	a := o.account(t, name)
	if locked := password.IsLocked(a.PasswordHash); locked != want || opaquerecord.Has(a.Credentials) != want {
		t.Errorf("%s: no password: %v, a record: %v, want both %v", name, locked, opaquerecord.Has(a.Credentials), want)
	}
}

func (o opaquely) out(t *testing.T, session string) {
	t.Helper()
	call(t, o.s, "POST /v1/logout", "", session).want(t, "logout", 204)
}

func (o opaquely) byPassword(t *testing.T, name, pass string) answered {
	t.Helper()
	return call(t, o.s, "POST /v1/login", with(nil, "username", name, "password", pass), "")
}

// A player registers by OPAQUE and logs in by it: what a login with a password is answered comes of it, and a proof
// that the session is of the server that knows the account. No password opens the account.
func TestOpaque(t *testing.T) {
	opaqueEverywhere(t, server.OpaquePrefer, func(t *testing.T, o opaquely) {
		a := o.register(t, "alice", "correct horse", "remember", "phone")
		a.want(t, "registration", 201)
		if a.text("resume_token") == "" || a.text("connect_token") == "" || a.text("session_proof") != "" {
			t.Errorf("registration: %s", a.raw)
		}
		o.wantOpaque(t, "alice", true)
		o.out(t, a.text("session_token"))
		o.login(t, "alice", "wrong horse").want(t, "wrong password", 401)
		o.login(t, "bob", "correct horse").want(t, "no account", 401)
		o.byPassword(t, "alice", "correct horse").want(t, "by password", 401)
		o.byPassword(t, "alice", "").want(t, "by no password", 400)
		b := o.begin(t, "ALICE", "correct horse")
		ke3, key := b.proof(t)
		in := o.finish(t, b, "alice", ke3, "remember", "tablet")
		in.want(t, "login", 200)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("rushgate session\x00" + in.text("session_token")))
		if in.body["player_id"] != a.body["player_id"] || in.text("session_proof") != encode(mac.Sum(nil)) {
			t.Errorf("login: %s", in.raw)
		}
		call(t, o.s, "GET /v1/me", "", in.text("session_token")).want(t, "me", 200)
		o.out(t, in.text("session_token"))
		call(t, o.s, "POST /v1/resume", resumeBy(in.text("resume_token"), "b"), "").want(t, "resume", 200)
		o.register(t, "Alice", "another horse").want(t, "a name that is taken", 409)
		o.register(t, "carol", "horse", "remember", "page", "remember_cookie", true).
			want(t, "a cookie that goes nowhere", 400)
		r := o.registration(t, "horse", "", "username", "carol")
		page := call(t, o.s, "POST /v1/opaque-register",
			with(r, "username", "carol", "remember", "page", "remember_cookie", true), "")
		page.want(t, "registration of a page", 201)
		if page.text("resume_token") != "" || page.body["remembered"] != true {
			t.Errorf("registration of a page: %s", page.raw)
		}
	})
}

// The real client, which stretches the password, is one like any other.
func TestOpaqueClient(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	r, request, err := opaqueclient.Register("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	a := call(t, o.s, "POST /v1/opaque/register/start", with(nil, "username", "alice", "request", encode(request)), "")
	upload, err := r.Finish(t.Context(), decode(t, a, "response"), opaqueclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := call(t, o.s, "POST /v1/opaque/register/finish",
		with(nil, "username", "alice", "state", a.text("state"), "upload", encode(upload)), "")
	in.want(t, "registration", 201)
	o.out(t, in.text("session_token"))
	l, ke1, err := opaqueclient.Login("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	a = call(t, o.s, "POST /v1/opaque/login/start", with(nil, "username", "alice", "ke1", encode(ke1)), "")
	proof, err := l.Finish(t.Context(), decode(t, a, "ke2"), opaqueclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in = call(t, o.s, "POST /v1/opaque/login/finish",
		with(nil, "username", "alice", "state", a.text("state"), "ke3", encode(proof.KE3)), "")
	in.want(t, "login", 200)
}

// After a login with a password the account moves over: the hash is gone, session and devices stay. What the session
// was not opened with lately takes the password once more.
func TestMovingOverToOpaque(t *testing.T) {
	opaqueEverywhere(t, server.OpaquePrefer, func(t *testing.T, o opaquely) {
		session, resume := join(t, o.s, "alice")
		o.out(t, session)
		in := call(t, o.s, "POST /v1/resume", resumeBy(resume, "r"), "")
		in.want(t, "resume", 200)
		var device string
		session, device = in.text("session_token"), in.text("resume_token")
		finish := func(session string, r map[string]any, more ...any) answered {
			return call(t, o.s, "POST /v1/opaque/register/finish", with(r, more...), session)
		}
		r := o.registration(t, "correct horse", session)
		finish(session, r).want(t, "without a fresh login", 409)
		finish(session, r, "password", "wrong horse").want(t, "with a wrong password", 401)
		finish("nonsense", r).want(t, "with no session", 401)
		o.wantOpaque(t, "alice", false)

		o.out(t, session)
		in = o.byPassword(t, "alice", "correct horse")
		in.want(t, "login by password", 200)
		session = in.text("session_token")
		r = o.registration(t, "correct horse", session)
		finish(session, r).want(t, "after a fresh login", 204)
		o.wantOpaque(t, "alice", true)
		call(t, o.s, "GET /v1/me", "", session).want(t, "the session", 200)
		o.out(t, session)
		o.byPassword(t, "alice", "correct horse").want(t, "by password", 401)
		in = o.login(t, "alice", "correct horse")
		in.want(t, "by OPAQUE", 200)
		o.out(t, in.text("session_token"))
		call(t, o.s, "POST /v1/resume", resumeBy(device, "s"), "").want(t, "the device", 200)

		session, _ = join(t, o.s, "bob")
		r = o.registration(t, "other horse", session)
		finish(session, r, "password", "correct horse").want(t, "with the password", 204)
		o.out(t, session)
		o.login(t, "bob", "other horse").want(t, "bob by OPAQUE", 200)
	})
}

// confirm begins a proof inside and returns the fields that show it.
func (o opaquely) confirm(t *testing.T, session, pass string) map[string]any {
	t.Helper()
	b := o.beginAt(t, "/v1/opaque/confirm/start", session, pass)
	ke3, _ := b.proof(t)
	if ke3 == nil {
		ke3 = make([]byte, 64)
	}
	return map[string]any{"login_state": b.answer.text("state"), "ke3": encode(ke3)}
}

// The password of an account that is proved by OPAQUE is changed by that: all sessions and devices end but the
// player's, who has another.
func TestChangeOfPasswordByOpaque(t *testing.T) {
	opaqueEverywhere(t, server.OpaquePrefer, func(t *testing.T, o opaquely) {
		in := o.register(t, "alice", "correct horse", "remember", "phone")
		session := in.text("session_token")
		change := func(r, proof map[string]any) answered {
			t.Helper()
			return call(t, o.s, "POST /v1/opaque/register/finish",
				with(r, "login_state", proof["login_state"], "ke3", proof["ke3"], "remember", "tablet"), session)
		}
		r := o.registration(t, "better horse", session)
		call(t, o.s, "POST /v1/opaque/register/finish", with(r), session).want(t, "without a proof", 400)
		call(t, o.s, "POST /v1/opaque/register/finish", with(r, "password", "correct horse"), session).
			want(t, "with a password", 400)
		change(r, o.confirm(t, session, "wrong horse")).want(t, "with a wrong one", 401)
		b := o.begin(t, "alice", "correct horse")
		ke3, _ := b.proof(t)
		change(r, map[string]any{"login_state": b.answer.text("state"), "ke3": encode(ke3)}).
			want(t, "with the state of a login", 400)
		changed := change(r, o.confirm(t, session, "correct horse"))
		changed.want(t, "change", 200)
		call(t, o.s, "GET /v1/me", "", session).want(t, "the old session", 401)
		call(t, o.s, "POST /v1/resume", resumeBy(in.text("resume_token"), "r"), "").want(t, "the old device", 401)
		session = changed.text("session_token")
		call(t, o.s, "GET /v1/me", "", session).want(t, "the new session", 200)
		o.out(t, session)
		o.finish(t, b, "alice", ke3).want(t, "a login begun before", 401)
		o.login(t, "alice", "correct horse").want(t, "the old password", 401)
		o.login(t, "alice", "better horse").want(t, "the new password", 200)
	})
}

// The connection over which a player has asked for another password breaks before the answer: the same request asked
// again hears what has come of it, and no other does.
func TestChangeByOpaqueOverACutConnection(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	session := o.register(t, "alice", "correct horse").text("session_token")
	r := o.registration(t, "better horse", session)
	for k, v := range o.confirm(t, session, "correct horse") {
		r[k] = v
	}
	body := with(r, "attempt_id", "one")
	conn, err := net.Dial("tcp", o.s.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /v1/opaque/register/finish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"+
		"Content-Length: %d\r\n\r\n%s", session, len(body), body)
	conn.Close()
	in := callUntil(t, o.s, "POST /v1/opaque/register/finish", body, session, 503)
	in.want(t, "asked again", 200)
	call(t, o.s, "GET /v1/me", "", session).want(t, "the old session", 401)
	call(t, o.s, "GET /v1/me", "", in.text("session_token")).want(t, "the new session", 200)
	call(t, o.s, "POST /v1/opaque/register/finish", with(r, "attempt_id", "two"), session).
		want(t, "another attempt", 401)
	call(t, o.s, "POST /v1/opaque/register/finish", with(r), session).want(t, "no attempt", 401)
	again := call(t, o.s, "POST /v1/opaque/register/finish", body, session)
	again.want(t, "once more", 200)
	o.out(t, again.text("session_token"))
	o.login(t, "alice", "correct horse").want(t, "the old password", 401)
	o.login(t, "alice", "better horse").want(t, "the new password", 200)
}

// A lost password is replaced by a registration by OPAQUE, or by a password, and there is never more than one.
func TestRecoveryOfOpaque(t *testing.T) {
	opaqueEverywhere(t, server.OpaquePrefer, func(t *testing.T, o opaquely) {
		ledger := account.New(o.store)
		code := func() string {
			t.Helper()
			code, _, err := ledger.RecoveryCode(t.Context(), "alice")
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		in := o.register(t, "alice", "correct horse")
		given := code()
		r := o.registration(t, "better horse", "", "username", "Alice", "recover", true)
		call(t, o.s, "POST /v1/recover/finish", with(r, "username", "alice", "code", "7K2M-QX9D-4HPT"), "").
			want(t, "a wrong code", 401)
		call(t, o.s, "POST /v1/recover/finish", with(r, "username", "bob", "code", given), "").want(t, "another's", 400)
		call(t, o.s, "POST /v1/recover/finish", with(r, "username", "alice", "code", given), "").want(t, "finish", 204)
		callUntil(t, o.s, "GET /v1/me", "", in.text("session_token"), 200).want(t, "the old session", 401)
		o.wantOpaque(t, "alice", true)
		o.login(t, "alice", "correct horse").want(t, "the old password", 401)
		in = o.login(t, "alice", "better horse")
		in.want(t, "the new password", 200)
		o.out(t, in.text("session_token"))

		call(t, o.s, "POST /v1/recover/finish",
			with(nil, "username", "alice", "code", code(), "password", "typed horse"), "").want(t, "a password", 204)
		o.wantOpaque(t, "alice", false)
		o.login(t, "alice", "better horse").want(t, "the record that is gone", 401)
		in = o.byPassword(t, "alice", "typed horse")
		in.want(t, "by password", 200)
		o.out(t, in.text("session_token"))

		r = o.registration(t, "best horse", "", "username", "alice", "recover", true)
		call(t, o.s, "POST /v1/recover/finish", with(r, "username", "alice", "code", code()), "").want(t, "back", 204)
		o.byPassword(t, "alice", "typed horse").want(t, "the hash that is gone", 401)
		o.login(t, "alice", "best horse").want(t, "by OPAQUE", 200)
	})
}

// What operators and players do with accounts works for one that is proved by OPAQUE.
func TestAccountsOfOpaque(t *testing.T) {
	opaqueEverywhere(t, server.OpaquePrefer, func(t *testing.T, o opaquely) {
		ledger := account.New(o.store)
		session := o.register(t, "alice", "correct horse").text("session_token")
		call(t, o.s, "POST /v1/account/password", passwords("correct horse", "other horse", "a"), session).
			want(t, "a change by password", 401)
		call(t, o.s, "POST /v1/account/delete", `{"password":"correct horse"}`, session).want(t, "delete by password", 409)
		call(t, o.s, "POST /v1/account/totp", `{"password":"correct horse"}`, session).want(t, "a factor by password", 409)
		export := call(t, o.s, "GET /v1/account/export", "", session)
		export.want(t, "export", 200)
		since := o.account(t, "alice").CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")
		want := fmt.Sprintf(`"credentials":[{"kind":"opaque","since":%q}]`, since)
		if !strings.Contains(export.raw, want) || strings.Contains(export.raw, "$opaque$") {
			t.Errorf("export: %s, want %s", export.raw, want)
		}
		shown, err := ledger.Show(t.Context(), "alice")
		if err != nil || shown.HashScheme != "none" || !slices.Contains(shown.Credentials, "opaque") {
			t.Errorf("shown as %+v, %v", shown, err)
		}

		o.out(t, session)
		ban := rushgate.Disabled{Until: time.Now().Add(time.Hour), Reason: "for cheating"}
		if _, err := ledger.Disable(t.Context(), "alice", account.Ban{Disabled: ban}); err != nil {
			t.Fatal(err)
		}
		o.login(t, "alice", "wrong horse").want(t, "banned, and wrong", 401)
		banned := o.login(t, "alice", "correct horse")
		banned.want(t, "banned", 403)
		if banned.text("disabled_reason") != "for cheating" {
			t.Errorf("banned: %s", banned.raw)
		}
		if _, err := ledger.Enable(t.Context(), "alice", ""); err != nil {
			t.Fatal(err)
		}
		in := o.login(t, "alice", "correct horse")
		in.want(t, "no longer banned", 200)
		session = in.text("session_token")
		call(t, o.s, "POST /v1/account/delete", with(o.confirm(t, session, "wrong horse")), session).want(t, "wrong", 401)
		call(t, o.s, "POST /v1/account/delete", with(o.confirm(t, session, "correct horse")), session).want(t, "delete", 200)
		call(t, o.s, "GET /v1/me", "", session).want(t, "after the deletion was asked for", 401)
		in = o.login(t, "alice", "correct horse")
		in.want(t, "login in the grace", 200)
		call(t, o.s, "POST /v1/account/keep", "", in.text("session_token")).want(t, "keep", 204)
		o.out(t, in.text("session_token"))

		a := o.account(t, "alice")
		rename := rushgate.Rename{Player: a.ID, Name: "alice", Epoch: a.Epoch, NewName: "lissie"}
		if err := o.store.RenameAccount(t.Context(), rename); err != nil {
			t.Fatal(err)
		}
		in = o.login(t, "lissie", "correct horse")
		in.want(t, "under another name", 200)
		o.out(t, in.text("session_token"))

		hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
		if err != nil {
			t.Fatal(err)
		}
		job := password.New("set horse")
		hasher.Run(t.Context(), []*password.Job{&job})
		if _, err := ledger.SetPassword(t.Context(), "lissie", job.Hash); err != nil {
			t.Fatal(err)
		}
		o.wantOpaque(t, "lissie", false)
		o.login(t, "lissie", "correct horse").want(t, "the record that is gone", 401)
		o.byPassword(t, "lissie", "set horse").want(t, "the password that was set", 200)
	})
}

// An account with a second factor asks for it after the proof, and the state is good for the try with the code.
func TestSecondFactorOfOpaque(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	session := o.register(t, "alice", "correct horse").text("session_token")
	setup := call(t, o.s, "POST /v1/account/totp", with(o.confirm(t, session, "correct horse")), session)
	setup.want(t, "set up", 200)
	code := func(at time.Time) string {
		t.Helper()
		code, err := totp.GenerateCode(setup.text("secret"), at)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	confirmed := call(t, o.s, "POST /v1/account/totp/confirm", with(nil, "code", code(time.Now())), session)
	confirmed.want(t, "confirm", 200)
	codes, _ := confirmed.body["recovery_codes"].([]any)
	o.out(t, session)

	b := o.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	asked := o.finish(t, b, "alice", ke3)
	if asked.status != 401 || asked.text("reason") != "second-factor" {
		t.Errorf("without a code: %d %s", asked.status, asked.raw)
	}
	in := o.finish(t, b, "alice", ke3, "code", codes[0])
	in.want(t, "with a code", 200)
	session = in.text("session_token")
	proof := o.confirm(t, session, "correct horse")
	call(t, o.s, "DELETE /v1/account/totp", with(proof, "code", "000000"), session).want(t, "remove by a wrong code", 401)
	proof = o.confirm(t, session, "correct horse")
	call(t, o.s, "DELETE /v1/account/totp", with(proof, "code", codes[1]), session).want(t, "remove", 204)
	o.out(t, session)
	o.login(t, "alice", "correct horse").want(t, "without a factor", 200)
}

// A state is good once, at its own account, for what it was made for, and for a while.
func TestStatesOfOpaque(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	o.out(t, o.register(t, "alice", "correct horse").text("session_token"))
	o.out(t, o.register(t, "bob", "bobs horse").text("session_token"))

	b := o.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	o.finish(t, b, "bob", ke3).want(t, "at another's account", 401)
	o.finish(t, b, "alice", ke3).want(t, "a state that was wrong once", 409)

	b = o.begin(t, "alice", "correct horse")
	ke3, _ = b.proof(t)
	other := o.begin(t, "alice", "correct horse")
	other.proof(t)
	o.finish(t, other, "alice", ke3).want(t, "the proof of another try", 401)
	in := o.finish(t, b, "alice", ke3)
	in.want(t, "the right one", 200)
	o.finish(t, b, "alice", ke3, "takeover", true).want(t, "once more", 409)
	session := in.text("session_token")

	unknown := o.begin(t, "mallory", "correct horse")
	nonsense := make([]byte, 64)
	o.finish(t, unknown, "mallory", nonsense).want(t, "no account", 401)
	o.finish(t, unknown, "mallory", nonsense).want(t, "no account, once more", 409)

	damaged := o.begin(t, "alice", "correct horse")
	ke3, _ = damaged.proof(t)
	state := decode(t, damaged.answer, "state")
	state[len(state)-1] ^= 1
	call(t, o.s, "POST /v1/opaque/login/finish",
		with(nil, "username", "alice", "state", encode(state), "ke3", encode(ke3)), "").want(t, "damaged", 400)

	r := o.registration(t, "correct horse", "", "username", "carol")
	call(t, o.s, "POST /v1/opaque/register/finish", with(r, "username", "dave"), "").want(t, "another's name", 400)
	call(t, o.s, "POST /v1/opaque/register/finish", with(r), session).want(t, "for an account that there is", 400)
	call(t, o.s, "POST /v1/opaque/login/finish",
		with(nil, "username", "carol", "state", r["state"], "ke3", encode(nonsense)), "").want(t, "as a login", 400)
	first := call(t, o.s, "POST /v1/opaque/register/finish", with(r, "username", "carol", "attempt_id", "one"), "")
	first.want(t, "registration", 201)
	call(t, o.s, "POST /v1/opaque/register/finish", with(r, "username", "carol", "attempt_id", "two"), "").
		want(t, "once more", 409)
	again := call(t, o.s, "POST /v1/opaque/register/finish", with(r, "username", "carol", "attempt_id", "one"), "")
	again.want(t, "once more, the answer was lost", 201)
	if again.body["player_id"] != first.body["player_id"] {
		t.Errorf("once more: %s, was %s", again.raw, first.raw)
	}
}

// A session elsewhere is taken over with the same state; a full world has the player wait with it.
func TestOpaqueTakesOver(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, func(c *server.Config) { c.MaxPlayers = 1 })
	first := o.register(t, "alice", "correct horse", "attempt_id", "a").text("session_token")
	b := o.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	o.finish(t, b, "alice", ke3).want(t, "inside already", 409)
	takeover := with(nil, "takeover", true, "attempt_id", "b", "username", "alice", "state", b.answer.text("state"),
		"ke3", encode(ke3))
	in := callUntil(t, o.s, "POST /v1/opaque/login/finish", takeover, "", 503)
	in.want(t, "takeover", 200)
	call(t, o.s, "GET /v1/me", "", first).want(t, "the session that was taken over", 401)

	full := o.register(t, "bob", "bobs horse")
	full.want(t, "a full world", 503)
}

// A player who proves the account by OPAQUE and finds the world full is given a place in its line, and comes in by
// that.
func TestOpaqueWaitsForTheWorld(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, func(c *server.Config) { c.MaxPlayers = 1 })
	o.out(t, o.register(t, "alice", "correct horse").text("session_token"))
	inside := o.register(t, "bob", "bobs horse").text("session_token")
	o.login(t, "alice", "correct horse").want(t, "without a wish to wait", 503)
	secret := "0123456789abcdef"
	told := o.login(t, "alice", "correct horse", "wait", true, "line_secret", secret)
	told.want(t, "a wish to wait", 503)
	if told.text("ticket") == "" || told.text("proof") == "" {
		t.Fatalf("told %s", told.raw)
	}
	wrong := o.login(t, "alice", "wrong horse", "wait", true, "line_secret", secret)
	wrong.want(t, "the wrong password", 401)
	o.out(t, inside)
	entry := with(nil, "ticket", told.text("ticket"), "proof", told.text("proof"), "line_secret", secret)
	callUntil(t, o.s, "POST /v1/enter", entry, "", 503).want(t, "entry", 200)
}

// An e-mail address takes a proof by OPAQUE in place of the password.
func TestEmailByOpaque(t *testing.T) {
	o := opaqueOn(t, server.OpaqueOnly, func(c *server.Config) {
		c.SMTPURL, c.MailFrom = "smtps://127.0.0.1:1", "noreply@example.org" // nothing is sent
	})
	session := o.register(t, "alice", "correct horse").text("session_token")
	ask := func(proof map[string]any, more ...any) answered {
		return call(t, o.s, "POST /v1/account/email", with(proof, append(more, "email", "a@example.org")...), session)
	}
	ask(nil).want(t, "without a proof", 400)
	ask(nil, "current", "correct horse").want(t, "with a password", 403)
	ask(o.confirm(t, session, "wrong horse")).want(t, "with a wrong one", 401)
	ask(o.confirm(t, session, "correct horse"), "current", "correct horse").want(t, "with both", 400)
	ask(o.confirm(t, session, "correct horse")).want(t, "with a proof", 202)
	email := call(t, o.s, "GET /v1/account/email", "", session)
	if email.want(t, "addresses", 200); email.text("pending") != "a@example.org" {
		t.Errorf("addresses: %s", email.raw)
	}
}

// A node that takes no passwords says so, whatever they are for.
func TestOpaqueOnly(t *testing.T) {
	o := opaqueOn(t, server.OpaqueOnly, nil)
	session := o.register(t, "alice", "correct horse").text("session_token")
	if status := call(t, o.s, "GET /v1/status", "", ""); status.text("opaque") != "only" {
		t.Errorf("status: %s", status.raw)
	}
	for request, body := range map[string]string{
		"POST /v1/login":            `{"username":"alice","password":"correct horse"}`,
		"POST /v1/register":         `{"username":"bob","password":"correct horse"}`,
		"POST /v1/account/password": passwords("correct horse", "better horse", "a"),
		"POST /v1/account/delete":   `{"password":"correct horse"}`,
		"POST /v1/account/totp":     `{"password":"correct horse"}`,
		"POST /v1/recover/finish":   `{"username":"alice","code":"7K2M-QX9D-4HPT","password":"better horse"}`,
	} {
		a := call(t, o.s, request, body, session)
		if a.status != 403 || a.text("reason") != "missing-credentials" || !strings.Contains(a.raw, "OPAQUE") {
			t.Errorf("%s: %d %s", request, a.status, a.raw)
		}
	}
	o.out(t, session)
	o.login(t, "alice", "correct horse").want(t, "login", 200)
}

// A node without OPAQUE says so.
func TestOpaqueOff(t *testing.T) {
	o := opaqueOn(t, "", nil)
	session, _ := join(t, o.s, "alice")
	if status := call(t, o.s, "GET /v1/status", "", ""); status.status != 200 || status.text("opaque") != "" {
		t.Errorf("status: %s", status.raw)
	}
	for _, path := range []string{"login/start", "login/finish", "register/start", "register/finish", "confirm/start"} {
		call(t, o.s, "POST /v1/opaque/"+path, `{}`, session).want(t, path, 404)
	}
}

// Whatever is no request of OPAQUE is refused, and says why.
func TestMalformedOpaque(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	o.out(t, o.register(t, "alice", "correct horse").text("session_token"))
	b := o.begin(t, "alice", "correct horse")
	state, zeros := b.answer.text("state"), func(n int) string { return encode(make([]byte, n)) }
	ones := func(n int) string { return encode(bytes.Repeat([]byte{255}, n)) }
	for _, c := range []struct {
		path string
		body string
	}{
		{"login/start", ``}, {"login/start", `[]`}, {"login/start", `{}`}, {"login/start", with(nil, "ke1", zeros(96))},
		{"login/start", with(nil, "username", "alice")}, {"login/start", with(nil, "username", "alice", "ke1", zeros(95))},
		{"login/start", with(nil, "username", "alice", "ke1", zeros(97))},
		{"login/start", with(nil, "username", "alice", "ke1", zeros(96))}, // the neutral element
		{"login/start", with(nil, "username", "alice", "ke1", ones(96))},
		{"login/start", with(nil, "username", "alice", "ke1", zeros(96)+"=")},
		{"login/start", with(nil, "username", "alice", "ke1", 96)},
		{"login/start", with(nil, "username", "a\nb", "ke1", zeros(96))},
		{"login/start", with(nil, "username", "alice", "ke1", zeros(96), "password", "correct horse")},
		{"login/finish", with(nil, "username", "alice", "state", state)},
		{"login/finish", with(nil, "username", "alice", "ke3", zeros(64))},
		{"login/finish", with(nil, "state", state, "ke3", zeros(64))},
		{"login/finish", with(nil, "username", "alice", "state", state, "ke3", zeros(63))},
		{"login/finish", with(nil, "username", "alice", "state", "", "ke3", zeros(64))},
		{"login/finish", with(nil, "username", "alice", "state", "AQ", "ke3", zeros(64))},
		{"login/finish", with(nil, "username", "alice", "state", zeros(300), "ke3", zeros(64))},
		{"login/finish", with(nil, "username", "alice", "state", ones(700), "ke3", zeros(64))},
		{"login/finish", with(nil, "username", "alice", "state", state, "ke3", zeros(64), "password", "x")},
		{"login/finish", with(nil, "username", "alice", "state", state, "ke3", zeros(64), "attempt_id", "a b")},
		{"register/start", `{}`}, {"register/start", with(nil, "username", "bob", "request", zeros(32))},
		{"register/start", with(nil, "username", "admin", "request", zeros(32))},
		{"register/start", with(nil, "username", "bob", "request", ones(32))},
		{"register/start", with(nil, "username", "bob", "request", zeros(33))},
		{"register/finish", with(nil, "username", "bob", "state", state, "upload", zeros(192))},
		{"register/finish", with(nil, "username", "bob", "state", zeros(90), "upload", zeros(192))},
		{"register/finish", with(nil, "username", "bob", "state", state, "upload", zeros(191))},
	} {
		a := call(t, o.s, "POST /v1/opaque/"+c.path, c.body, "")
		if a.status != 400 || a.text("reason") != "missing-credentials" || a.text("message") == "" {
			t.Errorf("%s %s: %d %s", c.path, c.body, a.status, a.raw)
		}
	}
	r := o.registration(t, "correct horse", "", "username", "bob")
	for name, upload := range map[string]string{"zeros": zeros(192), "no element": ones(192)} {
		call(t, o.s, "POST /v1/opaque/register/finish",
			with(nil, "username", "bob", "state", r["state"], "upload", upload), "").want(t, name, 400)
	}
	ke3, _ := b.proof(t)
	o.finish(t, b, "alice", ke3).want(t, "the login, in spite of it all", 200)
}

// A name without an account, one that is proved by a password, and one by OPAQUE are answered in as many bytes, from
// beginning to end.
func TestOpaqueTellsNoNames(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	o.register(t, "alice", "correct horse").want(t, "registration", 201)
	join(t, o.s, "bobby")
	first, second := "", ""
	for _, name := range []string{"alice", "bobby", "carol", "x_long_name_without_an_account"} {
		b := o.begin(t, name, "guessed horse")
		begun := fmt.Sprint(b.answer.status, len(b.answer.raw), len(b.answer.text("ke2")), len(b.answer.text("state")))
		a := o.finish(t, b, name, make([]byte, 64))
		finished := fmt.Sprint(a.status, a.raw)
		if first == "" {
			first, second = begun, finished
		}
		if begun != first || finished != second {
			t.Errorf("%s is answered %s and %s, others %s and %s", name, begun, finished, first, second)
		}
	}
}

// Guesses lock out whoever makes them, though none comes back with what it has found out; a right one is forgiven.
func TestGuessesByOpaqueAreCounted(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	o.out(t, o.register(t, "alice", "correct horse").text("session_token"))
	b := o.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	for range 4 {
		o.begin(t, "alice", "guess").answer.want(t, "a guess", 200)
	}
	o.begin(t, "alice", "guess").answer.want(t, "one guess too many", 429)
	o.byPassword(t, "alice", "guess").want(t, "by password", 429)
	o.finish(t, b, "alice", ke3).want(t, "a login that was begun before", 200)

	for _, name := range []string{"bobby", "nobody"} {
		for range 5 {
			o.login(t, name, "guess").want(t, "a wrong one", 401)
		}
		o.login(t, name, "guess").want(t, "locked out", 429)
	}
}

// Two nodes with one file of keys take each other's states; one with other keys does not start.
func TestOpaqueOnTwoNodes(t *testing.T) {
	r := redistest.Start(t)
	cfg := onRedis(t, r)
	cfg.Opaque = server.OpaquePrefer
	one := opaquely{s: start(t, cfg)}
	other := onRedis(t, r)
	other.Opaque = server.OpaquePrefer
	if _, err := server.Start(t.Context(), other); err == nil || !strings.Contains(err.Error(), "is missing") ||
		!strings.Contains(err.Error(), "put back your copy") {
		t.Fatalf("a node that has lost its keys: %v", err)
	}
	if _, err := os.Stat(filepath.Join(other.DataDir, server.OpaqueKeysName)); err == nil {
		t.Error("a node that does not start has left a file of keys")
	}
	if _, err := server.MakeOpaqueKeys(filepath.Join(other.DataDir, server.OpaqueKeysName)); err != nil {
		t.Fatal(err)
	}
	_, err := server.Start(t.Context(), other)
	if wrong := (*server.SettingError)(nil); !errors.As(err, &wrong) || wrong.Setting != "DataDir" ||
		!strings.Contains(err.Error(), server.OpaqueKeysName+" has none: put back your copy") {
		t.Fatalf("a node with other keys: %v", err)
	}
	other = onRedis(t, r)
	other.Opaque, other.OpaqueKeyFile = server.OpaquePrefer, filepath.Join(cfg.DataDir, server.OpaqueKeysName)
	two := opaquely{s: start(t, other)}

	one.out(t, one.register(t, "alice", "correct horse").text("session_token"))
	b := one.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	in := two.finish(t, b, "alice", ke3)
	in.want(t, "finish at the other node", 200)
	one.finish(t, b, "alice", ke3, "takeover", true).want(t, "once more, at the node that it began at", 409)
	two.out(t, in.text("session_token"))
	one.finish(t, b, "alice", ke3).want(t, "once more, when the player has left", 409)
	other1, other2 := one.begin(t, "alice", "correct horse"), two.begin(t, "alice", "correct horse")
	ke3, _ = other2.proof(t)
	in = one.finish(t, other2, "alice", ke3)
	in.want(t, "another login", 200)
	one.out(t, in.text("session_token"))
	ke3, _ = other1.proof(t)
	in = two.finish(t, other1, "alice", ke3)
	in.want(t, "one that was begun before that", 200)
	two.out(t, in.text("session_token"))

	registration := one.registration(t, "bobs horse", "", "username", "bob")
	in = call(t, two.s, "POST /v1/opaque/register/finish", with(registration, "username", "bob"), "")
	in.want(t, "registration at the other node", 201)
	two.out(t, in.text("session_token"))
	one.login(t, "bob", "bobs horse").want(t, "login at the first", 200)
}

// A new key is put to use while the node runs, and those who are registered with the one before log in as ever.
func TestRotationOfOpaqueKeys(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.Opaque = server.OpaquePrefer
	s := start(t, cfg)
	o := opaquely{s: s}
	o.out(t, o.register(t, "alice", "correct horse").text("session_token"))
	path := filepath.Join(cfg.DataDir, server.OpaqueKeysName)
	id, err := server.PrepareOpaqueKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if used, err := server.UseOpaqueKey(path); err != nil || used != id {
		t.Fatalf("key %q is put to use, want %q: %v", used, id, err)
	}
	b := o.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	in := o.finish(t, b, "alice", ke3)
	in.want(t, "a login that was begun before", 200)
	o.out(t, in.text("session_token"))
	o.login(t, "alice", "correct horse").want(t, "an old record", 200)
	o.out(t, o.register(t, "bob", "bobs horse").text("session_token"))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	o = opaquely{s: start(t, cfg)}
	o.login(t, "bob", "bobs horse").want(t, "a new record", 200)
	o.login(t, "alice", "correct horse").want(t, "an old record, after a restart", 200)
}

// withFactor registers a player whose account has a second factor, and returns recovery codes.
func (o opaquely) withFactor(t *testing.T, name, pass string) (session string, codes []any) {
	t.Helper()
	session = o.register(t, name, pass).text("session_token")
	setup := call(t, o.s, "POST /v1/account/totp", with(o.confirm(t, session, pass)), session)
	code, err := totp.GenerateCode(setup.text("secret"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	confirmed := call(t, o.s, "POST /v1/account/totp/confirm", with(nil, "code", code), session)
	confirmed.want(t, "a second factor", 200)
	codes, _ = confirmed.body["recovery_codes"].([]any)
	return session, codes
}

// What takes a proof by OPAQUE takes a code beside it if the account has a second factor: another name, passkeys, and
// another password. A player who is renamed goes on logging in by the same record.
func TestSecondFactorBesideAProofByOpaque(t *testing.T) {
	o := opaqueOn(t, server.OpaqueOnly, func(c *server.Config) {
		c.PasskeyOrigins = []string{"https://play.example.com"}
	})
	session, codes := o.withFactor(t, "alice", "correct horse")
	asks := func(what, request string, more ...any) answered {
		t.Helper()
		proof := o.confirm(t, session, "correct horse")
		a := call(t, o.s, request, with(proof, more...), session)
		if a.status != 401 || a.text("reason") != "second-factor" {
			t.Errorf("%s without a code: %d %s", what, a.status, a.raw)
		}
		a = call(t, o.s, request, with(proof, append(more, "code", codes[0])...), session) // the state is good for that
		codes = codes[1:]
		return a
	}
	asks("a passkey", "POST /v1/account/passkeys/start").want(t, "a passkey with a code", 200)
	r := o.registration(t, "better horse", session)
	changed := asks("another password", "POST /v1/opaque/register/finish", "state", r["state"], "upload", r["upload"])
	changed.want(t, "another password with a code", 200)
	o.out(t, changed.text("session_token"))
	in := o.login(t, "alice", "better horse", "code", codes[0])
	in.want(t, "login with the other password", 200)
	o.out(t, in.text("session_token"))

	session, codes = o.withFactor(t, "bobby", "correct horse")
	proof := o.confirm(t, session, "correct horse")
	rename := func(code any) answered {
		t.Helper()
		return call(t, o.s, "POST /v1/account/name", with(proof, "name", "lissie", "code", code), session)
	}
	if a := rename("000000"); a.status != 401 || a.text("reason") != "second-factor" {
		t.Errorf("another name with a wrong code: %d %s", a.status, a.raw)
	}
	rename(codes[0]).want(t, "a proof that a wrong code came with", 409)
	proof = o.confirm(t, session, "correct horse")
	renamed := rename(codes[0])
	renamed.want(t, "another name", 200)
	o.out(t, renamed.text("session_token"))
	o.login(t, "bobby", "correct horse", "code", codes[1]).want(t, "the old name", 401)
	o.login(t, "lissie", "correct horse", "code", codes[1]).want(t, "the new name", 200)
}

// A door that is shut refuses what is begun by OPAQUE before anything is computed, in the words of a login, and lets
// nobody finish what was begun before.
func TestOpaqueAtAShutDoor(t *testing.T) {
	o := opaqueOn(t, server.OpaquePrefer, nil)
	o.out(t, o.register(t, "alice", "correct horse").text("session_token"))
	b := o.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	r := o.registration(t, "bobs horse", "", "username", "bobby")
	operate(t, o.s, "/mode", `{"mode":"closed","message":"Back soon"}`)
	for what, a := range map[string]answered{
		"a login":                 o.begin(t, "alice", "correct horse").answer,
		"a login begun before":    o.finish(t, b, "alice", ke3),
		"a registration":          o.register503(t, "carol"),
		"one that was begun":      call(t, o.s, "POST /v1/opaque/register/finish", with(r, "username", "bobby"), ""),
		"a password, for measure": o.byPassword(t, "alice", "correct horse"),
	} {
		if a.status != 503 || a.text("mode") != "closed" || a.text("reason") != "server-busy" || a.text("ticket") != "" {
			t.Errorf("%s: %d %s", what, a.status, a.raw)
		}
	}
	operate(t, o.s, "/mode", `{"mode":"open"}`)
	o.finish(t, b, "alice", ke3).want(t, "the login, once the door is open", 200)
}

// register503 begins a registration that is refused.
func (o opaquely) register503(t *testing.T, name string) answered {
	t.Helper()
	request, err := unstretched(t).RegistrationInit([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	return call(t, o.s, "POST /v1/opaque/register/start",
		with(nil, "username", name, "request", encode(request.Serialize())), "")
}
