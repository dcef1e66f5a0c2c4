// Package smtptest is a mail server for tests: it takes mail over SMTP, with TLS or without, and refuses, hangs or dies
// where a test wants it to.
package smtptest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a [Config].Reply can have the server do instead of answering.
const (
	Hang = "hang" // it says nothing more, and keeps the connection
	Drop = "drop" // it closes the connection
)

// Config says how a server behaves.
type Config struct {
	// Implicit has it speak TLS from the first byte on, StartTLS has it offer STARTTLS.
	Implicit, StartTLS bool
	// User and Password are asked for, unless they are empty.
	User, Password string
	// Reply returns what is answered to a command, "EHLO" say, or "." for the end of a message: an empty string for what
	// a good server answers, [Hang], [Drop], or a reply of its own such as "550 no".
	Reply func(command string) string
}

// Mail is one that the server has taken.
type Mail struct {
	From, To string      // of the envelope
	Header   mail.Header // as it came
	Raw      string
	Text     string // decoded
	HTML     string // decoded; empty if there is none
}

// Server is a mail server on loopback. It ends with its test.
type Server struct {
	t        testing.TB
	cfg      Config
	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool

	mu       sync.Mutex
	mails    []Mail
	arrived  chan struct{} // closed with the next one
	conns    map[net.Conn]bool
	accepted int
	resumed  int
	closed   bool
	serving  sync.WaitGroup
}

// Start starts a server.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, cfg: cfg, listener: l, arrived: make(chan struct{}), conns: make(map[net.Conn]bool)}
	s.tls, s.roots = certificate(t)
	s.serving.Go(s.accept)
	t.Cleanup(s.Stop)
	return s
}

// Addr returns where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL names the server for package mail.
func (s *Server) URL() string {
	scheme := "smtp+plain://"
	switch {
	case s.cfg.Implicit:
		scheme = "smtps://"
	case s.cfg.StartTLS:
		scheme = "smtp://"
	}
	if s.cfg.User != "" {
		scheme += s.cfg.User + "@"
	}
	return scheme + s.Addr()
}

// TLS is what believes the server's certificate.
func (s *Server) TLS() *tls.Config { return &tls.Config{RootCAs: s.roots} }

// CA writes the certificate to a file, which ends with the test, and returns its path.
func (s *Server) CA() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: s.tls.Certificates[0].Certificate[0]}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// Accepted returns how many connections there were.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Resumed returns how many conversations went on with the TLS session of an earlier one.
func (s *Server) Resumed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed
}

// Mails returns those that the server has taken, the first first.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Await returns the first n mails, once there are as many.
func (s *Server) Await(n int) []Mail {
	s.t.Helper()
	deadline := time.After(time.Minute)
	for {
		s.mu.Lock()
		mails, arrived := s.mails, s.arrived
		s.mu.Unlock()
		if len(mails) >= n {
			return mails[:n:n]
		}
		select {
		case <-arrived:
		case <-deadline:
			s.t.Fatalf("%d mails have come, want %d", len(mails), n)
		}
	}
}

// Stop ends the server and all its conversations. It is idempotent.
func (s *Server) Stop() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	_ = s.listener.Close()
	s.serving.Wait()
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = true
		s.accepted++
		s.mu.Unlock()
		s.serving.Go(func() {
			v := &visit{Server: s, conn: c}
			v.serve()
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

func (s *Server) take(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// visit is one conversation.
type visit struct {
	*Server
	conn   net.Conn // with TLS, if it is spoken
	in     *bufio.Reader
	secure bool
	mail   Mail
}

func (v *visit) serve() {
	if v.cfg.Implicit {
		v.conn, v.secure = tls.Server(v.conn, v.tls), true
	}
	v.in = bufio.NewReader(v.conn)
	if !v.reply("", "220 mail.test ESMTP") {
		return
	}
	for {
		line, err := v.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, arg, _ := strings.Cut(line, " ")
		if !v.command(strings.ToUpper(verb), arg) {
			return
		}
	}
}

// command answers one, and reports whether the conversation goes on.
func (v *visit) command(verb, arg string) bool {
	switch verb {
	case "EHLO":
		if c, ok := v.conn.(*tls.Conn); ok && c.ConnectionState().DidResume {
			v.mu.Lock()
			v.resumed++
			v.mu.Unlock()
		}
		return v.reply(verb, v.greeting())
	case "STARTTLS":
		if !v.reply(verb, "220 go ahead") {
			return false
		}
		v.conn, v.secure = tls.Server(v.conn, v.tls), true
		v.in = bufio.NewReader(v.conn)
		return true
	case "AUTH":
		return v.reply(verb, v.login(arg))
	case "MAIL":
		v.mail = Mail{From: path(arg)}
		return v.reply(verb, "250 ok")
	case "RCPT":
		v.mail.To = path(arg)
		return v.reply(verb, "250 ok")
	case "DATA":
		return v.reply(verb, "354 go on") && v.data()
	case "QUIT":
		v.reply(verb, "221 bye")
		return false
	}
	return v.reply(verb, "250 ok")
}

func (v *visit) greeting() string {
	lines := []string{"mail.test", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8"}
	if v.cfg.StartTLS && !v.secure {
		lines = append(lines, "STARTTLS")
	}
	if v.cfg.User != "" {
		lines = append(lines, "AUTH PLAIN")
	}
	return "250-" + strings.Join(lines[:len(lines)-1], "\r\n250-") + "\r\n250 " + lines[len(lines)-1]
}

func (v *visit) login(arg string) string {
	_, text, _ := strings.Cut(arg, " ")
	plain, _ := base64.StdEncoding.DecodeString(text)
	if string(plain) == "\x00"+v.cfg.User+"\x00"+v.cfg.Password {
		return "235 welcome"
	}
	return "535 5.7.8 who is that"
}

// path returns what stands between < and >.
func path(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	p, _, _ := strings.Cut(rest, ">")
	return p
}

// data reads a message.
func (v *visit) data() bool {
	var raw strings.Builder
	for {
		line, err := v.in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		raw.WriteString(strings.TrimPrefix(line, "."))
	}
	how := ""
	if v.cfg.Reply != nil {
		how = v.cfg.Reply(".")
	}
	m := v.mail
	m.Raw = raw.String()
	v.decode(&m)
	switch {
	case how == "" || strings.HasPrefix(how, "2"):
		v.take(m)
	case how == Hang:
		_, _ = io.Copy(io.Discard, v.in)
		return false
	case how == Drop:
		return false
	}
	if how == "" {
		how = "250 taken"
	}
	_, err := v.conn.Write([]byte(how + "\r\n"))
	return err == nil
}

// reply answers a command as the test wants it, or else well.
func (v *visit) reply(command, good string) bool {
	how := ""
	if v.cfg.Reply != nil {
		how = v.cfg.Reply(command)
	}
	switch how {
	case "":
		how = good
	case Hang:
		_, _ = io.Copy(io.Discard, v.in)
		return false
	case Drop:
		return false
	}
	_, err := v.conn.Write([]byte(how + "\r\n"))
	return err == nil && (how == good || !strings.HasPrefix(how, "421"))
}

// decode reads the header and the parts of a message.
func (v *visit) decode(m *Mail) {
	read, err := mail.ReadMessage(strings.NewReader(m.Raw))
	if err != nil {
		v.t.Errorf("a mail that cannot be read: %v", err)
		return
	}
	m.Header = read.Header
	kind := read.Header.Get("Content-Type")
	if _, boundary, found := strings.Cut(kind, "boundary="); found {
		parts := multipart.NewReader(read.Body, strings.Trim(boundary, "\""))
		for {
			part, err := parts.NextPart() // which undoes quoted-printable
			if err != nil {
				return
			}
			text, _ := io.ReadAll(part)
			if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
				m.HTML = string(text)
			} else {
				m.Text = string(text)
			}
		}
	}
	text, _ := io.ReadAll(quotedprintable.NewReader(read.Body))
	m.Text = string(text)
}

// certificate makes one for loopback, and what believes it.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}
