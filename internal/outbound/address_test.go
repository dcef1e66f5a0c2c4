package outbound

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAddressesInsideNetworksAreNotCalled(t *testing.T) {
	c := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}})
	for address, want := range map[string]bool{
		"8.8.8.8": true, "192.0.1.1": true, "172.32.0.1": true, "100.128.0.1": true, "2600::1": true, "2001:200::1": true,
		"64:ff9b::808:808": true, "2002:808:808::1": true, "::ffff:8.8.8.8": true,
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd00:1::1": true, // allowed
		"127.0.0.1": false, "127.255.255.255": false, "0.0.0.0": false, "0.1.2.3": false,
		"10.0.0.1": false, "10.2.0.0": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"100.127.255.255": false, "198.18.0.1": false, "224.0.0.1": false, "239.1.1.1": false, "255.255.255.255": false,
		"192.0.0.8": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "240.0.0.1": false,
		"::1": false, "::": false, "::8.8.8.8": false, "fe80::1": false, "fe80::1%eth0": false, "2600::1%eth0": false,
		"fc00::1": false, "fd12::1": false, "fec0::1": false, "ff02::1": false, "2001:db8::1": false, "2001::1": false,
		"3fff::1": false, "5f00::1": false, "100::1": false,
		"::ffff:127.0.0.1": false, "::ffff:192.168.0.1": false, "::ffff:0:8.8.8.8": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a01:203": false, "64:ff9b:1::808:808": false, "64:ff9b::a9fe:a9fe": false,
		"2002:7f00:1::1": false, "2002:c0a8:1::1": false, "2002:a9fe:a9fe::": false,
	} {
		at := netip.AddrPortFrom(netip.MustParseAddr(address), 443).String()
		if got := c.checkSecure(t.Context(), "tcp", at, nil); (got == nil) != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	for address, want := range map[string]bool{
		"8.8.8.8:80": false, "10.1.2.3:80": true, "[::ffff:10.1.2.3]:80": true, "x": false,
	} {
		if got := c.checkPlain(t.Context(), "tcp", address, nil); (got == nil) != want {
			t.Errorf("%s without TLS: %v", address, got)
		}
	}
}

// names lead to the loopback as those do that change between two look-ups: what counts is the address that is called.
func TestWhereverANameOrARedirectLeadsTheAddressIsChecked(t *testing.T) {
	reached := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer inside.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")

	open := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Timeout: time.Minute})
	shut := New(Config{Timeout: time.Minute})
	defer open.Close()
	defer shut.Close()
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		for _, scheme := range []string{"http", "https"} {
			at := fmt.Sprintf("%s://%s:%s/", scheme, host, port)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := shut.Target("a").Client(anyForm).Do(req)
			if err == nil {
				t.Errorf("%s was called: %v", req.URL, resp.Body.Close())
			} else if strings.HasPrefix(host, "127.0.0.1") && !errors.Is(err, ErrForbidden) {
				t.Errorf("%s: %v", req.URL, err)
			}
		}
	}
	led := httptest.NewServer(http.RedirectHandler("http://127.0.0.2:"+port+"/", http.StatusFound))
	defer led.Close()
	resp, err := open.Target("a").Client(anyForm).Get(led.URL)
	if !errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
	if err == nil {
		_ = resp.Body.Close()
	}
	if reached != 0 {
		t.Errorf("the server inside was reached %d times", reached)
	}
	resp, err = open.Target("a").Client(anyForm).Get(inside.URL)
	if err != nil || resp.Body.Close() != nil || reached != 1 {
		t.Error("what is allowed was not called:", err)
	}
}

func TestRedirectsAreFewAndCarryNothing(t *testing.T) {
	hops, last := 0, ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hops++
		last = r.Method + r.Header.Get("X-Webapi-Key")
		if more, _ := strconv.Atoi(r.URL.RawQuery); more > 0 {
			http.Redirect(w, r, "/?"+strconv.Itoa(more-1), http.StatusTemporaryRedirect)
		}
	}))
	defer s.Close()
	c := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: time.Minute})
	defer c.Close()
	for _, test := range []struct {
		method, more, key string
		ok                bool
		hops              int
	}{
		{"GET", "0", "", true, 1},
		{"GET", "1", "", true, 2},
		{"GET", "2", "", true, 3},
		{"GET", "3", "", false, 3},
		{"GET", "1", "secret", false, 1},
		{"POST", "1", "", false, 1},
	} {
		hops = 0
		req, err := http.NewRequestWithContext(t.Context(), test.method, s.URL+"/?"+test.more, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if test.key != "" {
			req.Header.Set("X-Webapi-Key", test.key)
		}
		resp, err := c.Target("a").Client(anyForm).Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrRedirect) || hops != test.hops {
			t.Errorf("%s %s: %d hops, the last %s, %v", test.method, test.more, hops, last, err)
		}
	}
}
