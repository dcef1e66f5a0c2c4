package certificate_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/certificate"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// selfSigned returns a self-signed certificate for some names in a folder.
func selfSigned(t *testing.T, dir string, names ...string) certificate.SelfSigned {
	t.Helper()
	parsed, err := certificate.ParseNames(names)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.SelfSigned{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), Names: parsed,
		Write: func(path string, data []byte, mode fs.FileMode) error { return os.WriteFile(path, data, mode) },
	}
}

func ensure(t *testing.T, s certificate.SelfSigned, at time.Time) (why string, leaf *x509.Certificate) {
	t.Helper()
	why, err := s.Ensure(at)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return why, cert.Leaf
}

func TestSelfSignedNames(t *testing.T) {
	dir := t.TempDir()
	_, first := ensure(t, selfSigned(t, dir), now)
	if why, again := ensure(t, selfSigned(t, dir), now.Add(time.Hour)); why != "" || !again.Equal(first) {
		t.Errorf("made again: %s", why)
	}
	names := []string{"Play.example.org", "*.eu.example.org", "203.0.113.7", "2001:db8::7", "play.example.org"}
	why, second := ensure(t, selfSigned(t, dir, names...), now)
	if why != "its names have changed" {
		t.Errorf("with names, because %q", why)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "play.example.org", "a.eu.example.org", "203.0.113.7",
		"2001:db8::7"} {
		if err := second.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if certificate.Pin(first) != certificate.Pin(second) {
		t.Error("another key: clients that pin it would have to be told")
	}
	if certificate.Fingerprint(first) == certificate.Fingerprint(second) {
		t.Error("the fingerprint is the same")
	}
	slices.Reverse(names)
	if why, _ := ensure(t, selfSigned(t, dir, names...), now); why != "" {
		t.Errorf("the same names in another order: made again because %s", why)
	}
	if why, third := ensure(t, selfSigned(t, dir, names[1:]...), now); why != "" { // the name that was there twice
		t.Errorf("one name fewer of two that are the same: made again because %s: %v", why, third.DNSNames)
	}
	if why, third := ensure(t, selfSigned(t, dir), now); why == "" || third.VerifyHostname("play.example.org") == nil {
		t.Errorf("without names: made again because %q, for %v", why, third.DNSNames)
	}
}

func TestSelfSignedIsMadeAgainBeforeItEnds(t *testing.T) {
	dir := t.TempDir()
	own := selfSigned(t, dir)
	_, first := ensure(t, own, now)
	if why, _ := ensure(t, own, first.NotAfter.Add(-31*24*time.Hour)); why != "" {
		t.Errorf("a month before its end: made again because %s", why)
	}
	late := first.NotAfter.Add(-29 * 24 * time.Hour)
	if why, next := ensure(t, own, late); why == "" || !next.NotAfter.After(late.Add(time.Hour*24*365)) {
		t.Errorf("days before its end: %q, lasts until %v", why, next.NotAfter)
	}
}

// What stands in the files but cannot be read is never replaced: it may be another one's.
func TestSelfSignedFilesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s certificate.SelfSigned) error
		says  string // empty: it is made again
	}{
		"no certificate": {func(s certificate.SelfSigned) error { return os.Remove(s.CertFile) }, ""},
		"no key":         {func(s certificate.SelfSigned) error { return os.Remove(s.KeyFile) }, ""},
		"garbage for a key": {func(s certificate.SelfSigned) error {
			return os.WriteFile(s.KeyFile, []byte("garbage"), 0o600)
		}, "does not hold its key"},
		"garbage for a certificate": {func(s certificate.SelfSigned) error {
			return os.WriteFile(s.CertFile, []byte("garbage"), 0o600)
		}, "remove it"},
		"an empty certificate": {func(s certificate.SelfSigned) error {
			return os.WriteFile(s.CertFile, nil, 0o600)
		}, "remove it"},
	} {
		own := selfSigned(t, t.TempDir())
		ensure(t, own, now)
		if err := c.spoil(own); err != nil {
			t.Fatal(err)
		}
		why, err := own.Ensure(now)
		good := err == nil && why != ""
		if c.says == "" && !good || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: made again because %q, %v", name, why, err)
		}
	}
}

func TestParseNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	for name, says := range map[string]string{
		"play.example.org": "", "PLAY.example.org": "", "node": "", "*.example.org": "", "xn--bcher-kva.example": "",
		long + ".example": "", "10.0.0.1": "", "2001:db8::1": "", "a1.2b": "",
		"":                        "want a DNS name",
		"play.example.org:443":    "without a port",
		"[2001:db8::1]:443":       "without a port",
		"[2001:db8::1]":           "want a DNS name",
		"https://play.example":    "without a port",
		"play..example":           "want a DNS name",
		"play.example.":           "want a DNS name",
		"-play.example":           "want a DNS name",
		"play-.example":           "want a DNS name",
		"a.*.example":             "want a DNS name",
		"*":                       "want a DNS name",
		"*.org":                   "top level",
		"1.2.3":                   "looks like part of one",
		"300.1.1.1":               "looks like part of one",
		"bücher.example":          "xn--",
		"0.0.0.0":                 "no client can reach",
		"fe80::1%eth0":            "no client can reach",
		long + "a.example":        "want a DNS name",
		"play example.org":        "want a DNS name",
		strings.Repeat("a.", 130): "longer than 253",
	} {
		_, err := certificate.ParseNames([]string{name})
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v, want %q", name, err, says)
		}
	}
	if _, err := certificate.ParseNames(make([]string, 101)); err == nil {
		t.Error("101 names")
	}
}

// What is no better than the certificate in use does not replace it.
func TestPairKeepsWhatWorks(t *testing.T) {
	dir, clock := t.TempDir(), now
	own := selfSigned(t, dir)
	_, first := ensure(t, own, now)
	pair, err := certificate.NewPair(own.CertFile, own.KeyFile, func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := pair.Reload(); changed || err != nil {
		t.Errorf("the same files: %v, %v", changed, err)
	}
	// Another pair, made at another time.
	replace := func(made time.Time) {
		t.Helper()
		if err := os.Remove(own.CertFile); err != nil {
			t.Fatal(err)
		}
		ensure(t, own, made)
	}
	for name, made := range map[string]time.Time{
		"expired": now.AddDate(-11, 0, 0), "not valid yet": now.AddDate(0, 0, 2),
	} {
		replace(made)
		if changed, err := pair.Reload(); changed || err == nil || !pair.Leaf().Equal(first) {
			t.Errorf("%s: %v, %v", name, changed, err)
		}
	}
	if _, err := pair.Reload(); !errors.Is(err, certificate.ErrNotYet) && !errors.Is(err, certificate.ErrExpired) {
		t.Errorf("the error %v does not say which", err)
	}
	if err := os.WriteFile(own.KeyFile, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := pair.Reload(); changed || err == nil || !pair.Leaf().Equal(first) {
		t.Errorf("no key: %v, %v", changed, err)
	}
	if err := os.Remove(own.KeyFile); err != nil {
		t.Fatal(err)
	}
	replace(now.Add(-time.Hour))
	if changed, err := pair.Reload(); !changed || err != nil || pair.Leaf().Equal(first) {
		t.Errorf("a new pair: %v, %v", changed, err)
	}
	clock = now.AddDate(20, 0, 0) // the one in use has expired: any other is as good
	replace(now)
	if changed, err := pair.Reload(); !changed || err != nil {
		t.Errorf("nothing valid left: %v, %v", changed, err)
	}
}
