// Package acme gets certificates from a certificate authority, and renews them, by the ACME protocol (RFC 8555).
package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"go.uber.org/zap"
)

// LetsEncrypt is the directory of Let's Encrypt, whose certificates all browsers take.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// pause is how long after a failure the first attempt of another run is made. Authorities refuse those who fail too
// often, for an hour or more, and a node that is started again and again would.
const pause = 15 * time.Minute

// Config says which certificates are wanted.
type Config struct {
	// Domains are the names, a certificate each; one at least.
	Domains []string
	// Email is where the authority writes to; it may be empty.
	Email string
	// Directory is the URL at which the authority is found.
	Directory string
	// Roots are those that the authority's own certificate is trusted by; nil means the system's.
	Roots *x509.CertPool
	// Dir is the folder for accounts, keys and certificates, which others than the owner cannot read.
	Dir string
	// Logger hears of what was got, and of what failed and why.
	Logger *slog.Logger
	// Loaded, if not nil, is called when the first certificate of a domain is there to be shown, be it one of an earlier
	// run. It must not block.
	Loaded func()
}

// Manager gets certificates and keeps them fresh. Its methods may be called from many goroutines.
type Manager struct {
	cfg   Config
	magic *certmagic.Config
	cache *certmagic.Cache

	cancel   context.CancelFunc
	ctx      context.Context
	stopOnce sync.Once
	running  sync.WaitGroup
}

// New returns a manager that has not asked for anything yet. The caller has to call Stop.
func New(cfg Config) *Manager {
	m := &Manager{cfg: cfg}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	quiet := zap.NewNop() // events tell what there is to tell
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m.magic, nil }, Logger: quiet,
	})
	m.magic = certmagic.New(m.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: cfg.Dir}, Logger: quiet, OnEvent: m.event,
		// Clients that give no name, like probes by address, get the first one.
		DefaultServerName: cfg.Domains[0], FallbackServerName: cfg.Domains[0],
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	return m
}

// TLS returns what a listener serves: the certificates, and the answers to the authority's challenges (TLS-ALPN-01, RFC
// 8737).
func (m *Manager) TLS() *tls.Config {
	return &tls.Config{
		GetCertificate: m.magic.GetCertificate, MinVersion: tls.VersionTLS12,
		NextProtos: []string{acmez.ACMETLS1Protocol},
	}
}

// Listen says at which address [Manager.TLS] is going to be served; the authority has to reach it at port 443 of each
// domain. It has to be called before the first handshake. Certificates that an earlier run has got, or a node that this
// one goes on in place of, are there when it returns, unless they are to be renewed.
func (m *Manager) Listen(listener net.Addr) error {
	host, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	m.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(m.magic, certmagic.ACMEIssuer{
		CA: m.cfg.Directory, TrustedRoots: m.cfg.Roots, Email: m.cfg.Email, Agreed: true,
		DisableHTTPChallenge: true, DisableDistributedSolvers: true, ListenHost: host, AltTLSALPNPort: n,
		HTTPProxy: http.ProxyFromEnvironment, Logger: zap.NewNop(),
	})}
	for _, domain := range m.cfg.Domains {
		cert, err := m.magic.CacheManagedCertificate(m.ctx, domain)
		if err == nil && cert.NeedsRenewal(m.magic) { // Start renews what it finds, and leaves alone what is in the cache
			m.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: domain}})
		}
	}
	return nil
}

// Start has certificates got and renewed until Stop, once the listener is served. What fails is tried again, ever more
// rarely. Start must be called once at most, after Listen.
func (m *Manager) Start() { m.running.Go(m.begin) }

// begin asks for the certificates, not too soon after a failure of an earlier run.
func (m *Manager) begin() {
	if info, err := os.Stat(m.failureFile()); err == nil && !m.Ready() {
		if wait := min(time.Until(info.ModTime().Add(pause)), pause); wait > 0 {
			m.cfg.Logger.Warn("the last attempt to get a certificate failed; the next one is made later, since authorities "+
				"refuse those who fail too often", "in", wait.Round(time.Second), "domains", m.cfg.Domains)
			select {
			case <-m.ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	}
	if err := m.magic.ManageAsync(m.ctx, m.cfg.Domains); err != nil && m.ctx.Err() == nil {
		m.cfg.Logger.Error("no certificate can be got", "domains", m.cfg.Domains, "error", err)
	}
}

func (m *Manager) failureFile() string { return filepath.Join(m.cfg.Dir, "last-failure") }

// event hears of what becomes of certificates.
func (m *Manager) event(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_failed":
		if m.ctx.Err() != nil {
			return nil
		}
		m.cfg.Logger.Error("the certificate authority gave no certificate; it is asked again later",
			"domain", data["identifier"], "renewal", data["renewal"], "directory", m.cfg.Directory, "error", data["error"])
		_ = os.WriteFile(m.failureFile(), nil, 0o600) // at worst the next run asks at once
		now := time.Now()
		_ = os.Chtimes(m.failureFile(), now, now)
	case "cached_managed_cert":
		if m.cfg.Loaded != nil {
			m.cfg.Loaded()
		}
	case "cert_obtained":
		m.cfg.Logger.Info("a certificate was obtained", "domain", data["identifier"], "renewal", data["renewal"],
			"directory", m.cfg.Directory)
		_ = os.Remove(m.failureFile())
	}
	return nil
}

// Leaf returns the certificate of the domain whose certificate ends first, or nil while one has none.
func (m *Manager) Leaf() (first *x509.Certificate) {
	for _, domain := range m.cfg.Domains {
		all := m.cache.AllMatchingCertificates(domain)
		if len(all) == 0 || all[0].Leaf == nil {
			return nil
		}
		if leaf := all[0].Leaf; first == nil || leaf.NotAfter.Before(first.NotAfter) {
			first = leaf
		}
	}
	return first
}

// Ready reports whether there is a certificate for each domain.
func (m *Manager) Ready() bool { return m.Leaf() != nil }

// Stop ends the getting of certificates and returns when it has ended. It is idempotent.
func (m *Manager) Stop() {
	m.cancel()
	m.running.Wait()
	m.stopOnce.Do(m.cache.Stop)
}
