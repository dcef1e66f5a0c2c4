package redis

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
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
		n := int64(i)
		in[i].Character.Numbers = rushgate.Numbers{"xp": n, "level": n, "deaths": -n}
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
	for _, board := range s.keptBoards() {
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

// A game's own boards are kept by every store, also by a tool that was not told of them, and one that is new ranks the
// players who are there already.
func TestBoardsOfAGameAreKeptByAll(t *testing.T) {
	server := redistest.Start(t)
	old := openStore(t, Options{URLs: []string{server.URL()}})
	in := admit(t, old, nodeA, registration(1), registration(2), registration(3))
	for i := range in {
		in[i].Character.Numbers = rushgate.Numbers{"gold": int64(i), "xp": 5}
		if err := saves(t, old, in[i]); err != nil {
			t.Fatal(err)
		}
	}
	node := openStore(t, Options{URLs: []string{server.URL()}, Boards: []rushgate.Board{"gold", "xp"}})
	gold := func(want ...rushgate.Rank) {
		t.Helper()
		if got, err := node.Top(t.Context(), "gold", 10); err != nil || !slices.Equal(got, want) {
			t.Errorf("leaderboard is %+v, %v; want %+v", got, err, want)
		}
	}
	gold()
	for range 2 {
		node.lookAround(t.Context())
	}
	line := func(rank int, id rushgate.PlayerID, score int64) rushgate.Rank {
		return rushgate.Rank{Rank: rank, Player: id, Name: fmt.Sprint("player", id), Score: score}
	}
	gold(line(1, 3, 2), line(2, 2, 1), line(3, 1, 0))
	if _, err := node.Top(t.Context(), "level", 1); err == nil {
		t.Error("a board that was not asked for is there")
	}

	tool := openStore(t, Options{URLs: []string{server.URL()}})
	in[0].Character.Numbers["gold"] = 9
	if err := saves(t, tool, in[0]); err != nil {
		t.Fatal(err)
	}
	if err := tool.Close(); err != nil {
		t.Fatal(err)
	}
	gold(line(1, 1, 9), line(2, 3, 2), line(3, 2, 1))
	old.lookAround(t.Context()) // it was there before the boards were asked for
	if errs, err := old.Save(t.Context(), []rushgate.Save{
		{Character: in[1].Character, Fence: in[1].Lease.Fence, Release: true},
	}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	if err := old.DeleteAccount(t.Context(), "player2"); err != nil {
		t.Fatal(err)
	}
	if err := old.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	gold(line(1, 1, 9), line(2, 3, 2))
	if _, err := Open(t.Context(), Options{URLs: []string{server.URL()}, Boards: []rushgate.Board{"a b"}}); err == nil {
		t.Error("a board with a space in its name is taken")
	}
}

// A game that has boards of its own in place of the usual ones finds its players on them, however few they are and
// whoever has come meanwhile, and those who have not come since are forgotten nowhere.
func TestBoardsInPlaceOfTheUsualOnes(t *testing.T) {
	for _, come := range []int{0, 2, 3} {
		t.Run(fmt.Sprint(come, " of 3 have come"), func(t *testing.T) {
			server := redistest.Start(t)
			old := openStore(t, Options{URLs: []string{server.URL()}})
			in := admit(t, old, nodeA, registration(1), registration(2), registration(3))
			for i := range in {
				in[i].Character.Numbers = rushgate.Numbers{"gold": int64(i), "xp": 5}
				if err := saves(t, old, in[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			node := openStore(t, Options{URLs: []string{server.URL()}, Boards: []rushgate.Board{"gold"}, Logger: quiet()})
			for i := range come {
				if err := saves(t, node, in[i]); err != nil {
					t.Fatal(err)
				}
			}
			node.lookAround(t.Context())
			if ranks, err := node.Top(t.Context(), "gold", 10); err != nil || len(ranks) != 3 || ranks[0].Score != 2 {
				t.Errorf("leaderboard is %+v, %v", ranks, err)
			}
			if states, err := server.Do("HGETALL", node.boardsKey()).AsStrMap(); err != nil || !reflect.DeepEqual(states,
				map[string]string{"gold": "kept", "xp": "kept", "level": "kept", "deaths": "kept"}) {
				t.Errorf("kept are %v, %v", states, err)
			}
			if _, err := node.Top(t.Context(), "xp", 1); err == nil {
				t.Error("a board that was not asked for is there")
			}
			release := rushgate.Save{Character: in[2].Character, Fence: in[2].Lease.Fence, Release: true}
			if errs, err := node.Save(t.Context(), []rushgate.Save{release}); err != nil || errs[0] != nil {
				t.Fatal(errs, err)
			}
			if err := node.DeleteAccount(t.Context(), "player3"); err != nil {
				t.Fatal(err)
			}
			tool := openStore(t, Options{URLs: []string{server.URL()}})
			if err := node.settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, board := range []rushgate.Board{"gold", "xp"} {
				if ranks, err := tool.Top(t.Context(), board, 10); err != nil || len(ranks) != 2 {
					t.Errorf("afterwards %s is %+v, %v", board, ranks, err)
				}
			}
		})
	}
}

// A name that is none among the boards costs the others nothing.
func TestAStrangeBoardIsPassedOver(t *testing.T) {
	server := redistest.Start(t)
	var log bytes.Buffer
	s := openStore(t, Options{
		URLs: []string{server.URL()}, Boards: []rushgate.Board{"gold"}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	admit(t, s, nodeA, registration(1))
	server.Do("HSET", s.boardsKey(), "Gold", "kept")
	for range 3 {
		s.lookAround(t.Context())
	}
	if got := strings.Count(log.String(), "Gold"); got != 1 {
		t.Errorf("the log tells %d times of it:\n%s", got, log.String())
	}
	if ranks, err := s.Top(t.Context(), "gold", 1); err != nil || len(ranks) != 1 {
		t.Errorf("leaderboard is %+v, %v", ranks, err)
	}
}
