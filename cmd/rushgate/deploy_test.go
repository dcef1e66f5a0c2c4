package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// takesFlags fails the test unless serve takes a command line, which begins with the name of that command.
func takesFlags(t *testing.T, args []string) {
	t.Helper()
	if len(args) < 2 || args[0] != "serve" {
		t.Fatalf("%q is no command line of serve", args)
	}
	c := newServe()
	if err := c.ParseFlags(args[1:]); err != nil {
		t.Errorf("%q: %v", args, err)
	}
	if left := c.Flags().Args(); len(left) > 0 {
		t.Errorf("%q: %q are no flags", args, left)
	}
}

// The nodes of the Compose file start with flags that there are, and what they mount is there.
func TestComposeFile(t *testing.T) {
	file, err := os.ReadFile("../../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Build   struct{ Context, Dockerfile string }
			Command yaml.Node
			Volumes []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal(file, &compose); err != nil {
		t.Fatal(err)
	}
	nodes := 0
	for name, s := range compose.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, named := compose.Volumes[from]
			if _, err := os.Stat(filepath.Join("../../deploy", from)); !named && err != nil {
				t.Errorf("%s mounts %s, which is neither a volume nor a file: %v", name, from, err)
			}
		}
		if s.Build.Dockerfile == "" {
			continue
		}
		nodes++
		if _, err := os.Stat(filepath.Join("../../deploy", s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
		var args []string
		if err := s.Command.Decode(&args); err != nil {
			t.Fatal(err)
		}
		takesFlags(t, args)
	}
	if nodes != 2 {
		t.Errorf("found %d nodes, want 2", nodes)
	}
}

// The unit starts and replaces a node with flags that there are, and systemd has nothing to say about it.
func TestSystemdUnit(t *testing.T) {
	file, err := os.ReadFile("../../deploy/rushgate.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.ReplaceAll(string(file), "\\\n", " ")
	flags := regexp.MustCompile(`"RUSHGATE_FLAGS=([^"]*)"`).FindStringSubmatch(unit)
	commands := regexp.MustCompile(`(?m)^Exec(?:Start|Reload)=/usr/local/bin/rushgate (.*)$`).FindAllStringSubmatch(unit, -1)
	if len(flags) != 2 || len(commands) != 2 {
		t.Fatalf("found flags %q and commands %q", flags, commands)
	}
	for _, c := range commands {
		takesFlags(t, strings.Fields(strings.ReplaceAll(c[1], "$RUSHGATE_FLAGS", flags[1])))
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("without systemd-analyze, which would look at the rest of the unit")
	}
	here, err := os.Executable() // stands for the program that is not installed
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rushgate.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(file), "/usr/local/bin/rushgate", here)), 0o644); err != nil {
		t.Fatal(err)
	}
	// It also looks at the units of this machine that ours comes after, which may be any.
	if out, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || strings.Contains(string(out), "rushgate") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
