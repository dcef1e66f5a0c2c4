package server_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// writeCertificate writes a certificate for 127.0.0.1 that lasts until then, with its key.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64, until time.Time) {
	t.Helper()
	cert, key := makeCertificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().AddDate(0, -3, 0),
		NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	write(t, certFile, cert)
	write(t, keyFile, key)
}

// makeCertificate returns a certificate that has signed itself, and its key, both PEM.
func makeCertificate(t *testing.T, template *x509.Certificate) (certPEM, keyPEM string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signCertificate(t, template, key)
}

// signCertificate returns a certificate that a key has signed for itself, and the key, both PEM.
func signCertificate(t *testing.T, template *x509.Certificate, key crypto.Signer) (certPEM, keyPEM string) {
	t.Helper()
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serialAt returns the serial number of the certificate that a listener shows in a new handshake.
func serialAt(t *testing.T, addr net.Addr) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", addr.String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// tlsNode starts a node with certificates of files on both listeners, a pepper and a token.
func tlsNode(t *testing.T, dir string) (*server.Server, *lockedBuffer) {
	t.Helper()
	until := time.Now().AddDate(0, 2, 0)
	writeCertificate(t, filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"), 1001, until)
	writeCertificate(t, filepath.Join(dir, "ac.pem"), filepath.Join(dir, "ak.pem"), 1002, until)
	write(t, filepath.Join(dir, "pepper"), "a:"+strings.Repeat("0a", 32)+"\n")
	write(t, filepath.Join(dir, "token"), strings.Repeat("1", 40)+"\n")
	log := &lockedBuffer{}
	cfg := config(t, filepath.Join(dir, "data"))
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	cfg.AdminTLSCert, cfg.AdminTLSKey = filepath.Join(dir, "ac.pem"), filepath.Join(dir, "ak.pem")
	cfg.PepperFile, cfg.AdminTokenFile = filepath.Join(dir, "pepper"), filepath.Join(dir, "token")
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	return start(t, cfg), log
}

// get asks the operator's listener with a token and returns status and body.
func get(t *testing.T, s *server.Server, path, token string) (int, string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.AdminAddr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A node goes by its files as they are now: certificates in new handshakes, while connections go on, the pepper, the
// keys, the operator's token.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	s, log := tlsNode(t, dir)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	c, err := client.New("https://"+s.HTTPAddr().String(), client.Options{MaxRetries: -1, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	open, err := tls.Dial("tcp", s.HTTPAddr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()

	until := time.Now().AddDate(0, 3, 0)
	writeCertificate(t, filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"), 2001, until)
	writeCertificate(t, filepath.Join(dir, "ac.pem"), filepath.Join(dir, "ak.pem"), 2002, until)
	write(t, filepath.Join(dir, "pepper"), "b:"+strings.Repeat("0b", 32)+"\n") // not even with the one before
	write(t, filepath.Join(dir, "token"), strings.Repeat("2", 40)+"\n")
	if err := server.RotateKeys(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}

	if a, b := serialAt(t, s.HTTPAddr()), serialAt(t, s.AdminAddr()); a != 2001 || b != 2002 {
		t.Errorf("certificates %d and %d, want 2001 and 2002", a, b)
	}
	fmt.Fprintf(open, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(open); err != nil || !bytes.Contains(answer, []byte("200 OK")) {
		t.Errorf("on a connection from before: %q, %v", answer, err)
	}
	if old, _ := get(t, s, "/metrics", strings.Repeat("1", 40)); old != http.StatusUnauthorized {
		t.Errorf("the token before: %d", old)
	}
	status, metrics := get(t, s, "/metrics", strings.Repeat("2", 40))
	if status != http.StatusOK {
		t.Errorf("the token: %d", status)
	}
	for _, line := range []string{
		`rushgate_reload_successful{what="certificate"} 1`, `rushgate_reload_successful{what="pepper"} 1`,
		fmt.Sprintf(`rushgate_certificate_expiry_timestamp_seconds{listener="players"} %g`, float64(until.Unix())),
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	for _, what := range []string{"certificate", `"admin certificate"`, "pepper", "keys", `"admin token"`} {
		if !strings.Contains(log.String(), "what="+what) {
			t.Errorf("the log does not name %s:\n%s", what, log)
		}
	}
	if _, err := c.Login(t.Context(), "alice", "correct horse"); err != nil {
		t.Errorf("a password of the pepper before: %v", err)
	}
	if _, err := c.Register(t.Context(), "bob", "correct horse"); err != nil {
		t.Error(err)
	}
}

// What cannot be used changes nothing, and is told: in the log, by the error, in the metrics, on the dashboard.
func TestReloadKeepsWhatWorks(t *testing.T) {
	dir := t.TempDir()
	s, log := tlsNode(t, dir)
	token := strings.Repeat("1", 40)
	for file, spoiled := range map[string][]string{
		"c.pem":            {"", "garbage"},
		"ak.pem":           {"garbage"},
		"pepper":           {"", "garbage", "a:" + strings.Repeat("ff", 32), "a:" + strings.Repeat("0a", 31)},
		"token":            {"short", strings.Repeat("1", 40) + " x"},
		"data/netcode.key": {"", strings.Repeat("0", 64), strings.Repeat("1", 63)},
	} {
		path := filepath.Join(dir, filepath.FromSlash(file))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, content := range spoiled {
			write(t, path, content)
			if err := s.Reload(); err == nil {
				t.Errorf("%s with %q: no error", file, content)
			} else if strings.Contains(err.Error(), strings.Repeat("ff", 16)) {
				t.Errorf("%s: the error shows a secret: %v", file, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(); err == nil {
			t.Errorf("without %s: no error", file)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was made by reading it again", file)
		}
		if _, metrics := get(t, s, "/metrics", token); !strings.Contains(metrics, "rushgate_reload_successful{what=") ||
			strings.Count(metrics, "\"} 0\n") == 0 {
			t.Errorf("without %s: the metrics do not say so", file)
		}
		if _, page := get(t, s, "/metrics.json", token); page == "" {
			t.Error("no dump")
		}
		write(t, path, string(good))
		if err := s.Reload(); err != nil {
			t.Errorf("%s as it was: %v", file, err)
		}
	}
	if a, b := serialAt(t, s.HTTPAddr()), serialAt(t, s.AdminAddr()); a != 1001 || b != 1002 {
		t.Errorf("certificates %d and %d, want 1001 and 1002", a, b)
	}
	if !strings.Contains(log.String(), "the one before stays in use") {
		t.Errorf("the log does not say that the one before stays:\n%s", log)
	}
}

// The operator hears of a certificate that ends soon before players do.
func TestCertificateThatEndsSoonIsToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Time
		says  string
	}{
		"in two months": {time.Now().AddDate(0, 2, 0), ""},
		"in a week":     {time.Now().AddDate(0, 0, 7), "expires soon"},
		"last week":     {time.Now().AddDate(0, 0, -7), "has expired"},
	} {
		dir, log := t.TempDir(), &lockedBuffer{}
		cfg := config(t, filepath.Join(dir, "data"))
		cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
		writeCertificate(t, cfg.TLSCert, cfg.TLSKey, 1, c.until)
		cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		start(t, cfg).Stop()
		told := strings.Contains(log.String(), "listener=players")
		if told != (c.says != "") || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: the log should say %q:\n%s", name, c.says, log)
		}
	}
}

// The operator hears of a certificate that makes the handshakes of a rush costly: at the start, and when a reload
// brings it; once each.
func TestCostlyKeyIsToldOf(t *testing.T) {
	const says = "RSA key"
	dir, log := t.TempDir(), &lockedBuffer{}
	cfg := config(t, filepath.Join(dir, "data"))
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	costly, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	renew := func(serial int64, rsaKey bool) {
		t.Helper()
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().AddDate(0, -1, 0),
			NotAfter: time.Now().AddDate(0, 2, 0)}
		cert, key := makeCertificate(t, template)
		if rsaKey {
			cert, key = signCertificate(t, template, costly)
		}
		write(t, cfg.TLSCert, cert)
		write(t, cfg.TLSKey, key)
	}
	want := 0
	var s *server.Server
	for i, rsaKey := range []bool{false, true, true, false, true} {
		renew(int64(i+1), rsaKey)
		if s == nil {
			s = start(t, cfg)
		} else if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(); err != nil { // which brings nothing new
			t.Fatal(err)
		}
		if rsaKey {
			want++
		}
		if got := strings.Count(log.String(), says); got != want {
			t.Errorf("certificate %d: warned %d times, want %d:\n%s", i+1, got, want, log)
		}
	}
	s.Stop()
	start(t, cfg)
	if got := strings.Count(log.String(), says); got != want+1 || !strings.Contains(log.String(), "bits=2048") {
		t.Errorf("at a start: warned %d times, want %d:\n%s", got, want+1, log)
	}
}

// An embedder has certificates of its own.
func TestGetCertificate(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"), 77, time.Now().AddDate(0, 1, 0))
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, filepath.Join(dir, "data"))
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }
	if got := serialAt(t, start(t, cfg).HTTPAddr()); got != 77 {
		t.Errorf("certificate %d, want 77", got)
	}
}

// --tls-names are in the certificate, whose key stays the same when they change.
func TestSelfSignedForNames(t *testing.T) {
	dir, log := t.TempDir(), &lockedBuffer{}
	var pins []string
	for _, names := range [][]string{nil, {"play.example.org", "203.0.113.7"}} {
		cfg := config(t, dir)
		cfg.TLS, cfg.TLSNames, cfg.Logger = true, names, slog.New(slog.NewTextHandler(log, nil))
		s := start(t, cfg)
		conn, err := tls.Dial("tcp", s.HTTPAddr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		leaf := conn.ConnectionState().PeerCertificates[0]
		conn.Close()
		for _, name := range append(names, "localhost", "127.0.0.1") {
			if err := leaf.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		pins = append(pins, string(leaf.RawSubjectPublicKeyInfo))
		if sum := fmt.Sprintf("sha256=%x", sha256.Sum256(leaf.Raw)); !strings.Contains(log.String(), sum) {
			t.Errorf("the log lacks the fingerprint %s:\n%s", sum, log)
		}
		s.Stop()
	}
	if pins[0] != pins[1] {
		t.Error("other names made another key")
	}
}

// A node that gets no certificate from its authority lives, says that it is not ready and why, and stops when it is
// told to.
func TestAuthorityThatIsAway(t *testing.T) {
	authority := httptest.NewUnstartedServer(nil)
	authority.StartTLS() // which no node trusts
	defer authority.Close()
	cfg := config(t, t.TempDir())
	cfg.ACMEDomains, cfg.ACMEDirectory = []string{"play.example.org"}, authority.URL
	s := start(t, cfg)
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "certificate") {
		t.Errorf("/readyz answers %d %q, %v", resp.StatusCode, body, err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}
