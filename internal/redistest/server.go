// Package redistest starts Redis servers for tests: real ones, on free ports of this machine, in folders of their own,
// gone with the test. It needs the command redis-server, 6.2 or later, or the program that the environment variable
// RUSHGATE_REDIS_SERVER names, such as a valkey-server; where there is none, tests are skipped, or fail if the
// variable CI or RUSHGATE_REQUIRE_REDIS is set.
package redistest

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate/internal/porttest"
)

// startTimeout is how long a server or a Cluster may take to become ready before the test fails.
const startTimeout = 30 * time.Second

// Server is one redis-server that writes everything to its append-only file before it answers. Its methods must be
// called from the test's goroutine.
type Server struct {
	tb       testing.TB
	command  string
	dir      string
	port     int
	config   []string
	tls      *tls.Config // nil without TLS
	sentinel string      // a Sentinel's configuration file; empty for others
	process  *exec.Cmd
	output   *output
}

// Start starts a server with further settings, as redis-server takes them on the command line, and stops it with the
// test.
func Start(tb testing.TB, config ...string) *Server {
	tb.Helper()
	s := prepare(tb, config)
	s.Restart()
	return s
}

// prepare chooses a port and a folder for a server.
func prepare(tb testing.TB, config []string) *Server {
	tb.Helper()
	named := os.Getenv("RUSHGATE_REDIS_SERVER")
	command, err := exec.LookPath(cmp.Or(named, "redis-server"))
	if err != nil {
		if named != "" || os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_REDIS") != "" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	// A Cluster takes the neighbour of the port, too.
	s := &Server{tb: tb, command: command, dir: tb.TempDir(), port: porttest.Take(tb), config: config}
	tb.Cleanup(s.Kill)
	return s
}

// Addr returns the server's address as host:port. It stays the same when the server is restarted.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Port returns the server's port, in decimal.
func (s *Server) Port() string { return strconv.Itoa(s.port) }

// AwaitInfo returns when a section of INFO shows a value in a field.
func (s *Server) AwaitInfo(tb testing.TB, section, field, value string) {
	tb.Helper()
	await(tb, field+":"+value, func() bool { return s.shows(section, field) == value })
}

// AwaitAll returns when the server, a replica, has all that its master has written before the call.
func (s *Server) AwaitAll(tb testing.TB, master *Server) {
	tb.Helper()
	written := master.Info("replication")["master_repl_offset"]
	await(tb, "replica that has caught up", func() bool {
		return !less(s.shows("replication", "slave_repl_offset"), written)
	})
}

// AwaitMaster returns when the server, a replica, has all that its master had when they met.
func (s *Server) AwaitMaster(tb testing.TB) {
	tb.Helper()
	await(tb, "replica that has caught up", func() bool {
		return s.shows("replication", "master_link_status") == "up"
	})
}

// URL returns the server's address as a URL.
func (s *Server) URL() string {
	if s.tls != nil {
		return "rediss://" + s.Addr()
	}
	return "redis://" + s.Addr()
}

// Restart starts the server again, after [Server.Kill], with the data that it has on disk, and returns when it answers.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	s.process = exec.Command(s.command, s.arguments()...)
	s.output = &output{ready: make(chan struct{}), ended: make(chan struct{})}
	out, err := s.process.StdoutPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	s.process.Stderr = s.process.Stdout
	if err := s.process.Start(); err != nil {
		s.process = nil
		s.tb.Fatal(err)
	}
	go s.output.read(out)
	select {
	case <-s.output.ready:
	case <-s.output.ended:
		s.tb.Fatalf("redis-server did not start:\n%s", s.output)
	case <-time.After(startTimeout):
		s.tb.Fatalf("redis-server did not start in time:\n%s", s.output)
	}
}

func (s *Server) arguments() []string {
	if s.sentinel != "" {
		return []string{s.sentinel, "--sentinel"}
	}
	return append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always",
	}, s.config...)
}

// output is what a server says.
type output struct {
	ready, ended chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

func (o *output) read(r io.Reader) {
	defer close(o.ended)
	lines := bufio.NewScanner(r)
	ready := false
	for lines.Scan() {
		o.mu.Lock()
		o.text.WriteString(lines.Text() + "\n")
		o.mu.Unlock()
		if !ready && (strings.Contains(lines.Text(), "Ready to accept connections") ||
			strings.Contains(lines.Text(), "Sentinel ID is")) {
			ready = true
			close(o.ready)
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Kill ends the server with SIGKILL and returns when it is gone. It does nothing if the server is not running.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	<-s.output.ended
	_ = s.process.Wait() // says that it was killed
	s.process = nil
}

// Do sends one command on a connection of its own, as an operator would, and fails the test if it is refused.
func (s *Server) Do(command string, args ...string) rueidis.RedisResult {
	s.tb.Helper()
	result, err := s.try(command, args...)
	if err != nil {
		s.tb.Fatalf("%s %q: %v", command, args, err)
	}
	return result
}

// Hold returns a way to send commands on one connection, which is open from now to the end of the test.
func (s *Server) Hold() func(command string, args ...string) {
	s.tb.Helper()
	client, err := s.connect()
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(client.Close)
	return func(command string, args ...string) {
		s.tb.Helper()
		if _, err := do(client, command, args); err != nil {
			s.tb.Fatalf("%s %q: %v", command, args, err)
		}
	}
}

func (s *Server) connect() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.Addr()}, ForceSingleClient: true, DisableCache: true, DisableRetry: true,
		PipelineMultiplex: -1, TLSConfig: s.tls,
	})
}

func (s *Server) try(command string, args ...string) (rueidis.RedisResult, error) {
	client, err := s.connect()
	if err != nil {
		return rueidis.RedisResult{}, err
	}
	defer client.Close()
	return do(client, command, args)
}

func do(client rueidis.Client, command string, args []string) (rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	result := client.Do(ctx, client.B().Arbitrary(command).Args(args...).Build())
	err := result.Error()
	if rueidis.IsRedisNil(err) {
		err = nil
	}
	return result, err
}

// Info returns the fields of one section of the server's INFO.
func (s *Server) Info(section string) map[string]string {
	s.tb.Helper()
	fields, err := s.info(section)
	if err != nil {
		s.tb.Fatal(err)
	}
	return fields
}

func (s *Server) info(section string) (map[string]string, error) {
	result, err := s.try("INFO", section)
	if err != nil {
		return nil, err
	}
	text, err := result.ToString()
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(strings.TrimPrefix(text, "txt:")) { // as RESP3 marks it
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

// shows returns one field of INFO, or nothing while the server does not answer: who takes another's place drops all
// connections.
func (s *Server) shows(section, field string) string {
	fields, err := s.info(section)
	if err != nil {
		return ""
	}
	return fields[field]
}
