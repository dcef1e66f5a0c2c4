package redis

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// A setting that is changed while nodes run is noticed, logged once, and shown until it is put right.
func TestSettingsAreLookedAtAgain(t *testing.T) {
	server := redistest.Start(t)
	var log bytes.Buffer
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got, err := s.Durability(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("warnings are %q, %v", got, err)
	}
	for _, tt := range []struct{ name, bad, good string }{
		{"maxmemory-policy", "allkeys-lru", "noeviction"},
		{"appendfsync", "everysec", "always"},
		{"appendonly", "no", "yes"},
		{"no-appendfsync-on-rewrite", "yes", "no"},
	} {
		log.Reset()
		server.Do("CONFIG", "SET", tt.name, tt.bad)
		for range 2 {
			s.lookAround(t.Context())
		}
		got := s.Health()
		if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], tt.name) || got.Open {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if n := strings.Count(log.String(), tt.name); n != 1 {
			t.Errorf("%s: said %d times:\n%s", tt.name, n, &log)
		}
		log.Reset()
		server.Do("CONFIG", "SET", tt.name, tt.good)
		for range 2 {
			s.lookAround(t.Context())
		}
		if got := s.Health(); len(got.Warnings) != 0 || strings.Count(log.String(), tt.name) != 1 {
			t.Errorf("%s put right: %+v\n%s", tt.name, got, &log)
		}
	}
	server.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
	s.lookAround(t.Context())
	server.Kill()
	s.lookAround(t.Context())
	if got := s.Health(); len(got.Warnings) != 1 {
		t.Errorf("without a server: %+v", got)
	}
}

// Whichever one key is lost, no id is given twice, and what can be known from the others is not begun anew.
func TestAnyOneKeyIsLost(t *testing.T) {
	t.Parallel() // it waits for the Cluster most of the time
	t.Run("Single", func(t *testing.T) {
		server := redistest.Start(t)
		loseEachKey(t, []string{server.URL()}, server)
	})
	t.Run("Cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		loseEachKey(t, cluster.URLs(), cluster.Masters[:]...)
	})
}

// loseEachKey fills a store, and for each kind of key deletes one, looks what a store makes of it that is open and one
// that is opened then, and puts the key back.
func loseEachKey(t *testing.T, urls []string, masters ...*redistest.Server) {
	opts := Options{URLs: urls, Logger: quiet()}
	s := openStore(t, opts)
	const imported = 500
	if err := s.BeginImport(t.Context(), imported); err != nil {
		t.Fatal(err)
	}
	given := reserve(t, s) + idBlock - 1
	var batch []rushgate.Admission
	for id := given - 20; id <= given; id++ {
		batch = append(batch, registration(id))
	}
	in := admit(t, s, nodeA, batch...)
	if _, err := s.Want(t.Context(), []string{batch[0].Account.Username}); err != nil { // has its holder asked to leave
		t.Fatal(err)
	}
	for i := range in {
		in[i].Character.XP, in[i].Character.Level, in[i].Character.Deaths = int64(i), i, -i
		if err := saves(t, s, in[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := standingsOf(t, s)
	for key, server := range oneKeyOfEachKind(t, s, masters) {
		t.Run(strings.ReplaceAll(key, "/", "_"), func(t *testing.T) {
			kept, err := server.Do("DUMP", key).ToString()
			if err != nil {
				t.Fatal(err)
			}
			for _, when := range []string{"while a node runs", "before a start"} {
				server.Do("DEL", key)
				node := s
				if when == "before a start" {
					node = openStore(t, opts)
				}
				for range 2 {
					first := reserve(t, node)
					if first <= given {
						t.Errorf("%s: ids from %d on are given out, and were up to %d", when, first, given)
					}
					given = max(given, first+idBlock-1)
				}
				if err := node.BeginImport(t.Context(), imported); err != nil {
					t.Errorf("%s: the ids set aside are %v", when, err)
				}
				for range 2 {
					node.lookAround(t.Context())
				}
				if got := standingsOf(t, node); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: leaderboards are %+v, want %+v", when, got, want)
				}
			}
			server.Do("RESTORE", key, "0", kept, "REPLACE")
			if strings.HasPrefix(key, s.idsKey()) { // which has gone back with it
				if first := reserve(t, s); first <= given {
					t.Errorf("put back: ids from %d on are given out, and were up to %d", first, given)
				}
			}
		})
	}
}

func standingsOf(t *testing.T, s *Store) map[rushgate.Board][]rushgate.Rank {
	t.Helper()
	all := make(map[rushgate.Board][]rushgate.Rank)
	for _, board := range boards {
		ranks, err := s.Top(t.Context(), board, 100)
		if err != nil {
			t.Fatal(err)
		}
		all[board] = ranks
	}
	return all
}

// oneKeyOfEachKind returns keys by what stands between their colons, each with its server.
func oneKeyOfEachKind(t *testing.T, s *Store, masters []*redistest.Server) map[string]*redistest.Server {
	t.Helper()
	kinds, found := make(map[string]bool), make(map[string]*redistest.Server)
	for _, server := range masters {
		keys, err := server.Do("KEYS", "*").AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			kind := key
			for _, many := range []string{"player:", "wanted:", "probe:", "look:"} {
				if strings.HasPrefix(key, s.prefix+many) {
					kind = many
				}
			}
			if !kinds[kind] {
				kinds[kind], found[key] = true, server
			}
		}
	}
	// The counter and its copy, three leaderboards, players, requests, probes, and looks.
	if len(found) != 9 {
		t.Fatalf("keys are %v", found)
	}
	return found
}

// A store that has lost the counter and its copy goes on behind the players it knows of.
func TestCounterAndCopyAreLost(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	given := reserve(t, s) + idBlock - 1
	admit(t, s, nodeA, registration(given))
	if err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Do("DEL", s.idsKey(), s.idsCopyKey())
	again := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	first := reserve(t, again)
	wantSkip(t, first, given-idBlock+1)
	if next := reserve(t, again); next != first+idBlock {
		t.Errorf("the next block begins at %d after one at %d", next, first)
	}
}

// A counter that makes no sense gives out nothing.
func TestDamagedCounter(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	reserve(t, s)
	for _, value := range []string{"", "-5", "abc", "1.5"} {
		server.Do("HSET", s.idsKey(), "last", value)
		if first, err := s.ReserveIDs(t.Context(), 1); err == nil {
			t.Errorf("counter of %q: ids from %d on", value, first)
		}
		if err := s.BeginImport(t.Context(), 1); err == nil {
			t.Errorf("counter of %q: ids were set aside", value)
		}
	}
	if s.Health().Failures != 0 {
		t.Errorf("a damaged counter counts as the server's fault: %+v", s.Health())
	}
}
