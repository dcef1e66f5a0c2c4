package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
)

// A run has accounts of its own, a login those of the last run against its target; what is chosen is left alone.
func TestChoosePrefix(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	run := func(target, prefix string, mode report.Mode, clients, in int) {
		cfg := &stress.Config{Target: target, Prefix: prefix, Mode: mode}
		for _, rep := range []*report.Report{nil, {Clients: clients, OK: in}} {
			if err := noteRun(cfg, rep); err != nil {
				t.Fatal(err)
			}
		}
	}
	run("http://a", "first", report.Register, 100, 100)
	run("http://a", "second", report.Register, 100, 96)
	run("http://a", "nobody", report.Register, 100, 0)
	run("http://a", "second", report.Login, 7, 7) // which made no accounts
	run("http://b", "other", report.Register, 5, 5)
	runs, err := loadPastRuns()
	if err != nil || len(runs.runs) != 4 {
		t.Fatal(runs, err)
	}
	broken := errors.New("a broken disk")
	for _, tt := range []struct {
		name    string
		cfg     stress.Config
		problem error
		want    string // prefix
		says    string
		err     string
	}{
		{"chosen", stress.Config{Target: "http://a", Prefix: "mine"}, broken, "mine", "", ""},
		{"last", stress.Config{Target: "http://a", Mode: report.Login, Clients: 96}, nil, "second", "of the 100 players of the last run 96 got in", ""},
		{"other", stress.Config{Target: "http://b", Mode: report.Login}, nil, "other", "", ""},
		{"too many", stress.Config{Target: "http://b", Mode: report.Login, Clients: 6}, nil, "", "", "the last run was of 5 players"},
		{"no run", stress.Config{Target: "http://c", Mode: report.Login}, nil, "", "", "no run with --mode register against this target"},
		{"unknown", stress.Config{Target: "http://a", Mode: report.Login}, broken, "", "", "a broken disk"},
	} {
		var says bytes.Buffer
		err := choosePrefix(&tt.cfg, runs, tt.problem, &says)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || err == nil && tt.cfg.Prefix != tt.want ||
			!strings.Contains(says.String(), tt.says) {
			t.Errorf("%s: %q, %v, %s", tt.name, tt.cfg.Prefix, err, &says)
		}
	}
	one, another := &stress.Config{Mode: report.Register}, &stress.Config{Mode: report.Login, Scenario: report.Mixed}
	if err := errors.Join(choosePrefix(one, nil, broken, nil), choosePrefix(another, nil, broken, nil)); err != nil ||
		one.Prefix == another.Prefix || len(one.Prefix) != 6 {
		t.Errorf("%q, %q, %v", one.Prefix, another.Prefix, err)
	}
}

// A record that cannot be read is named, and costs no run.
func TestPastRunsDamaged(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	path := filepath.Join(dir, "rushgate", "stress-runs.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadPastRuns(); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

// A target that is none ends a run in one line, which says what a URL is.
func TestStressTargets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	for target, want := range map[string]string{
		"127.0.0.1:8080":          "a URL begins with its scheme: http://127.0.0.1:8080, or https://127.0.0.1:8080",
		"localhost:8080":          "a URL begins with its scheme: http://localhost:8080",
		"ftp://x":                 "want a URL such as",
		"http://":                 "want a URL such as",
		"http://" + dead:          "http://" + dead + ": no server is there: ",
		"http://u:s3cret@" + dead: "it must not hold a user name or password",
		"u:s3cret@h:1":            "want a URL such as",
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), []string{"stress", "burst", "--target", target, "--admin", "none"}, &stdout, &stderr)
		said := stderr.String()
		if status == 0 || stdout.Len() > 0 || !strings.Contains(said, want) || strings.Contains(said, "s3cret") ||
			strings.Count(said, "\n") > 2 {
			t.Errorf("%s: status %d, %s%s, want %s", target, status, &stdout, said, want)
		}
	}
}

func TestAnnounce(t *testing.T) {
	for want, cfg := range map[string]stress.Config{
		"1000 players register at once; they leave when the last one is in\ntheir names are p-000001": {Clients: 1000},
		"30 players log in, 2 a second, for 15s; all stay for 1m0s, walking about": {
			Scenario: report.Ramp, Mode: report.Login, Clients: 30, Rate: 2, Play: true},
		"players come, 50 a second for 1m0s, some 3000 in all":    {Scenario: report.Mixed, Rate: 50},
		"10 times as many at the peak as the server can let in":   {Scenario: report.LaunchDay, Peak: 10},
		"the server can let in 7 a second; a flood of knocks for": {Scenario: report.KnockFlood, Capacity: 7, Stay: time.Second},
		"after 10s they lose their connections and come back":     {Scenario: report.ReconnectStorm, Clients: 5, Rate: 5},
	} {
		cfg.Target, cfg.Prefix = "http://t", "p"
		full, err := cfg.WithDefaults()
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		var b bytes.Buffer
		if announce(&b, &full); !strings.Contains(b.String(), want) || !strings.HasPrefix(b.String(), "http://t: ") {
			t.Errorf("%s\nwant %s", &b, want)
		}
	}
}

// What is known of a run's accounts outlasts a later run of the same prefix that found out less.
func TestWhatIsKnownOfARunStays(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	cfg := stress.Config{Target: "http://a", Admin: "http://b,http://c", Prefix: "p", Mode: report.Register}
	made := &report.Report{Clients: 100, OK: 90, Nodes: []report.Node{{Admin: "http://c"}}}
	for i, rep := range []*report.Report{nil, made, nil, {}, {Clients: 3, OK: 2, Interrupted: true}} {
		if err := noteRun(&cfg, rep); err != nil {
			t.Fatal(err)
		}
		p, err := loadPastRuns()
		if err != nil || len(p.runs) != 1 {
			t.Fatal(p, err)
		}
		want := pastRun{Target: "http://a", Admin: "http://c", Prefix: "p", Accounts: 100, In: 90, At: p.runs[0].At}
		if i == 0 {
			want.Admin, want.Accounts, want.In = "", 0, 0
		}
		if p.runs[0] != want {
			t.Errorf("after note %d: %+v, want %+v", i, p.runs[0], want)
		}
	}
}
