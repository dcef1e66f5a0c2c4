package acme_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/acme"
	"github.com/rushgate/rushgate/internal/certificate"
	"github.com/rushgate/rushgate/internal/porttest"
)

// pebbleVersion is the release of Pebble, the test authority of Let's Encrypt, that the tests run.
const pebbleVersion = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3"

// buildPebble builds a real Pebble; after the first time that takes a second.
var buildPebble = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pebble")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "install", pebbleVersion)
	cmd.Dir = dir // outside of the module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "pebble"), nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if path, err := buildPebble(); err == nil && path != "" {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

// pebble starts a Pebble that validates at a port, and returns its directory and what its own certificate is trusted
// by.
func pebble(t *testing.T, validationPort int) (directory string, roots *x509.CertPool) {
	t.Helper()
	path, err := buildPebble()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	roots = writeCertificate(t, dir)
	addr := porttest.Addr(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": addr, "certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": 1, "tlsPort": validationPort,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(path, "-config", filepath.Join(dir, "config.json"))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_VA_ALWAYS_VALID=0", "PEBBLE_WFE_NONCEREJECT=5")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	if directory = "https://" + addr + "/dir"; !answers(t.Context(), directory, roots, ended) {
		cmd.Process.Kill()
		<-ended
		t.Fatalf("pebble does not start:\n%s", &log)
	}
	return directory, roots
}

// answers waits until a directory is served; false if the process ended first.
func answers(ctx context.Context, directory string, roots *x509.CertPool, ended <-chan struct{}) bool {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", directory, nil)
		if err != nil {
			return false
		}
		if resp, err := (&http.Client{Transport: transport}).Do(req); err == nil {
			resp.Body.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// writeCertificate makes a certificate for 127.0.0.1 and its key, cert.pem and key.pem.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	own := certificate.SelfSigned{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), Write: os.WriteFile,
	}
	if _, err := own.Ensure(time.Now()); err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile(own.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

// safeLog is a log that several goroutines write, and that can be waited for.
type safeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *safeLog) waitFor(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(l.String(), text) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("the log never said %q:\n%s", text, l)
		}
	}
}

// serve serves a manager's certificates on a port of the system's choice.
func serve(t *testing.T) (net.Listener, func(*acme.Manager)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, func(m *acme.Manager) {
		srv := &http.Server{TLSConfig: m.TLS(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		go srv.ServeTLS(l, "", "")
		t.Cleanup(func() { srv.Close() })
	}
}

// A real authority validates the listener that players use, and players then see its certificate. Another run has it
// from the folder, which others cannot read.
func TestCertificateFromPebble(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	var directory string
	var roots *x509.CertPool
	for _, when := range []string{"first run", "second run"} {
		log := &safeLog{}
		l, begin := serve(t)
		if when == "first run" {
			directory, roots = pebble(t, l.Addr().(*net.TCPAddr).Port)
		}
		loaded := make(chan struct{}, 10)
		m := acme.New(acme.Config{Domains: []string{"localhost"}, Email: "op@example.org", Directory: directory,
			Roots: roots, Dir: dir, Logger: slog.New(slog.NewTextHandler(log, nil)),
			Loaded: func() { loaded <- struct{}{} }})
		if when == "first run" && m.Ready() {
			t.Error("ready without a certificate")
		}
		if err := m.Listen(l.Addr()); err != nil {
			t.Fatal(err)
		}
		if when == "second run" && !m.Ready() {
			t.Error("what there is is not shown from the first handshake on")
		}
		begin(m)
		m.Start()
		if when == "first run" {
			log.waitFor(t, "a certificate was obtained")
		}
		<-loaded
		if !m.Ready() {
			t.Errorf("%s: a certificate was loaded, but there is none", when)
		}
		for _, name := range []string{"localhost", ""} {
			conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err != nil {
				t.Fatalf("%s, as %q: %v", when, name, err)
			}
			leaf := conn.ConnectionState().PeerCertificates[0]
			conn.Close()
			if leaf.VerifyHostname("localhost") != nil || !strings.Contains(leaf.Issuer.CommonName, "Pebble") {
				t.Errorf("%s, as %q: a certificate of %s for %v", when, name, leaf.Issuer, leaf.DNSNames)
			}
		}
		m.Stop()
		m.Stop()
		l.Close()
	}
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if info, err := e.Info(); err == nil && info.Mode()&0o077 != 0 {
			t.Errorf("others can read %s, mode %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// An authority that gives nothing is told of in the log, and not asked at once by the next run.
func TestAuthorityRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	l, begin := serve(t)
	directory, roots := pebble(t, 1) // where nothing listens, so that validation fails
	cfg := acme.Config{Domains: []string{"localhost"}, Roots: roots, Dir: dir, Directory: directory}
	log := &safeLog{}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	m := acme.New(cfg)
	if err := m.Listen(l.Addr()); err != nil {
		t.Fatal(err)
	}
	begin(m)
	m.Start()
	log.waitFor(t, "gave no certificate")
	if m.Ready() {
		t.Error("ready without a certificate")
	}
	m.Stop()
	log = &safeLog{}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	again := acme.New(cfg)
	defer again.Stop()
	if err := again.Listen(l.Addr()); err != nil {
		t.Fatal(err)
	}
	again.Start()
	log.waitFor(t, "the next one is made later")
}
