package api

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/web"
	"github.com/rushgate/rushgate/internal/wschannel"
)

// corsDoor is a gate for pages of two origins and for those from files.
func corsDoor(t *testing.T) *gate {
	t.Helper()
	return newDoor(t, func(_ *auth.Config, c *Config) {
		c.Channel, c.Play = wschannel.New(c.Realm, nil), web.Play(web.Look{})
		c.Origins = []string{"https://game.example", "capacitor://localhost", "null"}
	})
}

// ask sends a request as a browser does for a page of an origin.
func (d *gate) ask(t *testing.T, method, path, origin, body string, header ...string) exchange {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return d.do(t, req)
}

// Pages of an allowed origin, apps too, can read every answer, above all the refusals; others read nothing. No answer
// lets a browser add what it sends of its own accord.
func TestAllowedOriginsReadEveryAnswer(t *testing.T) {
	d := corsDoor(t)
	const good, bad = `{"username":"alice","password":"correct horse"}`, `{"username":"alice","password":"wrong horse"}`
	for _, c := range []struct {
		method, path, body string
		status, foreign    int
	}{
		{"POST", "/v1/register", good, 201, 403},
		{"POST", "/v1/login", good, 409, 403},
		{"POST", "/v1/login", bad, 401, 403},
		{"POST", "/v1/login", "{", 400, 403},
		{"POST", "/v1/login", strings.Repeat(" ", 2*MaxBody), 400, 403},
		{"POST", "/v1/logout", "", 401, 403},
		{"POST", "/v1/connect", "", 404, 403},
		{"GET", "/v1/me", "", 401, 401},
		{"GET", "/v1/status", "", 200, 200},
		{"GET", "/v1/leaderboards/xp", "", 200, 200},
		{"GET", "/v1/leaderboards/xp?limit=0", "", 400, 400},
		{"GET", "/v1/openapi.yaml", "", 200, 200},
		{"GET", "/healthz", "", 200, 200},
		{"GET", "/readyz", "", 200, 200},
		{"GET", "/v1/channel", "", 400, 403},
		{"GET", "/v1/nothing", "", 404, 404},
		{"GET", "/v1/login", "", 405, 405},
		{"OPTIONS", "/v1/login", "", 204, 204},
		{"OPTIONS", "/v1/channel", "", 204, 403},
		{"DELETE", "/v1/status", "", 405, 403},
		{"GET", "/play/", "", 200, 200},
		{"GET", "/play/nothing", "", 404, 404},
	} {
		for _, origin := range []string{"https://game.example", "capacitor://localhost", "null", "file://"} {
			if c.status == 201 && origin != "https://game.example" {
				continue // the name is taken
			}
			e := d.ask(t, c.method, c.path, origin, c.body)
			if e.status != c.status || e.header.Get("Access-Control-Allow-Origin") != origin ||
				!slices.Contains(e.header.Values("Vary"), "Origin") ||
				!strings.Contains(e.header.Get("Access-Control-Expose-Headers"), "Retry-After") ||
				e.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s for %s: %d, %v", c.method, c.path, origin, e.status, e.header)
			}
		}
		for _, origin := range []string{"https://evil.example", "http://game.example", "https://game.example:8443",
			"https://game.example.evil.example", "capacitor://evil", "", "*"} {
			e := d.ask(t, c.method, c.path, origin, c.body)
			if e.status != c.foreign || e.header.Get("Access-Control-Allow-Origin") != "" ||
				!slices.Contains(e.header.Values("Vary"), "Origin") {
				t.Errorf("%s %s for %q: %d, %v", c.method, c.path, origin, e.status, e.header)
			}
		}
	}
}

// A refusal for now is read with the time to come back, also one that comes from a panic or from a full door.
func TestAllowedOriginsReadWhenToComeBack(t *testing.T) {
	d := newDoor(t, func(p *auth.Config, c *Config) {
		c.Origins = []string{"https://game.example"}
		p.Policy = func(k auth.Request) error {
			if k.Username == "panic" {
				panic("on purpose")
			}
			return rushgate.ServerBusy
		}
	})
	for name, want := range map[string]int{"alice": 503, "panic": 500} {
		e := d.ask(t, "POST", "/v1/login", "https://game.example", creds(name, "correct horse"))
		if e.status != want || e.header.Get("Access-Control-Allow-Origin") != "https://game.example" ||
			want == 503 && e.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, %v", name, e.status, e.header)
		}
	}
}

// A browser asks before it sends JSON or a token. It hears what the node takes, for two hours, whatever the path.
func TestPreflight(t *testing.T) {
	d := corsDoor(t)
	for _, path := range []string{"/v1/login", "/v1/register", "/v1/me", "/v1/logout", "/v1/nothing"} {
		e := d.ask(t, "OPTIONS", path, "https://game.example", "",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		want := map[string]string{
			"Access-Control-Allow-Origin": "https://game.example", "Access-Control-Allow-Methods": "DELETE, GET, HEAD, POST",
			"Access-Control-Allow-Headers": "Authorization, Content-Type", "Access-Control-Max-Age": "7200",
			"Access-Control-Allow-Credentials": "", "Content-Length": "",
		}
		for name, value := range want {
			if got := e.header.Get(name); got != value {
				t.Errorf("%s: %s: %q, want %q", path, name, got, value)
			}
		}
		vary := "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
		if got := strings.Join(e.header.Values("Vary"), ", "); e.status != 204 || got != vary {
			t.Errorf("%s: status %d, Vary %q", path, e.status, got)
		}
		e = d.ask(t, "OPTIONS", path, "https://evil.example", "", "Access-Control-Request-Method", "POST")
		if e.status != 403 || e.header.Get("Access-Control-Allow-Origin") != "" ||
			e.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: a foreign page hears %d, %v", path, e.status, e.header)
		}
	}
}

// Without allowed origins nothing is said to pages elsewhere.
func TestNoOriginsNoCORS(t *testing.T) {
	d := newDoor(t, nil)
	e := d.ask(t, "GET", "/v1/status", "https://game.example", "")
	if e.status != 200 || e.header.Get("Access-Control-Allow-Origin") != "" || e.header.Get("Vary") != "" {
		t.Errorf("%d, %v", e.status, e.header)
	}
	e = d.ask(t, "OPTIONS", "/v1/login", "https://game.example", "", "Access-Control-Request-Method", "POST")
	if e.status != 403 {
		t.Errorf("preflight: %d", e.status)
	}
}

// A page that finds no connection free can read that, too, where the node speaks plain HTTP.
func TestNewcomerWithoutAConnectionCanRead(t *testing.T) {
	for origins, want := range map[string]string{
		"": "", "https://game.example": "https://game.example", "https://game.example https://other.example": "*",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held, free := make(chan struct{}), make(chan struct{})
		srv := NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			HoldConn(r.Context())
			close(held)
			<-free
		}), ServerConfig{MaxConns: 1, Later: later, Logger: slog.New(slog.DiscardHandler), Origins: strings.Fields(origins)})
		served := make(chan struct{})
		go func() { srv.Serve(l); close(served) }()
		if _, err := io.WriteString(dial(t, l.Addr().String()), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-held
		resp, err := http.ReadResponse(bufio.NewReader(dial(t, l.Addr().String())), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		h := resp.Header
		if resp.StatusCode != 503 || h.Get("Access-Control-Allow-Origin") != want || h.Get("Retry-After") != "7" ||
			(want != "") != (h.Get("Access-Control-Expose-Headers") == "Retry-After") {
			t.Errorf("with %q: %s, %v", origins, resp.Status, h)
		}
		close(free)
		srv.Close()
		<-served
	}
}
