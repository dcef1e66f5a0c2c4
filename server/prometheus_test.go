package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/porttest"
)

// awaitTimeout is how long another process may take before a test fails.
const awaitTimeout = time.Minute

// await returns once something is so. The context ends when the test gives up.
func await(t *testing.T, what string, ready func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !ready(ctx) {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("there is no %s yet", what)
		}
	}
}

// command finds a program of Prometheus. Where it is not installed the test is skipped, or fails if the environment
// variable CI or RUSHGATE_REQUIRE_PROMETHEUS is set.
func command(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_PROMETHEUS") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// promtool runs a check, which must have nothing to say against its input.
func promtool(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command(t, "promtool"), args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlerts(t *testing.T) {
	promtool(t, nil, "check", "config", "../deploy/prometheus/prometheus.yml")
	promtool(t, nil, "check", "rules", "../deploy/prometheus/rules.yml")
	promtool(t, nil, "test", "rules", "../deploy/prometheus/rules_test.yml")
}

// prometheus is a real one that scrapes a node five times a second and evaluates the alerts as often.
type prometheus struct{ url string }

func startPrometheus(t *testing.T, target string) prometheus {
	t.Helper()
	path := command(t, "prometheus")
	rules, err := filepath.Abs("../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`{
		"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
		"rule_files": [%q],
		"scrape_configs": [{"job_name": "rushgate", "static_configs": [{"targets": [%q]}]}]}`, rules, target)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := porttest.Addr(t)
	var log bytes.Buffer
	cmd := exec.Command(path, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+addr,
		"--log.level=warn")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus:\n%s", &log)
		}
	})
	p := prometheus{"http://" + addr}
	await(t, "node that Prometheus has scraped", func(ctx context.Context) bool {
		samples, err := p.query(ctx, `up{job="rushgate"} == 1`)
		return err == nil && samples > 0
	})
	return p
}

// get decodes what an API path returns as its data.
func (p prometheus) get(ctx context.Context, path string, data any) error {
	req, err := http.NewRequestWithContext(ctx, "GET", p.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Error string
		Data  any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, answer.Error)
	}
	return nil
}

// query returns how many samples an expression yields.
func (p prometheus) query(ctx context.Context, expr string) (samples int, err error) {
	var data struct{ Result []json.RawMessage }
	err = p.get(ctx, "/api/v1/query?query="+url.QueryEscape(expr), &data)
	return len(data.Result), err
}

// wantData asks until there is data, which for rates takes a second scrape.
func (p prometheus) wantData(t *testing.T, expr string) {
	t.Helper()
	await(t, "data for "+expr, func(ctx context.Context) bool {
		samples, err := p.query(ctx, expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		return samples > 0
	})
}

// rules returns the expressions of the alerts, each of which must have been evaluated.
func (p prometheus) rules(t *testing.T) (exprs []string) {
	t.Helper()
	await(t, "evaluation of every alert", func(ctx context.Context) bool {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, Query, Health, LastError string }
			}
		}
		if err := p.get(ctx, "/api/v1/rules", &data); err != nil {
			t.Fatal(err)
		}
		exprs = exprs[:0]
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" || r.LastError != "" {
					t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				if r.Health != "ok" {
					return false
				}
				exprs = append(exprs, r.Query)
			}
		}
		return len(exprs) > 0
	})
	return exprs
}

var threshold = regexp.MustCompile(`\s*(==|>|<)\s*[0-9.e+]+$`)

// A real Prometheus understands what a node exports, every query of the dashboard and every alert, and finds data for
// each: for an alert, left of its threshold.
func TestPrometheusScrapesANode(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.TLS = true // its certificate has figures
	s := start(t, cfg)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	c, err := client.New("https://"+s.HTTPAddr().String(), client.Options{MaxRetries: -1, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	p := startPrometheus(t, s.AdminAddr().String())
	for _, q := range dashboardQueries(t) {
		p.wantData(t, strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(q))
	}
	for _, expr := range p.rules(t) {
		if _, err := p.query(t.Context(), expr); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
		left := threshold.ReplaceAllString(expr, "")
		if left == expr {
			t.Errorf("%s has no threshold", expr)
		}
		p.wantData(t, left)
	}
}
