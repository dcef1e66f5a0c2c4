package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/server"
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
