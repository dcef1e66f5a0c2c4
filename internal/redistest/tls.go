package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// StartTLS starts a server that speaks TLS only, and returns what a client needs to trust it.
func StartTLS(tb testing.TB, config ...string) (*Server, *tls.Config) {
	tb.Helper()
	s := prepare(tb, config)
	pool := x509.NewCertPool()
	pool.AddCert(s.makeCertificate())
	s.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	s.config = append([]string{
		"--port", "0", "--tls-port", strconv.Itoa(s.port), "--tls-auth-clients", "no",
		"--tls-cert-file", s.file("cert.pem"), "--tls-key-file", s.file("key.pem"), "--tls-ca-cert-file", s.file("cert.pem"),
	}, config...)
	s.Restart()
	return s, s.tls
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// makeCertificate leaves a certificate and its key in the server's folder.
func (s *Server) makeCertificate() *x509.Certificate {
	s.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		s.tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	s.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		s.tb.Fatal(err)
	}
	return certificate
}

func (s *Server) write(name string, content []byte) {
	s.tb.Helper()
	if err := os.WriteFile(s.file(name), content, 0o600); err != nil {
		s.tb.Fatal(err)
	}
}
