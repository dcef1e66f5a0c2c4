package main

import (
	"cmp"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/password"
)

// The curl session of the README works as printed.
func TestReadmeCurlSession(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```sh\n(curl .*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("the README has no curl session")
	}
	n := startNode(t, t.TempDir())
	session := strings.ReplaceAll(string(m[1]), "http://127.0.0.1:8080", n.http)
	sh := exec.Command("sh", "-e")
	sh.Dir = t.TempDir()
	sh.Stdin = strings.NewReader(session)
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The answers to register, me, login, leaderboards and status; logout answers nothing.
	want := `(?s)^\{"player_id":1,"session_token":.*"name":"alice".*\{"player_id":1,"session_token":.*"board":"xp".*"state":"open","players":1,"run":"[A-Z2-7]+","mode":"open"\}\s*$`
	if !regexp.MustCompile(want).Match(out) || strings.Contains(string(out), `"reason"`) {
		t.Errorf("the session printed\n%s", out)
	}
}

var update = flag.Bool("update", false, "write the README's table of flags instead of checking it")

// flagTable returns the flags of serve as the README lists them.
func flagTable(f *flags) string {
	var b strings.Builder
	b.WriteString("| flag | variable | default | meaning |\n|---|---|---|---|\n")
	for _, d := range f.declared {
		arg, help := f.usage(d)
		def := cmp.Or(f.defaultOf(d), "none")
		if isBool(f.valueOf(d.name)) {
			def = "off"
		}
		variable := ""
		if d.env != "" {
			variable = "`" + d.env + "`"
		}
		if limits := f.limits(d); limits != "" {
			help += " (" + limits + ")"
		}
		b.WriteString("| `--" + d.name + arg + "` |" + cell(variable) + cell(def) + cell(help) + "\n")
	}
	return b.String()
}

// code is what stands in a cell as code: flags, variables and addresses.
var code = regexp.MustCompile(`--[a-z][a-z-]*|\S+://[^\s,]+`)

// cell returns a text as a cell of a table.
func cell(s string) string {
	s = strings.ReplaceAll(s, "|", `\|`)
	return strings.TrimRight(" "+code.ReplaceAllString(s, "`$0`"), " ") + " |"
}

// The README lists the flags of serve as they are declared. With -update, as "go generate" calls it, it is made to.
func TestReadmeListsTheFlags(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- flags of serve, by go generate ./cmd/rushgate -->\n", "<!-- end -->\n"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	table, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("the README has no %q with an %q after it", begin, end)
	}
	if !slices.Contains(password.Kernels(), "avx512") {
		t.Skip("the README names the hash kernels of another architecture")
	}
	want := flagTable(newServeFlags().declare())
	switch {
	case table == want:
	case *update:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("README.md does not list the flags as they are declared: run go generate ./cmd/rushgate")
	}
}
