package opaqueclient

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rushgate/rushgate/internal/opaque"
)

// serenity is the npm package @serenity-kit/opaque in a Node.js process of its own.
type serenity struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// startSerenity starts one, or skips the test if Node.js, or what `npm ci` installs, is not there.
func startSerenity(t *testing.T) *serenity {
	t.Helper()
	path, err := exec.LookPath("node")
	folder, _ := filepath.Abs("../web")
	if err == nil {
		_, err = os.Stat(filepath.Join(folder, "node_modules", "@serenity-kit", "opaque"))
	}
	switch {
	case err != nil && os.Getenv("RUSHGATE_REQUIRE_NODE") == "1":
		t.Fatalf("RUSHGATE_REQUIRE_NODE=1: %v", err)
	case errors.Is(err, exec.ErrNotFound):
		t.Skip("no node")
	case err != nil:
		t.Skip("npm ci was not run in internal/web")
	}
	c := exec.CommandContext(t.Context(), path, filepath.Join("testdata", "serenity.mjs"), folder)
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2, c.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("node: %v", err)
		}
	})
	return &serenity{t: t, in: in, out: bufio.NewReader(out)}
}

// fields are what its functions take and return; bytes are in base64url without padding.
type fields map[string]string

func (f fields) bytes(t *testing.T, name string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(f[name])
	if err != nil || len(b) == 0 {
		t.Fatalf("%s: %q, %v", name, f[name], err)
	}
	return b
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// call returns what a function returns; nil for nothing.
func (s *serenity) call(side, name string, params map[string]any) (result fields) {
	s.t.Helper()
	line, err := json.Marshal([]any{side, name, params})
	if err == nil {
		_, err = s.in.Write(append(line, '\n'))
	}
	var answer []byte
	if err == nil {
		answer, err = s.out.ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(answer, &result)
	}
	if err != nil {
		s.t.Fatalf("%s.%s: %v", side, name, err)
	}
	return result
}

// with returns parameters with a cost of Argon2id; the zero Cost is the default of the npm package too.
func (f fields) with(c Cost) map[string]any {
	params := make(map[string]any)
	for name, value := range f {
		params[name] = value
	}
	if c != (Cost{}) {
		params["keyStretching"] = map[string]any{
			"argon2id-custom": map[string]int{"iterations": c.Passes, "memory": c.Memory, "parallelism": c.Lanes},
		}
	}
	return params
}

// registers registers alice by the npm package, and returns the record.
func (s *serenity) registers(o Options, server *opaque.Server, password string) opaque.Record {
	s.t.Helper()
	r := s.call("client", "startRegistration", fields{"password": password}.with(Cost{}))
	response, state, err := server.RegisterStart("alice", r.bytes(s.t, "registrationRequest"))
	if err != nil {
		s.t.Fatal(err)
	}
	done := s.call("client", "finishRegistration", fields{
		"password": password, "registrationResponse": text(response),
		"clientRegistrationState": r["clientRegistrationState"],
	}.with(o.Cost))
	_, record, err := server.RegisterFinish(state, done.bytes(s.t, "registrationRecord"))
	if err != nil {
		s.t.Fatal(err)
	}
	return record
}

// logsIn logs alice in by the npm package, and returns the keys of both sides; those of a wrong password are nil.
func (s *serenity) logsIn(o Options, server *opaque.Server, record *opaque.Record, password string) (
	client, node []byte,
) {
	s.t.Helper()
	l := s.call("client", "startLogin", fields{"password": password}.with(Cost{}))
	ke2, state, err := server.LoginStart("alice", record, l.bytes(s.t, "startLoginRequest"), opaque.PurposeLogin)
	if err != nil {
		s.t.Fatal(err)
	}
	done := s.call("client", "finishLogin", fields{
		"password": password, "clientLoginState": l["clientLoginState"], "loginResponse": text(ke2),
	}.with(o.Cost))
	if done == nil {
		return nil, nil
	}
	opened, err := server.LoginOpen(state, opaque.PurposeLogin)
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := server.LoginFinish(opened, record, done.bytes(s.t, "finishLoginRequest"))
	if err != nil {
		s.t.Fatal(err)
	}
	return done.bytes(s.t, "sessionKey"), key[:]
}

const password = "correct horse ✓"

// What the npm package registers by its defaults, this one logs in to, and the other way round.
func TestSerenity(t *testing.T) {
	s, server, usual := startSerenity(t), newServer(t), Options{}
	theirs, ours := s.registers(usual, server, password), registers(t, usual, server, password)
	if client, node := s.logsIn(usual, server, &ours, password); client == nil || string(client) != string(node) {
		t.Error("registered in Go, logged in in JavaScript: the keys differ")
	}
	if client, node, err := logsIn(t, usual, server, &theirs, password); err != nil || string(client) != string(node) {
		t.Errorf("registered in JavaScript, logged in in Go: the keys differ, %v", err)
	}
}

// The npm package is refused where this one is.
func TestSerenityRefused(t *testing.T) {
	s, server := startSerenity(t), newServer(t)
	record := s.registers(cheap, server, password)
	if client, node := s.logsIn(cheap, server, &record, password); client == nil || string(client) != string(node) {
		t.Error("the keys differ")
	}
	if client, _ := s.logsIn(cheap, server, &record, "Correct horse ✓"); client != nil {
		t.Error("a wrong password is let in")
	}
	if client, _ := s.logsIn(cheap, server, nil, password); client != nil {
		t.Error("a name without an account is let in")
	}
}
