package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// lifetime is how long a self-signed certificate lasts: a client that pinned its fingerprint should not have to again.
	lifetime = 10 * 365 * 24 * time.Hour
	// remake is how long before its end it is made anew.
	remake = 30 * 24 * time.Hour
)

// SelfSigned says which self-signed certificate a node shows.
type SelfSigned struct {
	// CertFile and KeyFile are where the certificate and its key are kept, PEM.
	CertFile, KeyFile string
	// Names are what it stands for, besides localhost, the loopback addresses and the machine's own name.
	Names Names
	// Write writes a file so that it is there whole or not at all.
	Write func(path string, data []byte, mode fs.FileMode) error
}

// Ensure makes the certificate unless there is one with these names that does not end soon. The key stays as it was if
// there is one, so that clients which pin the key need not be told. It returns why the certificate was made, or nothing
// if there was one. What cannot be read is an error, and never replaced.
func (s SelfSigned) Ensure(now time.Time) (why string, err error) {
	key, err := s.key()
	if err != nil {
		return "", err
	}
	if key != nil {
		if why, err = s.outdated(now); why == "" || err != nil {
			return "", err
		}
	} else {
		why = "there was none"
		if key, err = s.newKey(); err != nil { // the key first: a certificate without its key is of no use
			return "", err
		}
	}
	host, err := os.Hostname()
	if err != nil || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		host = "" // there is one name less
	}
	der, err := create(key, s.Names, host, now)
	if err != nil {
		return "", fmt.Errorf("self-signed certificate: %w", err)
	}
	return why, s.Write(s.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// key returns the key that there is, or nil.
func (s SelfSigned) key() (crypto.Signer, error) {
	b, err := os.ReadFile(s.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	unusable := fmt.Errorf("self-signed certificate: %s does not hold its key; remove it to get a new one", s.KeyFile)
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, unusable
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, unusable
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, unusable
	}
	return key, nil
}

func (s SelfSigned) newKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	return key, s.Write(s.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// outdated returns why the certificate has to be made anew, or nothing. That the machine has another name than when it
// was made is no reason: containers get a new one with every start, and clients would have to be told each time.
func (s SelfSigned) outdated(now time.Time) (why string, err error) {
	pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "there was none", nil
	}
	if err != nil {
		// A node that ended between writing the two has left a certificate of another key.
		if b, e := os.ReadFile(s.CertFile); e == nil && isCertificate(b) {
			return "it did not belong to its key", nil
		}
		return "", fmt.Errorf("self-signed certificate: %s: %w; remove it to get a new one", s.CertFile, err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return "", fmt.Errorf("self-signed certificate: %s: %w", s.CertFile, err)
	}
	switch {
	case now.Add(remake).After(leaf.NotAfter):
		return "it ends on " + leaf.NotAfter.UTC().Format(time.DateOnly), nil
	case !s.covers(leaf):
		return "its names have changed", nil
	}
	return "", nil
}

func isCertificate(b []byte) bool {
	block, _ := pem.Decode(b)
	if block == nil {
		return false
	}
	_, err := x509.ParseCertificate(block.Bytes)
	return err == nil
}

// covers reports whether a certificate has the names it should have, and no others.
func (s SelfSigned) covers(leaf *x509.Certificate) bool {
	want := template(s.Names, madeOn(leaf), time.Time{})
	return sameNames(leaf.DNSNames, want.DNSNames) && sameNames(texts(leaf.IPAddresses), texts(want.IPAddresses))
}

func texts(ips []net.IP) (all []string) {
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// madeOn returns the name of the machine on which a certificate was made. Those made before there was an organization
// in them have it after localhost, if it was another name.
func madeOn(leaf *x509.Certificate) string {
	switch {
	case len(leaf.Subject.Organization) > 0:
		return leaf.Subject.Organization[0]
	case len(leaf.DNSNames) > 1:
		return leaf.DNSNames[1]
	}
	return "localhost"
}

// template returns a certificate as it is to be made on a machine of that name.
func template(names Names, host string, now time.Time) *x509.Certificate {
	all := Names{DNS: []string{"localhost"}, IP: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	for _, name := range append([]string{host}, names.DNS...) {
		if name != "" && !slices.Contains(all.DNS, name) {
			all.DNS = append(all.DNS, name)
		}
	}
	for _, ip := range names.IP {
		all.addIP(ip)
	}
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: "rushgate self-signed", Organization: []string{host}},
		NotBefore:   now.Add(-time.Hour), // for clients whose clocks are slow
		NotAfter:    now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    all.DNS, IPAddresses: all.IP,
		BasicConstraintsValid: true, // of no authority
	}
}

func create(key crypto.Signer, names Names, host string, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := template(names, host, now)
	t.SerialNumber = serial
	return x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
}

// Fingerprint returns the SHA-256 of a certificate, in hexadecimal.
func Fingerprint(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// Pin returns the SHA-256 of a certificate's public key, in base64 and as curl and browsers take it.
func Pin(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
