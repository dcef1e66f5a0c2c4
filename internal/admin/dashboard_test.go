package admin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
)

// withDashboard is the configuration of a node with a page, whose actions note down what was asked for.
func withDashboard(t *testing.T) (admin.Config, *asked) {
	t.Helper()
	cfg, log := config(), new(asked)
	var ticks atomic.Int64
	cfg.Dashboard = &admin.Dashboard{
		History: admin.NewHistory(func() admin.Reading { return admin.Reading{Ticks: ticks.Add(rushgate.TickRate)} },
			func(context.Context) bool { return true }),
		About: admin.About{Name: "127.0.0.1:1", Run: "first"},
		Actions: admin.Actions{
			Drain:   func() { log.drains++ },
			Players: func(context.Context) ([]admin.Guest, error) { log.lists++; return log.guests, log.err },
			EndSession: func(_ context.Context, name string) (admin.Ended, error) {
				log.names = append(log.names, name)
				return admin.EndedHere, log.err
			},
			Lookup: func(_ context.Context, name string) (admin.Player, error) {
				return admin.Player{ID: 7, Name: name, HashScheme: "PBKDF2", Inside: admin.Nowhere}, log.err
			},
		},
	}
	t.Cleanup(cfg.Dashboard.History.Stop)
	cfg.Ledger = account.New(newStore(t))
	return cfg, log
}

type asked struct {
	drains int
	names  []string
	guests []admin.Guest
	lists  int
	err    error
}

// do sends a request as a tool on the same machine does, with headers in pairs of name and value.
func do(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:9090"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var (
	inlineScript = regexp.MustCompile(`(?i)<script(?:[^>]*>[^<]|\s*>)|\son[a-z]+\s*=|javascript:`)
	inlineStyle  = regexp.MustCompile(`(?i)<style|\sstyle\s*=`)
	reference    = regexp.MustCompile(`(?:(?:src|href|action)=|from )"([^"]*)"`)
)

// The page is all there, needs nothing from elsewhere, and nothing in it that its own policy forbids.
func TestPage(t *testing.T) {
	cfg, _ := withDashboard(t)
	h := admin.New(cfg)
	for path, contentType := range map[string]string{
		"/": "text/html", "/dashboard.js": "text/javascript", "/charts.js": "text/javascript",
		"/actions.js": "text/javascript", "/verdict.js": "text/javascript", "/players.js": "text/javascript",
		"/roles.js": "text/javascript", "/access.js": "text/javascript", "/audit.js": "text/javascript",
		"/proofs.js": "text/javascript", "/tables.js": "text/javascript", "/style.css": "text/css",
		"/icon.svg": "image/svg+xml",
	} {
		w := do(h, "GET", path, "")
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), contentType) || w.Body.Len() < 100 {
			t.Fatalf("GET %s = %d, %s, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
		body := w.Body.String()
		for _, ref := range reference.FindAllStringSubmatch(body, -1) {
			if target := ref[1]; strings.HasPrefix(target, "#") || target == "/logout" || target == "/login" {
				continue
			} else if w := do(h, "GET", target, ""); !strings.HasPrefix(target, "/") || w.Code != 200 {
				t.Errorf("%s refers to %q, which is answered %d", path, target, w.Code)
			}
		}
		if strings.Contains(strings.ReplaceAll(body, "http://www.w3.org/2000/svg", ""), "://") {
			t.Errorf("%s has a reference to elsewhere", path)
		}
		if found := inlineScript.FindString(body); path == "/" && found != "" {
			t.Errorf("script in the page: %q", found)
		}
		if found := inlineStyle.FindString(body); path == "/" && found != "" {
			t.Errorf("style in the page: %q", found)
		}
	}
	for _, path := range []string{"/index.html", "/page/index.html", "/login.html", "/page/", "/../admin.go"} {
		if w := do(h, "GET", path, ""); w.Code == 200 {
			t.Errorf("GET %s = %d", path, w.Code)
		}
	}
}

func TestHeaders(t *testing.T) {
	cfg, _ := withDashboard(t)
	h := admin.New(cfg)
	for _, path := range []string{"/", "/metrics", "/dashboard.js", "/nothing", "/healthz"} {
		header := do(h, "GET", path, "").Header()
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'",
			"frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q lacks %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, header)
		}
	}
}

// Without a token a page whose name leads to this machine must not be able to read or do anything.
func TestHost(t *testing.T) {
	cfg, log := withDashboard(t)
	h := admin.New(cfg)
	for host, want := range map[string]int{
		"127.0.0.1:9090": 200, "127.0.0.1": 200, "[::1]:9090": 200, "[::1]": 200, "localhost:9090": 200, "LOCALHOST": 200,
		"192.0.2.7:9090": 200, "[fe80::1%25lo]:9090": 200,
		"evil.example:9090": 421, "evil.example": 421, "localhost.evil.example:9090": 421, "127.0.0.1.evil.example": 421,
		"localhost.": 421, "": 421, "127.1:9090": 421, "0x7f000001": 421, ":9090": 421,
	} {
		for _, path := range []string{"/", "/metrics", "/metrics.json"} {
			if w := do(h, "GET", path, "", "Host", host); w.Code != want {
				t.Errorf("GET %s of %q = %d, want %d", path, host, w.Code, want)
			}
		}
		if w := do(h, "GET", "/healthz", "", "Host", host); w.Code != 200 {
			t.Errorf("a probe of %q is answered %d", host, w.Code)
		}
	}
	if do(h, "POST", "/drain", "{}", "Host", "evil.example", "Content-Type", "application/json"); log.drains != 0 {
		t.Error("drained by way of another name")
	}
}

func TestActions(t *testing.T) {
	const asJSON, end = "application/json", "/accounts/alice/end-session"
	for name, c := range map[string]struct {
		path, kind, body string
		err              error
		status           int
		says             string
	}{
		"drain":              {"/drain", asJSON, "{}", nil, 409, `"confirm":"`},
		"end":                {end, asJSON + "; charset=utf-8", "{}", nil, 200, `{"outcome":"ended"}`},
		"drain as a form":    {"/drain", "application/x-www-form-urlencoded", "", nil, 415, "want application/json"},
		"drain as text":      {"/drain", "text/plain", "{}", nil, 415, "want application/json"},
		"end, no type":       {end, "", "{}", nil, 415, "want application/json"},
		"end, with more":     {end, asJSON, `{"name":"alice"}`, nil, 400, `is to have none: "name"; want {}`},
		"end, with oddities": {end, asJSON, `{"my secret":"alice"}`, nil, 400, "is to have none; want {}"},
		"drain, misspelt":    {"/drain", asJSON, `{"confrim":"secret"}`, nil, 400, `other than confirm: "confrim"; want`},
		"drain, a number":    {"/drain", asJSON, `{"confirm":1}`, nil, 400, "The field confirm must be a string; want"},
		"no JSON":            {end, asJSON, `alice`, nil, 400, "want {}"},
		"too large":          {end, asJSON, `{` + strings.Repeat(" ", 5000) + `}`, nil, 400, "want {}"},
		"unknown":            {"/accounts/nobody/end-session", asJSON, "{}", nil, 404, "no account"},
		"gone meanwhile":     {end, asJSON, "{}", rushgate.BadCredentials, 404, "no account"},
		"impossible":         {"/accounts/a%00b/end-session", asJSON, "{}", nil, 400, "such a name"},
		"the store is away":  {end, asJSON, "{}", rushgate.ErrUnavailable, 503, "does not answer"},
		"nothing said of it": {end, asJSON, "{}", errAway, 500, "the log says why"},
	} {
		cfg, log := withDashboard(t)
		log.err = c.err
		w := do(admin.New(cfg), "POST", c.path, c.body, "Content-Type", c.kind)
		if w.Code != c.status || !strings.Contains(strings.ReplaceAll(w.Body.String(), `\"`, `"`), c.says) {
			t.Errorf("%s: %d %s, want %d with %s", name, w.Code, w.Body, c.status, c.says)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: the answer tells too much: %s", name, w.Body)
		}
		if wantDrains := 1; (log.drains == wantDrains) != (c.status == 202) {
			t.Errorf("%s: %d drains", name, log.drains)
		}
		if get := do(admin.New(cfg), "GET", c.path, ""); get.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET %s = %d", c.path, get.Code)
		}
	}
}

// What a browser sends for another site's page does nothing, whatever it holds.
func TestOtherSites(t *testing.T) {
	cfg, log := withDashboard(t)
	h := admin.New(cfg)
	for name, headers := range map[string][]string{
		"another site":             {"Sec-Fetch-Site", "cross-site"},
		"another port":             {"Sec-Fetch-Site", "same-site"},
		"an old browser":           {"Origin", "https://evil.example"},
		"another port, old":        {"Origin", "http://127.0.0.1:8080"},
		"a page without an origin": {"Origin", "null"},
	} {
		for _, path := range []string{
			"/drain", "/accounts/alice/end-session", "/accounts/alice/delete", "/login", "/logout",
		} {
			w := do(h, "POST", path, `{"name":"alice"}`, append(headers, "Content-Type", "application/json")...)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s: POST %s = %d", name, path, w.Code)
			}
		}
	}
	if log.drains != 0 || len(log.names) != 0 {
		t.Errorf("done for another site: %+v", log)
	}
	w := confirmed(t.Context(), h, "/drain", "{}", "Sec-Fetch-Site", "same-origin")
	if w.Code != 202 {
		t.Errorf("the page itself: %d", w.Code)
	}
}

// Nor does the page of another site get anything, however it asks; a link to the page may be followed.
func TestOtherSitesRead(t *testing.T) {
	cfg, _ := withDashboard(t)
	h := admin.New(cfg)
	link := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, site := range []string{"cross-site", "same-site"} {
		for _, path := range []string{"/", "/login", "/metrics", "/events", "/debug/pprof/trace?seconds=0.001", "/healthz",
			"/style.css"} {
			for how, c := range map[string]struct {
				headers []string
				allowed bool
			}{
				"script": {[]string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, false},
				"frame":  {[]string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
				"fetch":  {[]string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
				"link":   {link, path == "/" || path == "/login"},
			} {
				w := do(h, "GET", path, "", append(c.headers, "Sec-Fetch-Site", site)...)
				if (w.Code != http.StatusForbidden) != c.allowed {
					t.Errorf("%s, %s: GET %s = %d", site, how, path, w.Code)
				}
			}
		}
	}
	for _, site := range []string{"same-origin", "none", ""} {
		if w := do(h, "GET", "/metrics", "", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "cors"); w.Code != 200 {
			t.Errorf("%q: %d", site, w.Code)
		}
	}
}

// Who did what, to which account, is in the log.
func TestActionsAreLogged(t *testing.T) {
	cfg, asked := withDashboard(t)
	var log strings.Builder
	cfg.Logger = textLog(&log)
	h := admin.New(cfg)
	for _, path := range []string{"/drain", "/accounts/ALICE/end-session"} {
		confirmed(t.Context(), h, path, "{}")
	}
	for _, want := range []string{
		"what=node.drain", "what=session.end", "operator=local", "player=alice", "from=192.0.2.1", "outcome=done",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "error=") {
		t.Errorf("an error where there was none:\n%s", log.String())
	}
	asked.err = rushgate.ErrUnavailable
	do(h, "POST", "/accounts/alice/end-session", "{}", "Content-Type", "application/json")
	if !strings.Contains(log.String(), "outcome=store-away player=alice error=") {
		t.Errorf("no error in the log:\n%s", log.String())
	}
}
