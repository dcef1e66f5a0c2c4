package servertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate makes an authority, and a certificate of it for 127.0.0.1 that is good for a day around a time.
func Certificate(tb testing.TB, at time.Time) (authority *x509.Certificate, own tls.Certificate) {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: at.Add(-time.Hour), NotAfter: at.Add(24 * time.Hour),
	}
	authority, its := sign(tb, template, template, nil)
	template.IsCA, template.BasicConstraintsValid = false, false
	template.Subject.CommonName = "server"
	template.SerialNumber, template.IPAddresses = big.NewInt(2), []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf, key := sign(tb, template, authority, its)
	return authority, tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// sign makes a certificate with a new key, signed by another one, or by itself without that.
func sign(tb testing.TB, template, parent *x509.Certificate, by crypto.Signer) (*x509.Certificate, crypto.Signer) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return certificate, key
}

func (s *Server) certificate() string { return filepath.Join(s.dir, "certificate.pem") }
func (s *Server) key() string         { return filepath.Join(s.dir, "key.pem") }

// makeCertificates leaves a certificate and its key in the folder of the server, and its authority.
func (s *Server) makeCertificates() {
	s.tb.Helper()
	authority, own := Certificate(s.tb, time.Now())
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.Authority = filepath.Join(s.dir, "authority.pem")
	for path, block := range map[string]*pem.Block{
		s.Authority:     {Type: "CERTIFICATE", Bytes: authority.Raw},
		s.certificate(): {Type: "CERTIFICATE", Bytes: own.Certificate[0]},
		s.key():         {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			s.tb.Fatal(err)
		}
	}
}
