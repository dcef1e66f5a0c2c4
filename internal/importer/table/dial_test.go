package table

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// served is an address at which every connection is served by a goroutine.
func served(t *testing.T, text string, serve func(net.Conn)) *Address {
	t.Helper()
	a, err := ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	a.dialer = func(context.Context, string, string) (net.Conn, error) {
		ours, its := net.Pipe()
		go func() {
			defer func() { _ = its.Close() }()
			serve(its)
		}()
		return ours, nil
	}
	return a
}

// Who names the one server in the URL and meets the other, or something else, is told so.
func TestAnotherServer(t *testing.T) {
	asMySQL := func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }() // which speaks before it listens
		s := standIn{Conn: c, flavour: mariaDB, sequence: 255}
		s.packet(0, append([]byte("\x0a8.0.0\x00"), make([]byte, 60)...)...)
	}
	asPostgreSQL := func(c net.Conn) {
		s := standIn{Conn: c, flavour: postgres}
		if s.hearStartup() {
			s.refuse()
		}
		_, _ = io.Copy(io.Discard, c)
	}
	asSSH := func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }()
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
	}
	for _, c := range []struct {
		at    string
		serve func(net.Conn)
		want  string
	}{
		{"postgres://ann@192.0.2.1:3306/d", asMySQL, "write mysql://"},
		{"mysql://ann@192.0.2.1:5432/d", asPostgreSQL, "write postgres://"},
		{"mysql://ann@192.0.2.1/d", asSSH, "does not speak as MySQL does"},
		{"postgres://ann@192.0.2.1/d", asSSH, "does not speak as PostgreSQL does"},
	} {
		for _, encrypted := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				a := served(t, c.at, c.serve)
				if encrypted {
					if err := a.Encrypt(nil, true); err != nil {
						t.Fatal(err)
					}
				}
				_, err := Connect(t.Context(), a, nil)
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
					t.Errorf("%s, encrypted %v: %v, want %q", c.at, encrypted, err, c.want)
				}
			})
		}
	}
}

// A name with several addresses is waited for as long as each of them may take, and no longer than some of them may.
func TestAddressesOfAName(t *testing.T) {
	for n, limit := range map[int]time.Duration{
		0: connectIn, 1: connectIn, 3: 3 * connectIn, 50: maxAddresses * connectIn,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := (&silent{}).at(t, "mysql://ann@db.example.org/d")
			a.lookup = func(context.Context, string) ([]string, error) { return make([]string, n), nil }
			start := time.Now()
			_, err := Connect(t.Context(), a, nil)
			if took := time.Since(start); took != limit || err == nil || !strings.Contains(err.Error(), limit.String()) {
				t.Errorf("%d addresses: %v after %v, want %v", n, err, took, limit)
			}
		})
	}
}
