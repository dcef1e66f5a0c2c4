package main

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestHandshakeCalibration(t *testing.T) {
	now, progress := time.Unix(0, 0), 0
	c := &handshakeCalibration{
		budget: time.Second, now: func() time.Time { return now },
		prepare: func(kind handshakeKind) (func() (time.Duration, error), error) {
			n, cost := 0, 250*time.Microsecond
			if kind.rsa {
				cost *= 4
			}
			return func() (time.Duration, error) {
				now = now.Add(10 * time.Millisecond)
				if n++; n%5 == 0 {
					return 100 * cost, nil // garbage is collected
				}
				return cost, nil
			}, nil
		},
		progress: func(done, of int) {
			if done != progress || of != len(handshakeKinds) {
				t.Errorf("progress %d of %d after %d", done, of, progress-1)
			}
			progress++
		},
	}
	costs, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if took := now.Sub(time.Unix(0, 0)); took != time.Duration(len(handshakeKinds))*c.budget {
		t.Errorf("it took %v", took)
	}
	var out strings.Builder
	if err := writeHandshakes(&out, costs); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"ECDSA P-256, X25519MLKEM768    250 µs           4000\n", "ECDSA P-256, X25519    250 µs           4000\n",
		"resumed session, X25519MLKEM768    250 µs           4000\n", "RSA-2048, X25519MLKEM768   1000 µs           1000\n",
		"each new connection costs this on top",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
	failed := errors.New("broken")
	c.progress = func(int, int) {}
	c.prepare = func(handshakeKind) (func() (time.Duration, error), error) {
		return func() (time.Duration, error) { return 0, failed }, nil
	}
	if costs, err := c.run(t.Context()); !errors.Is(err, failed) {
		t.Errorf("%v, %v", costs, err)
	}
}

// The real thing, once each: a session is resumed where it is said to be, the server's side alone is counted, and an
// interrupt ends it.
func TestHandshakesAreMade(t *testing.T) {
	c := &handshakeCalibration{now: time.Now, prepare: prepareHandshakes, progress: func(int, int) {}}
	begin := time.Now()
	costs, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	total := time.Since(begin)
	for i, cost := range costs {
		if cost <= 1 || cost >= total {
			t.Errorf("%s: %v of %v in all", handshakeKinds[i].name, cost, total)
		}
		total -= cost
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if costs, err := c.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v, %v", costs, err)
	}
	certificate, err := handshakeCertificate(false)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	client := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
	if _, _, err := handshake(server, client); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a client of TLS 1.2: %v", err)
	}
}
