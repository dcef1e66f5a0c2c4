package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
)

const secret = "correct-horse-battery-staple-0123456789"

func tokenFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestLoadToken(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		says    string // empty: it is good
	}{
		"with a line break":   {secret + "\n", 0o600, ""},
		"without":             {secret, 0o400, ""},
		"for a group":         {secret + "\r\n", 0o640, ""},
		"just long enough":    {strings.Repeat("x", 32), 0o600, ""},
		"too short":           {strings.Repeat("x", 31) + "\n", 0o600, "31 characters, want at least 32"},
		"empty":               {"", 0o600, "0 characters"},
		"a space in it":       {secret + " " + secret, 0o600, "printable ASCII"},
		"two lines":           {secret + "\n" + secret, 0o600, "printable ASCII"},
		"not ASCII":           {secret + "é", 0o600, "printable ASCII"},
		"huge":                {strings.Repeat("x", 5000), 0o600, "larger than 4096 bytes"},
		"readable by all":     {secret, 0o644, "mode 0644"},
		"writable by all":     {secret, 0o602, "mode 0602"},
		"readable, too short": {"x", 0o604, "chmod 600"},
	} {
		if runtime.GOOS == "windows" && c.mode&7 != 0 {
			continue
		}
		_, err := admin.LoadToken(tokenFile(t, c.content, c.mode))
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, admin.ErrToken) || !strings.Contains(err.Error(), c.says) ||
			strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.says)
		}
	}
	if _, err := admin.LoadToken(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// guarded returns a handler that wants the token.
func guarded(t *testing.T) http.Handler {
	t.Helper()
	cfg, _ := withDashboard(t)
	token, err := admin.LoadToken(tokenFile(t, secret, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token, cfg.TLS = token, true
	return admin.New(cfg)
}

func TestBearer(t *testing.T) {
	for _, path := range []string{"/metrics", "/metrics.json", "/debug/pprof/", "/dashboard.js", "/events?", "/nothing"} {
		h := guarded(t)
		for header, want := range map[string]int{
			"": 401, "Bearer": 401, "Bearer ": 401, "Bearer " + secret[1:]: 401, "Bearer " + secret + "x": 401,
			"Basic " + secret: 401,
		} {
			if w := do(h, "GET", path, "", "Authorization", header); w.Code != want || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("GET %s with %q = %d", path, header, w.Code)
			}
		}
		if path == "/events?" { // would not end
			continue
		}
		for _, header := range []string{"Bearer " + secret, "bearer " + secret} {
			if w := do(h, "GET", path, "", "Authorization", header, "Host", "node.example"); w.Code == 401 || w.Code == 421 {
				t.Errorf("GET %s with the token = %d", path, w.Code)
			}
		}
	}
	h := guarded(t)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/login": 200, "/style.css": 200, "/": 303} {
		if w := do(h, "GET", path, "", "Host", "node.example"); w.Code != want {
			t.Errorf("GET %s without the token = %d, want %d", path, w.Code, want)
		}
	}
	if w := do(h, "POST", "/drain", "{}", "Content-Type", "application/json"); w.Code != 401 {
		t.Errorf("a drain without the token: %d", w.Code)
	}
}

// The connection of a request is kept for who may make it, and for no other client.
func TestHold(t *testing.T) {
	cfg, _ := withDashboard(t)
	token, err := admin.LoadToken(tokenFile(t, secret, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	cfg.Hold = func(context.Context) { held++ }
	for path, c := range map[string]struct {
		token  *admin.Token
		bearer string
		want   int
	}{
		"/metrics": {nil, "", 1}, "/healthz": {nil, "", 0}, "/login": {token, secret, 0},
		"/debug/pprof/trace?seconds=0.001": {token, secret, 1}, "/events": {token, "guess", 0}, "/": {token, "", 0},
	} {
		held, cfg.Token = 0, c.token
		if do(admin.New(cfg), "GET", path, "", "Authorization", "Bearer "+c.bearer); held != c.want {
			t.Errorf("GET %s: held %d times, want %d", path, held, c.want)
		}
	}
}

func login(h http.Handler, token string) *httptest.ResponseRecorder {
	return do(h, "POST", "/login", "token="+token, "Content-Type", "application/x-www-form-urlencoded")
}

func cookie(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	set := w.Result().Cookies()
	if len(set) != 1 {
		t.Fatalf("cookies %v", set)
	}
	return set[0]
}

func TestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := guarded(t)
		if w := login(h, "wrong"); w.Code != 401 || !strings.Contains(w.Body.String(), "That is not the token.") ||
			len(w.Result().Cookies()) != 0 {
			t.Errorf("a wrong token: %d\n%s", w.Code, w.Body)
		}
		w := login(h, secret)
		c := cookie(t, w)
		if w.Code != 303 || w.Header().Get("Location") != "/" {
			t.Errorf("the token: %d", w.Code)
		}
		if c.Name != "__Host-rushgate-admin-9090" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode ||
			c.Path != "/" || c.Domain != "" || c.MaxAge != 12*3600 || strings.Contains(c.Value, secret) || len(c.Value) < 26 {
			t.Errorf("cookie %+v", c)
		}
		with := func(value string) int {
			return do(h, "GET", "/metrics.json", "", "Cookie", c.Name+"="+value).Code
		}
		if with(c.Value) != 200 || with("") != 401 || with(c.Value+"x") != 401 || with(secret) != 401 {
			t.Error("the cookie does not decide")
		}
		if other := cookie(t, login(h, secret)); other.Value == c.Value {
			t.Error("two logins have one cookie")
		}
		time.Sleep(12*time.Hour - time.Second)
		if with(c.Value) != 200 {
			t.Error("it ends early")
		}
		time.Sleep(time.Second)
		if with(c.Value) != 401 {
			t.Error("it does not end")
		}
		c = cookie(t, login(h, secret))
		if w := do(h, "POST", "/logout", "", "Cookie", c.Name+"="+c.Value); w.Code != 303 || cookie(t, w).MaxAge != -1 {
			t.Errorf("logout: %d", w.Code)
		}
		if with(c.Value) != 401 {
			t.Error("a logout leaves the cookie valid")
		}
	})
}

// Only so many browsers can be logged in: the first makes room.
func TestLoginsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := guarded(t)
		var all []*http.Cookie
		for range 65 {
			all = append(all, cookie(t, login(h, secret)))
			time.Sleep(time.Second)
		}
		for i, c := range all {
			want := 200
			if i == 0 {
				want = 401
			}
			if w := do(h, "GET", "/metrics.json", "", "Cookie", c.Name+"="+c.Value); w.Code != want {
				t.Errorf("login %d: %d, want %d", i, w.Code, want)
			}
		}
	})
}

// After ten wrong tokens in a minute an address is told to wait. Who has the right one never is, also not from there.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := guarded(t)
		in := cookie(t, login(h, secret))
		guess := func() {
			for i := range 10 {
				if i%2 == 0 {
					login(h, "guess")
				} else {
					do(h, "GET", "/metrics", "", "Authorization", "Bearer guess")
				}
			}
		}
		guess()
		time.Sleep(59 * time.Second)
		for _, w := range []*httptest.ResponseRecorder{
			login(h, "guess"), do(h, "GET", "/metrics", "", "Authorization", "Bearer guess"),
		} {
			if after, _ := strconv.Atoi(w.Header().Get("Retry-After")); w.Code != 429 || after != 1 {
				t.Errorf("%d, retry after %d", w.Code, after)
			}
		}
		if w := do(h, "GET", "/metrics", "", "Cookie", in.Name+"="+in.Value); w.Code != 200 {
			t.Errorf("who is logged in: %d", w.Code)
		}
		other := httptest.NewRequest("GET", "/metrics", nil)
		other.RemoteAddr = "198.51.100.7:1234"
		other.Header.Set("Authorization", "Bearer "+secret)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, other); w.Code != 200 {
			t.Errorf("from another address: %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := login(h, "guess"); w.Code != 401 {
			t.Errorf("a minute later: %d", w.Code)
		}
		guess()
		if w := do(h, "GET", "/metrics", "", "Authorization", "Bearer "+secret); w.Code != 200 {
			t.Errorf("the token, from an address that has failed: %d", w.Code)
		}
		guess()
		if w := login(h, secret); w.Code != 303 {
			t.Errorf("the login, from an address that has failed: %d", w.Code)
		}
	})
}

// Guesses from ever more addresses do not fill the memory, nor do they keep the operator out.
func TestGuessingFromEverywhere(t *testing.T) {
	h := guarded(t)
	for i := range 3000 {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr = "[2001:db8:" + strconv.FormatInt(int64(i), 16) + "::1]:1234"
		r.Header.Set("Authorization", "Bearer guess")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 401 {
			t.Fatalf("guess %d: %d", i, w.Code)
		}
	}
	if w := login(h, secret); w.Code != 303 {
		t.Errorf("the operator: %d", w.Code)
	}
}

// With another token, those who came with the one before are out: at once, and their streams too.
func TestReplacedToken(t *testing.T) {
	cfg, _ := withDashboard(t)
	token, err := admin.LoadToken(tokenFile(t, secret, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token = token
	var ends []context.Context
	cfg.Hold = func(ctx context.Context) { ends = append(ends, ctx) }
	h := admin.New(cfg)
	in := cookie(t, login(h, secret))
	with := func(want int, when string) {
		t.Helper()
		if w := do(h, "GET", "/metrics", "", "Cookie", in.Name+"="+in.Value); w.Code != want {
			t.Errorf("%s: a browser that is logged in gets %d, want %d", when, w.Code, want)
		}
	}
	again, err := admin.LoadToken(tokenFile(t, secret+"\n", 0o600))
	if err != nil || token.Replace(again) {
		t.Fatalf("the same token is another one, %v", err)
	}
	with(http.StatusOK, "the same token")
	next, err := admin.LoadToken(tokenFile(t, strings.ToUpper(secret), 0o600))
	if err != nil || !token.Replace(next) {
		t.Fatalf("another token is the same, %v", err)
	}
	with(http.StatusUnauthorized, "another token")
	for bearer, want := range map[string]int{secret: http.StatusUnauthorized, strings.ToUpper(secret): http.StatusOK} {
		if w := do(h, "GET", "/metrics", "", "Authorization", "Bearer "+bearer); w.Code != want {
			t.Errorf("with %s: %d, want %d", bearer, w.Code, want)
		}
	}
	if len(ends) == 0 || ends[0].Err() == nil {
		t.Error("what a browser had begun goes on")
	}
}
