package server_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/store/memory"
)

// An operator takes the passkeys of a player away, asked twice: all of them, and nothing else. The session ends, and
// the player, who comes in with the password, sees it in the history.
func TestPasskeysRemovedByAnOperator(t *testing.T) {
	ctx, store := t.Context(), memory.New(memory.Options{})
	cfg := config(t, t.TempDir())
	cfg.Store = store
	s := start(t, cfg)
	c := newClient(t, s, client.Options{})
	in, err := c.Register(ctx, "alice", oldPassword)
	if err != nil {
		t.Fatal(err)
	}
	credentials := func() (a rushgate.Account) {
		t.Helper()
		loaded, err := store.LoadAccounts(ctx, []string{"alice"})
		if err != nil || loaded[0].Err != nil {
			t.Fatal(err, loaded)
		}
		return loaded[0].Account
	}
	a := credentials()
	email := rushgate.Credential{Kind: "email", Subject: "alice@example.org"}
	errs, err := store.UpdateAccounts(ctx, []rushgate.AccountChange{{
		Player: a.ID, Name: a.Username, Epoch: a.Epoch, Credentials: []rushgate.Credential{
			{Kind: passkey.Kind, Subject: "phone", Secret: "{}"}, email, {Kind: passkey.Kind, Subject: "key", Secret: "{}"},
		},
	}})
	if err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	status, asked := order(t, s, "remove-passkeys", "alice")
	confirm, _ := asked["confirm"].(string)
	would, _ := asked["would"].(string)
	if status != 409 || confirm == "" || !strings.Contains(would, "away, 2, and end") {
		t.Fatalf("at first: %d %v", status, asked)
	}
	if a := credentials(); len(a.Credentials) != 3 {
		t.Errorf("before it is confirmed: %+v", a.Credentials)
	}
	operate(t, s, "/accounts/alice/remove-passkeys", `{"confirm":"`+confirm+`"}`)
	if a := credentials(); len(a.Credentials) != 1 || a.Credentials[0] != email {
		t.Errorf("left are %+v", a.Credentials)
	}
	for began := time.Now(); err == nil && time.Since(began) < time.Minute; { // until the node has heard of it
		time.Sleep(5 * time.Millisecond)
		_, err = in.Me(ctx)
	}
	if !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the session: %v", err)
	}
	if in, err = c.Login(ctx, "alice", oldPassword); err != nil {
		t.Fatal(err)
	}
	events, err := in.AccountHistory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	noted := 0
	for _, e := range events {
		if e.Kind == "passkey-removed" && e.ByOperator {
			noted++
		}
	}
	if noted != 1 {
		t.Errorf("the history is %+v", events)
	}
	entries, err := audit.Read(ctx, store, 1, 10)
	if err != nil || len(entries) != 2 || entries[0].What != "account.remove-passkeys" || entries[0].Whom != a.ID ||
		entries[1].Outcome != "done" {
		t.Errorf("the audit log is %+v, %v", entries, err)
	}
	if status, answer := order(t, s, "remove-passkeys", "alice"); status != 409 || answer["confirm"] != nil {
		t.Errorf("once more: %d %v", status, answer)
	}
}
