package admin_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/store/memory"
)

// staff is a node with operators.
type staff struct {
	http.Handler
	t    *testing.T
	book *operator.Book
	roll *operator.Roll
}

// withOperators returns a node that has a dashboard, and operators with a token of each role, by the role's name.
func withOperators(t *testing.T, cfg admin.Config) (*staff, map[string]string) {
	t.Helper()
	store := memory.New(memory.Options{})
	t.Cleanup(func() { _ = store.Close() })
	s := &staff{t: t, book: operator.NewBook(store), roll: operator.NewRoll(store)}
	tokens := make(map[string]string)
	for _, role := range []operator.Role{operator.All, operator.Run, operator.Help, operator.Look} {
		token, err := s.book.Add(t.Context(), "the-"+role.String(), role, operator.Console)
		if err != nil {
			t.Fatal(err)
		}
		tokens[role.String()] = token
	}
	s.refresh()
	cfg.Operators = s.roll
	s.Handler = admin.New(cfg)
	return s, tokens
}

func (s *staff) refresh() {
	s.t.Helper()
	if err := s.roll.Refresh(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func bearer(token string) []string {
	return []string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}
}

// Each operator gets as far as the role goes, and is told which one it takes to go further.
func TestRolesDecide(t *testing.T) {
	cfg, asked := withDashboard(t)
	h, tokens := withOperators(t, cfg)
	for _, tt := range []struct {
		method, path, body string
		may                string
	}{
		{"GET", "/players", "", "look help run all"},
		{"POST", "/drain", "{}", "run all"},
		{"GET", "/debug/pprof/goroutine?debug=1", "", "all"},
	} {
		for _, role := range operator.Roles() {
			w := do(h, tt.method, tt.path, tt.body, bearer(tokens[role])...)
			if tt.method == "POST" {
				w = confirmed(t.Context(), h, tt.path, tt.body, bearer(tokens[role])...)
			}
			if may := strings.Contains(tt.may, role); may != (w.Code < 300) || !may && (w.Code != 403 ||
				!strings.Contains(w.Body.String(), "yours is "+role)) {
				t.Errorf("%s %s as %s: %d %s", tt.method, tt.path, role, w.Code, w.Body)
			}
		}
	}
	if asked.drains != 2 {
		t.Errorf("%d drains", asked.drains)
	}
}

// A listener on loopback asks for a token from the first operator on, but for metrics, which were there before.
func TestLoopbackAsksFromTheFirstOperatorOn(t *testing.T) {
	store := memory.New(memory.Options{})
	t.Cleanup(func() { _ = store.Close() })
	cfg, _ := withDashboard(t)
	cfg.Operators = operator.NewRoll(store)
	h := admin.New(cfg)
	status := func(path string) int { return do(h, "GET", path, "").Code }
	if got := status("/players"); got != http.StatusUnauthorized {
		t.Errorf("while nobody knows whether there are operators: %d", got)
	}
	refresh := func() {
		t.Helper()
		if err := cfg.Operators.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if refresh(); status("/players") != 200 || status("/login") != http.StatusSeeOther {
		t.Error("it asks for a token before there is one")
	}
	token, err := operator.NewBook(store).Add(t.Context(), "anna", operator.All, operator.Local)
	if err != nil {
		t.Fatal(err)
	}
	refresh()
	for path, want := range map[string]int{
		"/players": 401, "/": 303, "/login": 200, "/metrics": 200, "/healthz": 200, "/debug/pprof/": 401,
	} {
		if got := status(path); got != want {
			t.Errorf("GET %s without a token: %d, want %d", path, got, want)
		}
	}
	if w := do(h, "GET", "/metrics", "", "Host", "evil.test"); w.Code != 401 {
		t.Errorf("metrics under a foreign name: %d", w.Code)
	}
	if w := login(h, token); w.Code != http.StatusSeeOther {
		t.Errorf("the login: %d", w.Code)
	}
}

// An operator who is removed, or has another role or token, is out, and so is what was begun.
func TestOperatorsWhoChange(t *testing.T) {
	for name, change := range map[string]func(*operator.Book) error{
		"removed":       func(b *operator.Book) error { return b.Remove(context.Background(), "the-run") },
		"another role":  func(b *operator.Book) error { return b.SetRole(context.Background(), "the-run", operator.Look) },
		"another token": func(b *operator.Book) error { _, err := b.Renew(context.Background(), "the-run"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := withDashboard(t)
			var begun []context.Context
			cfg.Hold = func(ctx context.Context) { begun = append(begun, ctx) }
			h, tokens := withOperators(t, cfg)
			in := cookie(t, login(h, tokens["run"]))
			with := []string{"Cookie", in.Name + "=" + in.Value, "Content-Type", "application/json"}
			if w := confirmed(t.Context(), h, "/drain", "{}", with...); w.Code != 202 {
				t.Fatalf("before: %d %s", w.Code, w.Body)
			}
			if err := change(h.book); err != nil {
				t.Fatal(err)
			}
			h.refresh()
			if w := do(h, "POST", "/drain", "{}", with...); w.Code != 401 {
				t.Errorf("the browser: %d", w.Code)
			}
			if w := confirmed(t.Context(), h, "/drain", "{}", bearer(tokens["run"])...); w.Code == 202 {
				t.Error("the token still does it")
			}
			if w := confirmed(t.Context(), h, "/drain", "{}", bearer(tokens["all"])...); w.Code != 202 {
				t.Errorf("another operator: %d", w.Code)
			}
			if len(begun) == 0 || !errors.Is(begun[0].Err(), context.Canceled) {
				t.Error("what was begun goes on")
			}
		})
	}
}
