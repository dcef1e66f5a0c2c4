package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/password"
)

// holder is the secret by which the clients of these tests wait.
const holder = "0123456789abcdef"

// lineNode starts a node whose line has yet to open, so that all who knock wait.
func lineNode(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.HTTPAddr, cfg.AdminAddr, cfg.UDPAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.HashIterations, cfg.OpensAt = password.MinIterations, time.Now().Add(time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

// told is what a client hears that has to wait.
type told struct {
	Reason string
	Place  int
	Turn   int64 `json:"turn_ms"`
	Ticket string
	Lost   string `json:"place_lost"`
}

// ask knocks with a ticket, or for one.
func ask(t *testing.T, s *Server, ticket string) (heard told) {
	t.Helper()
	body := fmt.Sprintf(`{"username":"alice","password":"correct horse","line_secret":%q,"ticket":%q}`, holder, ticket)
	resp, err := http.Post("http://"+s.HTTPAddr().String()+"/v1/login", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&heard); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusServiceUnavailable || heard.Reason != "server-busy" {
		t.Fatalf("%s: %+v", resp.Status, heard)
	}
	return heard
}

// enqueue returns what a client is told that has been given a ticket.
func enqueue(t *testing.T, s *Server) told {
	t.Helper()
	heard := ask(t, s, "")
	if heard.Ticket == "" || heard.Place == 0 || heard.Lost != "" {
		t.Fatalf("a newcomer hears %+v", heard)
	}
	return heard
}

// wantPlace checks that a node takes the ticket that a client was given for its place.
func wantPlace(t *testing.T, s *Server, given told) {
	t.Helper()
	if heard := ask(t, s, given.Ticket); heard.Turn != given.Turn || heard.Ticket != "" || heard.Lost != "" {
		t.Errorf("with the ticket of turn %d a client hears %+v", given.Turn, heard)
	}
}

// A place that one node has given is honoured by each other on the store, and after a restart of all, but not in
// another world on the same server.
func TestNodesShareTheLine(t *testing.T) {
	r := redistest.Start(t)
	redis := func() Config { return Config{DataDir: t.TempDir(), Backend: Redis, RedisURLs: []string{r.URL()}} }
	here, there := lineNode(t, redis()), lineNode(t, redis())
	first, second := enqueue(t, here), enqueue(t, there)
	wantPlace(t, there, first)
	wantPlace(t, here, second)
	for _, s := range []*Server{here, there} {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	again := lineNode(t, redis())
	wantPlace(t, again, first)
	wantPlace(t, again, second)
	other := redis()
	other.RedisPrefix = "another:"
	if heard := ask(t, lineNode(t, other), first.Ticket); heard.Lost != "unknown" || heard.Ticket == "" {
		t.Errorf("in another world a client hears %+v", heard)
	}
}

// savedOf waits for a file in which so many wait, and returns what is in it.
func savedOf(t *testing.T, file string, players int64) []byte {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		state, err := os.ReadFile(file)
		if err == nil {
			if n, err := line.CheckState(state); err == nil && n >= players {
				return state
			}
		}
		select {
		case <-again.C:
		case <-t.Context().Done():
			t.Fatal("the line is not saved")
		}
	}
}

// The places of a node outlive it, whether it was stopped or killed, and those behind them stay behind them.
func TestPlacesOutliveARestart(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed=%v", killed), func(t *testing.T) {
			cfg := Config{DataDir: t.TempDir()}
			s := lineNode(t, cfg)
			const players = 5
			var given []told
			for range players {
				given = append(given, enqueue(t, s))
			}
			file := filepath.Join(cfg.DataDir, lineStateName)
			var state []byte // as it is on the disk a second later or so
			if killed {
				state = savedOf(t, file, players)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			if killed {
				if err := os.WriteFile(file, state, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s = lineNode(t, cfg)
			for _, g := range given {
				wantPlace(t, s, g)
			}
			if n := s.door.Document().Waiting; n < players {
				t.Errorf("%d wait, %d did before", n, players)
			}
		})
	}
}

// A state that cannot be used is put aside, and the node starts.
func TestNodeStartsBesideABadState(t *testing.T) {
	cfg, log := Config{DataDir: t.TempDir()}, &lines{}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	file := filepath.Join(cfg.DataDir, lineStateName)
	if err := os.WriteFile(file, []byte("\x02newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	enqueue(t, lineNode(t, cfg))
	if aside := string(content(t, file+lineStateAside)); aside != "\x02newer" || log.count("level=ERROR") != 1 {
		t.Errorf("put aside is %q; the log says\n%s", aside, log.b.String())
	}
}

// A node whose store keeps nothing has tickets too, for as long as it runs, and writes no file.
func TestLineInMemory(t *testing.T) {
	cfg := Config{Backend: Memory, DataDir: filepath.Join(t.TempDir(), "none")}
	s := lineNode(t, cfg)
	wantPlace(t, s, enqueue(t, s))
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cfg.DataDir); !os.IsNotExist(err) {
		t.Errorf("the data folder: %v", err)
	}
}

// A node starts beside a ring that it cannot read, and leaves it as it is: players have a turn, and no ticket.
func TestNodeStartsBesideABadRing(t *testing.T) {
	r := redistest.Start(t)
	const key = "rushgate:shared:" + line.SharedName
	for what, damage := range map[string][]string{
		"a newer format": {"HSET", key, "value", "\x02newer"},
		"no hash":        {"SET", key, "x"},
	} {
		r.Do("DEL", key)
		r.Do(damage[0], damage[1:]...)
		before, err := r.Do("DUMP", key).ToString()
		if err != nil {
			t.Fatal(err)
		}
		s := lineNode(t, Config{DataDir: t.TempDir(), Backend: Redis, RedisURLs: []string{r.URL()}})
		if heard := ask(t, s, ""); heard.Ticket != "" || heard.Place == 0 {
			t.Errorf("%s: a client hears %+v", what, heard)
		}
		if err := s.Stop(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after, err := r.Do("DUMP", key).ToString(); err != nil || after != before {
			t.Errorf("%s: what is in the store was changed, %v", what, err)
		}
	}
}
