package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// SendTimeout bounds the conversation with a mail server, from the first packet to the last.
const SendTimeout = time.Minute

// Config says how mail is handed in.
type Config struct {
	// Server is "smtps://USER@HOST:465", "smtp://USER@HOST:587" or, for one on this machine, "smtp+plain://HOST:25".
	// A user needs a Password.
	Server string
	// From is the sender's address, perhaps with a name: "The Game <noreply@example.org>".
	From string
	// Password is the user's; a secret.
	Password string
	// TLS says which servers are believed; nil: those that the system believes. Its ServerName is the host's in any case.
	TLS *tls.Config
	// Dial opens a connection; nil is that of package net.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Sender hands mail to a mail server. It is safe for concurrent use; each message has a connection of its own.
type Sender struct {
	server server
	from   from
	tls    *tls.Config
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)

	mu       sync.Mutex
	password string
}

// NewSender returns a sender. Errors wrap [ErrServer] or [ErrSender].
func NewSender(cfg Config) (*Sender, error) {
	server, err := parseServer(cfg.Server)
	if err != nil {
		return nil, err
	}
	from, err := parseFrom(cfg.From)
	if err != nil {
		return nil, err
	}
	if (server.user != "") != (cfg.Password != "") {
		return nil, fmt.Errorf("%w: a user needs a password, and a password a user", ErrServer)
	}
	s := &Sender{server: server, from: from, dial: cfg.Dial, password: cfg.Password, tls: new(tls.Config)}
	if cfg.TLS != nil {
		s.tls = cfg.TLS.Clone()
	}
	s.tls.ServerName, s.tls.MinVersion = server.host, max(s.tls.MinVersion, tls.VersionTLS12)
	if s.tls.ClientSessionCache == nil { // which spares a part of each handshake but the first
		s.tls.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	if s.dial == nil {
		s.dial = new(net.Dialer).DialContext
	}
	return s, nil
}

// SetPassword replaces the user's password, and reports whether it was another.
func (s *Sender) SetPassword(password string) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = s.password != password
	s.password = password
	return changed
}

func (s *Sender) secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.password
}

// Send connects to the mail server, and once that is ready to take mail calls compose for the message, which it hands
// over. So nothing has to be written whose mail could not be sent anyway. The error is that of compose, or an [*Error].
// The conversation ends with ctx, and after [SendTimeout] at the latest.
func (s *Sender) Send(ctx context.Context, compose func(context.Context) (Message, error)) error {
	ctx, cancel := context.WithTimeout(ctx, SendTimeout)
	defer cancel()
	conversation := new(conversation)
	defer conversation.close()
	defer context.AfterFunc(ctx, conversation.close)()
	client, err := s.client(conversation)
	if err != nil {
		return &Error{Step: stepPrepare, Away: true, cause: errNotReady}
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.away(ctx, conversation, err)
	}
	m, err := compose(ctx)
	if err != nil {
		return err
	}
	letter, err := s.letter(m)
	if err != nil {
		return &Error{Step: stepPrepare, Refused: true, cause: errNotReady}
	}
	if err := client.SendWithSMTPClient(session, letter); err != nil && !letter.IsDelivered() {
		return s.notTaken(ctx, err)
	}
	_ = session.Quit() // the message is the server's by now, whatever becomes of this
	return nil
}

// errNotReady stands for what package go-mail says of a message or a setting that it does not take, which may quote it.
var errNotReady = errors.New("it is not what can be sent")

// conversation is a connection to a mail server, from when it is dialled on.
type conversation struct {
	mu     sync.Mutex
	conn   net.Conn
	closed bool
	step   string // what the last failure to open it was about
}

// hold has a connection closed with the conversation.
func (c *conversation) hold(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	if c.closed {
		_ = conn.Close() // nothing was said yet
	}
}

func (c *conversation) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.conn != nil {
		_ = c.conn.Close() // what was to be said has been said, or is given up
	}
}

// client returns what speaks SMTP in one conversation.
func (s *Sender) client(c *conversation) (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(s.server.port), gomail.WithTimeout(SendTimeout), gomail.WithTLSConfig(s.tls), gomail.WithoutNoop(),
		gomail.WithDialContextFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return s.open(ctx, network, c)
		}),
	}
	switch s.server.security {
	case implicitTLS: // in which STARTTLS is not offered, but go-mail looks at the connection only if it may be
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case startTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.server.user != "" {
		how := gomail.SMTPAuthAutoDiscover
		if s.server.security == plain {
			how = gomail.SMTPAuthPlainNoEnc
		}
		options = append(options, gomail.WithSMTPAuth(how), gomail.WithUsername(s.server.user),
			gomail.WithPassword(s.secret()))
	}
	return gomail.NewClient(s.server.host, options...)
}

// open dials the server, and speaks TLS where that comes first.
func (s *Sender) open(ctx context.Context, network string, c *conversation) (net.Conn, error) {
	c.step = stepConnect
	conn, err := s.dial(ctx, network, s.server.addr())
	if err != nil {
		return nil, err
	}
	c.hold(conn)
	if s.server.security != implicitTLS {
		c.step = stepGreeting
		return conn, nil
	}
	c.step = stepTLS
	encrypted := tls.Client(conn, s.tls)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	c.step = stepGreeting
	return encrypted, nil
}

// letter makes what goes over the wire.
func (s *Sender) letter(m Message) (*gomail.Msg, error) {
	to, err := ParseAddress(m.To)
	if err != nil {
		return nil, err
	}
	letter := gomail.NewMsg(gomail.WithEncoding(gomail.EncodingQP), gomail.WithCharset(gomail.CharsetUTF8),
		gomail.WithNoDefaultUserAgent())
	if err := letter.FromFormat(s.from.name, s.from.address); err != nil {
		return nil, err
	}
	if err := letter.To(to); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(s.from.address, "@")
	letter.Subject(printable(m.Subject))
	letter.SetDate()
	letter.SetMessageIDWithValue(strings.ToLower(rand.Text()) + "@" + domain)
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: so that nobody's absence is answered
	letter.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		letter.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return letter, nil
}

// away is the error for a conversation that has not come to a message.
func (s *Sender) away(ctx context.Context, c *conversation, err error) error {
	out := &Error{Step: c.step, Away: true, cause: wayCause(ctx, err)}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		out.Code = reply.Code
	}
	switch {
	case errors.Is(err, smtp.ErrUnencrypted), strings.Contains(err.Error(), "STARTTLS"):
		out.Step, out.cause = stepTLS, errNoTLS
	case out.Code == 535 || out.Code == 534 || strings.Contains(err.Error(), "AUTH"):
		out.Step = stepLogin
	}
	return out
}

var errNoTLS = errors.New("the server does not speak TLS")

// notTaken is the error for a message that the server has not taken. Only what it says of the reader, or of the
// message itself, is about this one.
func (s *Sender) notTaken(ctx context.Context, err error) error {
	out := &Error{Step: stepMessage, cause: wayCause(ctx, err)}
	said, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		out.Away = true
		return out
	}
	out.Code = said.ErrorCode()
	forGood := out.Code >= 500 && out.Code < 600
	switch said.Reason {
	case gomail.ErrSMTPRcptTo:
		out.Step, out.Refused = stepRecipient, forGood
	case gomail.ErrSMTPDataClose, gomail.ErrSMTPData:
		out.Refused = forGood
	case gomail.ErrSMTPMailFrom:
		out.Step, out.Away = stepSender, true
	}
	if out.Code == 0 || out.Code == 421 { // it has hung up
		out.Away = true
	}
	return out
}

// wayCause returns what of an error is about the way to the server, which may be logged.
func wayCause(ctx context.Context, err error) error {
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &network):
		return network
	}
	return nil
}
