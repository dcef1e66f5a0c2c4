package server

import (
	"log/slog"
	"testing"

	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/password"
)

// lineNode starts a node, and returns its keys of the line.
func lineNode(t *testing.T, cfg Config) (*Server, *line.Keyring) {
	t.Helper()
	cfg.HTTPAddr, cfg.AdminAddr, cfg.UDPAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.HashIterations, cfg.Logger = password.MinIterations, slog.New(slog.DiscardHandler)
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s, s.ring.Load()
}

// What one node has sealed opens at each other on the store, and after a restart of all.
func TestNodesShareTheKeysOfTheLine(t *testing.T) {
	r := redistest.Start(t)
	redis := func() Config { return Config{DataDir: t.TempDir(), Backend: Redis, RedisURLs: []string{r.URL()}} }
	_, here := lineNode(t, redis())
	away, there := lineNode(t, redis())
	wantShared(t, here, there)
	if err := away.Stop(); err != nil {
		t.Fatal(err)
	}
	_, again := lineNode(t, redis())
	other := redis()
	other.RedisPrefix = "another:"
	_, stranger := lineNode(t, other)
	wantShared(t, here, again)
	if _, err := stranger.Open(sealed(here)); err == nil {
		t.Error("a ticket opens in another world on the same server")
	}
}

func TestKeysOfTheLineOutliveARestart(t *testing.T) {
	cfg := Config{DataDir: t.TempDir()}
	s, before := lineNode(t, cfg)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	_, after := lineNode(t, cfg)
	wantShared(t, before, after)
}

// A node whose store keeps nothing has keys too, for as long as it runs.
func TestKeysOfTheLineInMemory(t *testing.T) {
	if _, ring := lineNode(t, Config{Backend: Memory}); ring == nil {
		t.Error("there are none")
	}
}

// A node starts beside a ring that it cannot read, and leaves it as it is.
func TestNodeStartsBesideABadRing(t *testing.T) {
	r := redistest.Start(t)
	const key = "rushgate:shared:" + ringName
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
		s, ring := lineNode(t, Config{DataDir: t.TempDir(), Backend: Redis, RedisURLs: []string{r.URL()}})
		if ring != nil {
			t.Errorf("%s: the node has the ring %v", what, ring)
		}
		if err := s.Stop(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after, err := r.Do("DUMP", key).ToString(); err != nil || after != before {
			t.Errorf("%s: what is in the store was changed, %v", what, err)
		}
	}
}
