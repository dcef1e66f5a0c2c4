package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/server"
)

// beRushgate makes the test binary the command itself, so that tests can run it as a process and kill it.
const beRushgate = "RUSHGATE_TEST_BE_RUSHGATE"

func TestMain(m *testing.M) {
	if os.Getenv(beRushgate) != "" {
		main() // exits
	}
	os.Exit(runTests(m))
}

// runTests runs the tests with a cache folder of their own: stress keeps there what it has done.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rushgate-cache-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if cache, err := os.UserCacheDir(); err == nil && os.Getenv("GOCACHE") == "" {
		os.Setenv("GOCACHE", filepath.Join(cache, "go-build")) // a test that builds something has what is built already
	}
	os.Setenv("XDG_CACHE_HOME", dir)
	return m.Run()
}

// node is a running "rushgate serve".
type node struct {
	cmd         *exec.Cmd
	http, admin string // base URLs
	udp         string // address, or none
	log         *syncBuffer
	ended       chan error
}

// startNode runs "rushgate serve" on ports of the system's choice and waits until it is ready. Extra arguments come
// last.
func startNode(t *testing.T, dir string, extra ...string) *node {
	t.Helper()
	return startNodeIn(t, nil, nil, dir, extra...)
}

// startNodeLogging is startNode with a standard error other than the node's log, unless it is nil.
func startNodeLogging(t *testing.T, stderr *os.File, dir string, extra ...string) *node {
	t.Helper()
	return startNodeIn(t, nil, stderr, dir, extra...)
}

// startNodeIn is startNodeLogging with variables added to the environment.
func startNodeIn(t *testing.T, env []string, stderr *os.File, dir string, extra ...string) *node {
	t.Helper()
	args := append([]string{"serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--data", dir,
		"--password-hash-iterations", "1000"}, extra...)
	n := &node{cmd: exec.Command(os.Args[0], args...), log: newSyncBuffer(), ended: make(chan error, 1)}
	n.cmd.Env = append(commandEnv(), env...)
	n.cmd.Stderr = n.log
	if stderr != nil {
		n.cmd.Stderr = stderr
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.cmd.Process.Kill(); <-n.ended })
	line, err := readLine(stdout)
	go func() {
		io.Copy(io.Discard, stdout)
		n.ended <- n.cmd.Wait()
		close(n.ended)
	}()
	m := regexp.MustCompile(`^ready http=(\S+) admin=(\S+) udp=(\S+)$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the first line is %q (%v); the log says:\n%s", line, err, n.log)
	}
	n.http, n.admin, n.udp = "http://"+m[1], "http://"+m[2], m[3]
	return n
}

func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		if _, err := r.Read(b); err != nil || b[0] == '\n' {
			return string(line), err
		}
		line = append(line, b[0])
	}
}

// signal sends a signal; wait returns how the process ended.
func (n *node) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (n *node) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-n.ended:
		return err
	case <-time.After(time.Minute):
		t.Fatalf("the node does not end; its log says:\n%s", n.log)
		return nil
	}
}

// syncBuffer is a log that can be written, read and waited for from several goroutines.
type syncBuffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{} // closed with the next write
}

func newSyncBuffer() *syncBuffer { return &syncBuffer{written: make(chan struct{})} }

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.written)
	s.written = make(chan struct{})
	return s.b.Write(p)
}

// waitFor returns once the log contains a text.
func (s *syncBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	s.waitForCount(t, text, 1)
}

// waitForCount returns once the log contains a text so many times.
func (s *syncBuffer) waitForCount(t *testing.T, text string, n int) {
	t.Helper()
	giveUp := time.After(time.Minute)
	for {
		s.mu.Lock()
		found, written := strings.Count(s.b.String(), text) >= n, s.written
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-written:
		case <-giveUp:
			t.Fatalf("the log never said %q %d times:\n%s", text, n, s)
		}
	}
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// command runs a command line in this process.
func runCommand(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a node that would start ends at once
	status = run(ctx, args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	tests := []struct {
		args   string
		status int
		stdout string // part of it
		stderr string
	}{
		{"", 2, "", "Usage: rushgate COMMAND"},
		{"help", 0, "Usage: rushgate COMMAND", ""},
		{"--version", 0, "rushgate ", ""},
		{"help account create", 0, "Usage: rushgate account create NAME", ""},
		{"help srve", 2, "", `unknown command "srve"; did you mean serve?`},
		{"help account fly", 2, "", `unknown command "fly", want calibrate, create,`},
		{"help serve fly", 2, "", `rushgate serve has no command "fly"`},
		{"help --help", 0, "Usage: rushgate COMMAND", ""},
		{"srve", 2, "", `unknown command "srve"; did you mean serve?`},
		{"account", 2, "", "say what to do: create, set-password, show,"},
		{"account sho alice", 2, "", `unknown command "sho"; did you mean show?`},
		{"account fly", 2, "", `unknown command "fly", want create, set-password,`},
		{"key --fly", 2, "", "there is no flag --fly"},
		{"--help", 0, "stress", ""},
		{"fly", 2, "", `unknown command "fly"`},
		{"redis://:secret@host", 2, "", "unknown command that argument"},
		{"account redis://:secret@host", 2, "", "unknown command that argument"},
		{"serve --help", 0, "[MMORPG_AUTH_WORKERS]", ""},
		{"serve --fly", 2, "", "there is no flag --fly\n"},
		{"serve --max-player 3", 2, "", "there is no flag --max-player; did you mean --max-players?"},
		{"serve -http :0", 2, "", "there is no flag -http; did you mean --http?"},
		{"serve -udp=:0", 2, "", "there is no flag -udp; did you mean --udp?"},
		{"serve --http", 2, "", "--http needs a value: --http ADDR"},
		{"serve --http --admin none", 2, "", `--http "--admin": what follows is another flag`},
		{"serve extra", 2, "", `unexpected argument "extra"`},
		{"serve --tls false", 2, "", `unexpected argument "false"`},
		{"serve --auth-workers 0", 2, "", "whole number from 1 to 32"},
		{"serve --auth-workers many", 2, "", "auth-workers"},
		{"serve --auth-max-age 25", 2, "", "duration from 1s to 1h0m0s"},
		{"serve --db postgres", 2, "", "sqlite, redis, memory"},
		{"serve --http 0.0.0.0:0", 2, "", "in the clear"},
		{"serve --admin 0.0.0.0:0", 2, "", "not on loopback"},
		{"serve --trusted-proxies 10.0.0.0/8,nonsense", 2, "", `"nonsense"`},
		{"serve --zones caves", 2, "", `"caves" is not of the form zone=host:port`},
		{"serve --zones caves=,hills=a:1", 2, "", `"caves=" is not of the form zone=host:port`},
		{"serve --zones caves=a:1,caves=b:1", 2, "", "zone caves is there twice"},
		{"serve --zones caves=node-2", 2, "", `zone "caves": address "node-2": want host:port`},
		{"serve --udp 127.0.0.1", 2, "", "UDP address"},
		{"serve --udp 0.0.0.0:0", 2, "", "a public UDP address is needed"},
		{"serve --udp-public play.example.org", 2, "", `"play.example.org": want host:port`},
		{"serve --udp-public 192.0.2.1:1,", 2, "", "separated by commas"},
		{"serve --snapshot-rate 61", 2, "", "whole number from 1 to 60"},
		{"serve --worker-threads 65", 2, "", "whole number from 1 to 64"},
		{"serve --protocol-id 0x0", 2, "", "hexadecimal digits"},
		{"serve --protocol-id 12345678901234567", 2, "", "hexadecimal digits"},
		{"serve --world /does/not/exist", 1, "", "/does/not/exist"},
		{"stress", 2, "", "launch-day"},
		{"stress --help", 0, "reconnect-storm", ""},
		{"stress burst --help", 0, "--clients", ""},
		{"stress burst --clients 0", 2, "", "whole number from 1 to 1000000"},
		{"stress ramp --rate -1", 2, "", "above 0"},
		{"version", 0, "rushgate ", ""},
		{"version --help", 0, "Usage: rushgate version", ""},
	}
	for _, tt := range tests {
		status, stdout, stderr := runCommand(t, strings.Fields(tt.args)...)
		if status != tt.status || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("rushgate %s: status %d\nstdout %q\nstderr %q\nwant status %d, %q, %q", tt.args, status, stdout, stderr, tt.status, tt.stdout, tt.stderr)
		}
	}
}

// Every variable of the environment has a flag, is mentioned in its help, and is as strict as it is.
func TestEnvironment(t *testing.T) {
	variables := map[string]struct{ flag, good, bad string }{
		"MMORPG_AUTH_WORKERS":             {"auth-workers", "7", "0"},
		"MMORPG_AUTH_QUEUE_MAX":           {"auth-queue-max", "0", "-1"},
		"MMORPG_AUTH_MAX_AGE":             {"auth-max-age", "10s", "fast"},
		"MMORPG_MAX_MESSAGES_PER_TICK":    {"max-messages-per-tick", "500", "0"},
		"MMORPG_PASSWORD_HASH_ITERATIONS": {"password-hash-iterations", "600000", "999"},
		"MMORPG_DB_BACKEND":               {"db", "memory", "oracle"},
		"MMORPG_SNAPSHOT_RATE":            {"snapshot-rate", "60", "0"},
		"MMORPG_WORKER_THREADS":           {"worker-threads", "64", "0"},
	}
	_, help, _ := runCommand(t, "serve", "--help")
	for name, v := range variables {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(help, "["+name+"]") {
				t.Error("not in the help")
			}
			t.Setenv(name, v.good)
			f := newServeFlags().declare()
			if err := f.parse(nil); err != nil || f.Lookup(v.flag).Value.String() != v.good {
				t.Errorf("%q: flag %v, %v", v.good, f.Lookup(v.flag).Value, err)
			}
			f = newServeFlags().declare()
			def := f.Lookup(v.flag).DefValue
			if err := f.parse([]string{"--" + v.flag, def}); err != nil || f.Lookup(v.flag).Value.String() != def {
				t.Errorf("the command line does not win: %v, %v", f.Lookup(v.flag).Value, err)
			}
			t.Setenv(name, v.bad)
			if status, _, stderr := runCommand(t, "serve"); status != 2 || !strings.Contains(stderr, name) {
				t.Errorf("%q: status %d, %q; want 2 and the variable's name", v.bad, status, stderr)
			}
		})
	}
}

// The flags of serve arrive in the node's configuration as they were meant.
func TestServeFlags(t *testing.T) {
	tests := []struct {
		args string
		want server.Config // what differs from no flags at all
		get  func(server.Config) any
	}{
		{"--http :1", server.Config{HTTPAddr: ":1"}, func(c server.Config) any { return c.HTTPAddr }},
		{"--admin :2", server.Config{AdminAddr: ":2"}, func(c server.Config) any { return c.AdminAddr }},
		{"--admin-token-file t", server.Config{AdminTokenFile: "t"}, func(c server.Config) any { return c.AdminTokenFile }},
		{"--admin-tls-cert c", server.Config{AdminTLSCert: "c"}, func(c server.Config) any { return c.AdminTLSCert }},
		{"--admin-tls-key k", server.Config{AdminTLSKey: "k"}, func(c server.Config) any { return c.AdminTLSKey }},
		{"--udp :3", server.Config{UDPAddr: ":3"}, func(c server.Config) any { return c.UDPAddr }},
		{"--udp-public a:1,b:2", server.Config{UDPPublic: []string{"a:1", "b:2"}}, func(c server.Config) any { return c.UDPPublic }},
		{"--protocol-id 0xFEED", server.Config{ProtocolID: 0xfeed}, func(c server.Config) any { return c.ProtocolID }},
		{"--protocol-id feed", server.Config{ProtocolID: 0xfeed}, func(c server.Config) any { return c.ProtocolID }},
		{"--snapshot-rate 30", server.Config{SnapshotRate: 30}, func(c server.Config) any { return c.SnapshotRate }},
		{"--worker-threads 5", server.Config{SnapshotWorkers: 5}, func(c server.Config) any { return c.SnapshotWorkers }},
		{"--data d", server.Config{DataDir: "d"}, func(c server.Config) any { return c.DataDir }},
		{"--db memory", server.Config{Backend: server.Memory}, func(c server.Config) any { return c.Backend }},
		{"--redis-url redis://a,redis://b:7 --db redis", server.Config{RedisURLs: []string{"redis://a", "redis://b:7"}}, func(c server.Config) any { return c.RedisURLs }},
		{"--redis-host h --db redis", server.Config{RedisURLs: []string{"redis://h:6379"}}, func(c server.Config) any { return c.RedisURLs }},
		{"--redis-port 7 --db redis", server.Config{RedisURLs: []string{"redis://127.0.0.1:7"}}, func(c server.Config) any { return c.RedisURLs }},
		{"--redis-sentinel m --db redis", server.Config{RedisSentinel: "m"}, func(c server.Config) any { return c.RedisSentinel }},
		{"--redis-prefix p: --db redis", server.Config{RedisPrefix: "p:"}, func(c server.Config) any { return c.RedisPrefix }},
		{"--tls", server.Config{TLS: true}, func(c server.Config) any { return c.TLS }},
		{"--tls-cert c", server.Config{TLSCert: "c"}, func(c server.Config) any { return c.TLSCert }},
		{"--tls-key k", server.Config{TLSKey: "k"}, func(c server.Config) any { return c.TLSKey }},
		{"--insecure-http", server.Config{InsecureHTTP: true}, func(c server.Config) any { return c.InsecureHTTP }},
		{"--trusted-proxies 10.0.0.0/8,192.0.2.1", server.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}},
			func(c server.Config) any { return c.TrustedProxies }},
		{"--proxy-protocol", server.Config{ProxyProtocol: true}, func(c server.Config) any { return c.ProxyProtocol }},
		{"--zones hills=[2001:db8::7]:443,caves=node-2:8080", server.Config{Zones: map[string]string{"caves": "node-2:8080", "hills": "[2001:db8::7]:443"}},
			func(c server.Config) any { return c.Zones }},
		{"--passkey-origin https://a.example,https://b.a.example --passkey-origin https://c.a.example",
			server.Config{PasskeyOrigins: []string{"https://a.example", "https://b.a.example", "https://c.a.example"}},
			func(c server.Config) any { return c.PasskeyOrigins }},
		{"--origins https://a.example,http://b.example:3000", server.Config{Origins: []string{"https://a.example", "http://b.example:3000"}},
			func(c server.Config) any { return c.Origins }},
		{"--max-conns 17", server.Config{MaxConns: 17}, func(c server.Config) any { return c.MaxConns }},
		{"--auth-workers 3", server.Config{Workers: 3}, func(c server.Config) any { return c.Workers }},
		{"--auth-queue-max 5", server.Config{QueueDepth: 5}, func(c server.Config) any { return c.QueueDepth }},
		{"--auth-queue-max 0", server.Config{QueueDepth: server.Unbounded}, func(c server.Config) any { return c.QueueDepth }},
		{"--auth-max-age 7s", server.Config{MaxAge: 7 * time.Second}, func(c server.Config) any { return c.MaxAge }},
		{"--password-hash-iterations 1234", server.Config{HashIterations: 1234}, func(c server.Config) any { return c.HashIterations }},
		{"--hash-kernel portable", server.Config{HashKernel: "portable"}, func(c server.Config) any { return c.HashKernel }},
		{"--password-pepper-file p", server.Config{PepperFile: "p"}, func(c server.Config) any { return c.PepperFile }},
		{"--max-messages-per-tick 9", server.Config{MessagesPerTick: 9}, func(c server.Config) any { return c.MessagesPerTick }},
		{"--max-players 11", server.Config{MaxPlayers: 11}, func(c server.Config) any { return c.MaxPlayers }},
		{"--session-timeout 13s", server.Config{SessionTimeout: 13 * time.Second}, func(c server.Config) any { return c.SessionTimeout }},
		{"--drain-timeout 19s", server.Config{DrainTimeout: 19 * time.Second}, func(c server.Config) any { return c.DrainTimeout }},
		{"--seed 18446744073709551615", server.Config{Seed: 1<<64 - 1}, func(c server.Config) any { return c.Seed }},
		{"--log-level error", server.Config{}, func(c server.Config) any { return c.Logger.Enabled(t.Context(), slog.LevelWarn) }},
	}
	for _, tt := range tests {
		v := newServeFlags()
		if err := v.declare().parse(strings.Fields(tt.args)); err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		cfg, err := v.config(t.Context(), io.Discard)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		if tt.want.Logger == nil {
			tt.want.Logger = slog.New(slog.DiscardHandler)
		}
		if got, want := tt.get(cfg), tt.get(tt.want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", tt.args, got, want)
		}
	}
	v := newServeFlags()
	if err := v.declare().parse([]string{"--world", "../../world/default.json", "--log-format", "json"}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cfg, err := v.config(t.Context(), &log)
	if err != nil || cfg.World == nil {
		t.Fatalf("--world: %v, %v", cfg.World, err)
	}
	if cfg.Logger.Info("hello"); !strings.HasPrefix(log.String(), "{") {
		t.Errorf("--log-format json: %s", log.String())
	}
}

func TestReadyLineNamesTheChannel(t *testing.T) {
	if n := startNode(t, t.TempDir()); !strings.HasPrefix(n.udp, "127.0.0.1:") || strings.HasSuffix(n.udp, ":0") {
		t.Errorf("udp=%s", n.udp)
	}
	if n := startNode(t, t.TempDir(), "--udp", "none"); n.udp != "none" {
		t.Errorf("without a channel udp=%s", n.udp)
	}
}

func TestSignalsEndTheNode(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		n := startNode(t, t.TempDir())
		n.signal(t, s)
		if err := n.wait(t); err != nil {
			t.Errorf("after %v: %v; the log says:\n%s", s, err, n.log)
		}
		if !strings.Contains(n.log.String(), "stopped") {
			t.Errorf("after %v the log says:\n%s", s, n.log)
		}
	}
}

// SIGHUP, which a closed terminal sends as well as an operator, has the files read again, and never ends a node: not
// while it serves, nor in the middle of its end, which it would cut short.
func TestHangupReloadsAndEndsNothing(t *testing.T) {
	n := startNode(t, t.TempDir())
	for i := range 3 {
		n.signal(t, syscall.SIGHUP)
		n.log.waitForCount(t, "files were read again", i+1)
	}
	resp, err := http.Get(n.http + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("after SIGHUP the node is not ready: %s", resp.Status)
	}
	n.signal(t, syscall.SIGTERM)
	n.signal(t, syscall.SIGHUP)
	if err := n.wait(t); err != nil {
		t.Errorf("SIGTERM and SIGHUP: %v; the log says:\n%s", err, n.log)
	}
	if !strings.Contains(n.log.String(), "msg=stopped") {
		t.Errorf("the end was cut short:\n%s", n.log)
	}
}

func TestStressAgainstANode(t *testing.T) {
	n := startNode(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "report.json")
	for _, mode := range []string{"register", "login"} {
		var out, errs bytes.Buffer
		args := []string{"stress", "burst", "--target", n.http, "--admin", n.admin, "--clients", "300", "--mode", mode, "--json", file}
		if status := run(t.Context(), args, &out, &errs); status != 0 {
			t.Fatalf("%s: status %d\n%s%s", mode, status, out.String(), errs.String())
		}
		report, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`"ok": 300\b`).Match(report) || !regexp.MustCompile(`"timed_out": 0\b`).Match(report) {
			t.Errorf("%s: the report says\n%s", mode, report)
		}
	}
}
