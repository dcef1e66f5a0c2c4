package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

func TestStressFlags(t *testing.T) {
	tests := []struct {
		scenario report.Scenario
		args     string
		want     func(stress.Config) bool
	}{
		{report.Burst, "", func(c stress.Config) bool {
			return c.Clients == 1000 && c.MaxRetries == 3 && c.Rate == 0 && c.Admin == "http://127.0.0.1:9090" && !c.KeepAlive
		}},
		{report.Burst, "--play --duration 90s --clients 7", func(c stress.Config) bool {
			return c.Clients == 7 && c.Play && !c.WebSocket && c.Duration == 90*time.Second
		}},
		{report.Burst, "--play --websocket", func(c stress.Config) bool { return c.Play && c.WebSocket }},
		{report.Ramp, "--play --retries 0", func(c stress.Config) bool { return c.MaxRetries == math.MinInt && c.Rate == 10 }},
		{report.Burst, "--duration 1h --admin none", func(c stress.Config) bool { return c.Duration == time.Hour && c.Admin == "" }},
		{report.Burst, "--sources 40", func(c stress.Config) bool { return c.Sources == 40 }},
		{report.Burst, "--tls", func(c stress.Config) bool { return c.Target == "https://127.0.0.1:8080" }},
		{report.LaunchDay, "--ramp-up 0 --peak 2.5", func(c stress.Config) bool {
			return c.Clients == 0 && c.Peak == 2.5 && c.RampUp == 1 && c.GiveUpShare == 0.3 && c.Stay == 10*time.Second
		}},
		{report.ReconnectStorm, "--drop-by server", func(c stress.Config) bool { return c.DropBy == stress.DropByServer && c.Rate == 100 }},
		{report.Mixed, "--malformed 0 --length 5s", func(c stress.Config) bool {
			return c.Mix.Malformed == 0 && c.Mix.Login == stress.DefaultMix.Login && c.Length == 5*time.Second
		}},
		{report.Poisson, "--max-tick 5ms --max-dropped -1 --max-refused 2 --min-in 0.5", func(c stress.Config) bool {
			return c.Limits == report.Limits{TickP99: 5 * time.Millisecond, Dropped: -1, Refused: 2, In: 0.5}
		}},
		{report.KnockFlood, "", func(c stress.Config) bool {
			return c.Knocks == stress.Knocks{Times: 11, Mode: report.Register, Patience: 10 * time.Second, Before: 5 * time.Second} &&
				c.Rate == 0 && c.Play && c.MaxRetries == 1000 && c.Length == 30*time.Second && c.Stay == 20*time.Second
		}},
		{report.KnockFlood, "--knocks 6000 --rate 5 --before 0 --knock-mode login --knock-sources 10.9.0.0/16 --play=false " +
			"--min-goodput 0.5 --min-answered 0.99 --max-refusal 300ms", func(c stress.Config) bool {
			return c.Knocks.PerSecond == 6000 && c.Rate == 5 && c.Knocks.Before == 0 && c.Knocks.Mode == report.Login && !c.Play &&
				c.Knocks.Sources.String() == "10.9.0.0/16" &&
				c.Limits == report.Limits{Goodput: 0.5, Answered: 0.99, RefusalP99: 300 * time.Millisecond}
		}},
		{report.Burst, "", func(c stress.Config) bool {
			return c.Line == stress.LineAuto && c.KnockAddr == "" && !c.ShareDocument && c.Crowd == 0 && !c.Limits.Line
		}},
		{report.LaunchDay, "--line udp --knock-addr game.test:40000 --crowd 7 --line-promises", func(c stress.Config) bool {
			return c.Line == stress.LineUDP && c.KnockAddr == "game.test:40000" && c.Crowd == 7 && c.Limits.Line
		}},
		{report.Ramp, "--mode guest --rate 5", func(c stress.Config) bool { return c.Mode == report.Guest && c.Rate == 5 }},
		{report.Ramp, "--mode opaque --rate 5", func(c stress.Config) bool { return c.Mode == report.Opaque && c.Rate == 5 }},
		{report.KnockFlood, "--line http --line-share", func(c stress.Config) bool { return c.Line == stress.LineHTTP && c.ShareDocument }},
		{report.Burst, "--server nakama --server-key k", func(c stress.Config) bool {
			return c.Adapter.Kind == adapter.Nakama && c.Adapter.Key == "k" && c.Admin == ""
		}},
	}
	for _, tt := range tests {
		v := newStressFlags(tt.scenario)
		if err := v.declare().parse(strings.Fields(tt.args)); err != nil {
			t.Errorf("%s %q: %v", tt.scenario, tt.args, err)
			continue
		}
		if got, err := v.config(t.Context(), io.Discard); err != nil || !tt.want(got) {
			t.Errorf("%s %q: %+v, %v", tt.scenario, tt.args, got, err)
		}
	}
	for _, args := range []string{"--duration -1s", "--duration 60", "--play=perhaps", "--rate 5", "--peak 2", "--server telnet", "--give-up 2", "--line perhaps", "--crowd -1"} {
		if err := newStressFlags(report.Burst).declare().parse(strings.Fields(args)); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestStressKnockSourcesMisused(t *testing.T) {
	for _, sources := range []string{"127.0.0.1", "lots", "127.0.0.0/33"} {
		v := newStressFlags(report.KnockFlood)
		if err := v.declare().parse([]string{"--knock-sources", sources}); err != nil {
			t.Fatal(err)
		}
		_, err := v.config(t.Context(), io.Discard)
		if misused := (usageError{}); !errors.As(err, &misused) || !strings.Contains(err.Error(), "--knock-sources") {
			t.Errorf("%s: %v", sources, err)
		}
	}
}

// Shares that are all zero are not taken for those that no flag has given.
func TestStressMixOfNobody(t *testing.T) {
	v := newStressFlags(report.Mixed)
	args := strings.Fields("--register 0 --login 0 --wrong-password 0 --malformed 0")
	if err := v.declare().parse(args); err != nil {
		t.Fatal(err)
	}
	_, err := v.config(t.Context(), io.Discard)
	if misused := (usageError{}); !errors.As(err, &misused) || !strings.Contains(err.Error(), "--malformed") {
		t.Errorf("error %v", err)
	}
}

func TestScenarioFiles(t *testing.T) {
	files, err := filepath.Glob("../../deploy/stress/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if _, err := readScenario(t.Context(), file, nil); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	v, err := readScenario(t.Context(), "../../deploy/stress/launch-day.yaml", []string{"--peak", "7"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg, err := v.config(t.Context(), io.Discard); err != nil || cfg.Peak != 7 || cfg.Length != 2*time.Minute || cfg.Limits.TickP99 != 5*time.Millisecond {
		t.Errorf("%+v, %v", cfg, err)
	}
	for text, want := range map[string]string{
		"":                                 "must be one of",
		"- burst":                          "not a list of settings",
		"scenario: torrent":                "must be one of",
		"scenario: burst\nclients: many":   "line 2: clients \"many\": must be a whole number",
		"scenario: burst\n\nlength: 1s":    "line 3: scenario burst has no setting \"length\"",
		"scenario: burst\nclients: [1, 2]": "line 2: clients takes one value",
		"scenario: burst\nclients: 1\nclients: 2": "already set in line 2",
		"scenario: burst\n---\nclients: 2":        "more than one part",
	} {
		path := filepath.Join(t.TempDir(), "x.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readScenario(t.Context(), path, nil)
		if misused := (usageError{}); !errors.As(err, &misused) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	// What is wrong with the command line is not the file's fault.
	_, err = readScenario(t.Context(), files[0], []string{"--bogus"})
	if misused := (usageError{}); !errors.As(err, &misused) || !strings.Contains(err.Error(), "bogus") || strings.Contains(err.Error(), files[0]) {
		t.Errorf("error %v", err)
	}
}

// nodeWithoutUDP starts a node within this process that hashes fast, and stops it with the test.
func nodeWithoutUDP(t *testing.T) *server.Server {
	t.Helper()
	node, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: server.NoUDP, Backend: server.Memory,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
	})
	return node
}

// Against a node without a realtime channel every player gets in and none plays.
func TestStressFailsIfNobodyCanPlay(t *testing.T) {
	node := nodeWithoutUDP(t)
	args := strings.Fields("stress burst --play --clients 2 --duration 1ms --admin none --target http://" + node.HTTPAddr().String())
	var out, errs bytes.Buffer
	if status := run(t.Context(), args, &out, &errs); status != 1 || !strings.Contains(errs.String(), errLimits.Error()) {
		t.Errorf("status %d, %s\n%s", status, &errs, &out)
	}
}
