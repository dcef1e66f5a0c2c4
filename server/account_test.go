package server_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

func passwords(current, next, attempt string) string {
	return fmt.Sprintf(`{"current":%q,"new":%q,"attempt_id":%q,"remember":"phone"}`, current, next, attempt)
}

// A player who changes the password goes on with another session, and all that let others in is over.
func TestChangeOfPassword(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		session, resume := join(t, s, "alice")
		call(t, s, "POST /v1/account/password", passwords("wrong horse", "better horse", "a"), session).want(t, "wrong", 401)
		call(t, s, "GET /v1/me", "", session).want(t, "after a wrong one", 200)
		call(t, s, "POST /v1/account/password", passwords("correct horse", "correct horse", ""), session).want(t, "same", 400)
		call(t, s, "POST /v1/account/password", passwords("correct horse", "alice", "a"), session).want(t, "weak", 400)
		call(t, s, "POST /v1/account/password", passwords("correct horse", "better horse", "a"), "").want(t, "nobody's", 401)

		body := passwords("correct horse", "better horse", "b")
		changed := call(t, s, "POST /v1/account/password", body, session)
		changed.want(t, "change", 200)
		call(t, s, "GET /v1/me", "", changed.text("session_token")).want(t, "the new session", 200)
		call(t, s, "GET /v1/me", "", session).want(t, "the old session", 401)
		call(t, s, "POST /v1/resume", resumeBy(resume, "c"), "").want(t, "the old device", 401)

		again := call(t, s, "POST /v1/account/password", body, session) // its answer was lost
		again.want(t, "the same try again", 200)
		now := again.text("session_token")
		call(t, s, "GET /v1/me", "", now).want(t, "the session of the same try", 200)
		call(t, s, "POST /v1/account/password", passwords("correct horse", "other horse", "b"), session).want(t, "other", 401)

		call(t, s, "POST /v1/logout", "", now).want(t, "logout", 204)
		call(t, s, "POST /v1/login", `{"username":"alice","password":"correct horse"}`, "").want(t, "the old password", 401)
		call(t, s, "POST /v1/login", `{"username":"alice","password":"better horse"}`, "").want(t, "the new password", 200)
	})
}

// A player sees the account and its devices, ends one of them, and all.
func TestDevicesOfAnAccount(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		session, resume := join(t, s, "alice")
		account := call(t, s, "GET /v1/account", "", session)
		account.want(t, "account", 200)
		devices, _ := account.body["devices"].([]any)
		if len(devices) != 1 || account.text("name") != "alice" || strings.Contains(account.raw, resume) {
			t.Fatalf("account: %s", account.raw)
		}
		device := devices[0].(map[string]any)
		handle := device["handle"].(string)
		if device["label"] != "phone" || strings.Contains(resume, handle) {
			t.Errorf("device: %v", device)
		}
		call(t, s, "POST /v1/logout", "", session).want(t, "logout", 204)
		in := call(t, s, "POST /v1/login", `{"username":"alice","password":"correct horse","remember":"tablet"}`, "")
		session = in.text("session_token")
		call(t, s, "DELETE /v1/account/devices/nonsense", "", session).want(t, "no device", 404)
		call(t, s, "DELETE /v1/account/devices/"+handle, "", session).want(t, "forget", 204)
		call(t, s, "DELETE /v1/account/devices/"+handle, "", session).want(t, "forget again", 404)
		call(t, s, "POST /v1/resume", resumeBy(resume, "c"), "").want(t, "the device that is forgotten", 401)
		call(t, s, "GET /v1/me", "", session).want(t, "the session of another device", 200)

		call(t, s, "POST /v1/account/logout-everywhere", "", session).want(t, "everywhere", 204)
		call(t, s, "GET /v1/me", "", session).want(t, "the session", 401)
		call(t, s, "POST /v1/resume", resumeBy(in.text("resume_token"), "d"), "").want(t, "the other device", 401)
	})
}

// A player sees where the account was used, and what has happened to it, but not what operators have written.
func TestHistoryOfAnAccount(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		session, resume := join(t, s, "alice")
		call(t, s, "POST /v1/logout", "", session).want(t, "logout", 204)
		in := call(t, s, "POST /v1/resume", resumeBy(resume, "c"), "")
		in.want(t, "resume", 200)
		body := passwords("correct horse", "better horse", "a")
		in = call(t, s, "POST /v1/account/password", body, in.text("session_token"))
		in.want(t, "change", 200)
		if err := s.Stop(); err != nil { // which writes what waits
			t.Fatal(err)
		}
		s = start(t)
		got := call(t, s, "GET /v1/account/history", "", in.text("session_token"))
		got.want(t, "history", 200)
		kinds := make(map[string]map[string]any)
		events, _ := got.body["events"].([]any)
		for _, e := range events {
			e := e.(map[string]any)
			kinds[e["kind"].(string)] = e
		}
		for kind, want := range map[string]string{
			"registration": "phone true", "device": "phone true", "password-changed": "<nil> false",
		} {
			e := kinds[kind]
			if fmt.Sprint(e["device"], " ", e["sign_in"]) != want || e["address"] != "127.0.0.1" {
				t.Errorf("%s: %v", kind, e)
			}
		}
		if len(events) != 3 {
			t.Errorf("history: %s", got.raw)
		}
	})
}

// An export has all that is kept of the player but what is secret, twice in a minute.
func TestExportOfAnAccount(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		session, resume := join(t, s, "alice")
		got := call(t, s, "GET /v1/account/export", "", session)
		got.want(t, "export", 200)
		for _, part := range []string{
			`"name":"alice"`, `"credentials":[{"kind":"password","since":"20`, `"label":"phone"`,
			`"numbers":{`, `"data":"`, `"history":[`,
		} {
			if !strings.Contains(got.raw, part) {
				t.Errorf("no %s in %s", part, got.raw)
			}
		}
		for _, secret := range []string{"$", session, resume, strings.Split(resume, ".")[len(strings.Split(resume, "."))-1]} {
			if strings.Contains(got.raw, secret) {
				t.Errorf("%s is in %s", secret, got.raw)
			}
		}
		call(t, s, "GET /v1/account/export", "", session).want(t, "another", 200)
		call(t, s, "GET /v1/account/export", "", session).want(t, "a third", 429)
		call(t, s, "GET /v1/account/export", "", "").want(t, "nobody's", 401)
	})
}

// A player who asks for it with the password is deleted when the grace is over, and can take it back until then.
func TestDeletionOfAnAccount(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		session, resume := join(t, s, "alice")
		proof := `{"password":"correct horse"}`
		call(t, s, "POST /v1/account/delete", `{"password":"wrong horse"}`, session).want(t, "wrong", 401)
		call(t, s, "GET /v1/me", "", session).want(t, "after a wrong one", 200)
		asked := call(t, s, "POST /v1/account/delete", proof, session)
		asked.want(t, "delete", 200)
		call(t, s, "GET /v1/me", "", session).want(t, "the session", 401)
		call(t, s, "POST /v1/resume", resumeBy(resume, "c"), "").want(t, "the device", 401)

		login := `{"username":"alice","password":"correct horse"}`
		in := call(t, s, "POST /v1/login", login, "")
		in.want(t, "a login in the grace", 200)
		session = in.text("session_token")
		for _, a := range []answered{in, call(t, s, "GET /v1/account", "", session)} {
			if at := a.text("delete_at"); at == "" || at != asked.text("delete_at") {
				t.Errorf("deleted at %q, not %q", at, asked.text("delete_at"))
			}
		}
		call(t, s, "POST /v1/account/keep", "", session).want(t, "keep", 204)
		if a := call(t, s, "GET /v1/account", "", session); strings.Contains(a.raw, "delete_at") {
			t.Errorf("kept: %s", a.raw)
		}
	})
}

// Without a grace the account is gone at once, and its name is free.
func TestDeletionAtOnce(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.DeleteAfter = server.AtOnce
	store := memory.New(memory.Options{})
	cfg.Store = store
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	call(t, s, "POST /v1/account/delete", `{"password":"correct horse"}`, session).want(t, "delete", 200)
	for {
		loaded, err := store.LoadAccounts(t.Context(), []string{"alice"})
		if err != nil {
			t.Fatal(err)
		}
		if loaded[0].ID == 0 {
			break
		}
		runtime.Gosched()
	}
	body := `{"username":"alice","password":"better horse"}`
	call(t, s, "POST /v1/register", body, "").want(t, "another player of the name", 201)
}

// forgetful is a store whose accounts have no passwords any more once it has forgotten them.
type forgetful struct {
	rushgate.Store
	forgot atomic.Bool
}

func (f *forgetful) LoadAccounts(ctx context.Context, names []string) ([]rushgate.LoadedAccount, error) {
	accounts, err := f.Store.LoadAccounts(ctx, names)
	for i := range accounts {
		if f.forgot.Load() {
			accounts[i].PasswordHash = ""
		}
	}
	return accounts, err
}

// A session alone does not prove an account that has no password, and the player is told so.
func TestDeletionTakesAPassword(t *testing.T) {
	store := &forgetful{Store: memory.New(memory.Options{})}
	cfg := config(t, t.TempDir())
	cfg.Store = store
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	store.forgot.Store(true)
	refused := call(t, s, "POST /v1/account/delete", `{"password":"correct horse"}`, session)
	refused.want(t, "delete", 409)
	if !strings.Contains(refused.text("message"), "no password") {
		t.Errorf("the player is told %s", refused.raw)
	}
	call(t, s, "GET /v1/me", "", session).want(t, "the session", 200)
}

// A session has a small budget for calls about its account.
func TestCallsAboutAnAccountAreBounded(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	session, _ := join(t, s, "alice")
	limited := 0
	for range 30 {
		if a := call(t, s, "GET /v1/account", "", session); a.status == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("thirty calls at once were all answered")
	}
}
