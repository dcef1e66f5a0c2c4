package mail

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate/internal/smtptest"
)

const reader = "bob@example.org"

// sender returns one for a server, whose certificate it believes.
func sender(t *testing.T, s *smtptest.Server, password string) *Sender {
	t.Helper()
	out, err := NewSender(Config{
		Server: s.URL(), From: `"The Gäme" <noreply@example.org>`, Password: password, TLS: s.TLS(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func hello(context.Context) (Message, error) {
	return Message{To: reader, Subject: "Grüße", Text: "Hello, Bób\n.\nbye\n", HTML: "<p>Hello, Bób</p>"}, nil
}

func TestSend(t *testing.T) {
	for name, cfg := range map[string]smtptest.Config{
		"TLS":      {Implicit: true, User: "node", Password: "secret"},
		"STARTTLS": {StartTLS: true, User: "node", Password: "secret"},
		"loopback": {},
		"its user": {User: "node", Password: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			s := smtptest.Start(t, cfg)
			if err := sender(t, s, cfg.Password).Send(t.Context(), hello); err != nil {
				t.Fatal(err)
			}
			m := s.Await(1)[0]
			if m.From != "noreply@example.org" || m.To != reader {
				t.Errorf("the envelope is from %q to %q", m.From, m.To)
			}
			if want := "Hello, Bób\r\n.\r\nbye"; strings.TrimSpace(m.Text) != want || !strings.Contains(m.HTML, "Bób") {
				t.Errorf("it reads %q and %q", m.Text, m.HTML)
			}
			for field, want := range map[string]string{
				"Auto-Submitted": "auto-generated", "From": "=?utf-8?q?The_G=C3=A4me?= <noreply@example.org>",
				"To": "<bob@example.org>", "Subject": "=?UTF-8?q?Gr=C3=BC=C3=9Fe?=",
			} {
				if got := m.Header.Get(field); got != want {
					t.Errorf("%s is %q, want %q", field, got, want)
				}
			}
			if id := m.Header.Get("Message-ID"); !strings.HasSuffix(id, "@example.org>") {
				t.Errorf("Message-ID is %q", id)
			}
		})
	}
}

// The second mail goes on with the TLS session of the first.
func TestMailsShareATLSSession(t *testing.T) {
	for _, cfg := range []smtptest.Config{{Implicit: true}, {StartTLS: true}} {
		s := smtptest.Start(t, cfg)
		out := sender(t, s, "")
		for range 3 {
			if err := out.Send(t.Context(), hello); err != nil {
				t.Fatal(err)
			}
		}
		if s.Accepted() != 3 || s.Resumed() != 2 {
			t.Errorf("%+v: %d connections, %d of them with a session that there was, want 2", cfg, s.Accepted(), s.Resumed())
		}
	}
}

func TestSendToBadServers(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  smtptest.Config
		want Error
	}{
		"busy greeting":     {answer("", "421 later"), Error{Step: "greeting", Code: 421, Away: true}},
		"dead at greeting":  {answer("", smtptest.Drop), Error{Step: "greeting", Away: true}},
		"sender refused":    {answer("MAIL", "550 not you"), Error{Step: "sender", Code: 550, Away: true}},
		"reader unknown":    {answer("RCPT", "550 no bob@example.org"), Error{Step: "recipient", Code: 550, Refused: true}},
		"reader greylisted": {answer("RCPT", "450 4.2.0 come back"), Error{Step: "recipient", Code: 450}},
		"message refused":   {answer(".", "554 spam"), Error{Step: "message", Code: 554, Refused: true}},
		"message deferred":  {answer(".", "451 later"), Error{Step: "message", Code: 451}},
		"dies in the midst": {answer(".", smtptest.Drop), Error{Step: "message", Away: true}},
		"dies at reader":    {answer("RCPT", smtptest.Drop), Error{Step: "recipient", Away: true}},
		"hangs up":          {answer("RCPT", "421 bye"), Error{Step: "recipient", Code: 421, Away: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := smtptest.Start(t, c.cfg)
			err := sender(t, s, "").Send(t.Context(), hello)
			got, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if got.Step != c.want.Step || got.Code != c.want.Code || got.Refused != c.want.Refused || got.Away != c.want.Away {
				t.Errorf("error %+v, want %+v", got, c.want)
			}
			if strings.Contains(err.Error(), "bob") {
				t.Errorf("error %q names the reader", err)
			}
			if len(s.Mails()) != 0 {
				t.Error("the server has taken it")
			}
		})
	}
}

func answer(command, reply string) smtptest.Config {
	return smtptest.Config{Reply: func(c string) string {
		if c == command {
			return reply
		}
		return ""
	}}
}

func TestNothingIsSentWithoutTLS(t *testing.T) {
	s := smtptest.Start(t, smtptest.Config{User: "node", Password: "secret"})
	for name, url := range map[string]string{
		"no STARTTLS": "smtp://node@" + s.Addr(), "no TLS": "smtps://node@" + s.Addr(),
	} {
		out, err := NewSender(Config{Server: url, From: "noreply@example.org", Password: "secret", TLS: s.TLS()})
		if err != nil {
			t.Fatal(err)
		}
		err = out.Send(t.Context(), func(context.Context) (Message, error) {
			t.Error("a message was asked for")
			return hello(t.Context())
		})
		if got, ok := errors.AsType[*Error](err); !ok || got.Step != "TLS" || !got.Away {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestCertificatesAreLookedAt(t *testing.T) {
	for _, cfg := range []smtptest.Config{{Implicit: true}, {StartTLS: true}} {
		s := smtptest.Start(t, cfg)
		out, err := NewSender(Config{Server: s.URL(), From: "noreply@example.org"})
		if err != nil {
			t.Fatal(err)
		}
		err = out.Send(t.Context(), hello)
		if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
			t.Errorf("error %v", err)
		}
	}
}

func TestWrongMailPassword(t *testing.T) {
	s := smtptest.Start(t, smtptest.Config{Implicit: true, User: "node", Password: "secret"})
	out := sender(t, s, "hunter2")
	err := out.Send(t.Context(), hello)
	if got, ok := errors.AsType[*Error](err); !ok || got.Step != "login" || got.Code != 535 || !got.Away ||
		strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
	if !out.SetPassword("secret") || out.SetPassword("secret") {
		t.Error("the password is not said to have changed, or to have changed twice")
	}
	if err := out.Send(t.Context(), hello); err != nil {
		t.Error(err)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	for _, command := range []string{"", "EHLO", "RCPT", "."} {
		hangs := make(chan struct{}, 1)
		s := smtptest.Start(t, smtptest.Config{Reply: func(c string) string {
			if c == command {
				hangs <- struct{}{}
				return smtptest.Hang
			}
			return ""
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sender(t, s, "").Send(ctx, hello) }()
		<-hangs
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("hanging at %q: error %v", command, err)
		}
	}
}

func TestMessageIsAskedForOnceTheServerIsReady(t *testing.T) {
	s := smtptest.Start(t, smtptest.Config{})
	out := sender(t, s, "")
	s.Stop()
	var asked atomic.Bool
	err := out.Send(t.Context(), func(context.Context) (Message, error) { asked.Store(true); return Message{}, nil })
	if got, ok := errors.AsType[*Error](err); !ok || got.Step != "connect" || !got.Away || asked.Load() {
		t.Errorf("error %v, asked %v", err, asked.Load())
	}
	own := errors.New("own")
	s = smtptest.Start(t, smtptest.Config{})
	err = sender(t, s, "").Send(t.Context(), func(context.Context) (Message, error) { return Message{}, own })
	if !errors.Is(err, own) {
		t.Errorf("error %v", err)
	}
}

func TestHeadersCannotBeInjected(t *testing.T) {
	s := smtptest.Start(t, smtptest.Config{})
	out := sender(t, s, "")
	n := 0
	for _, evil := range []string{
		"a\r\nBcc: eve@example.org", "a\nBcc: eve@example.org", "a\rBcc: eve@example.org", "a\r\n\r\nBcc: eve@example.org",
		"a\u2028Bcc: eve@example.org", "a\x00b",
		"a\u0085Bcc: eve@example.org", "a\u202eb", "\r\n.\r\nMAIL FROM:<eve@example.org>",
	} {
		m := Message{To: reader, Subject: evil, Text: evil}
		if err := out.Send(t.Context(), func(context.Context) (Message, error) { return m, nil }); err != nil {
			t.Fatal(err)
		}
		n++
		got := s.Await(n)[n-1]
		if got.Header["Bcc"] != nil || len(got.Header) != 9 || got.To != reader {
			t.Errorf("%q comes as %q", evil, got.Header)
		}
		m.To = reader + evil
		err := out.Send(t.Context(), func(context.Context) (Message, error) { return m, nil })
		if got, ok := errors.AsType[*Error](err); !ok || !got.Refused {
			t.Errorf("to %q: error %v", m.To, err)
		}
		if _, err := NewSender(Config{Server: s.URL(), From: evil + " <noreply@example.org>"}); err == nil &&
			strings.ContainsAny(evil, "\r\n\x00\u0085") {
			t.Errorf("from %q: no error", evil)
		}
	}
}
