package server_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestBrowserClientIsServed(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	for _, path := range []string{"/play", "/play/"} {
		resp, err := http.Get("http://" + s.HTTPAddr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Request.URL.Path; resp.StatusCode != http.StatusOK || got != "/play/" {
			t.Errorf("GET %s led to %s, %s", path, got, resp.Status)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("GET %s: Content-Security-Policy is %q", path, csp)
		}
	}
}
