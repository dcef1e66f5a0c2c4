package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/web"
	"github.com/rushgate/rushgate/internal/wschannel"
)

// Whatever refuses a request, a client reads the same JSON. The transport of these tests holds it against openapi.yaml.
func TestEveryRefusalIsJSON(t *testing.T) {
	d := newDoor(t, func(_ *auth.Config, c *Config) {
		c.Channel, c.Play = wschannel.New(c.Realm, nil), web.Play(web.Look{})
	})
	upgrade := map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": wschannel.Subprotocol,
	}
	with := func(name, value string) map[string]string {
		out := map[string]string{name: value}
		for n, v := range upgrade {
			if n != name {
				out[n] = v
			}
		}
		return out
	}
	foreign := map[string]string{"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
	for name, c := range map[string]struct {
		method, path string
		header       map[string]string
		status       int
		answer       map[string]string // headers
	}{
		"no such path":                {"GET", "/nothing", nil, 404, nil},
		"POST where a page begins":    {"POST", "/", nil, 405, map[string]string{"Allow": "GET, HEAD"}},
		"no such path below one":      {"GET", "/v1/login/x", nil, 404, nil},
		"no such path, not clean":     {"GET", "//nothing/../x", nil, 404, map[string]string{"Location": ""}},
		"no such leaderboard":         {"GET", "/v1/leaderboards/wealth", nil, 404, nil},
		"no channel for datagrams":    {"POST", "/v1/connect", nil, 404, nil},
		"GET of what is for POST":     {"GET", "/v1/login", nil, 405, map[string]string{"Allow": "POST"}},
		"DELETE of what is for GET":   {"DELETE", "/v1/status", nil, 405, map[string]string{"Allow": "GET, HEAD"}},
		"POST to a probe":             {"POST", "/readyz", nil, 405, map[string]string{"Allow": "GET, HEAD"}},
		"no such path to ask about":   {"OPTIONS", "/v1/nothing", nil, 404, nil},
		"a method of no one":          {"BREW", "/v1/me", nil, 405, map[string]string{"Allow": "GET, HEAD"}},
		"no such file of the page":    {"GET", "/play/nothing.js", nil, 404, nil},
		"POST to the page":            {"POST", "/play/", nil, 405, map[string]string{"Allow": "GET, HEAD"}},
		"a page elsewhere":            {"POST", "/v1/login", foreign, 403, nil},
		"a page elsewhere, logout":    {"POST", "/v1/logout", foreign, 403, nil},
		"WebSocket: a page elsewhere": {"GET", "/v1/channel", with("Origin", "https://elsewhere.example"), 403, nil},
		"WebSocket: plain request": {
			"GET", "/v1/channel", map[string]string{"Sec-WebSocket-Protocol": wschannel.Subprotocol}, 426,
			map[string]string{"Upgrade": "websocket"},
		},
		"WebSocket: no subprotocol": {"GET", "/v1/channel", with("Sec-WebSocket-Protocol", "chat"), 400, nil},
		"WebSocket: no key":         {"GET", "/v1/channel", with("Sec-WebSocket-Key", "secret-value"), 400, nil},
		"WebSocket: old version": {
			"GET", "/v1/channel", with("Sec-WebSocket-Version", "8"), 400, map[string]string{"Sec-WebSocket-Version": "13"},
		},
		"no credentials": {"POST", "/v1/login", nil, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, d.URL+c.path, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			for n, v := range c.header {
				req.Header.Set(n, v)
			}
			e := d.do(t, req)
			e.want(t, name, c.status, rushgate.MissingCredentials)
			if m, _ := e.json["message"].(string); m == "" || strings.Contains(m, "secret-value") {
				t.Errorf("message %q", m)
			}
			for n, v := range c.answer {
				if got := e.header.Get(n); got != v {
					t.Errorf("%s: %q, want %q", n, got, v)
				}
			}
		})
	}
}

// Who types the name of a node into a browser comes to the page, below whatever path a proxy has put in front. Where
// there is no page there is nothing.
func TestBareNameLeadsToThePage(t *testing.T) {
	for page, want := range map[bool]int{true: http.StatusSeeOther, false: http.StatusNotFound} {
		d := newDoor(t, func(_ *auth.Config, c *Config) {
			if page {
				c.Play = web.Play(web.Look{})
			}
		})
		visitor := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer visitor.CloseIdleConnections()
		for _, method := range []string{"GET", "HEAD"} {
			req, err := http.NewRequestWithContext(t.Context(), method, d.URL+"/?a=b", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := visitor.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if location := resp.Header.Get("Location"); resp.StatusCode != want || page && location != "play/" {
				t.Errorf("%s /, page %v: %s to %q", method, page, resp.Status, location)
			}
		}
	}
}
