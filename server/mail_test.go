package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/smtptest"
	"github.com/rushgate/rushgate/server"
)

const (
	mailPassword = "the mail server's own"
	oldPassword  = "correct horse"
	newPassword  = "a better horse"
)

// debugLog is a log that many write to, down to the last detail.
type debugLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *debugLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *debugLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// withMail has a node send its mail by a server.
func withMail(t *testing.T, cfg server.Config, by *smtptest.Server) server.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(mailPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.SMTPURL, cfg.SMTPPasswordFile, cfg.SMTPCA = by.URL(), file, by.CA()
	cfg.MailFrom = "The Game <noreply@example.org>"
	return cfg
}

func mailServer(t *testing.T) *smtptest.Server {
	return smtptest.Start(t, smtptest.Config{Implicit: true, User: "node", Password: mailPassword})
}

// codeOf returns the code in a mail.
func codeOf(t *testing.T, m smtptest.Mail) string {
	t.Helper()
	for line := range strings.Lines(m.Text) {
		if code, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "    "); ok {
			return code
		}
	}
	t.Fatalf("there is no code in %q", m.Text)
	return ""
}

// withAddress gives the player of a session an address, by the nth mail.
func withAddress(t *testing.T, s *server.Server, by *smtptest.Server, session, address string, n int) {
	t.Helper()
	call(t, s, "POST /v1/account/email", fmt.Sprintf(`{"email":%q,"current":%q}`, address, oldPassword), session).
		want(t, "address", 202)
	m := by.Await(n)[n-1]
	if m.To != address {
		t.Fatalf("the mail is for %s", m.To)
	}
	call(t, s, "POST /v1/account/email/verify", fmt.Sprintf(`{"code":%q}`, codeOf(t, m)), session).want(t, "verify", 204)
}

func finish(name, code, password string) string {
	return fmt.Sprintf(`{"username":%q,"code":%q,"password":%q}`, name, code, password)
}

func TestLostPasswordByMail(t *testing.T) {
	by, log := mailServer(t), new(debugLog)
	cfg := withMail(t, config(t, t.TempDir()), by)
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	withAddress(t, s, by, session, "alice@example.org", 1)
	if a := call(t, s, "GET /v1/account/email", "", session); a.body["email"] != "alice@example.org" ||
		a.body["mail"] != true || len(a.body) != 2 {
		t.Errorf("the addresses are %s", a.raw)
	}

	known := call(t, s, "POST /v1/recover", `{"username":"Alice"}`, "")
	unknown := call(t, s, "POST /v1/recover", `{"username":"mallory"}`, "")
	known.want(t, "recover", 202)
	if known.status != unknown.status || known.raw != unknown.raw {
		t.Errorf("a name that there is: %d %s, one that there is not: %d %s",
			known.status, known.raw, unknown.status, unknown.raw)
	}
	m := by.Await(2)[1]
	code := codeOf(t, m)
	if m.To != "alice@example.org" || m.Header.Get("From") != `"The Game" <noreply@example.org>` {
		t.Errorf("the mail is from %q to %q", m.Header.Get("From"), m.To)
	}
	wrong := "0000-0000-0000"
	refused := call(t, s, "POST /v1/recover/finish", finish("alice", wrong, newPassword), "")
	nobody := call(t, s, "POST /v1/recover/finish", finish("mallory", wrong, newPassword), "")
	refused.want(t, "wrong code", 401)
	if refused.raw != nobody.raw || refused.status != nobody.status {
		t.Errorf("a wrong code: %d %s, no such name: %d %s", refused.status, refused.raw, nobody.status, nobody.raw)
	}
	const said = "The code is wrong, used or too old, or it is for another name. Check it, or ask for a new one."
	if refused.text("reason") != "bad-credentials" || refused.text("message") != said {
		t.Errorf("a wrong code is answered with %s", refused.raw)
	}
	call(t, s, "POST /v1/recover/finish", finish("alice", code, "12345678"), "").want(t, "a common password", 400)
	call(t, s, "POST /v1/recover/finish", finish("ALICE", strings.ToLower(code), newPassword), "").want(t, "finish", 204)
	call(t, s, "POST /v1/recover/finish", finish("alice", code, newPassword), "").want(t, "once more", 401)
	call(t, s, "POST /v1/login", fmt.Sprintf(`{"username":"alice","password":%q}`, oldPassword), "").want(t, "old", 401)
	login := fmt.Sprintf(`{"username":"alice","password":%q,"takeover":true}`, newPassword)
	next := callUntil(t, s, "POST /v1/login", login, "", 409, 503)
	next.want(t, "new password", 200)
	session = next.text("session_token")
	call(t, s, "DELETE /v1/account/email", "", session).want(t, "remove without a proof", 400)
	call(t, s, "DELETE /v1/account/email", fmt.Sprintf(`{"password":%q}`, oldPassword), session).
		want(t, "remove with another password", 401)
	if email := call(t, s, "GET /v1/account/email", "", session); !strings.Contains(email.raw, "alice@example.org") {
		t.Errorf("without a proof the address is gone: %s", email.raw)
	}
	call(t, s, "DELETE /v1/account/email", fmt.Sprintf(`{"password":%q}`, newPassword), session).want(t, "remove", 204)
	if m := by.Await(3)[2]; m.To != "alice@example.org" || !strings.Contains(m.Text, "no longer") {
		t.Errorf("the notice is %q", m.Text)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{
		"example.org", code, strings.ReplaceAll(code, "-", ""), newPassword, oldPassword, mailPassword,
	} {
		if strings.Contains(log.text(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestMailOutlivesARestart(t *testing.T) {
	by := mailServer(t)
	cfg := withMail(t, config(t, t.TempDir()), by)
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	withAddress(t, s, by, session, "alice@example.org", 1)
	call(t, s, "POST /v1/recover", `{"username":"alice"}`, "").want(t, "recover", 202)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(by.Mails()) != 1 {
		t.Fatal("it was sent before the restart") // which takes a second at least
	}
	s = start(t, cfg)
	code := codeOf(t, by.Await(2)[1])
	call(t, s, "POST /v1/recover/finish", finish("alice", code, newPassword), "").want(t, "finish", 204)
}

func TestLostPasswordInGo(t *testing.T) {
	by := mailServer(t)
	s := start(t, withMail(t, config(t, t.TempDir()), by))
	c := newClient(t, s, client.Options{})
	session, err := c.Register(t.Context(), "alice", oldPassword)
	if err != nil {
		t.Fatal(err)
	}
	err = session.SetEmail(t.Context(), "alice@example.org", "wrong horse", "")
	if !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := session.SetEmail(t.Context(), "alice@example.org", oldPassword, "de"); err != nil {
		t.Fatal(err)
	}
	if err := session.VerifyEmail(t.Context(), "0000-0000-0000"); !errors.Is(err, client.ErrWrongCode) {
		t.Errorf("with a wrong code: %v", err)
	}
	if err := session.VerifyEmail(t.Context(), codeOf(t, by.Await(1)[0])); err != nil {
		t.Fatal(err)
	}
	if got, err := session.Email(t.Context()); err != nil || got != (client.Addresses{Email: "alice@example.org"}) {
		t.Errorf("the addresses are %+v, error %v", got, err)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Recover(t.Context(), "alice", ""); err != nil {
		t.Fatal(err)
	}
	code := codeOf(t, by.Await(2)[1])
	err = c.FinishRecovery(t.Context(), "alice", "0000-0000-0000", newPassword)
	if !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("with a wrong code: %v", err)
	}
	if err := c.FinishRecovery(t.Context(), "alice", code, newPassword); err != nil {
		t.Fatal(err)
	}
	if session, err = c.Login(t.Context(), "alice", newPassword); err != nil {
		t.Fatal(err)
	}
	if err := session.RemoveEmail(t.Context(), oldPassword); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("removed with a wrong password: %v", err)
	}
	if err := session.RemoveEmail(t.Context(), newPassword); err != nil {
		t.Fatal(err)
	}
}

func TestNodeWithoutMail(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	session, _ := join(t, s, "alice")
	call(t, s, "POST /v1/recover", `{"username":"alice"}`, "").want(t, "recover", 404)
	call(t, s, "POST /v1/account/email", `{"email":"a@example.org","current":"x"}`, session).want(t, "address", 404)
	call(t, s, "POST /v1/recover/finish", finish("alice", "0000-0000-0000", newPassword), "").want(t, "finish", 401)
}

func TestAddressNeedsThePassword(t *testing.T) {
	by := mailServer(t)
	s := start(t, withMail(t, config(t, t.TempDir()), by))
	session, _ := join(t, s, "alice")
	for body, status := range map[string]int{
		`{"email":"a@example.org","current":"wrong horse"}`: 401, `{"email":"a@example.org"}`: 400, `{}`: 400,
		`{"email":"a@example.org\r\nBcc: b@example.org","current":"correct horse"}`: 400,
	} {
		call(t, s, "POST /v1/account/email", body, session).want(t, body, status)
	}
	call(t, s, "POST /v1/account/email", `{"email":"a@example.org","current":"x"}`, "").want(t, "no session", 401)
	call(t, s, "POST /v1/account/email/verify", `{"code":"0000-0000-0000"}`, session).want(t, "no address", 409)
	call(t, s, "POST /v1/account/email/verify", `{"code":"x"}`, session).want(t, "no code", 400)
	call(t, s, "DELETE /v1/account/email", `{"password":"correct horse"}`, session).want(t, "nothing to remove", 204)
	if len(by.Mails()) != 0 {
		t.Error("a mail was sent")
	}
}

func TestMailSettings(t *testing.T) {
	templates := t.TempDir()
	bad := filepath.Join(templates, "recover.de.txt")
	if err := os.WriteFile(bad, []byte("Subject: a\n\n{{.Kode}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*server.Config){
		"from no address":      func(c *server.Config) { c.MailFrom = "" },
		"no mail server":       func(c *server.Config) { c.SMTPURL = "" },
		"not a mail server":    func(c *server.Config) { c.SMTPURL = "mail.example.org" },
		"not an address":       func(c *server.Config) { c.MailFrom = "nobody" },
		"recover.de.txt:3:2":   func(c *server.Config) { c.MailTemplates = templates },
		"no such file":         func(c *server.Config) { c.SMTPPasswordFile = "/none" },
		"holds no certificate": func(c *server.Config) { c.SMTPCA = bad },
	} {
		cfg := config(t, t.TempDir())
		cfg.SMTPURL, cfg.MailFrom = "smtps://mail.example.org", "noreply@example.org"
		change(&cfg)
		s, err := server.Start(t.Context(), cfg)
		if err == nil {
			s.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}
