package run

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func get(t *testing.T, ctx context.Context, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// counted counts how many connections were closed.
type counted struct {
	net.Conn
	closed *int
}

func (c counted) Close() error { *c.closed++; return c.Conn.Close() }

func TestLineChecksTheCertificate(t *testing.T) {
	gone := make(chan struct{}, 20)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("%s", r.Proto)
		}
		_, _ = io.WriteString(w, r.TLS.ServerName)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			gone <- struct{}{}
		}
	}
	srv.EnableHTTP2 = true // which a line must not be talked into
	srv.StartTLS()
	defer srv.Close()
	address := srv.Listener.Addr().String()

	trusted := x509.NewCertPool()
	trusted.AddCert(srv.Certificate()) // for example.com and 127.0.0.1
	badName := func(err error) bool { _, ok := errors.AsType[x509.HostnameError](err); return ok }
	badIssuer := func(err error) bool { _, ok := errors.AsType[x509.UnknownAuthorityError](err); return ok }
	for name, tt := range map[string]struct {
		url, server string // the name that the server is asked for
		cfg         *tls.Config
		refused     func(error) bool // nil: trusted
	}{
		"trusted name":              {"https://example.com", "example.com", &tls.Config{RootCAs: trusted}, nil},
		"trusted address":           {"https://" + address, "", &tls.Config{RootCAs: trusted}, nil},
		"another name":              {"https://game.test", "", &tls.Config{RootCAs: trusted}, badName},
		"unknown authority":         {"https://example.com", "", &tls.Config{}, badIssuer},
		"another one":               {"https://example.com", "", &tls.Config{RootCAs: x509.NewCertPool()}, badIssuer},
		"any certificate, any name": {"https://game.test", "game.test", &tls.Config{InsecureSkipVerify: true}, nil},
	} {
		dials, closed := 0, 0
		l := &line{tls: tt.cfg, dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			dials++
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, address)
			return counted{conn, &closed}, err
		}}
		for range 2 {
			switch got, err := l.send(get(t, t.Context(), tt.url)); {
			case tt.refused != nil && (err == nil || !tt.refused(err) || l.conn != nil):
				t.Errorf("%s: %q, %v", name, got, err)
			case tt.refused == nil && (err != nil || got != tt.server):
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		l.CloseIdleConnections()
		want := 1
		if tt.refused != nil {
			want = 2
		}
		if dials != want || closed != want {
			t.Errorf("%s: %d connections, %d closed", name, dials, closed)
		}
		for range dials {
			<-gone // the server has seen the end of it
		}
	}
}
