package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/outbox"
	"github.com/rushgate/rushgate/internal/reload"
	"github.com/rushgate/rushgate/internal/smallfile"
)

// post is the way of mail to players.
type post struct {
	sender    *mail.Sender
	templates *mail.Templates
}

// validateMail checks that mail is configured whole, or not at all.
func (c Config) validateMail() error {
	if c.SMTPURL != "" {
		if c.MailFrom == "" {
			return wrong("MailFrom", "mail goes by a mail server, but from no address")
		}
		return nil
	}
	var errs []error
	for _, s := range []struct{ setting, value string }{
		{"MailFrom", c.MailFrom}, {"MailTemplates", c.MailTemplates}, {"SMTPPasswordFile", c.SMTPPasswordFile},
		{"SMTPCA", c.SMTPCA},
	} {
		if s.value != "" {
			errs = append(errs, wrong(s.setting, "it is for mail, but there is no mail server"))
		}
	}
	return errors.Join(errs...)
}

// openPost reads all that mail needs from files, and returns nil if no mail is sent.
func (c Config) openPost() (*post, error) {
	if c.SMTPURL == "" {
		return nil, nil
	}
	cfg := mail.Config{Server: c.SMTPURL, From: c.MailFrom}
	var err error
	if c.SMTPPasswordFile != "" {
		if cfg.Password, err = mail.LoadPassword(c.SMTPPasswordFile); err != nil {
			return nil, wrong("SMTPPasswordFile", "%w", err)
		}
	}
	if cfg.TLS, err = c.mailRoots(); err != nil {
		return nil, err
	}
	p := new(post)
	if p.sender, err = mail.NewSender(cfg); errors.Is(err, mail.ErrSender) {
		return nil, wrong("MailFrom", "%w", err)
	} else if err != nil {
		return nil, wrong("SMTPURL", "%w", err)
	}
	var folder fs.FS
	if c.MailTemplates != "" {
		folder = os.DirFS(c.MailTemplates)
	}
	if p.templates, err = mail.LoadTemplates(folder); err != nil {
		return nil, wrong("MailTemplates", "%w", err)
	}
	return p, nil
}

// maxAuthorities bounds the file of the authorities of mail servers, in bytes: those of a system are a fifth of it.
const maxAuthorities = 1 << 20

// mailRoots returns which mail servers are believed; nil stands for those that the system believes.
func (c Config) mailRoots() (*tls.Config, error) {
	if c.SMTPCA == "" {
		return nil, nil
	}
	pem, _, err := smallfile.Read(c.SMTPCA, maxAuthorities)
	if err != nil {
		return nil, wrong("SMTPCA", "authority of the mail server: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, wrong("SMTPCA", "authority of the mail server: %s holds no certificate, PEM", c.SMTPCA)
	}
	return &tls.Config{RootCAs: roots}, nil
}

// newOutbox returns the outbox of a node that sends mail, or nil.
func (s *Server) newOutbox() *outbox.Outbox {
	if s.post == nil {
		return nil
	}
	name := s.cfg.PageTitle
	if name == "" {
		name = "Rushgate"
	}
	return outbox.New(outbox.Config{
		Agenda: s.store, Ledger: account.New(s.store), Templates: s.post.templates, Send: s.post.sender.Send,
		Server: name, Rush: s.door.Crowded, Logger: s.cfg.Logger,
	})
}

// watchMail has the password of the mail server read again when its file changes.
func (s *Server) watchMail(before reload.Seen) {
	file := s.cfg.SMTPPasswordFile
	if s.post == nil || file == "" {
		return
	}
	s.upkeep.watcher.Add(reload.Subject{Name: "mail password", Files: []string{file}, Load: func() (bool, error) {
		password, err := mail.LoadPassword(file)
		if err != nil {
			return false, fmt.Errorf("server: %w", err)
		}
		return s.post.sender.SetPassword(password), nil
	}}, before)
}
