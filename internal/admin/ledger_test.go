package admin_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/password"
)

// Each order about an account does what it says, is answered as JSON, and has a line in the log without the hash.
func TestAccountOrders(t *testing.T) {
	store := newStore(t) // alice and bob are out, carol is inside
	var log bytes.Buffer
	h := ledgerOf(store, &log)
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	job := password.New("correct horse")
	hasher.Run(t.Context(), []*password.Job{&job})
	hash := `"password_hash":"` + job.Hash + `"`
	soon := `"until":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`
	for _, tt := range []struct {
		path, body string
		status     int
		answer     string
	}{
		{"", `{"name":"Dave",` + hash + `}`, 200, `{"player_id":4,"name":"dave"}`},
		{"", `{"name":"dave",` + hash + `}`, 409, "already is an account of this name"},
		{"", `{"name":"x",` + hash + `}`, 400, "no account can have such a name"},
		{"", `{"name":"erin"}`, 400, "password hash"},
		{"", `{"name":"erin","password_hash":"correct horse"}`, 400, "password hash"},
		{"", `{"name":""}`, 400, "want"},
		{"", `nothing`, 400, "want"},
		{"/alice/password", `{` + hash + `}`, 200, `"player_id":1,"name":"alice"}`},
		{"/alice/password", `{"password_hash":""}`, 400, "password_hash"},
		{"/alice/password", `{"password_hash":"correct horse"}`, 400, "password hash"},
		{"/carol/end-sessions", `{}`, 200, `"leaving":"n"`},
		{"/bob/end-sessions", `{}`, 200, `"name":"bob"}`},
		{"/bob/recovery-code", `{}`, 200, `{"code":"`},
		{"/erin/recovery-code", `{}`, 404, "no account of this name"},
		{"/bob/disable", `{"reason":"cheating",` + soon + `}`, 200, `"name":"bob"}`},
		{"/BOB/disable", `{}`, 200, `"name":"bob"}`},
		{"/bob/disable", `{"until":"2020-01-01T00:00:00Z"}`, 400, "not in the future"},
		{"/bob/disable", `{"until":"soon"}`, 400, "want"},
		{"/bob/disable", `{"reason":"` + strings.Repeat("x", 257) + `"}`, 400, "257 bytes"},
		{"/bob/enable", `{}`, 200, `"name":"bob"}`},
		{"/nobody/enable", `{}`, 404, "no account of this name"},
		{"/bob/name", `{"name":"Alice"}`, 409, "already is an account of this name"},
		{"/bob/name", `{"name":"BOB"}`, 409, "has this name"},
		{"/bob/name", `{"name":"a b"}`, 400, "no account can have such a name"},
		{"/bob/name", `{"name":""}`, 400, "want"},
		{"/bob/name", `{"name":"Robert"}`, 200, `{"player_id":2,"name":"robert"}`},
		{"/bob/name", `{"name":"Robert"}`, 404, "no account of this name"},
		{"/alice/name", `{"name":"bob"}`, 409, "is held"},
		{"/robert/name", `{"name":"bob"}`, 200, `{"player_id":2,"name":"bob"}`},
		{"/alice/remove-second-factor", `{}`, 409, "cannot be undone"},
		{"/alice/remove-passkeys", `{}`, 409, "no passkey"},
		{"/a%00b/enable", `{}`, 400, "no account can have such a name"},
	} {
		log.Reset()
		rec := order(t.Context(), h, "/accounts"+tt.path, tt.body)
		got := rec.Body.String()
		if rec.Code != tt.status || !strings.Contains(got, tt.answer) || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %s: %d %s, want %d with %s", tt.path, tt.body, rec.Code, got, tt.status, tt.answer)
		}
		if rec.Code == 200 && !strings.Contains(log.String(), "what=account.") {
			t.Errorf("%s: log: %s", tt.path, &log)
		}
		var handed struct{ Code string }
		if json.Unmarshal(rec.Body.Bytes(), &handed); handed.Code != "" && strings.Contains(log.String(), handed.Code) {
			t.Errorf("%s: a code is in the log: %s", tt.path, &log)
		}
		if strings.Contains(log.String(), job.Hash) || strings.Contains(log.String(), "correct horse") {
			t.Errorf("%s: a secret is in the log: %s", tt.path, &log)
		}
	}
	for _, what := range []string{"/password", "/disable", "/enable", "/end-sessions", "/recovery-code", "/delete"} {
		if rec := order(t.Context(), h, "/accounts/bob"+what, "{}", "Content-Type", "text/plain"); rec.Code != 415 {
			t.Errorf("%s without a type: %d", what, rec.Code)
		}
	}
}

// A node that takes no passwords sets none: it would take away what the player can log in by.
func TestNoPasswordIsSetWhereNoneIsTaken(t *testing.T) {
	store := newStore(t)
	cfg := config()
	cfg.Ledger, cfg.NoPasswords = account.New(store), true
	h := admin.New(cfg)
	before, err := store.LoadAccounts(t.Context(), []string{"alice"})
	if err != nil {
		t.Fatal(err)
	}
	rec := order(t.Context(), h, "/accounts/alice/password", `{"password_hash":"any"}`)
	if got := rec.Body.String(); rec.Code != 409 || !strings.Contains(got, "--opaque only") ||
		!strings.Contains(got, "recovery-code") {
		t.Errorf("%d %s", rec.Code, got)
	}
	after, err := store.LoadAccounts(t.Context(), []string{"alice"})
	if err != nil || after[0].PasswordHash != before[0].PasswordHash || after[0].Epoch != before[0].Epoch {
		t.Errorf("%+v, before %+v: %v", after[0], before[0], err)
	}
	if rec := order(t.Context(), h, "/accounts/alice/recovery-code", "{}"); rec.Code != 200 {
		t.Errorf("a code in its place: %d %s", rec.Code, rec.Body)
	}
}
