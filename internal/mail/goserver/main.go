// Command goserver is a mail server that others have written, github.com/emersion/go-smtp, as a test needs it: it takes
// mail over STARTTLS from one user, and prints each as a line of JSON. It ends with its standard input.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// user and password are those that it asks for.
const user, password = "node", "the mail server's own"

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run prints where it listens and what to believe it by, and then the mails.
func run() error {
	cert, authority, err := certificate()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	out := &printer{to: json.NewEncoder(os.Stdout)}
	out.print(map[string]string{"address": l.Addr().String(), "authority": authority})
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{out: out}, nil }))
	s.Domain, s.MaxMessageBytes, s.MaxRecipients = "mail.test", 1<<20, 1
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = s.Close()
	}()
	if err := s.Serve(l); !errors.Is(err, smtp.ErrServerClosed) {
		return err
	}
	return nil
}

// certificate makes one for loopback, and returns it as PEM besides.
func certificate() (cert tls.Certificate, authority string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, "", err
	}
	c := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		return cert, "", err
	}
	authority = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, authority, nil
}

// printer prints lines of JSON, for any number of goroutines.
type printer struct {
	mu sync.Mutex
	to *json.Encoder
}

func (p *printer) print(v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.to.Encode(v); err != nil {
		log.Fatal(err)
	}
}

// session is one conversation.
type session struct {
	out        *printer
	authorised bool
	from, to   string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, given string) error {
		if name != user || given != password {
			return smtp.ErrAuthFailed
		}
		s.authorised = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.authorised {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read the mail: %w", err)
	}
	s.out.print(map[string]string{"from": s.from, "to": s.to, "data": string(data)})
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
