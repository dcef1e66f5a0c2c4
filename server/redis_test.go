package server_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// onRedis is the configuration of a node with a data folder of its own, and its players on a server.
func onRedis(t *testing.T, r *redistest.Server) server.Config {
	t.Helper()
	cfg := config(t, t.TempDir())
	cfg.Backend, cfg.RedisURLs = server.Redis, []string{r.URL()}
	return cfg
}

// field returns a field of a player's record, empty if there is none.
func field(t *testing.T, r *redistest.Server, player, name string) string {
	t.Helper()
	value, err := r.Do("HMGET", "rushgate:player:"+player, name).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	return value[0]
}

// dump is what the tests read of metrics.json.
type dump struct {
	Auth struct {
		Errands struct{ Success int64 }
	} `json:"auth"`
	Store *struct {
		Open     bool
		Failures int
		Openings int
		Pending  int
	}
	Tick struct {
		Players           int
		Connected         int
		SessionsEvicted   int `json:"sessions_evicted"`
		SessionsTakenOver int `json:"sessions_taken_over"`
		SessionsTimedOut  int `json:"sessions_timed_out"`
		Lateness          struct {
			P99 float64 `json:"p99_ms"`
		}
	}
}

func readDump(t *testing.T, s *server.Server) dump {
	t.Helper()
	var d dump
	if err := json.Unmarshal([]byte(metrics(t, s)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNodeOnRedis(t *testing.T) {
	r := redistest.Start(t)
	var log lockedBuffer
	cfg := onRedis(t, r)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := start(t, cfg)
	c := newClient(t, s, client.Options{})
	first, err := c.Register(t.Context(), "Alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	before, err := first.Me(t.Context())
	if err != nil || before.ID != first.PlayerID || before.Name != "alice" || before.Zone == "" {
		t.Errorf("own state: %+v, %v", before, err)
	}
	if _, err := c.Register(t.Context(), "alice", "another password"); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("Register again: %v, want %v", err, rushgate.UsernameTaken)
	}
	if d := readDump(t, s); d.Store == nil || d.Store.Open || d.Store.Failures != 0 {
		t.Errorf("the dump says %+v of the store", d.Store)
	}
	if err := first.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if zone, node := field(t, r, "alice", "zone"), field(t, r, "alice", "lease_node"); zone != before.Zone || node != "" {
		t.Errorf("after the logout the record says zone %q, lease of node %q", zone, node)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg)
	second, err := newClient(t, s, client.Options{}).Login(t.Context(), "ALICE", "correct horse")
	if err != nil {
		t.Fatalf("login after a restart: %v", err)
	}
	after, err := second.Me(t.Context())
	if err != nil || after.ID != before.ID || after.Zone != before.Zone || after.X != before.X || after.Y != before.Y {
		t.Errorf("own state after a restart: %+v, %v; was %+v", after, err, before)
	}
	for line := range strings.Lines(log.String()) {
		if !strings.Contains(line, "tick overran") { // the machine's fault
			t.Errorf("the node warns of\n%s", line)
		}
	}
}

// A node stopped with players inside releases them: another node can have them at once.
func TestStopReleasesPlayersOnRedis(t *testing.T) {
	r := redistest.Start(t)
	first := start(t, onRedis(t, r))
	registered, err := newClient(t, first, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if left, err := r.Do("HEXISTS", "rushgate:player:alice", "lease_node").AsBool(); err != nil || left {
		t.Errorf("a session is left, %v", err)
	}
	session, err := newClient(t, start(t, onRedis(t, r)), client.Options{}).Login(t.Context(), "alice", "correct horse")
	if err != nil || session.PlayerID != registered.PlayerID {
		t.Errorf("login on another node: %v, %v", session, err)
	}
}

func TestRedisWarnings(t *testing.T) {
	r := redistest.Start(t, "--appendonly", "no")
	var log lockedBuffer
	cfg := onRedis(t, r)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	start(t, cfg)
	if !strings.Contains(log.String(), `appendonly is \"no\"`) {
		t.Errorf("the log says %q", log.String())
	}
}

// A node that finds no server does not start, names neither user nor password, and leaves its data folder to the next
// attempt.
func TestStartWithoutRedis(t *testing.T) {
	r := redistest.Start(t)
	r.Kill()
	cfg := onRedis(t, r)
	cfg.RedisURLs = []string{"redis://operator:5ecret@" + r.Addr()}
	_, err := server.Start(t.Context(), cfg)
	if !errors.Is(err, rushgate.ErrUnavailable) {
		t.Fatalf("Start: %v, want %v", err, rushgate.ErrUnavailable)
	}
	if strings.Contains(err.Error(), "operator") || strings.Contains(err.Error(), "5ecret") {
		t.Errorf("the error says how to get in: %v", err)
	}
	r.Restart()
	cfg.RedisURLs = []string{r.URL()}
	start(t, cfg)
}
