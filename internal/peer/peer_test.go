package peer

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	p := NewProxies([]netip.Prefix{
		netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32"), netip.MustParsePrefix("fd00::1/128"),
		netip.MustParsePrefix("172.16.0.0/12"),
	}, slog.New(slog.DiscardHandler))
	tests := []struct {
		name, peer, want string
		forwarded        []string
	}{
		{"no proxy", "192.0.2.1:1234", "192.0.2.1", nil},
		{"header of a stranger", "192.0.2.1:1234", "192.0.2.1", []string{"198.51.100.7"}},
		{"one proxy", "10.0.0.1:1234", "198.51.100.7", []string{"198.51.100.7"}},
		{"one proxy over IPv6", "[fd00::1]:1234", "2001:db8::7", []string{"2001:db8::7"}},
		{"two proxies", "10.0.0.1:1234", "198.51.100.7", []string{"198.51.100.7, 10.0.0.2"}},
		{"two header lines", "10.0.0.1:1234", "198.51.100.7", []string{"198.51.100.7", "10.0.0.2"}},
		{"forged on the left", "10.0.0.1:1234", "198.51.100.7", []string{"203.0.113.9, 198.51.100.7"}},
		{"with port", "10.0.0.1:1234", "198.51.100.7", []string{"198.51.100.7:5555"}},
		{"bracketed", "10.0.0.1:1234", "2001:db8::7", []string{"[2001:db8::7]"}},
		{"mapped", "[::ffff:10.0.0.1]:1234", "198.51.100.7", []string{"::ffff:198.51.100.7"}},
		{"nonsense", "10.0.0.1:1234", "10.0.0.1", []string{"unknown"}},
		{"nonsense on the left", "10.0.0.1:1234", "10.0.0.2", []string{"nonsense, 10.0.0.2"}},
		{"proxy without header", "10.0.0.1:1234", "10.0.0.1", nil},
		{"only proxies", "10.0.0.1:1234", "10.0.0.2", []string{"10.0.0.2, 10.0.0.2"}},
		{"with a zone", "10.0.0.1:1234", "fe80::7", []string{"fe80::7%eth0"}},
		{"a proxy of a network", "172.18.0.2:1234", "198.51.100.7", []string{"198.51.100.7"}},
		{"forged by a player within the network", "172.18.0.2:1234", "172.18.0.1", []string{"203.0.113.9", "172.18.0.1"}},
		{"the same before a named proxy", "172.18.0.2:1234", "172.18.0.1", []string{"203.0.113.9, 172.18.0.1, 10.0.0.1"}},
		{"two proxies, one named", "172.18.0.2:1234", "198.51.100.7", []string{"203.0.113.9, 198.51.100.7, 10.0.0.1"}},
		{"empty", "10.0.0.1:1234", "10.0.0.1", []string{""}},
		{"a comma at the end", "10.0.0.1:1234", "10.0.0.1", []string{"198.51.100.7,"}},
		{"no TCP peer", "@", "::", nil},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := p.Client(r); got.String() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1234"
	r.Header.Set("X-Forwarded-For", strings.Repeat("1.2.3.4,", 10_000))
	if got := p.Client(r); !got.IsValid() {
		t.Errorf("an endless header: %v", got)
	}
}

// A page came over TLS if a proxy says so that is trusted, in the last word, which is its own.
func TestSecure(t *testing.T) {
	p := NewProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, slog.New(slog.DiscardHandler))
	const proto = "X-Forwarded-Proto"
	for _, tt := range []struct {
		r    *http.Request
		want bool
	}{
		{request("10.0.0.1", proto, "https"), true},
		{request("10.0.0.1", proto, "HTTPS"), true},
		{request("10.0.0.1", proto, "http, https"), true},
		{request("10.0.0.1", proto, "http", proto, "https"), true},
		{request("10.0.0.1", proto, "https, http"), false},
		{request("10.0.0.1", proto, "https", proto, "http"), false},
		{request("10.0.0.1", proto, ""), false},
		{request("10.0.0.1"), false},
		{request("10.0.0.2", proto, "https"), false},
	} {
		if got := p.Secure(tt.r); got != tt.want {
			t.Errorf("%s %q: %v", tt.r.RemoteAddr, tt.r.Header.Values(proto), got)
		}
	}
}

// logins sends requests and returns the log.
func logins(t *testing.T, trusted []string, requests ...*http.Request) string {
	t.Helper()
	var nets []netip.Prefix
	for _, s := range trusted {
		nets = append(nets, netip.MustParsePrefix(s))
	}
	var log bytes.Buffer
	p := NewProxies(nets, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		for _, r := range requests {
			p.Client(r)
		}
	}
	return log.String()
}

func request(from string, header ...string) *http.Request {
	r := httptest.NewRequest("POST", "/v1/login", nil)
	r.RemoteAddr = from + ":1234"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// What keeps players from being told apart is said once, and names the flag that helps.
func TestProxiesThatAreMisconfiguredAreNamedOnce(t *testing.T) {
	proxy := []string{"10.0.0.1/32"}
	for name, c := range map[string]struct {
		trusted  []string
		requests []*http.Request
		want     []string // one line each, in order
	}{
		"all is well": {
			proxy, []*http.Request{request("10.0.0.1", "X-Forwarded-For", "198.51.100.7"), request("198.51.100.8")}, nil,
		},
		"header of a proxy that is not trusted": {
			nil, []*http.Request{request("10.0.0.1", "X-Forwarded-For", "a"), request("10.0.0.2", "X-Forwarded-For", "a")},
			[]string{"header=X-Forwarded-For"},
		},
		"Forwarded": {nil, []*http.Request{request("127.0.0.1", "Forwarded", "for=x")}, []string{"header=Forwarded"}},
		"X-Real-IP": {nil, []*http.Request{request("127.0.0.1", "X-Real-IP", "198.51.100.7")}, []string{"header=X-Real-Ip"}},
		"a player with a proxy of their own does not hide one of the operator": {
			nil, []*http.Request{request("198.51.100.7", "X-Forwarded-For", "a"), request("10.0.0.2", "X-Forwarded-For", "a")},
			[]string{"peer=198.51.100.7", "peer=10.0.0.2"},
		},
		"a trusted proxy sends none": {proxy, []*http.Request{request("10.0.0.1")}, []string{"without X-Forwarded-For"}},
		"a trusted proxy sends another": {
			proxy, []*http.Request{request("10.0.0.1", "X-Real-IP", "198.51.100.7")}, []string{"instead=X-Real-Ip"},
		},
		"a chain through a network": {
			[]string{"10.0.0.0/29"}, []*http.Request{request("10.0.0.1", "X-Forwarded-For", "198.51.100.7, 10.0.0.2")},
			[]string{"address=10.0.0.2"},
		},
	} {
		lines := strings.Split(strings.TrimSpace(logins(t, c.trusted, c.requests...)), "\n")
		if lines[0] == "" {
			lines = nil
		}
		if len(lines) != len(c.want) {
			t.Errorf("%s: %q", name, lines)
			continue
		}
		for i, line := range lines {
			if !strings.Contains(line, c.want[i]) || !strings.Contains(line, "--trusted-proxies") {
				t.Errorf("%s: %s does not say %q", name, line, c.want[i])
			}
		}
	}
}

// A network with room for players is named at the start.
func TestWideNetworksAreNamedAtTheStart(t *testing.T) {
	for network, warned := range map[string]bool{
		"10.0.0.0/8": true, "172.16.0.0/12": true, "192.168.0.0/16": true, "127.0.0.0/8": true,
		"192.0.2.0/24": true, "fd00::/64": true,
		"10.0.0.1/32": false, "192.0.2.16/28": false, "fd00::1/128": false, "2001:db8::10/125": false,
	} {
		log := logins(t, []string{"192.0.2.1/32", network})
		if strings.Contains(log, network) != warned || warned != (log != "") {
			t.Errorf("%s: %q", network, log)
		}
	}
}

// The header has one meaning, however many bytes a client adds.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		"", "198.51.100.7", "a, b", ",,", "[2001:db8::1]:443", "198.51.100.7:1, 10.0.0.2", "fe80::1%eth0", "::ffff:10.0.0.2",
	} {
		f.Add(seed, "198.51.100.9")
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")}
	p := NewProxies(trusted, slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, forged, added string) {
		client, err := netip.ParseAddr(added)
		if err != nil || client.Zone() != "" || p.Trusts(client.Unmap()) {
			t.Skip()
		}
		r := request("10.0.0.1", "X-Forwarded-For", forged, "X-Forwarded-For", added)
		if got := p.Client(r); got != client.Unmap() {
			t.Errorf("%q before %q is taken for %v", forged, added, got)
		}
	})
}
