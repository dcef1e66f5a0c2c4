package api

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

func FuzzParseCredentials(f *testing.F) {
	for _, s := range []string{
		`{"username":"alice","password":"correct horse"}`,
		`{"username":"Ａｌｉｃｅ","password":"\u00e9","attempt_id":"a-1"}`,
		`{"username":"alice","password":"x","extra":1}`,
		`{"username":"alice","password":"x","takeover":true}`,
		`{"username":"alice","password":"x","takeover":"true"}`,
		`{"username":null,"password":[]}`, "\uFEFF" + `{"username":"alice","password":"x","attempt_id":null,"takeover":null}`,
		`{"username":"alice","password":"x"} {}`,
		`{"username":"\ud800alice","password":"\u0000"}`,
		`[[[[`, `"`, `{`, ``, "\xff", `{"USERNAME":"alice","password":"x","username":"bob"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if c, err := parseCredentials(body, registerForm); err == nil {
			if name, err := rushgate.ParseUsername(c.username); c.takeover || err != nil || name != c.username {
				t.Fatalf("accepted a registration of %q, takeover %v", c.username, c.takeover)
			}
		}
		c, err := parseCredentials(body, loginForm)
		if err != nil {
			var m malformed
			if !errors.As(err, &m) || m.message == "" || rushgate.ReasonOf(err) != rushgate.MissingCredentials {
				t.Fatalf("error %v is not one for the player", err)
			}
			return
		}
		if name, err := rushgate.LoginName(c.username); err != nil || name != c.username {
			t.Fatalf("accepted the username %q, which is not canonical", c.username)
		}
		if pw, err := rushgate.ParsePassword(c.password); err != nil || pw != c.password {
			t.Fatalf("accepted a password that is not canonical")
		}
		if c.attempt != "" && !rushgate.ValidAttempt(c.attempt) {
			t.Fatalf("accepted the attempt id %q", c.attempt)
		}
	})
}

func TestClientAddr(t *testing.T) {
	h := &handler{Config: Config{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}}}
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
		{"only proxies", "10.0.0.1:1234", "10.0.0.3", []string{"10.0.0.3, 10.0.0.2"}},
		{"no TCP peer", "@", "::", nil},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := h.clientAddr(r); got.String() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1234"
	r.Header.Set("X-Forwarded-For", strings.Repeat("1.2.3.4,", 10_000))
	if got := h.clientAddr(r); !got.IsValid() {
		t.Errorf("an endless header: %v", got)
	}
}
