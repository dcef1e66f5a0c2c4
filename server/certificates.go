package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/acme"
	"github.com/rushgate/rushgate/internal/certificate"
	"github.com/rushgate/rushgate/internal/reload"
	"github.com/rushgate/rushgate/internal/tlsresume"
)

// ticketKeysName is the name, within the data folder, of the file with the keys of TLS session tickets.
const ticketKeysName = "tls-tickets.key"

// players is what the listener that players meet is called in the log, on the dashboard and in metrics.
const players = "players"

// shown is a certificate that a listener shows.
type shown struct {
	listener string                   // players or "admin"
	leaf     func() *x509.Certificate // the one that is shown now; nil while there is none
}

// validateTLS checks where the certificate for players comes from.
func (c Config) validateTLS() error {
	var errs []error
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, wrong("TLSKey", "a TLS certificate needs its key and the other way round"))
	}
	if c.TLSCert != "" && c.GetCertificate != nil {
		errs = append(errs, wrong("TLSCert", "a TLS certificate in a file, and a function for it besides: want one of them"))
	}
	if len(c.ACMEDomains) > 0 && (c.TLSCert != "" || c.GetCertificate != nil) {
		errs = append(errs, wrong("ACMEDomains", "domains to get certificates for, "+
			"and a TLS certificate besides: want one of them"))
	}
	errs = append(errs, c.validateACME())
	if len(c.TLSNames) > 0 && (len(c.ACMEDomains) > 0 || c.TLSCert != "" || c.GetCertificate != nil) {
		errs = append(errs, wrong("TLSNames", "names for the self-signed TLS certificate, "+
			"but the certificate is another one"))
	}
	if _, err := certificate.ParseNames(c.TLSNames); err != nil {
		errs = append(errs, wrong("TLSNames", "TLS %w", err))
	}
	return errors.Join(errs...)
}

// maxDomains bounds the domains of a node: authorities bound what one account may ask for.
const maxDomains = 20

// validateACME checks what certificates are to be got by ACME, and where.
func (c Config) validateACME() error {
	if len(c.ACMEDomains) == 0 {
		return nil
	}
	if len(c.ACMEDomains) > maxDomains {
		return wrong("ACMEDomains", "%d domains to get certificates for, want at most %d", len(c.ACMEDomains), maxDomains)
	}
	names, err := certificate.ParseNames(c.ACMEDomains)
	if err != nil {
		return wrong("ACMEDomains", "ACME domains: %w", err)
	}
	if len(names.IP) > 0 {
		return wrong("ACMEDomains", "ACME domain %s: want a DNS name", names.IP[0])
	}
	for _, name := range names.DNS {
		if strings.HasPrefix(name, "*.") {
			return wrong("ACMEDomains", "ACME domain %q: an authority gives certificates for wildcards by DNS only", name)
		}
	}
	if u, err := url.Parse(c.ACMEDirectory); err != nil || u.Scheme != "https" || u.Host == "" {
		return wrong("ACMEDirectory", "ACME directory: want the https URL of an authority")
	}
	return nil
}

// fromAuthority returns the TLS of a node whose certificates come by ACME.
func (s *Server) fromAuthority() *tls.Config {
	names, _ := certificate.ParseNames(s.cfg.ACMEDomains) // which validate has checked
	s.acme = acme.New(acme.Config{
		Domains: names.DNS, Email: s.cfg.ACMEEmail, Directory: s.cfg.ACMEDirectory,
		Dir: filepath.Join(s.cfg.DataDir, "acme"), Logger: s.cfg.Logger,
		Loaded: func() { s.upkeep.warn(time.Now()) },
	})
	s.ready.Certified(s.acme.Ready)
	s.upkeep.show(shown{players, s.acme.Leaf})
	return s.acme.TLS()
}

// tlsConfig returns the front door's TLS, or nil for plain HTTP.
func (s *Server) tlsConfig() (*tls.Config, error) {
	c, err := s.frontTLS()
	if c != nil { // the doorman does the handshakes, of which net/http would have said that it speaks both
		c.NextProtos = append(c.NextProtos, "h2", "http/1.1")
	}
	return c, err
}

func (s *Server) frontTLS() (*tls.Config, error) {
	switch {
	case !s.cfg.TLS:
		return nil, nil
	case s.cfg.GetCertificate != nil:
		return serving(s.cfg.GetCertificate), nil
	case len(s.cfg.ACMEDomains) > 0:
		return s.fromAuthority(), nil
	}
	certFile, keyFile := s.cfg.TLSCert, s.cfg.TLSKey
	if certFile == "" {
		var err error
		if certFile, keyFile, err = s.selfSigned(); err != nil {
			return nil, err
		}
	}
	pair, err := s.pair("TLSCert", players, "certificate", certFile, keyFile)
	if err != nil {
		return nil, err
	}
	if s.cfg.TLSCert == "" {
		s.cfg.Logger.Info("serving a self-signed certificate; clients have to pin it, or its key", "file", certFile,
			"sha256", certificate.Fingerprint(pair.Leaf()), "key_sha256_base64", certificate.Pin(pair.Leaf()))
	}
	return serving(pair.Get), nil
}

// keepTickets has players resume their TLS sessions after a restart too. The operator's listener, which has copied c by
// now, does not come to it: there are few connections, and a ticket is worth nothing there that was given here.
func (s *Server) keepTickets(c *tls.Config) {
	if c == nil || s.cfg.Backend == Memory { // which keeps nothing
		return
	}
	s.upkeep.tickets = tlsresume.Open(tlsresume.Config{
		File: filepath.Join(s.cfg.DataDir, ticketKeysName), Write: writeFile, Logger: s.cfg.Logger,
	}, time.Now())
	s.upkeep.tickets.Apply(c)
}

// serving returns a configuration whose certificate is asked for in each handshake. Connections go on with what they
// have begun with.
func serving(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12}
}

// openPair reads the certificate that a setting names.
func openPair(setting, certFile, keyFile string) (*certificate.Pair, error) {
	pair, err := certificate.NewPair(certFile, keyFile, time.Now)
	if err != nil {
		return nil, fmt.Errorf("server: TLS certificate: %w", &SettingError{setting, err})
	}
	return pair, nil
}

// pair reads the certificate of a listener, which a setting names, and has it read again when its files change.
func (s *Server) pair(setting, listener, name, certFile, keyFile string) (*certificate.Pair, error) {
	before := reload.Look(certFile, keyFile)
	pair, err := openPair(setting, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	s.upkeep.watcher.Add(reload.Subject{Name: name, Files: []string{certFile, keyFile}, Load: func() (bool, error) {
		changed, err := pair.Reload()
		if changed {
			s.upkeep.warn(time.Now())
		}
		return changed, err
	}}, before)
	s.upkeep.show(shown{listener, pair.Leaf})
	return pair, nil
}

// selfSigned makes the certificate of a node that has none, unless there is one, and returns where it is.
func (s *Server) selfSigned() (certFile, keyFile string, err error) {
	names, err := certificate.ParseNames(s.cfg.TLSNames)
	if err != nil {
		return "", "", wrong("TLSNames", "TLS %w", err)
	}
	own := certificate.SelfSigned{
		CertFile: filepath.Join(s.cfg.DataDir, "tls-cert.pem"), KeyFile: filepath.Join(s.cfg.DataDir, "tls-key.pem"),
		Names: names, Write: writeFile,
	}
	if err := ensureFolder(s.cfg.DataDir); err != nil {
		return "", "", err
	}
	ensure := func(now time.Time) error {
		why, err := own.Ensure(now)
		if err == nil && why != "" {
			s.cfg.Logger.Info("a self-signed certificate was made", "because", why, "file", own.CertFile)
		}
		return err
	}
	s.upkeep.ensure = ensure
	if err := ensure(time.Now()); err != nil {
		return "", "", fmt.Errorf("server: %w", err)
	}
	return own.CertFile, own.KeyFile, nil
}
