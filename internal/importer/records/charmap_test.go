package records

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/source"
	"github.com/rushgate/rushgate/store/memory"
)

// importMapped imports a file of columns name and password, of hashes of Freeciv, with a map.
func importMapped(t *testing.T, text, table, chars string, store rushgate.Store) importer.Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "HASH", md5OfPassword)), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := source.ParseMap([]byte(chars))
	if err != nil {
		t.Fatal(err)
	}
	system, err := source.OfColumns("freeciv", table, []string{"name=name", "password=password"})
	if err != nil {
		t.Fatal(err)
	}
	players, err := system.Open(t.Context(), path, source.Options{System: "freeciv", Map: m})
	if err != nil {
		t.Fatal(err)
	}
	s := FromTable(players, scheme.Builtin())
	defer s.Close()
	r, err := importer.Import(t.Context(), s, store,
		importer.Options{BatchSize: 2, Harden: Harden(hasher(t, 1000)), OwnWorld: m.Own})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func characterOf(t *testing.T, store rushgate.Store, name string) rushgate.Character {
	t.Helper()
	loaded, err := store.LoadCharacters(t.Context(), []string{name})
	if err != nil || loaded[0].Err != nil {
		t.Fatal(err, loaded[0].Err)
	}
	return loaded[0].Character
}

// A player has the character that the columns make, under the number that it had, and a second import finds it there.
func TestCharactersOfColumns(t *testing.T) {
	store := memory.New(memory.Options{})
	const chars = `{"id": "id", "own": true, "zone": "map", "x": "x", "y": {"path": "y", "times": 2, "plus": 1},
		"numbers": {"level": "lvl", "gold": "money"}, "data": {"bag": "bag", "skin": "skin"},
		"playtime": "played", "created": "since"}`
	const text = "id,name,password,map,x,y,lvl,money,bag,skin,played,since\n" +
		"7,Alice,HASH,meadow,1.5,-2,9,100,\"[1,2]\",\\N,61.5,1700000000\n" +
		"8,Bob,HASH,meadow,,,,,,,,\n" +
		"0,Carl,HASH,,,,,,,,,\n" +
		"9,Dora,HASH,,far,,,,,,,\n"
	for i, want := range []string{"imported", "present"} {
		r := importMapped(t, text, "", chars, store)
		got := map[string]int{"imported": r.Imported, "present": r.Present}
		if got[want] != 2 || r.Refused != 2 || r.WithoutCharacter != 0 {
			t.Fatalf("run %d: %+v", i, r)
		}
	}
	c := characterOf(t, store, "alice")
	if c.ID != 7 || c.Name != "alice" || c.Zone != "meadow" || c.X != 1.5 || c.Y != -3 ||
		c.Numbers["level"] != 9 || c.Numbers["gold"] != 100 ||
		string(c.Data) != `{"bag":"[1,2]"}` || c.Playtime.Milliseconds() != 61500 || c.CreatedAt.Unix() != 1700000000 {
		t.Errorf("%+v", c)
	}
	if job := verify(t, hashOfName(t, store, "alice"), "password"); !job.Match {
		t.Error("the password is another")
	}
}

// Characters may be in a table of their own. The reference world works out the level, and refuses what it cannot read.
func TestCharactersOfATable(t *testing.T) {
	store := memory.New(memory.Options{})
	const text = "CREATE TABLE accounts (nr int, name text, password text);\n" +
		"CREATE TABLE characters (guid int, account int, exp int, bag text);\n" +
		"INSERT INTO accounts VALUES (1,'alice','HASH'),(2,'bob','HASH'),(3,'carol','HASH'),(4,'dave','HASH');\n" +
		"INSERT INTO characters VALUES (50,1,100,''),(51,1,444,''),(52,1,30,''),(60,2,5,'junk'),(61,4,6,'');\n"
	const chars = `{"id": "characters.guid", "numbers": {"xp": "characters.exp"}, "data": "characters.bag",
		"characters": {"table": "characters", "its": "account", "ours": "nr"BEST}}`
	r := importMapped(t, text, "accounts", strings.Replace(chars, "BEST", `, "best": "exp"`, 1), store)
	if r.Imported != 3 || r.WithoutCharacter != 1 || r.RefusedBy[importer.BadCharacter] != 1 {
		t.Fatalf("%+v", r)
	}
	c := characterOf(t, store, "alice")
	if c.ID != 51 || c.Name != "alice" || c.Numbers["xp"] != 444 || c.Numbers["level"] != 3 {
		t.Errorf("%+v", c)
	}
	r = importMapped(t, text, "accounts", strings.Replace(chars, "BEST", "", 1), memory.New(memory.Options{}))
	if r.Imported != 2 || r.Refused == 0 || !strings.Contains(r.Refusals[0].Detail, "several") {
		t.Errorf("%+v", r)
	}
}

// Of a player whose character cannot be read nothing is brought in, as of one whose account cannot, and the others are:
// a new character would take the place of the one that is there. The same goes for bans.
func TestBrokenRowsOfOtherTables(t *testing.T) {
	const text = "CREATE TABLE accounts (nr int, name text, password text);\n" +
		"CREATE TABLE characters (guid int, account int, exp int, bag text);\n" +
		"INSERT INTO accounts VALUES (1,'alice','HASH'),(2,'bob','HASH'),(3,'carol','HASH');\n" +
		"INSERT INTO characters VALUES (50,1,100,'HUGE'),(51,1,90,''),(60,2,5,''),(70,2,4,'HUGE'),(80,3,3,'');\n"
	huge := strings.Repeat("x", 200<<10)
	r := importMapped(t, strings.ReplaceAll(text, "HUGE", huge), "accounts", `{"id": "characters.guid", "own": true,
		"data": {"bag": "characters.bag"}, "numbers": {"xp": "characters.exp"},
		"characters": {"table": "characters", "its": "account", "ours": "nr", "best": "exp"}}`, memory.New(memory.Options{}))
	if r.Imported != 1 || r.WithoutCharacter != 0 || r.RefusedBy[importer.Unreadable] != 2 {
		t.Fatalf("%+v", r)
	}
	const want = `the table characters, line 4: the column "bag": a value is longer`
	if !strings.Contains(r.Refusals[0].Detail, want) {
		t.Errorf("%v", r.Refusals)
	}
}

// A value of another kind than the map asks for refuses its player, and nobody else.
func TestValuesThatAMapCannotTake(t *testing.T) {
	text := "id,name,password,x,gold,zone\n"
	bad := []string{"1,east,", "2,1e400,", "3,NaN,", "4,,99999999999999999999", "-5,,", "six,,", "7.5,,", ",,",
		"4503599627370497,,"}
	for i, values := range bad {
		id, rest, _ := strings.Cut(values, ",")
		text += fmt.Sprintf("%s,bad-%d,HASH,%s,\n", id, i, rest) + fmt.Sprintf("%d,good-%d,HASH,1,-2.4,\n", 20+i, i)
	}
	text += "50,far,HASH,,," + strings.Repeat("z", 65) + "\n51,short,HASH,1\n"
	store := memory.New(memory.Options{})
	const chars = `{"id": "id", "own": true, "x": "x", "numbers": {"gold": "gold"}, "zone": "zone"}`
	r := importMapped(t, text, "", chars, store)
	if r.Imported != len(bad) || r.RefusedBy[importer.Unreadable] != len(bad)+2 {
		t.Errorf("%+v", r)
	}
	if c := characterOf(t, store, "good-3"); c.Numbers["gold"] != -2 || c.X != 1 || c.ID != 23 {
		t.Errorf("%+v", c)
	}
}
