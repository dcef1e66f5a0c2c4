package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/smtptest"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// How a node answers who asks for a code, or tries one, tells nothing of whether there is an account, nor whether it
// was sent a code: neither by what it says nor by how long that takes. The second is measured with RUSHGATE_LONG only;
// each day the calls are the same, and few.
func TestLostPasswordsTellNothing(t *testing.T) {
	tries := 30
	if os.Getenv("RUSHGATE_LONG") != "" {
		tries = 2000
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	withCodes(t, store, tries)
	by := smtptest.Start(t, smtptest.Config{})
	cfg := config(t, t.TempDir())
	cfg.Store, cfg.SMTPURL, cfg.MailFrom = store, by.URL(), "noreply@example.org"
	cfg.OriginFailures, cfg.TrustedProxies = -1, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	s := start(t, cfg)
	measureNames(t, s, tries, "POST /v1/recover/finish", 401, func(name string) string {
		return finish(name, "0000-0000-0000", newPassword)
	})
	measureNames(t, s, tries, "POST /v1/recover", 202, func(name string) string {
		return fmt.Sprintf(`{"username":%q}`, name)
	})
}

// withCodes makes accounts known-0 and so on, each with an address and a code that was sent.
func withCodes(t *testing.T, store rushgate.Store, n int) {
	t.Helper()
	job := password.New(oldPassword)
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	hasher.Run(t.Context(), []*password.Job{&job})
	id, err := store.ReserveIDs(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	var accounts []rushgate.Account
	for i := range n {
		accounts = append(accounts, rushgate.Account{
			ID: id + rushgate.PlayerID(i), Username: fmt.Sprintf("known-%d", i), PasswordHash: job.Hash, CreatedAt: time.Now(),
			Credentials: []rushgate.Credential{{Kind: account.Email, Subject: fmt.Sprintf("known-%d@example.org", i)}},
		})
	}
	if errs, err := store.CreateAccounts(t.Context(), accounts); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	ledger := account.New(store)
	var working sync.WaitGroup
	for k := range 8 {
		working.Go(func() {
			for i := k; i < n; i += 8 {
				if _, _, err := ledger.RecoveryCode(t.Context(), accounts[i].Username); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
}

// measureNames asks about names that there are and others of the same length, each once and from another address.
func measureNames(
	t *testing.T, s *server.Server, tries int, request string, status int, body func(name string) string,
) {
	t.Helper()
	var took [2][]time.Duration
	said := make(map[string]bool)
	var mu sync.Mutex
	var clients sync.WaitGroup
	for k := range 8 {
		clients.Go(func() {
			for i := k; i < tries; i += 8 {
				for j := range 2 {
					which := (i + j) % 2
					name := fmt.Sprintf("%s-%d", []string{"known", "unkno"}[which], i)
					began := time.Now()
					got, text := ask(t, s, request, body(name), fmt.Sprintf("10.%d.%d.%d", which, i>>8, i&255))
					d := time.Since(began)
					if got != status {
						t.Errorf("%s about %s: %d %s", request, name, got, text)
						return
					}
					mu.Lock()
					took[which], said[text] = append(took[which], d), true
					mu.Unlock()
				}
			}
		})
	}
	clients.Wait()
	if len(said) != 1 {
		t.Errorf("%s is answered in %d ways", request, len(said))
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	if len(took[0]) == 0 || os.Getenv("RUSHGATE_LONG") == "" {
		return
	}
	figure := auc(took[0], took[1])
	t.Logf("%s: AUC %.3f, medians %v and %v", request, figure, took[0][len(took[0])/2], took[1][len(took[1])/2])
	if figure < 0.45 || figure > 0.55 {
		t.Errorf("%s of a known name can be told from others: AUC %.3f", request, figure)
	}
}

// ask asks a node by a proxy, for a client at an address.
func ask(t *testing.T, s *server.Server, request, body, from string) (status int, text string) {
	method, path, _ := strings.Cut(request, " ")
	url := "http://" + s.HTTPAddr().String() + path
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.Header.Set("X-Forwarded-For", from)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(raw)
}
