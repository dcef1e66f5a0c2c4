package server_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
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
	err := f.SetAsk(t.Context(), oldPassword, "ABCD-EFGH-IJKL-MNOP", client.AskAlways)
	if !errors.Is(err, rushgate.SecondFactor) {
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
	s := start(t, config(t, t.TempDir()))
	f := newFactored(t, s)
	tried := 0
	f.typed = func() string { tried++; return "ABCD-EFGH-IJKL-MNOP" }
	err := f.Rename(t.Context(), "alina", oldPassword)
	if !errors.Is(err, rushgate.SecondFactor) || tried != 3 {
		t.Errorf("after %d wrong codes: %v", tried, err)
	}
	if me, err := f.Me(t.Context()); err != nil || me.Name != "alice" {
		t.Errorf("the player is %+v, %v", me, err)
	}
	f.typed = f.next
	if at, err := f.DeleteAccount(t.Context(), oldPassword); err != nil || at.IsZero() {
		t.Errorf("delete with a code: %v", err)
	}
}

// An operator takes a second factor away, asked twice; the player hears of it by mail and sees it in the history.
func TestSecondFactorRemovedByAnOperator(t *testing.T) {
	by := mailServer(t)
	cfg, store := withMail(t, config(t, t.TempDir()), by), memory.New(memory.Options{})
	cfg.Store = store
	s := start(t, cfg)
	f := newFactored(t, s)
	loaded, err := store.LoadAccounts(t.Context(), []string{"alice"})
	if err != nil {
		t.Fatal(err)
	}
	a := &loaded[0].Account
	errs, err := store.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
		Player: a.ID, Name: a.Username, Epoch: a.Epoch, Replaces: a.Credentials,
		Credentials: append(slices.Clone(a.Credentials),
			rushgate.Credential{Kind: account.Email, Subject: "alice@example.org"}),
	}})
	if err != nil || errs[0] != nil {
		t.Fatal(err, errs)
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
	m := by.Await(1)[0]
	if m.To != "alice@example.org" || !strings.Contains(m.Text, "password alone lets you in") {
		t.Errorf("the mail to %s is %q", m.To, m.Text)
	}
	if _, err := f.Account(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the session before: %v", err)
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
