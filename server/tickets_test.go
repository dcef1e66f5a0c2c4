package server_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/server"
)

// returning is a client that comes back, up to a version of TLS.
func returning(version uint16) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "node", MaxVersion: version,
		ClientSessionCache: tls.NewLRUClientSessionCache(1)}
}

// resumes reports whether a client resumes its session at a listener; it gets a ticket for the next time.
func resumes(t *testing.T, addr net.Addr, client *tls.Config) bool {
	t.Helper()
	conn, err := tls.Dial("tcp", addr.String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
		t.Fatalf("answer %q, %v", answer, err)
	}
	return conn.ConnectionState().DidResume
}

// Players resume their TLS sessions when the node comes back, whatever certificate it has and whether the doorman or
// net/http does the handshakes. Those of TLS 1.2 do until it stops: the keys of their tickets never leave the process.
func TestTLSSessionsResumeAfterRestart(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"doorman":  func(*server.Config) {},
		"net/http": func(c *server.Config) { c.Policy = func(rushgate.Knock) error { return nil } },
		"certificate of an embedder": func(c *server.Config) {
			certFile, keyFile := filepath.Join(c.DataDir, "c.pem"), filepath.Join(c.DataDir, "k.pem")
			writeCertificate(t, certFile, keyFile, 7, time.Now().AddDate(0, 1, 0))
			cert, err := tls.LoadX509KeyPair(certFile, keyFile)
			if err != nil {
				t.Fatal(err)
			}
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, t.TempDir())
			cfg.TLS = true
			change(&cfg)
			clients := map[bool]*tls.Config{true: returning(tls.VersionTLS13), false: returning(tls.VersionTLS12)}
			s := start(t, cfg)
			for _, c := range clients {
				if resumes(t, s.HTTPAddr(), c) || !resumes(t, s.HTTPAddr(), c) {
					t.Error("want a full handshake, then a resumed session")
				}
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			s = start(t, cfg)
			for want, c := range clients {
				if got := resumes(t, s.HTTPAddr(), c); got != want {
					t.Errorf("%s: resumed after a restart: %v, want %v", tls.VersionName(c.MaxVersion), got, want)
				}
			}
		})
	}
}

// A node has its own keys: what another has sealed costs a full handshake, and so does a file of keys that is damaged.
func TestTLSSessionsOfOtherKeys(t *testing.T) {
	dir, log := t.TempDir(), &lockedBuffer{}
	cfg := config(t, dir)
	cfg.TLS, cfg.Logger = true, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	client := returning(tls.VersionTLS13)
	s := start(t, cfg)
	resumes(t, s.HTTPAddr(), client)
	other := config(t, t.TempDir())
	other.TLS = true
	if o := start(t, other); resumes(t, o.HTTPAddr(), client) || !resumes(t, o.HTTPAddr(), client) {
		t.Error("want a full handshake at another node, then a resumed session")
	}
	resumes(t, s.HTTPAddr(), client)
	s.Stop()
	write(t, filepath.Join(dir, "tls-tickets.key"), "0123")
	s = start(t, cfg)
	if resumes(t, s.HTTPAddr(), client) || !resumes(t, s.HTTPAddr(), client) {
		t.Error("want a full handshake with new keys, then a resumed session")
	}
	if !strings.Contains(log.String(), "tls-tickets.key") || strings.Contains(log.String(), "0123") {
		t.Errorf("the log should name the file, and nothing that was in it:\n%s", log)
	}
}

// The operator's listener has keys of its own, also where it shows the players' certificate.
func TestPlayersTicketIsNotTheOperators(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t, dir)
	cfg.TLS, cfg.AdminAddr, cfg.AdminTokenFile = true, "0.0.0.0:0", filepath.Join(dir, "token")
	write(t, cfg.AdminTokenFile, strings.Repeat("1", 40)+"\n")
	s := start(t, cfg)
	_, port, err := net.SplitHostPort(s.AdminAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	admin, err := net.ResolveTCPAddr("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	client := returning(tls.VersionTLS13)
	resumes(t, s.HTTPAddr(), client)
	if resumes(t, admin, client) || !resumes(t, admin, client) {
		t.Error("want a full handshake with the operator's listener, then a resumed session")
	}
}

// A node that keeps nothing, or speaks plain HTTP, keeps no keys either.
func TestNoTicketKeysWithoutNeed(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"memory": func(c *server.Config) { c.TLS, c.Backend = true, server.Memory },
		"HTTP":   func(*server.Config) {},
	} {
		cfg := config(t, t.TempDir())
		change(&cfg)
		start(t, cfg)
		if _, err := os.Stat(filepath.Join(cfg.DataDir, "tls-tickets.key")); err == nil {
			t.Errorf("%s: there is a file of keys", name)
		}
	}
}
