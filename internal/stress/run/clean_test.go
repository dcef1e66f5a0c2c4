package run

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate"
	accounts "github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/ready"
	"github.com/rushgate/rushgate/store/memory"
)

// population is a store with accounts, and the admin listener of a node that has it.
type population struct {
	*memory.Store
	url  string
	asks atomic.Int64
}

// populate makes accounts of players who are out, and one of a player who is inside.
func populate(t *testing.T, inside string, out ...string) *population {
	t.Helper()
	p := &population{Store: memory.New(memory.Options{})}
	for i, name := range append([]string{inside}, out...) {
		got, err := p.Admit(t.Context(), rushgate.Instance{Node: "n", Run: "r"}, []rushgate.Admission{{
			Account: rushgate.Account{ID: rushgate.PlayerID(i + 1), Username: name, PasswordHash: "hash"}, Create: true,
			Attempt: "a",
		}})
		if err != nil || got[0].Err != nil {
			t.Fatal(err, got)
		}
		if name == inside {
			continue
		}
		save := rushgate.Save{Character: got[0].Character, Fence: got[0].Lease.Fence, Release: true}
		if errs, err := p.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
			t.Fatal(err, errs)
		}
	}
	h := admin.New(admin.Config{
		Ledger: accounts.New(p), Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Ready: ready.New(func() bool { return false }, p.Ping),
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asks.Add(1)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { srv.Close(); _ = p.Close() })
	p.url = srv.URL
	return p
}

// left returns those of the accounts that are still there.
func (p *population) left(t *testing.T, names ...string) []string {
	t.Helper()
	accounts, err := p.LoadAccounts(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, a := range accounts {
		if a.ID != 0 {
			list = append(list, a.Username)
		}
	}
	return list
}

func TestClean(t *testing.T) {
	const inside, beyond, other, similar = "stress-000007", "stress-001001", "stress2-000001", "stress-1"
	out := []string{beyond, other, similar, "stress-000405", "stress-cal-000001", "stress-cal-000201",
		"stress-alone-000002", "stress-crowd-000003"}
	for i := range 6 {
		out = append(out, account("stress", i))
	}
	p := populate(t, inside, out...)
	var seen []Cleaned
	// Requests for 1 to 200 and 401 to 600 find accounts; those for 201 to 400, 601 to 800 and 801 to 1000 none.
	got, err := Clean(t.Context(), p.url+"/", "stress", 400, func(c Cleaned) { seen = append(seen, c) })
	// Those of runs with a crowd take three requests each.
	want := Cleaned{Deleted: 6 + 1 + 2 + 2, Inside: 1, Unknown: 5*200 - 8 + 4*200 - 2 + 2*(3*200-1)}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	// Each has to be confirmed.
	if n := p.asks.Load(); n != 30 || len(seen) != 15 || seen[0] != (Cleaned{Deleted: 6, Inside: 1, Unknown: 193}) ||
		seen[14] != want {
		t.Errorf("%d requests; progress %+v", n, seen)
	}
	if left := p.left(t, append(out, inside)...); !slices.Equal(left, []string{beyond, other, similar, inside}) {
		t.Errorf("left: %v", left)
	}
	// Once more, with nothing left to do but for the one who is inside, and no progress to be shown.
	if got, err := Clean(t.Context(), p.url, "stress", 1, nil); err != nil || got.Deleted != 0 || got.Inside != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCleanSaysWhatIsWrong(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"the store fails": {answer(500, "the store failed; see the log\n"),
			"HTTP status 500: the store failed; see the log"},
		"an older node":  {answer(404, "404 page not found\n"), "HTTP status 404: 404 page not found"},
		"a long message": {answer(502, strings.Repeat("x", 1<<20)), "HTTP status 502: " + strings.Repeat("x", 200)},
		"no JSON":        {answer(200, "<html>"), "makes no sense"},
		"another count":  {answer(200, `{"deleted":199}`), "makes no sense"},
		"an endless one": {answer(200, `{"deleted":200,"x":"`+strings.Repeat("x", 1<<20)+`"}`), "makes no sense"},
		"a cut connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"deleting accounts: EOF"},
	} {
		srv := httptest.NewServer(tt.handler)
		got, err := Clean(t.Context(), srv.URL, "stress", 2000, func(Cleaned) { t.Errorf("%s: progress", name) })
		if err == nil || !strings.HasSuffix(err.Error(), tt.want) || got != (Cleaned{}) {
			t.Errorf("%s: %+v, %.400v; want %.400s", name, got, err, tt.want)
		}
		srv.Close()
	}
	for name, tt := range map[string]struct {
		admin, prefix string
		gap           int
		want          string
	}{
		"no URL":            {"127.0.0.1:9090", "stress", 1, "Admin"},
		"no admin":          {"", "stress", 1, "Admin"},
		"a prefix no name":  {"http://admin.test", "a b", 1, "Prefix"},
		"an upper-case one": {"http://admin.test", "Stress", 1, "Prefix: not in canonical form"},
		"no gap":            {"http://admin.test", "stress", 0, "gap"},
	} {
		if got, err := Clean(t.Context(), tt.admin, tt.prefix, tt.gap, nil); err == nil ||
			!strings.Contains(err.Error(), "stress: "+tt.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// The figures count up to the error.
func TestCleanIsInterrupted(t *testing.T) {
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("stress-%06d", i+1)
	}
	p := populate(t, "someone", names...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, err := Clean(ctx, p.url, "stress", 2000, func(Cleaned) { cancel() })
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) || got != (Cleaned{Deleted: 200}) {
		t.Errorf("%+v, %v", got, err)
	}
	if left := p.left(t, names...); len(left) != 100 {
		t.Errorf("%d accounts left", len(left))
	}
}
