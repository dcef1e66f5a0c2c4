package admin_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/store/memory"
)

// addTraced makes an account that has proved an address, and one that has come in from an address on a device.
func addTraced(t *testing.T, store *memory.Store) {
	t.Helper()
	now := time.Now().Truncate(time.Millisecond)
	accounts := []rushgate.Account{
		{ID: 101, Username: "mary", PasswordHash: "h", CreatedAt: now, Credentials: []rushgate.Credential{
			{Kind: account.Email, Subject: "Mary@example.org"},
		}},
		{ID: 102, Username: "mallory", PasswordHash: "h", CreatedAt: now, Credentials: []rushgate.Credential{
			{Kind: account.EmailPending, Subject: "Mary@example.org"},
		}},
	}
	for i := range 1200 { // more than are read at a time
		accounts = append(accounts, rushgate.Account{
			ID: rushgate.PlayerID(1000 + i), Username: "p" + strconv.Itoa(i), PasswordHash: "h", CreatedAt: now,
		})
	}
	for len(accounts) > 0 {
		n := min(len(accounts), 500)
		if _, err := store.CreateAccounts(t.Context(), accounts[:n]); err != nil {
			t.Fatal(err)
		}
		accounts = accounts[n:]
	}
	errs, err := store.Note(t.Context(), []rushgate.Noted{
		{Player: 102, Name: "mallory", AccountEvent: rushgate.AccountEvent{
			ID: "a", At: now, SignIn: true, Kind: "login", From: "203.0.113.7 Mallory's Phone",
		}},
		{Player: 101, Name: "mary", AccountEvent: rushgate.AccountEvent{
			ID: "a", At: now, SignIn: true, Kind: "login", From: "2001:db8::1",
		}},
	})
	if err != nil || errs[0] != nil || errs[1] != nil {
		t.Fatal(errs, err)
	}
}

// Accounts are found by a proved address of e-mail as a whole, by network and by device, and the audit log has that
// somebody searched, and not what for.
func TestFindByTraces(t *testing.T) {
	cfg, store := whole(t)
	addTraced(t, store)
	h := newContract(t, admin.New(cfg))
	for body, want := range map[string]string{
		`{"email":"Mary@Example.org"}`:         "mary",
		`{"email":"mary@example.org"}`:         "", // whether case matters there is known to the host alone
		`{"email":"ary@example.org"}`:          "",
		`{"address":"203.0.113.7"}`:            "mallory",
		`{"address":"::ffff:203.0.113.7"}`:     "mallory",
		`{"address":"203.0.113.0/24"}`:         "mallory",
		`{"address":"::ffff:203.0.113.9/120"}`: "mallory",
		`{"address":"203.0.113.70"}`:           "",
		`{"address":"2001:db8::/32"}`:          "mary",
		`{"device":"mallory's PHONE"}`:         "mallory",
		`{"device":"203.0.113"}`:               "",
	} {
		w := do(h, "POST", "/accounts/find", body, "Content-Type", "application/json")
		var page struct {
			Accounts []struct{ Name string }
			Cursor   string
			Looked   int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || page.Cursor != "" {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
		var names []string
		for _, a := range page.Accounts {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); got != want || page.Looked < 1205 {
			t.Errorf("%s: %q of %d, want %q", body, got, page.Looked, want)
		}
		if strings.Contains(strings.ToLower(w.Body.String()), "@") {
			t.Errorf("an address is in %s", w.Body)
		}
	}
	for _, body := range []string{
		"{}", `{"email":"x"}`, `{"email":"a@example.org","device":"x"}`, `{"address":"203.0.113"}`, `{"address":"x/8"}`,
		`{"device":"` + strings.Repeat("x", 129) + `"}`, `{"device":"x","cursor":"no cursor"}`, `{"name":"alice"}`,
	} {
		if w := do(h, "POST", "/accounts/find", body, "Content-Type", "application/json"); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	records, err := store.LoadAudit(t.Context(), 1, 100)
	if err != nil || len(records) < 20 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records {
		for _, never := range []string{"example.org", "203.0", "mallory", "phone"} {
			if strings.Contains(strings.ToLower(string(r.Data)), never) {
				t.Errorf("%s is in the audit log: %s", never, r.Data)
			}
		}
	}
	if !strings.Contains(string(records[0].Data), `"accounts.find","detail":"by `) {
		t.Errorf("the audit log begins with %s", records[0].Data)
	}
}

// slowBook is a book whose first list of names takes until a test says so.
type slowBook struct {
	admin.Book
	begun atomic.Bool
	went  chan struct{}
}

func (b *slowBook) Usernames(ctx context.Context, prefix, cursor string, limit int) ([]string, string, error) {
	if b.begun.CompareAndSwap(false, true) {
		<-b.went
	}
	return b.Book.Usernames(ctx, prefix, cursor, limit)
}

// A node looks through the accounts for one operator at a time: the next one is told so, at once, and not refused when
// the first is done.
func TestOneSearchAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, store := whole(t)
		book := &slowBook{Book: store, went: make(chan struct{})}
		cfg.Book = book
		h := newContract(t, admin.New(cfg))
		find := func() *httptest.ResponseRecorder {
			return do(h, "POST", "/accounts/find", `{"device":"phone"}`, "Content-Type", "application/json")
		}
		first := make(chan int, 1)
		go func() { first <- find().Code }()
		synctest.Wait() // the first is in the store
		began := time.Now()
		w := find()
		if w.Code != 409 || !strings.Contains(w.Body.String(), "for another operator") || time.Since(began) != 0 {
			t.Errorf("beside another search: %d %s after %v", w.Code, w.Body, time.Since(began))
		}
		if w := do(h, "GET", "/accounts?prefix=a", ""); w.Code != 200 {
			t.Errorf("a look at the names beside a search: %d %s", w.Code, w.Body)
		}
		close(book.went)
		if code, next := <-first, find().Code; code != 200 || next != 200 {
			t.Errorf("the first search %d, one after it %d", code, next)
		}
	})
}

// Each refusal names the way out, and tells who may not see players nothing of them.
func TestRefusalsNameTheWayOut(t *testing.T) {
	cfg, store := whole(t)
	addTraced(t, store)
	h, tokens := withOperators(t, cfg)
	for _, tt := range []struct {
		method, path, body string
		headers            []string
		status             int
		want               string
	}{
		{"POST", "/accounts/find", `{"email":"M@example.org"}`, bearer(tokens["look"]), 403, "the role help; yours is look"},
		{"POST", "/accounts/mary/delete", "{}", bearer(tokens["run"]), 403, "rushgate operator role"},
		{"POST", "/accounts/nobody/delete", "{}", bearer(tokens["run"]), 403, "rushgate operator role"},
		{"GET", "/accounts/mary", "", bearer("wrong"), 401, "rushgate operator token"},
		{"GET", "/accounts/mary", "", nil, 401, "rushgate operator add"},
		{"GET", "/accounts/nobody", "", bearer(tokens["look"]), 404, "GET /accounts?prefix="},
	} {
		w := do(h, tt.method, tt.path, tt.body, tt.headers...)
		if said := w.Body.String(); w.Code != tt.status || !strings.Contains(said, tt.want) ||
			strings.Contains(said, "mary") || strings.Contains(said, "101") {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, said)
		}
	}
}

// What has confirmed an order is good for two minutes; then the answer says so, and has the next.
func TestConfirmExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, asked := withDashboard(t)
		h := admin.New(cfg)
		ask := func(confirm string) (status int, q struct{ Error, Confirm string }) {
			w := order(t.Context(), h, "/drain", `{"confirm":"`+confirm+`"}`)
			_ = json.Unmarshal(w.Body.Bytes(), &q)
			return w.Code, q
		}
		_, first := ask("")
		time.Sleep(2*time.Minute + time.Second)
		status, second := ask(first.Confirm)
		if status != 409 || !strings.Contains(second.Error, "expired") || asked.drains != 0 {
			t.Errorf("%d %+v, %d drains", status, second, asked.drains)
		}
		if status, _ := ask(second.Confirm); status != 202 || asked.drains != 1 {
			t.Errorf("%d, %d drains", status, asked.drains)
		}
	})
}
