package tlsresume_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/tlsresume"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// bench is a server that is started again and again, and the clients that come back to it, at a time of its own.
type bench struct {
	*testing.T
	file string
	log  bytes.Buffer
	now  time.Time
	cert tls.Certificate
	fail error // of writing the file
}

func newBench(t *testing.T) *bench {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start.AddDate(-1, 0, 0),
		NotAfter: start.AddDate(1, 0, 0), DNSNames: []string{"node"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{T: t, file: filepath.Join(t.TempDir(), "tickets.key"), now: start,
		cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
}

// open starts the server.
func (b *bench) open() (*tlsresume.Keys, *tls.Config) {
	b.Helper()
	logger := slog.New(slog.NewTextHandler(&b.log, nil))
	k := tlsresume.Open(tlsresume.Config{File: b.file, Write: b.write, Logger: logger}, b.now)
	c := &tls.Config{Certificates: []tls.Certificate{b.cert}, MinVersion: tls.VersionTLS12, Time: b.time}
	k.Apply(c)
	return k, c
}

func (b *bench) time() time.Time { return b.now }

func (b *bench) write(path string, data []byte, mode fs.FileMode) error {
	if b.fail != nil {
		return b.fail
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.WriteFile(path, data, mode)
}

// client returns one with no ticket yet, which speaks up to a version of TLS.
func (b *bench) client(version uint16) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "node", MaxVersion: version, Time: b.time,
		ClientSessionCache: tls.NewLRUClientSessionCache(1)}
}

// connect reports whether a client resumes its session with a server; it gets a ticket for the next time.
func (b *bench) connect(client, server *tls.Config) bool {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		far, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		c := tls.Server(far, server)
		ended <- errors.Join(c.Handshake(), c.Close())
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	_, err = io.Copy(io.Discard, c) // the ticket comes after the handshake
	if err = errors.Join(err, <-ended); err != nil {
		b.Fatal(err)
	}
	return c.ConnectionState().DidResume
}

// pass lets time go by, with the server tended to every hour.
func (b *bench) pass(k *tlsresume.Keys, d time.Duration) {
	for end := b.now.Add(d); b.now.Before(end); {
		b.now = b.now.Add(min(time.Hour, end.Sub(b.now)))
		k.Tend(b.now)
	}
}

func (b *bench) content() string {
	b.Helper()
	content, err := os.ReadFile(b.file)
	if err != nil {
		b.Fatal(err)
	}
	return string(content)
}

var keyLine = regexp.MustCompile(`(?m)^\S+ ([0-9a-f]{64})$`)

// secrets returns the keys in the file, newest first.
func (b *bench) secrets() (all []string) {
	b.Helper()
	for _, m := range keyLine.FindAllStringSubmatch(b.content(), -1) {
		all = append(all, m[1])
	}
	return all
}

// With a ticket of before, a client resumes its session at a server that was started anew: of TLS 1.3. A ticket of TLS
// 1.2 has the secret of a recorded session in it, so no key that opens it outlives the process.
func TestResumeAfterRestart(t *testing.T) {
	for version, want := range map[uint16]bool{tls.VersionTLS13: true, tls.VersionTLS12: false} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			b := newBench(t)
			_, server := b.open()
			client := b.client(version)
			if b.connect(client, server) || !b.connect(client, server) {
				t.Error("want a full handshake, then a resumed session")
			}
			_, server = b.open()
			if got := b.connect(client, server); got != want {
				t.Errorf("resumed after a restart: %v, want %v", got, want)
			}
			if !b.connect(client, server) {
				t.Error("no session resumed at the same server")
			}
			if info, err := os.Stat(b.file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("the file: %v, %v", info, err)
			}
			if b.log.Len() > 0 {
				t.Errorf("the log says %s", &b.log)
			}
		})
	}
}

// A key seals for a day. Its tickets are good for all of their seven days, across restarts too, and then it is gone.
func TestRotation(t *testing.T) {
	b := newBench(t)
	k, server := b.open()
	first := b.secrets()[0]
	b.pass(k, tlsresume.Rotation-time.Hour)
	late := b.client(tls.VersionTLS13)
	b.connect(late, server) // the last ticket that the first key seals
	if got := b.secrets(); len(got) != 1 {
		t.Errorf("%d keys within a day", len(got))
	}
	b.pass(k, time.Hour)
	if got := b.secrets(); len(got) != 2 || got[0] == first || got[1] != first {
		t.Fatalf("after a day %d keys, or not a new one before the first", len(got))
	}
	k, server = b.open()
	b.pass(k, tlsresume.TicketLife-2*time.Hour)
	if got := b.secrets(); len(got) != 8 || got[7] != first {
		t.Errorf("%d keys after a week, or not the first any more", len(got))
	}
	kept := late.Clone() // whose session cache stays as it is
	kept.ClientSessionCache = once{late.ClientSessionCache}
	if !b.connect(kept, server) {
		t.Error("a ticket is refused before its end")
	}
	b.pass(k, 2*time.Hour)
	if got := b.secrets(); len(got) != 8 || strings.Contains(b.content(), first) {
		t.Errorf("%d keys after eight days, or the first among them", len(got))
	}
	server.Time = func() time.Time { return start.Add(24 * time.Hour) } // so that only the key decides
	kept.Time = server.Time
	if b.connect(kept, server) {
		t.Error("a key past its life opens a ticket")
	}
}

// once is a cache that keeps what it has.
type once struct{ tls.ClientSessionCache }

func (once) Put(string, *tls.ClientSessionState) {}

// After a standstill of any length the first look puts everything right, as a restart does.
func TestRotationAfterStandstill(t *testing.T) {
	for away, kept := range map[time.Duration]int{
		time.Hour: 1, 25 * time.Hour: 2, tlsresume.KeyLife - time.Second: 2, tlsresume.KeyLife: 1, 1000 * time.Hour: 1,
		// Times of day that are set: one a little back changes nothing, one far back tells nothing of the key's age.
		-time.Hour: 1, -23 * time.Hour: 1, -24 * time.Hour: 1, -1000 * time.Hour: 1,
	} {
		for _, restart := range []bool{false, true} {
			b := newBench(t)
			k, _ := b.open()
			first := b.secrets()[0]
			b.now = b.now.Add(away)
			if restart {
				b.open()
			} else {
				k.Tend(b.now)
			}
			got := b.secrets()
			same := away.Abs() < tlsresume.Rotation
			if len(got) != kept || (got[0] == first) != same {
				t.Errorf("away for %v, restarted %v: %d keys, want %d; the first is the newest: %v", away, restart, len(got),
					kept, got[0] == first)
			}
		}
	}
}

// net/http serves a clone of the configuration, which the keys of a day later have to reach.
func TestRotationReachesClones(t *testing.T) {
	b := newBench(t)
	k, server := b.open()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{TLSConfig: server, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	served := make(chan error, 1)
	go func() { served <- srv.ServeTLS(l, "", "") }()
	defer func() { srv.Close(); <-served }()
	client := b.client(tls.VersionTLS13)
	get := func() bool {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: client}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.TLS.DidResume
	}
	if get() || !get() {
		t.Error("want a full handshake, then a resumed session")
	}
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	k.Tend(start.Add(tlsresume.Rotation))
	get() // a ticket of the second key
	k.Tend(start.Add(tlsresume.KeyLife))
	if !get() {
		t.Error("a ticket of a day later was sealed with the first key still")
	}
	client.ClientSessionCache = once{client.ClientSessionCache}
	k.Tend(start.Add(2 * tlsresume.KeyLife))
	if get() {
		t.Error("a key past its life opens a ticket")
	}
}

// Whatever stands in the file's place, the server starts, says what is wrong once, and goes on with new keys.
func TestFileThatCannotBeUsed(t *testing.T) {
	b := newBench(t)
	b.open()
	good := b.content()
	line := keyLine.FindString(good)
	secret := strings.Fields(line)[1]
	older := start.Add(-time.Hour).Format(time.RFC3339) + " " + strings.Repeat("0b", 32) + "\n"
	file := func(content string, mode fs.FileMode) func(*bench) error {
		return func(b *bench) error {
			return errors.Join(os.WriteFile(b.file, []byte(content), mode), os.Chmod(b.file, mode))
		}
	}
	tests := map[string]struct {
		spoil func(b *bench) error
		says  string
	}{
		"empty":          {file("", 0o600), "no key"},
		"only comments":  {file("# nothing\n\n", 0o600), "no key"},
		"short":          {file(good[:len(good)-2], 0o600), "line 4 is not"},
		"cut":            {file(good[:len(good)-70], 0o600), "line 4 is not"},
		"garbage":        {file("\x00\xff"+secret, 0o600), "line 1 is not"},
		"zeros":          {file(strings.Repeat("\x00", len(good)), 0o600), "line 1 is not"},
		"no digit":       {file(strings.Replace(good, secret, secret[:63]+"g", 1), 0o600), "line 4 is not"},
		"long":           {file(good+secret, 0o600), "line 5 is not"},
		"twice":          {file(good+line+"\n", 0o600), "line 5 is not older"},
		"oldest first":   {file(older+line+"\n", 0o600), "line 2 is not older"},
		"huge":           {file(good+strings.Repeat("#\n", 1<<14), 0o600), "larger than"},
		"keys of others": {file(strings.Repeat(secret+"\n", 2), 0o600), "line 1 is not"},
		"too many": {func(b *bench) error {
			var all strings.Builder
			for i := range 17 {
				fmt.Fprintf(&all, "%s %064x\n", start.Add(-time.Duration(i)*time.Hour).Format(time.RFC3339), i)
			}
			return file(all.String(), 0o600)(b)
		}, "too many"},
		"a folder": {func(b *bench) error { return os.Mkdir(b.file, 0o700) }, "not a regular file"},
	}
	if runtime.GOOS != "windows" {
		tests["open to everybody"] = struct {
			spoil func(b *bench) error
			says  string
		}{file(good, 0o604), "open to everybody"}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := tt.spoil(b); err != nil {
				t.Fatal(err)
			}
			_, server := b.open()
			if n := strings.Count(b.log.String(), "\n"); n != 1 || !strings.Contains(b.log.String(), tt.says) ||
				!strings.Contains(b.log.String(), "level=WARN") {
				t.Errorf("want one warning that says %q, got %s", tt.says, &b.log)
			}
			if strings.Contains(b.log.String(), secret[:8]) || strings.Contains(b.log.String(), strings.Repeat("0b", 4)) {
				t.Errorf("the log shows a key: %s", &b.log)
			}
			if got := b.secrets(); len(got) != 1 || got[0] == secret {
				t.Errorf("%d keys, or the one of before", len(got))
			}
			client := b.client(tls.VersionTLS13)
			b.connect(client, server)
			if _, server = b.open(); !b.connect(client, server) {
				t.Error("a ticket of the new key is no good after a restart")
			}
		})
	}
}

// A file that cannot be written costs what happens after a restart. It is warned of once, and tried again.
func TestFileThatCannotBeWritten(t *testing.T) {
	b := newBench(t)
	b.fail = errors.New("the disk is full")
	k, server := b.open()
	client := b.client(tls.VersionTLS13)
	if b.connect(client, server) || !b.connect(client, server) {
		t.Error("want a full handshake, then a resumed session")
	}
	b.pass(k, 5*time.Hour)
	if n := strings.Count(b.log.String(), "the disk is full"); n != 1 {
		t.Errorf("warned %d times: %s", n, &b.log)
	}
	b.fail = nil
	b.pass(k, time.Hour)
	if _, server = b.open(); !b.connect(client, server) {
		t.Error("what could be written at last is no good after a restart")
	}
	b.fail = errors.New("the disk is full again")
	k.Tend(b.now.Add(tlsresume.Rotation))
	if !strings.Contains(b.log.String(), "full again") {
		t.Errorf("no second warning: %s", &b.log)
	}
}
