package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/server"
)

// The OpenAPI document is good for what people make of one. internal/e2e/generated has two programs which log in by
// clients that public generators make of it.

// document asks a node for the OpenAPI document and returns the file that it is in.
func document(t *testing.T, s *server.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	tool(t, "", "curl", "-sS", "-o", file, "http://"+s.HTTPAddr().String()+"/v1/openapi.yaml")
	return file
}

// tool runs a program in a folder and returns what it says.
func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	// None of them reports to those who made it that it was run.
	c.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "SCARF_ANALYTICS=false",
		"NODE_NO_WARNINGS=1", "CGO_ENABLED=0")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// npmFolder returns a folder with copies of files of internal/e2e/generated, and with what npm has installed there. The
// test is skipped where npm has not.
func npmFolder(t *testing.T, files ...string) string {
	t.Helper()
	modules, err := filepath.Abs("generated/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(modules); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_NODE") != "" {
			t.Fatal("npm ci has not been run in internal/e2e/generated")
		}
		t.Skip("npm ci has not been run in internal/e2e/generated")
	}
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	copyTo(t, dir, files...)
	return dir
}

func copyTo(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join("generated", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// loggedIn is what either program says in the end: name, zone, that the player is the same, lines of the leaderboard,
// and why a wrong password is refused.
const loggedIn = "alice true true 1 bad-credentials\n"

func TestGeneratedTypeScriptClient(t *testing.T) {
	t.Parallel()
	dir := npmFolder(t, "package.json", "tsconfig.json", "login.ts")
	s := start(t, config(t))
	bin := func(name string) string { return filepath.Join(dir, "node_modules", ".bin", name) }
	tool(t, dir, bin("openapi-typescript"), document(t, s), "-o", "schema.d.ts")
	tool(t, dir, bin("tsc"), "--project", ".")
	url := "http://" + s.HTTPAddr().String()
	if got := tool(t, dir, "node", "login.js", url, "alice", "correct horse"); got != loggedIn {
		t.Errorf("it says %q, want %q", got, loggedIn)
	}
}

func TestGeneratedGoClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	copyTo(t, dir, "go.mod", "go.sum", "login.go")
	s := start(t, config(t))
	tool(t, dir, "go", "tool", "oapi-codegen", "-package", "main", "-generate", "types,client", "-o", "client.gen.go",
		document(t, s))
	url := "http://" + s.HTTPAddr().String()
	if got := tool(t, dir, "go", "run", ".", url, "alice", "correct horse"); got != loggedIn {
		t.Errorf("it says %q, want %q", got, loggedIn)
	}
}

// Two linters have nothing to say about the documents, of players and of operators, by the rules that they recommend.
func TestOpenAPIDocumentIsClean(t *testing.T) {
	t.Parallel()
	dir := npmFolder(t, "package.json")
	ofOperators, err := filepath.Abs("../admin/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte("extends: [spectral:oas]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "node_modules", ".bin")
	for _, file := range []string{document(t, start(t, config(t))), ofOperators} {
		tool(t, dir, filepath.Join(bin, "spectral"), "lint", "--ruleset", rules, "--fail-severity", "hint", file)
		said := tool(t, dir, filepath.Join(bin, "redocly"), "lint", "--extends", "recommended", "--format", "json", file)
		if !strings.Contains(said, `"errors": 0`) || !strings.Contains(said, `"warnings": 0`) {
			t.Errorf("redocly says of %s\n%s", file, said)
		}
	}
}
