package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/internal/smtptest"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

// classes are what accounts may be that a stranger asks about; a name tells which it is. All names are of one length.
var classes = map[string]func(a *rushgate.Account){
	"plain": func(*rushgate.Account) {},
	"known": func(a *rushgate.Account) {
		a.Credentials = []rushgate.Credential{{Kind: account.Email, Subject: a.Username + "@example.org"}}
	},
	"ended": func(a *rushgate.Account) {
		a.Disabled = rushgate.Disabled{Until: rushgate.Forever(), Reason: "for being rude"}
	},
	"coded": func(a *rushgate.Account) {
		a.Credentials = []rushgate.Credential{{Kind: "totp", Secret: `{"key":"JBSWY3DPEHPK3PXP"}`}}
	},
	"going": func(a *rushgate.Account) {
		at := time.Now().Add(time.Hour).UnixMilli()
		a.Credentials = []rushgate.Credential{{Kind: account.Deleting, Subject: strconv.FormatInt(at, 10)}}
	},
}

// nobody is the class of names that no account has.
const nobody = "unkno"

// How a node answers who guesses a password, asks for a code, tries one, or shows a passkey, tells nothing of whether
// there is an account, and what it is: neither by what it says nor by how long that takes. The second is measured with
// RUSHGATE_LONG only; each day the calls are the same, and few.
func TestNamesTellNothing(t *testing.T) {
	guess := func(name string) string { return fmt.Sprintf(`{"username":%q,"password":"wrong horse"}`, name) }
	for _, on := range []struct {
		store string
		open  func(t *testing.T) rushgate.Store
	}{
		{"sqlite", func(t *testing.T) rushgate.Store {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), sqlite.Options{})
			return openStore(t, s, err)
		}},
		{"redis", func(t *testing.T) rushgate.Store {
			s, err := redis.Open(t.Context(), redis.Options{URLs: []string{redistest.Start(t).URL()}})
			return openStore(t, s, err)
		}},
	} {
		t.Run(on.store, func(t *testing.T) {
			q := startQuiz(t, on.open(t))
			login := question{request: "POST /v1/login", status: 401, body: guess}
			for _, other := range []string{"plain", "known", "ended", "coded", "going"} {
				q.compare(t, login, other, nobody)
			}
			q.compare(t, login, "ended", "plain")
			recover := question{request: "POST /v1/recover", status: 202, body: func(name string) string {
				return fmt.Sprintf(`{"username":%q}`, name)
			}}
			q.compare(t, recover, "known", nobody)
			finishing := question{request: "POST /v1/recover/finish", status: 401, body: func(name string) string {
				return finish(name, "0000-0000-0000", newPassword)
			}}
			q.compare(t, finishing, "known", nobody)
			q.comparePasskeys(t)
			q.compareNewNames(t)
		})
	}
}

// openStore returns a store that was opened, until the end of the test.
func openStore[S interface {
	rushgate.Store
	Close() error
}](t *testing.T, s S, err error) rushgate.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// quiz is a node that is asked about accounts of all classes, so many of each.
type quiz struct {
	node  *server.Server
	store rushgate.Store
	tries int
	first map[string]rushgate.PlayerID // of each class the id of its first account
	asked int                          // comparisons, each of which comes from addresses of its own
}

// question is what a node is asked about names.
type question struct {
	request string
	status  int // of every answer
	body    func(name string) string
	// sessions are those of who asks, for [triesEach] tries each; nil for strangers.
	sessions []string
}

// triesEach is how many tries one session makes, each of which asks twice: as many as a player may ask for in a moment,
// and fewer than have an account locked.
const triesEach = 8

func startQuiz(t *testing.T, store rushgate.Store) *quiz {
	q := &quiz{store: store, tries: 16, first: make(map[string]rushgate.PlayerID)}
	if os.Getenv("RUSHGATE_LONG") != "" {
		q.tries = 2000
	}
	for class, edit := range classes {
		q.first[class] = withClass(t, store, class, q.tries, edit)
	}
	by := smtptest.Start(t, smtptest.Config{})
	cfg := config(t, t.TempDir())
	cfg.Store, cfg.SMTPURL, cfg.MailFrom = store, by.URL(), "noreply@example.org"
	cfg.GuestKeep, cfg.PasskeyOrigins = time.Hour, []string{quizOrigin}
	cfg.OriginFailures, cfg.TrustedProxies = server.Unbounded, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	q.node = start(t, cfg)
	return q
}

// withClass makes accounts of a class, known-0 say and so on, the known ones each with a code that was sent.
func withClass(
	t *testing.T, store rushgate.Store, class string, n int, edit func(*rushgate.Account),
) (first rushgate.PlayerID) {
	t.Helper()
	job := password.New(oldPassword)
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	hasher.Run(t.Context(), []*password.Job{&job})
	if first, err = store.ReserveIDs(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	accounts := make([]rushgate.Account, n)
	for i := range accounts {
		accounts[i] = rushgate.Account{
			ID: first + rushgate.PlayerID(i), Username: fmt.Sprintf("%s-%d", class, i), PasswordHash: job.Hash,
			CreatedAt: time.Now(),
		}
		edit(&accounts[i])
	}
	if errs, err := store.CreateAccounts(t.Context(), accounts); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	if class != "known" {
		return first
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
	return first
}

// compare asks about the accounts of two classes, each once and from another address.
func (q *quiz) compare(t *testing.T, about question, one, other string) {
	t.Helper()
	var took [2][]time.Duration
	said := make(map[string]bool)
	var mu sync.Mutex
	var clients sync.WaitGroup
	q.asked++
	for k := range 8 {
		clients.Go(func() {
			for i := k; i < q.tries; i += 8 {
				for j := range 2 {
					which := (i/8 + j) % 2 // each is asked about first as often as second
					name := fmt.Sprintf("%s-%d", []string{one, other}[which], i)
					session, body := "", about.body(name)
					if about.sessions != nil {
						session = about.sessions[i/triesEach]
					}
					began := time.Now()
					got, text := ask(t, q.node, about.request, body, session, q.address(which, i))
					d := time.Since(began)
					if got != about.status {
						t.Errorf("%s about %s: %d %s", about.request, name, got, text)
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
		t.Errorf("%s about %s and %s is answered in %d ways", about.request, one, other, len(said))
	}
	if t.Failed() || os.Getenv("RUSHGATE_LONG") == "" {
		return
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	figure := auc(took[0], took[1])
	t.Logf("%s, %s and %s: AUC %.3f, medians %v and %v", about.request, one, other, figure,
		took[0][q.tries/2], took[1][q.tries/2])
	if figure < 0.45 || figure > 0.55 {
		t.Errorf("%s tells %s from %s: AUC %.3f", about.request, one, other, figure)
	}
}

// address is where one of the clients of a comparison is.
func (q *quiz) address(which, i int) string {
	return fmt.Sprintf("10.%d.%d.%d", 2*q.asked+which, i>>8, i&255)
}

// ask asks a node by a proxy, for a client at an address, with a session token unless that is empty.
func ask(t *testing.T, s *server.Server, request, body, session, from string) (status int, text string) {
	method, path, _ := strings.Cut(request, " ")
	url := "http://" + s.HTTPAddr().String() + path
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.Header.Set("X-Forwarded-For", from)
	if session != "" {
		req.Header.Set("Authorization", "Bearer "+session)
	}
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
