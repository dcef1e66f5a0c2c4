package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// stressed runs the stress command and returns what it wrote.
func stressed(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"stress"}, args...))
	root.SetOut(&out)
	root.SetErr(io.Discard)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

func mustStress(t *testing.T, args ...string) string {
	t.Helper()
	out, err := stressed(t.Context(), args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// checkPage checks that a file is a page that says some things and loads nothing from elsewhere.
func checkPage(t *testing.T, file string, says ...string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, s := range append(says, "<!doctype html>", "</html>", "<svg") {
		if !strings.Contains(strings.ToLower(page), strings.ToLower(s)) {
			t.Errorf("%s does not say %q", file, s)
		}
	}
	if strings.Contains(page, "<script src") || strings.Contains(page, "<link") {
		t.Errorf("%s loads something", file)
	}
}

// Two runs on a node, their reports by themselves and side by side, and the accounts deleted.
func TestStressFromRunToClean(t *testing.T) {
	node := nodeWithoutUDP(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	target, admin := "http://"+node.HTTPAddr().String(), "http://"+node.AdminAddr().String()

	burst := []string{"burst", "--clients", "5", "--target", target, "--admin", admin, "--json", file("a.json"), "--html", file("run.html")}
	out := mustStress(t, burst...)
	if !strings.Contains(out, "5 clients against "+target) {
		t.Errorf("%s", out)
	}
	checkPage(t, file("run.html"), target)
	mustStress(t, "burst", "--mode", "login", "--clients", "5", "--target", target, "--admin", admin, "--json", file("b.json"))
	a, err := readReport(file("a.json"))
	if err != nil || a.OK != 5 || a.Mode != report.Register || a.Server == nil || a.Server.Auth.Success != 5 || !a.Kept() {
		t.Errorf("%+v, %v", a, err)
	}

	if got := mustStress(t, "report", file("a.json")); got != file("a.html")+"\n" {
		t.Errorf("%q", got)
	}
	checkPage(t, file("a.html"), target)
	// What the run has drawn and what is drawn of its JSON are the same.
	if x, y := read(t, file("run.html")), read(t, file("a.html")); x != y {
		t.Error("the page of the run is not that of its report")
	}
	got := mustStress(t, "report", file("a.json"), "--html", file("other.html"))
	if got != file("other.html")+"\n" || read(t, file("other.html")) != read(t, file("a.html")) {
		t.Errorf("%q", got)
	}

	text := mustStress(t, "compare", file("a.json"), file("b.json"))
	for _, s := range []string{"a", "b", "register", "login"} {
		if !strings.Contains(text, s) {
			t.Errorf("the comparison does not say %q:\n%s", s, text)
		}
	}
	for _, args := range [][]string{
		{"--html", file("ab.html"), file("a.json"), file("b.json")},
		{file("a.json"), "--html", file("ab.html"), file("b.json")},
		{file("a.json"), file("b.json"), "--html=" + file("ab.html")},
	} {
		if got := mustStress(t, append([]string{"compare"}, args...)...); got != text {
			t.Errorf("%v: %s", args, got)
		}
		checkPage(t, file("ab.html"), target)
		if err := os.Remove(file("ab.html")); err != nil {
			t.Fatal(err)
		}
	}

	// What the listener of another node has is left alone, and the runs are kept in mind.
	other := nodeWithoutUDP(t)
	elsewhere := "http://" + other.AdminAddr().String()
	mustStress(t, "burst", "--clients", "4", "--prefix", "astray", "--target", target, "--admin", elsewhere)
	if got, err := stressed(t.Context(), "clean", "--admin", elsewhere); err == nil || strings.Contains(got, "deleted") {
		t.Errorf("%q, %v", got, err)
	}
	if got := mustStress(t, "clean", "--admin", admin); !strings.Contains(got, "astray: deleted 4 accounts\n") {
		t.Errorf("%q", got)
	}
	mustStress(t, burst...)

	// A second run makes accounts of its own, and all are deleted at once.
	mustStress(t, "burst", "--clients", "3", "--target", target, "--admin", admin)
	got = mustStress(t, "clean", "--admin", admin)
	m := regexp.MustCompile(`^(s[a-z]{5}): deleted 5 accounts\n(s[a-z]{5}): deleted 3 accounts\n$`).FindStringSubmatch(got)
	if m == nil || m[1] == m[2] {
		t.Fatalf("%q", got)
	}
	if got, err := stressed(t.Context(), "clean", "--admin", admin); err == nil || !strings.Contains(err.Error(), "no run is known here") {
		t.Errorf("%q, %v", got, err)
	}
	if got := mustStress(t, "clean", "--admin", admin, "--gap", "1", "--prefix", m[1]); got != m[1]+": deleted 0 accounts\n" {
		t.Errorf("%q", got)
	}
	login := []string{"burst", "--mode", "login", "--clients", "1", "--target", target, "--admin", "none", "--min-in", "1"}
	if out, err := stressed(t.Context(), login...); !errors.Is(err, errNoRun) {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = stressed(t.Context(), append(login, "--prefix", m[1])...)
	if !errors.Is(err, errLimits) {
		t.Errorf("the accounts are still there: %v\n%s", err, out)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStressReportMisused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.json", `{"scenario":"burst","mode":"register","clients":1}`)
	other, empty := file("other.json", `{"players":1}`), file("empty.json", "")
	none := filepath.Join(dir, "none.json")
	misused := usageError{}
	for _, tt := range []struct {
		args []string
		want any // error to find in the chain, or a *usageError
		text string
	}{
		{[]string{"report"}, &misused, "name 1 report, not 0"},
		{[]string{"report", good, good}, &misused, "name 1 report, not 2"},
		{[]string{"compare", good}, &misused, "name 2 reports, not 1"},
		{[]string{"compare", good, good, good}, &misused, "name 2 reports, not 3"},
		{[]string{"report", good, "--json", "x"}, &misused, "-json"},
		{[]string{"compare", good, good, "--html"}, &misused, "-html"},
		{[]string{"report", none}, os.ErrNotExist, none},
		{[]string{"compare", good, none}, os.ErrNotExist, none},
		{[]string{"report", other}, report.ErrNotReport, other},
		{[]string{"compare", empty, good}, report.ErrNotReport, empty},
		{[]string{"report", good, "--html", filepath.Join(dir, "no", "x.html")}, os.ErrNotExist, "x.html"},
		{[]string{"clean", "--gap", "0"}, &misused, "gap"},
		{[]string{"clean", "stress"}, &misused, "unexpected argument"},
		{[]string{"clean", "--prefix", "Stress"}, nil, "canonical"},
		{[]string{"clean", "--prefix", "stress", "--admin", "ftp://x"}, nil, "http or https"},
	} {
		out, err := stressed(t.Context(), tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v: %v, want %q\n%s", tt.args, err, tt.text, out)
			continue
		}
		switch want := tt.want.(type) {
		case *usageError:
			if !errors.As(err, want) {
				t.Errorf("%v: %v is not one of usage", tt.args, err)
			}
		case error:
			if !errors.Is(err, want) {
				t.Errorf("%v: %v is not %v", tt.args, err, want)
			}
		}
	}
	for _, args := range [][]string{{"report", "--help"}, {"compare", good, "-h"}, {"clean", "--help"}} {
		out, err := stressed(t.Context(), args...)
		if err != nil || !strings.Contains(out, "Usage: rushgate stress "+args[0]) || !strings.Contains(out, "--") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if entries, err := filepath.Glob(filepath.Join(dir, "*.html")); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// A run does not begin if its report could not be written, and leaves no empty file if it does not begin.
func TestStressReservesItsFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(file("old.json"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args string
		want error
	}{
		"no folder for the JSON": {"--html " + file("new.html") + " --json " + file("none/x.json"), os.ErrNotExist},
		"no folder for the page": {"--json " + file("new.json") + " --html " + file("none/x.html"), os.ErrNotExist},
		"a run that cannot be":   {"--json " + file("old.json") + " --html " + file("new.html") + " --prefix Upper", nil},
	} {
		out, err := stressed(t.Context(), append([]string{"burst", "--clients", "1", "--admin", "none"}, strings.Fields(tt.args)...)...)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || out != "" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if left, err := filepath.Glob(file("*")); err != nil || len(left) != 1 || read(t, file("old.json")) != "old" {
			t.Errorf("%s: left behind %v, %v", name, left, err)
		}
	}
}

// Where the JSON cannot be written after all, the page is.
func TestStressWritesWhatItCan(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "x.html")
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	go func() {
		for {
			c, err := deaf.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	out, err := stressed(t.Context(), "burst", "--clients", "1", "--retries", "0", "--admin", "none", "--target", "http://"+deaf.Addr().String(),
		"--json", dir, "--html", page)
	if err == nil || !errors.Is(err, errLimits) || !strings.Contains(err.Error(), dir) || !strings.Contains(out, "dropped") {
		t.Errorf("%v\n%s", err, out)
	}
	checkPage(t, page, "127.0.0.1")
}

func TestStressRunNames(t *testing.T) {
	for _, tt := range [][4]string{
		{"before.json", "after.json", "before", "after"},
		{"x/one.json", "y/two.json", "one", "two"},
		{"x/run.json", "y/run.json", "x/run.json", "y/run.json"},
		{"run.json", "run", "run.json", "run"},
	} {
		if a, b := runNames(tt[0], tt[1]); a != tt[2] || b != tt[3] {
			t.Errorf("%s and %s: %s and %s", tt[0], tt[1], a, b)
		}
	}
}

// A page that could not be written whole is not there.
func TestWritePage(t *testing.T) {
	path, fault := filepath.Join(t.TempDir(), "x.html"), errors.New("fault")
	err := writePage(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return fault
	})
	if _, missing := os.Stat(path); !errors.Is(err, fault) || !errors.Is(missing, os.ErrNotExist) {
		t.Errorf("%v, %v", err, missing)
	}
	if err := writePage(path, func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil || read(t, path) != "whole" {
		t.Error(err)
	}
}
