package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// A game lets its player look after the account.
func TestAccountOfAPlayer(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	c := newClient(t, s, client.Options{Remember: "phone"})
	in, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	var refusal *rushgate.Refusal
	err = in.ChangePassword(t.Context(), "wrong horse", "better horse")
	if !errors.Is(err, rushgate.BadCredentials) || errors.Is(err, client.ErrSessionEnded) {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := in.ChangePassword(t.Context(), "correct horse", "short"); !errors.As(err, &refusal) {
		t.Errorf("to a weak password: %v", err)
	}
	if err := in.ChangePassword(t.Context(), "correct horse", "better horse"); err != nil {
		t.Fatalf("change: %v", err)
	}
	a, err := in.Account(t.Context())
	if err != nil || a.Name != "alice" || a.ID != in.PlayerID || len(a.Devices) != 1 || a.Devices[0].Label != "phone" {
		t.Fatalf("account after the change: %+v, %v", a, err)
	}
	if err := in.ForgetDevice(t.Context(), a.Devices[0].Handle); err != nil {
		t.Errorf("forget: %v", err)
	}
	if err := in.Leave(t.Context()); err != nil && !errors.Is(err, client.ErrSessionEnded) {
		t.Fatal(err)
	}
	if _, err := c.Login(t.Context(), "alice", "correct horse"); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("a login with the old password: %v", err)
	}
	again, err := c.Takeover(t.Context(), "alice", "better horse")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.AccountHistory(t.Context()); err != nil { // which may be written later
		t.Errorf("history: %v", err)
	}
	export, err := again.ExportAccount(t.Context())
	if err != nil || !strings.Contains(string(export), `"name":"alice"`) {
		t.Errorf("export: %s, %v", export, err)
	}
	if _, err := again.DeleteAccount(t.Context(), "wrong horse"); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("delete with a wrong password: %v", err)
	}
	at, err := again.DeleteAccount(t.Context(), "better horse")
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	if again, err = c.Login(t.Context(), "alice", "better horse"); err != nil {
		t.Fatal(err)
	}
	if a, err := again.Account(t.Context()); err != nil || !a.DeleteAt.Equal(at) {
		t.Errorf("the account is deleted at %v, error %v, not at %v", a.DeleteAt, err, at)
	}
	if err := again.KeepAccount(t.Context()); err != nil {
		t.Errorf("keep: %v", err)
	}
	if err := again.LogOutEverywhere(t.Context()); err != nil {
		t.Errorf("log out everywhere: %v", err)
	}
	if _, err := again.Me(t.Context()); !errors.Is(err, client.ErrSessionEnded) {
		t.Errorf("the session after that: %v", err)
	}
}
