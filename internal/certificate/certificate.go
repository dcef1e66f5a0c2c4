// Package certificate has the certificates that a node shows: of files, self-signed, and how long they last.
package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/internal/smallfile"
)

// Warning is how long before its end a certificate is warned of.
const Warning = 14 * 24 * time.Hour

// maxFile bounds what is read of a file, in bytes. A chain is some kilobytes.
const maxFile = 1 << 20

var (
	// ErrExpired is wrapped by the error for a certificate whose time is over.
	ErrExpired = errors.New("the certificate has expired")
	// ErrNotYet is wrapped by the error for a certificate whose time is still to come.
	ErrNotYet = errors.New("the certificate is not valid yet")
)

// Pair is the certificate chain and the key of two files. Handshakes get the newest; connections that exist go on with
// what they have. Its methods may be called from many goroutines.
type Pair struct {
	certFile, keyFile string
	now               func() time.Time
	current           atomic.Pointer[tls.Certificate]
}

// NewPair reads two PEM files. A certificate that has expired, or is not valid yet, is no error: there is none that
// would do better. now tells the time.
func NewPair(certFile, keyFile string, now func() time.Time) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile, now: now}
	cert, err := p.read()
	if err != nil {
		return nil, err
	}
	p.current.Store(cert)
	return p, nil
}

// Reload reads the files again and reports whether the certificate or its key is another one. An error, for files that
// cannot be read, that do not belong together, or whose certificate is not valid now while the one in use is, changes
// nothing.
func (p *Pair) Reload() (changed bool, err error) {
	next, err := p.read()
	if err != nil {
		return false, err
	}
	now, before := p.now(), p.current.Load()
	if err := Valid(next.Leaf, now); err != nil && Valid(before.Leaf, now) == nil {
		return false, fmt.Errorf("%s: %w", p.certFile, err)
	}
	if same(next, before) {
		return false, nil
	}
	p.current.Store(next)
	return true, nil
}

func (p *Pair) read() (*tls.Certificate, error) {
	chain, _, err := smallfile.Read(p.certFile, maxFile)
	if err != nil {
		return nil, err
	}
	key, _, err := smallfile.Read(p.keyFile, maxFile)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", p.certFile, p.keyFile, err)
	}
	if cert.Leaf == nil { // by GODEBUG=x509keypairleaf=0
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", p.certFile, err)
		}
	}
	return &cert, nil
}

// same reports whether two certificates, with their chains, are one. Their keys are then, too.
func same(a, b *tls.Certificate) bool {
	if len(a.Certificate) != len(b.Certificate) {
		return false
	}
	for i := range a.Certificate {
		if !bytes.Equal(a.Certificate[i], b.Certificate[i]) {
			return false
		}
	}
	return true
}

// Valid returns nil for a certificate that lasts now, and otherwise an error that wraps [ErrExpired] or [ErrNotYet].
func Valid(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("%w: on %s", ErrExpired, leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("%w: only from %s on", ErrNotYet, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// Get returns the certificate for a handshake, as [tls.Config] asks for it.
func (p *Pair) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current.Load(), nil }

// Leaf returns the certificate in use, without its chain.
func (p *Pair) Leaf() *x509.Certificate { return p.current.Load().Leaf }
