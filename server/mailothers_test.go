package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// othersMail is a mail that a server of others has taken.
type othersMail struct{ From, To, Data string }

// startOthersServer builds and starts internal/mail/goserver, a mail server that others have written, and returns where
// it listens, a file to believe it by, and what reads the next mail.
func startOthersServer(t *testing.T) (address, authority string, next func() othersMail) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "goserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../internal/mail/goserver", "-o", program, ".")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // which ends with this process, and the server with it
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	read := func(v any) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the mail server says no more: %v", cmd.Wait())
		}
		if err := json.Unmarshal(lines.Bytes(), v); err != nil {
			t.Fatal(err)
		}
	}
	var at struct{ Address, Authority string }
	read(&at)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, []byte(at.Authority), 0o600); err != nil {
		t.Fatal(err)
	}
	return at.Address, authority, func() (m othersMail) { t.Helper(); read(&m); return m }
}

// A node and a mail server that knows nothing of it understand each other: STARTTLS, the user's password, addresses and
// names that are not ASCII.
func TestMailByAServerOfOthers(t *testing.T) {
	address, authority, next := startOthersServer(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("the mail server's own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config(t, t.TempDir())
	cfg.SMTPURL, cfg.SMTPPasswordFile, cfg.SMTPCA = "smtp://node@"+address, file, authority
	cfg.MailFrom, cfg.PageTitle = "Das Spiel über alles <noreply@example.org>", "Das Spiel über alles"
	s := start(t, cfg)
	session, _ := join(t, s, "alice")
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}`)
	call(t, s, "POST /v1/account/email", fmt.Sprintf(`{"email":"alice@example.org","current":%q}`, oldPassword), session).
		want(t, "address", 202)
	m := next()
	if m.From != "noreply@example.org" || m.To != "alice@example.org" || !code.MatchString(m.Data) {
		t.Fatalf("the mail is %+v", m)
	}
	for _, line := range []string{
		"From: =?utf-8?q?Das_Spiel_=C3=BCber_alles?= <noreply@example.org>", "Auto-Submitted: auto-generated",
		"MIME-Version: 1.0", "To: <alice@example.org>",
	} {
		if !strings.Contains(m.Data, line+"\r\n") {
			t.Errorf("there is no line %q in\n%s", line, m.Data)
		}
	}
	call(t, s, "POST /v1/account/email/verify", fmt.Sprintf(`{"code":%q}`, code.FindString(m.Data)), session).
		want(t, "verify", 204)
	call(t, s, "POST /v1/recover", `{"username":"alice"}`, "").want(t, "recover", 202)
	again := code.FindString(next().Data)
	call(t, s, "POST /v1/recover/finish", finish("alice", again, newPassword), "").want(t, "finish", 204)
}
