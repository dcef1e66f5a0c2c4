package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/peer"
)

func TestParseOrigin(t *testing.T) {
	for origin, want := range map[string]string{
		"https://play.example.org":          "https://play.example.org",
		"HTTPS://Play.Example.ORG:443":      "https://play.example.org",
		"http://localhost:3000":             "http://localhost:3000",
		"http://[::1]:80":                   "http://[::1]",
		"https://play.example.org:80":       "https://play.example.org:80",
		"capacitor://localhost":             "capacitor://localhost",
		"Ionic://LocalHost":                 "ionic://localhost",
		"tauri://localhost":                 "tauri://localhost",
		"http://tauri.localhost":            "http://tauri.localhost",
		"app://.":                           "app://.",
		"app://-":                           "app://-",
		"chrome-extension://abcdefgh":       "chrome-extension://abcdefgh",
		"capacitor://localhost:8100":        "capacitor://localhost:8100",
		"file://":                           "null",
		"null":                              "null",
		"http://[0:0::1]:3000":              "http://[::1]:3000",
		"":                                  "",
		"localhost":                         "",
		"://localhost":                      "",
		"capacitor://":                      "",
		"capacitor://localhost/":            "",
		"capacitor:localhost":               "",
		"file:///":                          "",
		"file://host":                       "",
		"wss://play.example.org":            "",
		"data:text/html,x":                  "",
		"https://spielplätze.example":       "",
		"https://play.example .org":         "",
		"*":                                 "",
		"https://*.example.org":             "",
		"play.example.org":                  "",
		"//play.example.org":                "",
		"https://":                          "",
		"https://:443":                      "",
		"https://play.example.org/":         "",
		"https://play.example.org?x":        "",
		"https://play.example.org#x":        "",
		"https://me@play.example.org":       "",
		"ftp://play.example.org":            "",
		"https://a.example, https://b.test": "",
	} {
		got, err := ParseOrigin(origin)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", origin, got, err)
		}
	}
}

// Whose pages may open the realtime channel: the node's own, however a proxy or a program spells them, and those that
// the operator allows.
func TestPagesThatMayConnect(t *testing.T) {
	const here, direct, proxy = "play.example", "192.0.2.7:1234", "10.0.0.1:1234"
	of := func(origins ...string) []string { return origins }
	for name, c := range map[string]struct {
		origins    []string
		host, from string
		port       int // at which the node listens; 0: not known
		tls, want  bool
	}{
		"no browser":       {nil, "play.example", direct, 0, false, true},
		"the node's own":   {of("http://play.example"), here, direct, 0, false, true},
		"with a port":      {of("http://play.example:8080"), "play.example:8080", direct, 8080, false, true},
		"the usual port":   {of("http://play.example"), "Play.Example:80", direct, 80, false, true},
		"TLS":              {of("https://play.example"), here, direct, 443, true, true},
		"TLS on a port":    {of("https://play.example:8443"), "play.example:8443", direct, 8443, true, true},
		"a literal IPv6":   {of("http://[2001:db8::1]:8080"), "[2001:DB8:0::1]:8080", direct, 8080, false, true},
		"another port":     {of("http://play.example:3000"), here, direct, 80, false, false},
		"other ports":      {of("http://play.example:3000"), "play.example:8080", direct, 8080, false, false},
		"another host":     {of("http://evil.example"), here, direct, 0, false, false},
		"a longer name":    {of("http://play.example.evil.example"), here, direct, 0, false, false},
		"a name before it": {of("http://evil.play.example"), here, direct, 0, false, false},
		"a user before it": {of("http://play.example@evil.example"), here, direct, 0, false, false},
		"a path":           {of("http://evil.example/play.example"), here, direct, 0, false, false},
		"a sandboxed page": {of("null"), here, direct, 0, false, false},
		"a sandboxed page and a host of that name": {of("null"), "null", direct, 0, false, false},
		"an app at a host of this name":            {of("capacitor://localhost"), "localhost:8080", direct, 0, false, false},
		"an empty one":                             {of(""), here, direct, 0, false, false},
		"an empty one and no host":                 {of("http://"), "", direct, 0, false, false},
		"two":                                      {of("http://"+here, "http://"+here), here, direct, 0, false, false},

		"TLS at a proxy":                     {of("https://play.example"), here, direct, 8080, false, true},
		"TLS at a proxy, on a port":          {of("https://play.example:8443"), here + ":8443", direct, 8080, false, true},
		"TLS at a proxy that drops the port": {of("https://play.example:8443"), here, direct, 8080, false, true},
		"a proxy that says 443":              {of("https://play.example"), "play.example:443", direct, 8080, false, true},
		"a proxy that says 80":               {of("https://play.example"), "play.example:80", direct, 8080, false, true},
		"a proxy that passes no Host on":     {of("https://play.example"), "10.0.0.9:8080", direct, 8080, false, false},
		"http:// over TLS":                   {of("http://play.example"), here, direct, 443, true, true},
		"http:// over TLS on a port":         {of("http://play.example:8443"), "play.example:8443", direct, 8443, true, true},
		"http:// over TLS without the port":  {of("http://play.example"), "play.example:8443", direct, 8443, true, true},
		"wss://":                             {of("wss://play.example"), here, direct, 443, true, true},
		"the host alone":                     {of("play.example"), "play.example:8443", direct, 8443, true, true},

		"allowed":                        {of("https://pages.example"), here, direct, 0, false, true},
		"allowed, in capitals":           {of("HTTPS://PAGES.EXAMPLE"), here, direct, 0, false, true},
		"allowed for another scheme":     {of("http://pages.example"), here, direct, 0, false, false},
		"allowed on another port":        {of("https://pages.example:8443"), here, direct, 0, false, false},
		"an app":                         {of("capacitor://localhost"), here, direct, 0, false, true},
		"behind a trusted proxy, TLS":    {of("https://play.example"), here, proxy, 80, false, true},
		"behind one that drops the port": {of("https://play.example:8443"), here, proxy, 80, false, true},
		"behind one, a literal address":  {of("https://[2001:db8::1]:8443"), "[2001:db8::1]", proxy, 80, false, true},
		"behind one, another host":       {of("https://evil.example"), here, proxy, 80, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := &handler{Config: Config{
				Origins: []string{"https://pages.example", "capacitor://localhost"}, Logger: slog.New(slog.DiscardHandler),
				Proxies: peer.NewProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, slog.New(slog.DiscardHandler)),
			}}
			if name == "an app at a host of this name" {
				h.Origins = nil
			}
			r := httptest.NewRequest(http.MethodGet, "/v1/channel", nil)
			r.Host, r.RemoteAddr, r.Header["Origin"] = c.host, c.from, c.origins
			if c.port > 0 {
				at := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: c.port}
				r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, at))
			}
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := h.mayConnect(r); got != c.want {
				t.Errorf("allowed: %v", got)
			}
		})
	}
}

// What is refused for its origin is in the log, once for each origin, with the flag that helps, and no page can make
// the log grow.
func TestRefusedOriginsAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	h := &handler{Config: Config{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Proxies: peer.NewProxies(nil, slog.New(slog.DiscardHandler)),
	}}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })
	refuse := func(method, path, origin string) {
		t.Helper()
		r := httptest.NewRequest(method, path, nil)
		r.Host = "127.0.0.1:8080"
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		if h.ownPages(next).ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("%s from %s: %d", path, origin, w.Code)
		}
	}
	for range 3 {
		refuse("GET", "/v1/channel", "https://play.example")
		refuse("POST", "/v1/login", "https://play.example")
	}
	for _, want := range []string{"origin=https://play.example", "host=127.0.0.1:8080", "--origins"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, &log)
		}
	}
	for i := range 10 * maxForeign {
		refuse("GET", "/v1/channel", fmt.Sprintf("https://%d.example", i))
		refuse("GET", "/v1/channel", "https://"+strings.Repeat("x", 4<<10)+strconv.Itoa(i))
		refuse("GET", "/v1/channel", "no\torigin")
	}
	if n := log.Len(); n > 20<<10 || strings.Count(log.String(), "\n") > maxForeign+1 {
		t.Errorf("the log has %d bytes:\n%s", n, &log)
	}
}

// A proxy that speaks TLS for the node works at once; that it is not trusted is in the log.
func TestProxyThatSpeaksTLSIsNoticed(t *testing.T) {
	var log bytes.Buffer
	h := &handler{Config: Config{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Proxies: peer.NewProxies(nil, slog.New(slog.DiscardHandler)),
	}}
	for range 3 {
		r := httptest.NewRequest("GET", "/v1/channel", nil)
		r.Header.Set("Origin", "https://"+r.Host)
		if !h.mayConnect(r) {
			t.Fatal("refused")
		}
	}
	if strings.Count(log.String(), "--trusted-proxies") != 1 {
		t.Errorf("the log says\n%s", &log)
	}
}

func TestNodeWithoutWebSockets(t *testing.T) {
	d := newDoor(t, nil)
	if e := d.call(t, http.MethodGet, "/v1/channel", "", "", ""); e.status != http.StatusNotFound {
		t.Errorf("status %d", e.status)
	}
}
