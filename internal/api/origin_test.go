package api

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
		"":                                  "",
		"null":                              "",
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

func TestOrigin(t *testing.T) {
	h := &handler{Config: Config{
		Origins: []string{"https://pages.example"},
		Proxies: peer.NewProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, slog.New(slog.DiscardHandler)),
	}}
	const direct, proxy = "192.0.2.7:1234", "10.0.0.1:1234"
	for name, c := range map[string]struct {
		origins    []string
		host, from string
		tls, want  bool
	}{
		"no browser":               {nil, "play.example", direct, false, true},
		"the node's own":           {[]string{"http://play.example"}, "play.example", direct, false, true},
		"with a port":              {[]string{"http://play.example:8080"}, "play.example:8080", direct, false, true},
		"the usual port":           {[]string{"http://play.example"}, "Play.Example:80", direct, false, true},
		"TLS":                      {[]string{"https://play.example"}, "play.example", direct, true, true},
		"TLS on a port":            {[]string{"https://play.example:8443"}, "play.example:8443", direct, true, true},
		"the other scheme":         {[]string{"https://play.example"}, "play.example", direct, false, false},
		"no TLS, but a page of it": {[]string{"http://play.example"}, "play.example", direct, true, false},
		"another port":             {[]string{"http://play.example:3000"}, "play.example", direct, false, false},
		"another host":             {[]string{"http://evil.example"}, "play.example", direct, false, false},
		"a longer name": {[]string{"http://play.example.evil.example"},
			"play.example", direct, false, false},
		"a sandboxed page": {[]string{"null"}, "play.example", direct, false, false},
		"an empty one":     {[]string{""}, "play.example", direct, false, false},
		"two": {[]string{"http://play.example", "http://play.example"},
			"play.example", direct, false, false},
		"configured":                         {[]string{"https://pages.example"}, "play.example", direct, false, true},
		"configured, in capitals":            {[]string{"HTTPS://PAGES.EXAMPLE"}, "play.example", direct, false, true},
		"configured for another scheme":      {[]string{"http://pages.example"}, "play.example", direct, false, false},
		"behind a proxy that speaks TLS":     {[]string{"https://play.example"}, "play.example", proxy, false, true},
		"behind a proxy that drops the port": {[]string{"https://play.example:8443"}, "play.example", proxy, false, true},
		"behind a proxy, a literal address":  {[]string{"https://[2001:db8::1]:8443"}, "[2001:db8::1]", proxy, false, true},
		"behind a proxy, another host":       {[]string{"https://evil.example"}, "play.example", proxy, false, false},
		"behind a proxy that is not trusted": {[]string{"https://play.example"},
			"play.example", "172.16.0.1:1", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/v1/channel", nil)
			r.Host, r.RemoteAddr, r.Header["Origin"] = c.host, c.from, c.origins
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := h.originAllowed(r); got != c.want {
				t.Errorf("allowed: %v", got)
			}
		})
	}
}

func TestNodeWithoutWebSockets(t *testing.T) {
	d := newDoor(t, nil)
	if e := d.call(t, http.MethodGet, "/v1/channel", "", "", ""); e.status != http.StatusNotFound {
		t.Errorf("status %d", e.status)
	}
}
