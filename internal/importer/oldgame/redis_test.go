package oldgame

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/redistest"
)

func openRedis(t *testing.T, url string) *Source {
	t.Helper()
	src, err := OpenRedis(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// set puts records into a server.
func set(t *testing.T, s *redistest.Server, records ...record) {
	t.Helper()
	var args []string
	for _, r := range records {
		args = append(args, r.Key, r.Value)
	}
	if err := s.Do("MSET", args...).Error(); err != nil {
		t.Fatal(err)
	}
}

// commands returns what a server has been asked for.
func commands(s *redistest.Server) map[string]bool {
	asked := map[string]bool{}
	for name := range s.Info("commandstats") {
		asked[strings.TrimPrefix(name, "cmdstat_")] = true
	}
	return asked
}

func TestImportFromRedis(t *testing.T) {
	server := redistest.Start(t)
	set(t, server, fileRecords(t)...)
	many := 2*scanCount + 10 // more than one page
	var records []record
	for i := range many {
		records = append(records, pair(fmt.Sprintf("player-%d", i), 100+i)...)
	}
	set(t, server, records...)
	set(t, server, record{Key: "session:bob", Value: "x"}, record{Key: "account:odd", Value: "(1 . 2)"})
	for _, args := range [][]string{{"account:hash", "a", "b"}, {"player:9999", "a", "b"}} {
		if err := server.Do("HSET", args...).Error(); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Do("CONFIG", "RESETSTAT").Error(); err != nil {
		t.Fatal(err)
	}

	store := newMemory(t)
	r := mustImport(t, openRedis(t, server.URL()), store, importer.Options{})
	if r.Imported != 7+many || r.Accounts != r.Imported+2 || r.Characters != 6+many+1 {
		t.Errorf("%+v", r)
	}
	if got, want := refused(r), []string{"account:hash unreadable", "account:odd malformed",
		"player:9999 no-account"}; !slices.Equal(got, want) {
		t.Errorf("refused %v, want %v", r.Refusals, want)
	}
	if a, c := load(t, store, "carol_99"); a.ID != 14 || c.Numbers["xp"] != 518 {
		t.Errorf("carol_99 is %d with %+v", a.ID, c)
	}
	asked := commands(server)
	for _, harmless := range []string{"scan", "mget", "role", "hello", "ping", "info", "select", "client|no-evict",
		"cluster|slots", "cluster|shards", "client|setinfo", "config|resetstat",
		"cluster", "client", "config", // the same, before Redis 7 counted subcommands; none of them touches a record
	} {
		delete(asked, harmless)
	}
	for name, was := range asked {
		if was {
			t.Errorf("the server was asked for %s, of %v", name, slices.Sorted(maps.Keys(asked)))
		}
	}
	again := mustImport(t, openRedis(t, server.URL()), store, importer.Options{})
	if again.Present != r.Imported || again.Imported != 0 {
		t.Errorf("again: %+v", again)
	}
}

func TestOpenRedisTellsNoSecrets(t *testing.T) {
	const secret = "hunter2"
	server := redistest.Start(t, "--requirepass", "other")
	for _, url := range []string{"redis://:" + secret + "@host:port:1", "http://:" + secret + "@host",
		"redis://" + secret + "#x@host", "redis://" + secret +
			"?x@host", strings.Replace(server.URL(), "redis://", "redis://:"+secret+"@", 1)} {
		src, err := OpenRedis(url)
		if err == nil {
			src.Close()
			t.Fatalf("opened %s", url)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

// A server that goes away ends the import, with an error and what had been done until then.
func TestRedisGoesAway(t *testing.T) {
	server := redistest.Start(t)
	set(t, server, slices.Concat(pair("ann", 1), pair("bob", 2), pair("eve", 3))...)
	src := openRedis(t, server.URL())
	r, err := importer.Import(t.Context(), src, newMemory(t),
		importer.Options{BatchSize: 1, Progress: func(p importer.Progress) {
			if p.Writing && p.Done == 1 {
				server.Kill()
				src.Close() // or it would go on trying for a while
			}
		}})
	if err == nil || errors.Is(err, errNoString) || r.Imported != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
