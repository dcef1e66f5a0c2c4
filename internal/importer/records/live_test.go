package records

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/servertest"
	"github.com/rushgate/rushgate/internal/importer/source"
	"github.com/rushgate/rushgate/internal/importer/table"
	"github.com/rushgate/rushgate/store/memory"
)

// The exports in SQL, taken in by a server of the kind that wrote them, give the same players when they are read of
// that; what is no kind's alone, all take in. With RUSHGATE_LONG=1.
func TestExportsOnServers(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("it takes servers")
	}
	servers := servertest.All(t)
	tried := map[string]bool{}
	for i, e := range exports(t) {
		v := e.vectorOf(t)
		path := file(t, &v, e.text)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if kind, _ := table.Sniff(path, []table.Kind{table.SQL}); kind == "" || strings.Contains(text, "BEGIN TRANSACTION") {
			continue // the latter is SQLite's
		}
		for _, s := range servers {
			if s.Postgres && strings.Contains(text, "`") || !s.Postgres && strings.Contains(text, "COPY ") {
				continue
			}
			t.Run(s.String()+" "+e.system, func(t *testing.T) {
				database := fmt.Sprint("export", i)
				s.Run("", "CREATE DATABASE "+database)
				if s.Postgres { // some of the ids are none
					s.Run(database, "CREATE SCHEMA auth;"+strings.ReplaceAll(text, " uuid,", " text,"))
				} else { // which makes up for bytes that are too few, and refuses numbers that are too large
					fitting := strings.NewReplacer(" binary(", " varbinary(", "unban_time int", "unban_time bigint")
					s.Run(database, fitting.Replace(text))
				}
				s.Grant("reader", "pw", database)
				e.bring(t, openLive(t, s, database, source.Options{System: e.system, Table: e.table}), &v)
			})
			tried[e.system] = true
		}
	}
	if len(tried) < 18 {
		t.Errorf("%d systems were tried: %v", len(tried), tried)
	}
	for _, s := range servers {
		if !s.Postgres {
			t.Run("another database of "+s.String(), func(t *testing.T) { elsewhere(t, s) })
		}
	}
}

// openLive opens the players of a database as the user reader.
func openLive(t *testing.T, s *servertest.Server, database string, opts source.Options) *Table {
	t.Helper()
	at, err := table.ParseAddress(s.URL("reader", database))
	if err != nil {
		t.Fatal(err)
	}
	at.Password = "pw"
	server, err := table.Connect(t.Context(), at, func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	system, err := source.Builtin().Find(opts.System)
	if err != nil {
		t.Fatal(err)
	}
	players, err := system.OpenServer(t.Context(), server, opts)
	if err != nil {
		t.Fatal(err)
	}
	all := FromTable(players, scheme.Builtin())
	t.Cleanup(func() { all.Close() })
	return all
}

// elsewhere brings in the characters of a server of World of Warcraft, which are in a database of their own.
func elsewhere(t *testing.T, s *servertest.Server) {
	const hash = "691b8690919a482aca36617f5af60cc2691b8690"
	s.Run("", "CREATE DATABASE realm; CREATE DATABASE realm_characters")
	s.Run("realm", "CREATE TABLE account (id int, username varchar(32), sha_pass_hash varchar(40)); INSERT INTO account "+
		"VALUES (7, 'ANN', '"+hash+"'), (8, 'BEN', '"+hash+"')")
	s.Run("realm_characters", "CREATE TABLE characters (guid int, account int, level int, money int); "+
		"INSERT INTO characters VALUES (70, 7, 3, 11), (71, 7, 9, 12)")
	s.Grant("reader", "pw", "realm")
	s.Grant("reader", "pw", "realm_characters")
	m, err := source.ParseMap([]byte(`{"id": "characters.guid", "own": true, "numbers": {"gold": "characters.money"},
		"characters": {"table": "realm_characters.characters", "its": "account", "ours": "id", "best": "level"}}`))
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New(memory.Options{})
	r, err := importer.Import(t.Context(), openLive(t, s, "realm", source.Options{System: "trinitycore", Map: m}), store,
		importer.Options{OwnWorld: true, Harden: Harden(hasher(t, 1000))})
	if err != nil || r.Imported != 2 || r.WithoutCharacter != 1 || r.HighestID != 71 {
		t.Fatalf("%+v, %v", r, err)
	}
	all, err := store.LoadCharacters(t.Context(), []string{"ann"})
	if err != nil || len(all) != 1 || all[0].Numbers["gold"] != 12 {
		t.Errorf("%+v, %v", all, err)
	}
}
