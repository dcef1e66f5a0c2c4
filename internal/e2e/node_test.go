package e2e

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// config is that of a node that forgets its players.
func config(t testing.TB) server.Config {
	t.Helper()
	return server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", Backend: server.Memory,
		DataDir: t.TempDir(), HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler),
	}
}

func start(t testing.TB, cfg server.Config) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

// play is where a node's browser client is.
func play(s *server.Server) string { return "http://" + s.HTTPAddr().String() + "/play/" }

// knock logs in or registers over the HTTP interface and returns the status of the answer, 0 if there is none.
func knock(ctx context.Context, s *server.Server, door, name, password string) int {
	url := "http://" + s.HTTPAddr().String() + "/v1/" + door
	b, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		panic(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	return resp.StatusCode
}

// register is knock for a new player.
func register(ctx context.Context, s *server.Server, name string) int {
	return knock(ctx, s, "register", name, secret)
}

// getStatus returns the status of an answer.
func getStatus(t testing.TB, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// await returns once something is so, asked for again and again.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %v", what, patience)
		}
	}
}

// metric returns the sum of a metric over its labels, if given those with a label as it stands there, from /metrics.
func metric(t testing.TB, s *server.Server, name, label string) (sum float64) {
	t.Helper()
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	found := false
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		family, labels, _ := strings.Cut(series, "{")
		if family != name || !strings.Contains(labels, label) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		sum, found = sum+v, true
	}
	if !found {
		t.Fatalf("/metrics has no %s{%s}", name, label)
	}
	return sum
}

// busyConfig is that of a node that [crowd] can keep busy.
func busyConfig(t testing.TB) server.Config {
	cfg := config(t)
	cfg.Backend, cfg.QueueDepth, cfg.Workers = server.SQLite, 1, 1
	return cfg
}

// crowd keeps a node busy: it has one registration with the only worker and one in the only place of the queue. What
// holds the worker is a lock on the database, as an operator with the sqlite3 shell may have it, which unlike a slow
// hash lasts as long as a test needs; should a commit give up waiting for it, the next takes its place. The function it
// returns has everybody leave; that is also done at the end of the test.
func crowd(t testing.TB, s *server.Server, cfg server.Config) (leave func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(cfg.DataDir, server.DatabaseName)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var people sync.WaitGroup
	queued := metric(t, s, "rushgate_auth_queued_total", "")
	for i := range 2 {
		people.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				register(ctx, s, fmt.Sprintf("crowd-%d-%d", i, n))
			}
		})
	}
	leave = sync.OnceFunc(func() {
		cancel()
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		conn.Close()
		people.Wait()
	})
	t.Cleanup(leave)
	await(t, "one with the worker and one in the queue", func() bool {
		return metric(t, s, "rushgate_auth_queued_total", "") >= queued+2 &&
			metric(t, s, "rushgate_auth_queue_length", "") == 1
	})
	return leave
}
