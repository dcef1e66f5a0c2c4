package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/store/memory"
)

// newStore returns a store with the accounts alice and bob, who are out, and carol, who is inside.
func newStore(t *testing.T) *memory.Store {
	t.Helper()
	s := memory.New(memory.Options{})
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.ReserveIDs(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"alice", "bob", "carol"} {
		join(t, s, rushgate.PlayerID(i+1), name)
	}
	return s
}

// join makes the account of a player, who stays inside if it is carol.
func join(t *testing.T, s rushgate.Store, id rushgate.PlayerID, name string) {
	t.Helper()
	admitted, err := s.Admit(t.Context(), rushgate.Instance{Node: "n", Run: "r"}, []rushgate.Admission{{
		Account: rushgate.Account{ID: id, Username: name, PasswordHash: "hash of " + name}, Create: true, Attempt: "a",
	}})
	if err != nil || admitted[0].Err != nil {
		t.Fatal(err, admitted)
	}
	if name == "carol" {
		return
	}
	save := rushgate.Save{Character: admitted[0].Character, Fence: admitted[0].Lease.Fence, Release: true}
	if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
}

// left returns the names of the accounts that are there.
func left(t *testing.T, s rushgate.Store) string {
	t.Helper()
	accounts, err := s.LoadAccounts(t.Context(), []string{"alice", "bob", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range accounts {
		if a.ID != 0 {
			names = append(names, a.Username)
		}
	}
	return strings.Join(names, " ")
}

// names returns a body with n names that no account has.
func names(n int) string {
	return `{"names":["x"` + strings.Repeat(`,"x"`, n-1) + `]}`
}

func TestDeleteAccounts(t *testing.T) {
	const everybody = "alice bob carol"
	for name, tt := range map[string]struct {
		body   string
		header [2]string
		status int
		answer string
		left   string
	}{
		"all kinds": {
			body: `{"names":["alice","nobody","carol"]}`, status: 200, answer: `{"deleted":1,"unknown":1,"inside":1}`,
			left: "bob carol",
		},
		"twice": {
			body: `{"names":["bob","bob"]}`, status: 200, answer: `{"deleted":1,"unknown":1,"inside":0}`, left: "alice carol",
		},
		"not canonical": {body: `{"names":["ALICE"]}`, status: 200, answer: `{"deleted":0,"unknown":1,"inside":0}`,
			left: everybody},
		"nobody":     {body: `{"names":[]}`, status: 200, answer: `{"deleted":0,"unknown":0,"inside":0}`, left: everybody},
		"most names": {body: names(1000), status: 200, answer: `{"deleted":0,"unknown":1000,"inside":0}`, left: everybody},
		"too many":   {body: names(1001), status: 400, answer: "at most 1000", left: everybody},
		"too long": {
			body:   `{"names":["alice","` + strings.Repeat("x", 300<<10) + `"]}`,
			status: 400, answer: "want", left: everybody,
		},
		"no JSON":      {body: `names=alice`, status: 400, answer: `{"names": [...]}`, left: everybody},
		"a name alone": {body: `{"names":"alice"}`, status: 400, answer: `{"names": [...]}`, left: everybody},
		"cut off":      {body: `{"names":["alice"`, status: 400, answer: `{"names": [...]}`, left: everybody},
		"nothing":      {status: 400, answer: `{"names": [...]}`, left: everybody},
		"a form": {
			body: `{"names":["alice"]}`, header: [2]string{"Content-Type", "text/plain"},
			status: 415, answer: "application/json", left: everybody,
		},
		"from a page of another site": {
			body: `{"names":["alice"]}`, header: [2]string{"Sec-Fetch-Site", "cross-site"}, status: 403, left: everybody,
		},
		"from a page of another origin": {
			body: `{"names":["alice"]}`, header: [2]string{"Origin", "http://evil.test"}, status: 403, left: everybody,
		},
		"from a page of its own": {
			body: `{"names":["alice"]}`, header: [2]string{"Sec-Fetch-Site", "same-origin"}, status: 200, answer: `"deleted":1`,
			left: "bob carol",
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			var log bytes.Buffer
			rec := confirmed(t.Context(), ledgerOf(store, &log), "/accounts/delete", tt.body, tt.header[:]...)
			if rec.Code != tt.status || !strings.Contains(strings.ReplaceAll(rec.Body.String(), `\"`, `"`), tt.answer) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if got := left(t, store); got != tt.left {
				t.Errorf("%q are left, want %q", got, tt.left)
			}
			for _, name := range strings.Fields(everybody) { // each that is gone, and no other
				logged := strings.Contains(log.String(), `msg="account deleted" player=`+name+" from=")
				if gone := !strings.Contains(tt.left, name); logged != gone {
					t.Errorf("%s is gone: %v; log: %s", name, gone, &log)
				}
			}
		})
	}
}

// failing is a store that cannot delete one account.
type failing struct {
	rushgate.Store
	name string
	err  error
}

func (f failing) DeleteAccount(ctx context.Context, name string) error {
	if name == f.name {
		return f.err
	}
	return f.Store.DeleteAccount(ctx, name)
}

// ledgerOf is a listener where accounts of a store can be changed.
func ledgerOf(store account.Store, log io.Writer) http.Handler {
	cfg := config()
	cfg.Ledger, cfg.Logger, cfg.NameHold = account.New(store), textLog(log), time.Hour
	return admin.New(cfg)
}

// order sends an order as JSON, with other headers in pairs of name and value, in which empty names stand for none.
func order(ctx context.Context, h http.Handler, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	r.Host = "127.0.0.1:9090"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// confirmed sends an order that cannot be undone, and once more with what confirms it if that is asked for.
func confirmed(ctx context.Context, h http.Handler, path, body string, headers ...string) *httptest.ResponseRecorder {
	w := order(ctx, h, path, body, headers...)
	var q struct{ Confirm string }
	if w.Code != http.StatusConflict || json.Unmarshal(w.Body.Bytes(), &q) != nil || q.Confirm == "" {
		return w
	}
	more := `,"confirm":"` + q.Confirm + `"}`
	if body == "{}" {
		more = more[1:]
	}
	return order(ctx, h, path, strings.TrimSuffix(body, "}")+more, headers...)
}

// deleteNames has the accounts of a list deleted.
func deleteNames(ctx context.Context, store account.Store, log io.Writer, list string) *httptest.ResponseRecorder {
	return confirmed(ctx, ledgerOf(store, log), "/accounts/delete", `{"names":[`+list+`]}`)
}

// A store that fails at one account is the log's business, not that of the operator who asks, who is told the figures.
// What else was asked for is done, and every name is in the log.
func TestDeleteAccountsWhenTheStoreFails(t *testing.T) {
	var log bytes.Buffer
	store := failing{newStore(t), "bob", fmt.Errorf("%w: 10.0.0.7 is away", rushgate.ErrUnavailable)}
	rec := deleteNames(t.Context(), store, &log, `"nobody","bob","alice","carol"`)
	got, want := rec.Body.String(), `{"deleted":1,"unknown":1,"inside":1,"failed":1,"error":"`
	if rec.Code != http.StatusInternalServerError || !strings.HasPrefix(got, want) || strings.Contains(got, "10.0.0.7") {
		t.Errorf("%d %s", rec.Code, got)
	}
	for _, line := range []string{
		`msg="account deleted" player=alice`, `msg="account not deleted" player=bob`, "10.0.0.7 is away",
	} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("no %s in the log: %s", line, &log)
		}
	}
	if got := left(t, store); got != "bob carol" {
		t.Errorf("%q are left", got)
	}
}

// An operator who asks and goes away has the accounts left alone.
func TestDeleteAccountsForNobody(t *testing.T) {
	store := newStore(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gone"))
	rec := deleteNames(ctx, store, io.Discard, `"alice","bob"`)
	if got := left(t, store); rec.Code != http.StatusInternalServerError || got != "alice bob carol" {
		t.Errorf("%d; %q are left", rec.Code, got)
	}
}

// What was confirmed is what was asked for: by the same operator, of the same accounts, within two minutes.
func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := ledgerOf(store, io.Discard)
		value := func(path, body string) string {
			t.Helper()
			w := order(t.Context(), h, path, body)
			var q struct{ Would, Confirm string }
			if err := json.Unmarshal(w.Body.Bytes(), &q); err != nil || w.Code != 409 || q.Would == "" {
				t.Fatalf("%d %s, %v", w.Code, w.Body, err)
			}
			return q.Confirm
		}
		if w := confirmed(t.Context(), h, "/accounts/carol/delete", "{}"); w.Code != 409 ||
			!strings.Contains(w.Body.String(), "live session") {
			t.Errorf("a player inside: %d %s", w.Code, w.Body)
		}
		alice := value("/accounts/alice/delete", "{}")
		for name, tt := range map[string][2]string{
			"another account": {"/accounts/bob/delete", `{"confirm":"` + alice + `"}`},
			"another act":     {"/accounts/delete", `{"names":["alice"],"confirm":"` + alice + `"}`},
			"made up":         {"/accounts/alice/delete", `{"confirm":"` + strings.Repeat("A", len(alice)) + `"}`},
			"cut off":         {"/accounts/alice/delete", `{"confirm":"` + alice[1:] + `"}`},
			"more names": {"/accounts/delete", `{"names":["alice","bob"],"confirm":"` +
				value("/accounts/delete", `{"names":["alice"]}`) + `"}`},
		} {
			if w := order(t.Context(), h, tt[0], tt[1]); w.Code != 409 {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		if other := ledgerOf(store, io.Discard); order(t.Context(), other, "/accounts/alice/delete",
			`{"confirm":"`+alice+`"}`).Code != 409 {
			t.Error("another node takes it")
		}
		time.Sleep(2 * time.Minute)
		if w := order(t.Context(), h, "/accounts/alice/delete", `{"confirm":"`+alice+`"}`); w.Code != 409 {
			t.Errorf("two minutes later: %d", w.Code)
		}
		if got := left(t, store); got != "alice bob carol" {
			t.Errorf("%q are left", got)
		}
		one := `{"confirm":"` + value("/accounts/alice/delete", "{}") + `"}`
		list := `{"names":["alice"],"confirm":"` + value("/accounts/delete", `{"names":["alice"]}`) + `"}`
		w := confirmed(t.Context(), h, "/accounts/ALICE/delete", "{}")
		if got := left(t, store); w.Code != 200 || got != "bob carol" {
			t.Errorf("%d %s; %q are left", w.Code, w.Body, got)
		}
		if _, err := store.ReserveIDs(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		join(t, store, 4, "alice") // another player
		for path, body := range map[string]string{"/accounts/alice/delete": one, "/accounts/delete": list} {
			if w := order(t.Context(), h, path, body); w.Code != 409 || !strings.Contains(w.Body.String(), "confirm") {
				t.Errorf("what was confirmed of the player before: %s: %d %s", path, w.Code, w.Body)
			}
		}
		if got := left(t, store); got != "alice bob carol" {
			t.Errorf("%q are left", got)
		}
	})
}
