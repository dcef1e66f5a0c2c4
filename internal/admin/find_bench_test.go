package admin_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/store/sqlite"
)

// BenchmarkFind looks through 5000 accounts of an SQLite database, each of which was used to come in three times, for
// what nobody has: what a search costs an account, for each that can be searched for, is in ns/account. That of names
// reads one page of them.
func BenchmarkFind(b *testing.B) {
	const accounts = 5000
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "players.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	fillForFind(b, store, accounts)
	h := admin.New(admin.Config{
		Ledger: account.New(store), Book: store, Audit: store, Logger: slog.New(slog.DiscardHandler),
	})
	for _, by := range [][2]string{
		{"email", "nobody@example.org"}, {"address", "198.51.100.0/24"}, {"device", "toaster"},
	} {
		b.Run(by[0], func(b *testing.B) {
			for b.Loop() {
				body := fmt.Sprintf(`{%q:%q}`, by[0], by[1])
				w := do(h, http.MethodPost, "/accounts/find", body, "Content-Type", "application/json")
				wantLooked(b, w, fmt.Sprintf(`"looked":%d`, accounts))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*accounts), "ns/account")
		})
	}
	b.Run("name", func(b *testing.B) {
		for b.Loop() {
			wantLooked(b, do(h, http.MethodGet, "/accounts?prefix=player49", ""), `"name":"player4900"`)
		}
	})
}

func wantLooked(b *testing.B, w *httptest.ResponseRecorder, want string) {
	b.Helper()
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
		b.Fatalf("%d %.300s, want %s", w.Code, w.Body, want)
	}
}

func fillForFind(b *testing.B, store *sqlite.Store, n int) {
	b.Helper()
	now := time.Now().Truncate(time.Millisecond)
	for first := 0; first < n; first += rushgate.MaxPage {
		some := min(rushgate.MaxPage, n-first)
		accounts := make([]rushgate.Account, some)
		var events []rushgate.Noted
		for i := range accounts {
			id, name := rushgate.PlayerID(first+i+1), fmt.Sprintf("player%d", first+i)
			accounts[i] = rushgate.Account{ID: id, Username: name, PasswordHash: "h", CreatedAt: now}
			for k := range 3 {
				events = append(events, rushgate.Noted{Player: id, Name: name, AccountEvent: rushgate.AccountEvent{
					ID: fmt.Sprint(k), At: now, SignIn: true, Kind: "login", From: "203.0.113.7 Firefox on Linux",
				}})
			}
		}
		if errs, err := store.CreateAccounts(b.Context(), accounts); err != nil || errs[0] != nil {
			b.Fatal(errs, err)
		}
		for len(events) > 0 {
			part := events[:min(len(events), rushgate.MaxPage)]
			if errs, err := store.Note(b.Context(), part); err != nil || errs[0] != nil {
				b.Fatal(errs, err)
			}
			events = events[len(part):]
		}
	}
}
