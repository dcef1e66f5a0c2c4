package server_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// factored is a player inside with a second factor, of a game that asks for codes by typed.
type factored struct {
	*client.Session
	client   *client.Client
	recovery []string
	typed    func() string
}

// newFactored registers alice, and gives the account an authenticator.
func newFactored(t *testing.T, s *server.Server) *factored {
	t.Helper()
	f := new(factored)
	f.client = newClient(t, s, client.Options{Code: func(context.Context) (string, error) { return f.typed(), nil }})
	var err error
	if f.Session, err = f.client.Register(t.Context(), "alice", oldPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SetUpSecondFactor(t.Context(), "wrong horse"); !errors.Is(err, rushgate.BadCredentials) ||
		errors.Is(err, client.ErrSessionEnded) {
		t.Errorf("set up with a wrong password: %v", err)
	}
	app, err := f.SetUpSecondFactor(t.Context(), oldPassword)
	if err != nil || !strings.HasPrefix(app.URI, "otpauth://totp/") || !bytes.HasPrefix(app.QR, []byte("\x89PNG")) {
		t.Fatalf("set up: %q, %d bytes, %v", app.URI, len(app.QR), err)
	}
	if _, err := f.ConfirmSecondFactor(t.Context(), "ABCD-EFGH-IJKL-MNOP"); !errors.Is(err, rushgate.SecondFactor) {
		t.Errorf("confirm with a wrong code: %v", err)
	}
	code, err := totp.GenerateCode(app.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if f.recovery, err = f.ConfirmSecondFactor(t.Context(), code); err != nil || len(f.recovery) != 10 {
		t.Fatalf("confirm: %d codes, %v", len(f.recovery), err)
	}
	f.typed = f.next
	return f
}

// next returns a recovery code that is good.
func (f *factored) next() string {
	code := f.recovery[0]
	f.recovery = f.recovery[1:]
	return code
}

// A game lets its player look after the second factor.
func TestSecondFactorInGo(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	f := newFactored(t, s)
	if got, err := f.SecondFactor(t.Context()); err != nil ||
		got != (client.SecondFactor{Active: true, Ask: client.AskNewDevices, RecoveryCodes: 10}) {
		t.Errorf("the second factor is %+v, %v", got, err)
	}
	if err := f.SetAsk(t.Context(), oldPassword, "ABCD-EFGH-IJKL-MNOP", client.AskAlways); !errors.Is(err, rushgate.SecondFactor) {
		t.Errorf("with a wrong code: %v", err)
	}
	if err := f.SetAsk(t.Context(), oldPassword, f.next(), client.AskAlways); err != nil {
		t.Errorf("ask always: %v", err)
	}
	others, err := f.RenewRecoveryCodes(t.Context(), oldPassword, f.next())
	if err != nil || len(others) != 10 {
		t.Fatalf("others: %d codes, %v", len(others), err)
	}
	f.recovery = others
	if got, err := f.SecondFactor(t.Context()); err != nil || got.Ask != client.AskAlways || got.RecoveryCodes != 10 {
		t.Errorf("the second factor is %+v, %v", got, err)
	}
	if err := f.ChangePassword(t.Context(), oldPassword, newPassword); err != nil { // it asks for the code
		t.Errorf("change of the password: %v", err)
	}
	if err := f.Rename(t.Context(), "alina", newPassword); err != nil {
		t.Errorf("rename: %v", err)
	}
	if err := f.RemoveSecondFactor(t.Context(), newPassword, f.next()); err != nil {
		t.Errorf("remove: %v", err)
	}
	if len(f.recovery) != 7 {
		t.Errorf("%d codes are left, want 7: each change takes one", len(f.recovery))
	}
}

// Who has nothing to ask the player with is told that a code is needed, and has changed nothing.
func TestChangesWithoutACode(t *testing.T) {
	by := mailServer(t)
	s := start(t, withMail(t, config(t, t.TempDir()), by))
	f := newFactored(t, s)
	tried := 0
	f.typed = func() string { tried++; return "ABCD-EFGH-IJKL-MNOP" }
	err := f.SetEmail(t.Context(), "alice@example.org", oldPassword, "")
	if !errors.Is(err, rushgate.SecondFactor) || tried != 3 {
		t.Errorf("after %d wrong codes: %v", tried, err)
	}
	if got, err := f.Email(t.Context()); err != nil || got != (client.Addresses{}) {
		t.Errorf("the addresses are %+v, %v", got, err)
	}
	f.typed = f.next
	if at, err := f.DeleteAccount(t.Context(), oldPassword); err != nil || at.IsZero() {
		t.Errorf("delete with a code: %v", err)
	}
}

// An operator takes a second factor away, asked twice; the player hears of it by mail and sees it in the history.
func TestSecondFactorRemovedByAnOperator(t *testing.T) {
	by := mailServer(t)
	cfg := withMail(t, config(t, t.TempDir()), by)
	s := start(t, cfg)
	f := newFactored(t, s)
	if err := f.SetEmail(t.Context(), "alice@example.org", oldPassword, ""); err != nil {
		t.Fatal(err)
	}
	if err := f.VerifyEmail(t.Context(), codeOf(t, by.Await(1)[0])); err != nil {
		t.Fatal(err)
	}
	status, asked := order(t, s, "remove-second-factor", "alice")
	confirm, _ := asked["confirm"].(string)
	if status != 409 || confirm == "" || !strings.Contains(asked["would"].(string), "the password alone") {
		t.Fatalf("at first: %d %v", status, asked)
	}
	if got, err := f.SecondFactor(t.Context()); err != nil || !got.Active {
		t.Errorf("before it is confirmed: %+v, %v", got, err)
	}
	operate(t, s, "/accounts/alice/remove-second-factor", `{"confirm":"`+confirm+`"}`)
	m := by.Await(2)[1]
	if m.To != "alice@example.org" || !strings.Contains(m.Text, "password alone lets you in") {
		t.Errorf("the mail to %s is %q", m.To, m.Text)
	}
	if err := f.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.typed = func() string { t.Error("a code is asked for"); return "" }
	in, err := f.client.Login(t.Context(), "alice", oldPassword)
	if err != nil {
		t.Fatal(err)
	}
	events, err := in.AccountHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range events {
		found = found || e.Kind == "second-factor-removed" && e.ByOperator
	}
	if !found {
		t.Errorf("the history is %+v", events)
	}
}

// What changes how a player proves the account is in the history, and so are the address and the name.
func TestHistoryOfProofs(t *testing.T) {
	by := mailServer(t)
	cfg := withMail(t, config(t, t.TempDir()), by)
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	withAddress(t, s, by, session, "alice@example.org", 1)
	call(t, s, "DELETE /v1/account/email", "", session).want(t, "remove", 204)
	by.Await(2)
	withAddress(t, s, by, session, "alice@example.com", 3)
	call(t, s, "POST /v1/recover", `{"username":"alice"}`, "").want(t, "recover", 202)
	code := codeOf(t, by.Await(4)[3])
	call(t, s, "POST /v1/recover/finish", finish("alice", code, newPassword), "").want(t, "finish", 204)
	login := `{"username":"alice","password":"` + newPassword + `","takeover":true}`
	in := callUntil(t, s, "POST /v1/login", login, "", 409, 503)
	body := `{"name":"alina","password":"` + newPassword + `"}`
	in = call(t, s, "POST /v1/account/name", body, in.text("session_token"))
	in.want(t, "rename", 200)
	export := call(t, s, "GET /v1/account/export", "", in.text("session_token"))
	if !strings.Contains(export.raw, `"credentials":[{"kind":"password","since":"20`) ||
		!strings.Contains(export.raw, `"email":"alice@example.com"`) || strings.Count(export.raw, `"kind":"recovery"`) > 0 {
		t.Errorf("export: %s", export.raw)
	}
	if err := s.Stop(); err != nil { // which writes what waits
		t.Fatal(err)
	}
	s = start(t, cfg)
	history := call(t, s, "GET /v1/account/history", "", in.text("session_token"))
	kinds := make(map[string]int)
	events, _ := history.body["events"].([]any)
	for _, e := range events {
		kinds[e.(map[string]any)["kind"].(string)]++
	}
	for kind, want := range map[string]int{
		"registration": 1, "login": 1, "email-set": 2, "email-removed": 1, "password-recovered": 1, "renamed": 1,
	} {
		if kinds[kind] != want {
			t.Errorf("%d events %s, want %d: %s", kinds[kind], kind, want, history.raw)
		}
	}
}
