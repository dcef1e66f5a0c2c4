package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/rushgate/rushgate/internal/cpuclock"
)

// handshakeKind is a kind of TLS handshake.
type handshakeKind struct {
	name    string
	curve   tls.CurveID // of the key exchange
	rsa     bool        // the certificate's key is RSA-2048, not ECDSA P-256
	resumed bool        // the client has a ticket
}

// handshakeKinds are those that are measured, the usual one first.
var handshakeKinds = []handshakeKind{
	{name: "ECDSA P-256, X25519MLKEM768", curve: tls.X25519MLKEM768},
	{name: "ECDSA P-256, X25519", curve: tls.X25519},
	{name: "resumed session, X25519MLKEM768", curve: tls.X25519MLKEM768, resumed: true},
	{name: "RSA-2048, X25519MLKEM768", curve: tls.X25519MLKEM768, rsa: true},
}

// handshakeCalibration measures what handshakes cost the server.
type handshakeCalibration struct {
	// budget is the time to take for one kind.
	budget time.Duration
	now    func() time.Time
	// prepare returns a function that makes one handshake of a kind and returns the CPU time of the server's side.
	prepare func(handshakeKind) (shake func() (time.Duration, error), err error)
	// progress is told how many kinds of how many are done.
	progress func(done, of int)
}

// run returns what a handshake of each kind costs: the median, since a collection of garbage may hit any of them.
func (c *handshakeCalibration) run(ctx context.Context) ([]time.Duration, error) {
	costs := make([]time.Duration, len(handshakeKinds))
	for i, kind := range handshakeKinds {
		c.progress(i, len(handshakeKinds))
		shake, err := c.prepare(kind)
		if err != nil {
			return nil, err
		}
		var all []time.Duration
		for begin := c.now(); len(all) == 0 || c.now().Sub(begin) < c.budget; {
			cost, err := shake()
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("TLS handshake with %s: %w", kind.name, err)
			}
			all = append(all, cost)
		}
		slices.Sort(all)
		costs[i] = max(all[len(all)/2], 1) // a clock may be too coarse to see it
	}
	c.progress(len(handshakeKinds), len(handshakeKinds))
	return costs, nil
}

func writeHandshakes(w io.Writer, costs []time.Duration) error {
	what := "CPU time"
	if !cpuclock.Known {
		what = "time (there is no clock of CPU time here)"
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "\nTLS 1.3 handshakes: %s of the server's side on one core, without the network\n\n", what)
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "key of the certificate, key exchange\teach\thandshakes/s\t\n")
	for i, kind := range handshakeKinds {
		fmt.Fprintf(t, "%s\t%.0f µs\t%.0f\t\n", kind.name, float64(costs[i])/float64(time.Microsecond), perSecond(1, costs[i]))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteString(`
How to read it: with --tls each new connection costs this on top, whether its player is let in or refused, and some
system calls besides; a connection that is kept costs it once. The first line is what browsers and Go clients do with the
certificate that a node makes for itself or gets by --acme-domain, the second what clients without post-quantum key
exchange do. A client that keeps its ticket, as browsers do, resumes its session for a week, after a restart of the node
too. If the last line is much more than the first, give the node a certificate with an ECDSA P-256 key.
`)
	_, err := io.WriteString(w, b.String())
	return err
}

// prepareHandshakes returns a function that makes handshakes of a kind in memory. A first one, which is not counted, gets
// the client its ticket. The calling goroutine stays on its thread, whose CPU time is measured.
func prepareHandshakes(kind handshakeKind) (func() (time.Duration, error), error) {
	certificate, err := handshakeCertificate(kind.rsa)
	if err != nil {
		return nil, err
	}
	server := &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{kind.curve},
	}
	// The client trusts anything: what it makes sure of is not measured.
	client := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", CurvePreferences: server.CurvePreferences}
	if kind.resumed {
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	if _, _, err := handshake(server, client); err != nil {
		return nil, err
	}
	return func() (time.Duration, error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cost, resumed, err := handshake(server, client)
		if err == nil && resumed != kind.resumed {
			err = fmt.Errorf("a session was resumed: %v, want %v", resumed, kind.resumed)
		}
		return cost, err
	}, nil
}

// handshakeCertificate makes a certificate for measurements.
func handshakeCertificate(useRSA bool) (tls.Certificate, error) {
	var key crypto.Signer
	var err error
	if useRSA {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)} // a client resumes no session with one that has expired
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// handshake makes one handshake and returns the CPU time that the server's side has used on the calling goroutine.
func handshake(server, client *tls.Config) (cost time.Duration, resumed bool, err error) {
	near, far := newMemoryConns()
	ended := make(chan error, 1)
	go func() {
		c := tls.Client(near, client)
		_, err := io.Copy(io.Discard, c) // the ticket comes after the handshake
		ended <- errors.Join(err, near.Close())
	}()
	watched := &watchedConn{memoryConn: far}
	c := tls.Server(watched, server)
	watched.resume()
	err = c.Handshake()
	watched.pause()
	err = errors.Join(err, c.Close(), far.Close(), <-ended)
	return watched.used, c.ConnectionState().DidResume, err
}

// watchedConn adds up the time in which its user computes, which is when it does not read or write.
type watchedConn struct {
	*memoryConn
	watch cpuclock.Stopwatch
	used  time.Duration
}

func (c *watchedConn) resume() { c.watch = cpuclock.Start() }

func (c *watchedConn) pause() { c.used += c.watch.Elapsed() }

func (c *watchedConn) Read(b []byte) (int, error) {
	c.pause()
	defer c.resume()
	return c.memoryConn.Read(b)
}

func (c *watchedConn) Write(b []byte) (int, error) {
	c.pause()
	defer c.resume()
	return c.memoryConn.Write(b)
}

// memoryConn is one end of a connection in memory. Unlike those of net.Pipe, it takes what is written before the other
// end reads, as a socket does; without that a server that sends its ticket and a client that answers wait for each other.
type memoryConn struct {
	in, out chan []byte
	rest    []byte // of what came in
	closing sync.Once
}

func newMemoryConns() (near, far *memoryConn) {
	const writes = 64 // many more than a handshake has
	a, b := make(chan []byte, writes), make(chan []byte, writes)
	return &memoryConn{in: a, out: b}, &memoryConn{in: b, out: a}
}

func (c *memoryConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		c.rest = <-c.in // nothing once it is closed
	}
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *memoryConn) Write(b []byte) (int, error) {
	c.out <- bytes.Clone(b)
	return len(b), nil
}

// Close is called after the last Write.
func (c *memoryConn) Close() error {
	c.closing.Do(func() { close(c.out) })
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
