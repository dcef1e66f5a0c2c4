package oldgame

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/jsonl"
	"github.com/rushgate/rushgate/world"
)

func TestImportIsIdempotent(t *testing.T) {
	store := newSQLite(t)
	mustImport(t, open(t, recordsFile), store, importer.Options{})
	before, character := load(t, store, "bob")
	r := mustImport(t, open(t, recordsFile), store, importer.Options{})
	if r.Imported != 0 || r.Present != 7 || r.Refused != 0 {
		t.Errorf("again: %+v", r)
	}
	if after, c := load(t, store, "bob"); !reflect.DeepEqual(after, before) || !equal(c, character) {
		t.Error("the second run changed bob")
	}
	if id, err := store.ReserveIDs(t.Context(), 1); err != nil || id != 19 {
		t.Errorf("the next new player gets %d, %v", id, err)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	r := mustImport(t, open(t, recordsFile), nil, importer.Options{DryRun: true})
	if r.Imported != 7 || r.Present != 0 || !r.DryRun {
		t.Errorf("without a store: %+v", r)
	}
	store := newMemory(t)
	mustImport(t, writeFile(t, pair("bob", 12)...), store, importer.Options{})
	r = mustImport(t, open(t, recordsFile), store, importer.Options{DryRun: true})
	if r.Imported != 6 || r.Present != 1 {
		t.Errorf("with a store that has bob: %+v", r)
	}
	if a, _ := load(t, store, "alice"); a.ID != 0 {
		t.Error("alice was imported")
	}
	if id, err := store.ReserveIDs(t.Context(), 1); err != nil || id != 13 {
		t.Errorf("the next new player gets %d, %v", id, err)
	}
}

// failingStore fails after some batches.
type failingStore struct {
	rushgate.Store
	batches int
}

var errStore = errors.New("disk full")

func (s *failingStore) Import(ctx context.Context, records []rushgate.Record) ([]error, error) {
	if s.batches--; s.batches < 0 {
		return nil, errStore
	}
	return s.Store.Import(ctx, records)
}

func (s *failingStore) CreateAccounts(ctx context.Context, accounts []rushgate.Account) ([]error, error) {
	if s.batches--; s.batches < 0 {
		return nil, errStore
	}
	return s.Store.CreateAccounts(ctx, accounts)
}

// An import that ends anywhere goes on where it ended.
func TestImportResumes(t *testing.T) {
	var records []record
	for i := range 10 {
		records = append(records, pair(fmt.Sprintf("player-%d", i), i+1)...)
	}
	for i := range 4 {
		records = append(records, accountRecord(fmt.Sprintf("fresh-%d", i), 0))
	}
	for stop := range 7 { // five batches with characters, two without
		store := newMemory(t)
		r, err := importer.Import(t.Context(), writeFile(t, records...), &failingStore{store, stop},
			importer.Options{BatchSize: 2})
		if !errors.Is(err, errStore) || r.Imported != 2*stop {
			t.Fatalf("stopped after %d batches: %+v, %v", stop, r, err)
		}
		again := mustImport(t, writeFile(t, records...), store, importer.Options{BatchSize: 2})
		if again.Present != r.Imported || again.Imported != 14-r.Imported || again.Refused != 0 {
			t.Errorf("stopped after %d batches, then %+v", stop, again)
		}
	}
}

func TestImportStopsWithItsContext(t *testing.T) {
	var records []record
	for i := range 10 {
		records = append(records, pair(fmt.Sprintf("player-%d", i), i+1)...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := importer.Import(ctx, writeFile(t, records...), newMemory(t),
		importer.Options{BatchSize: 2, Progress: func(p importer.Progress) {
			if p.Writing && p.Done == 4 {
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) || r.Imported != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestImportRefuses(t *testing.T) {
	bad := func(r record, old, new string) record {
		r.Value = replace(t, r.Value, old, new)
		return r
	}
	changed := bad(accountRecord("bob", 12), sampleHash, strings.Repeat("0", 32)+"$"+strings.Repeat("0", 64))
	tests := []struct {
		name     string
		records  []record
		imported []string
		want     []string
	}{
		{"malformed account", []record{{Key: "account:bob", Value: "(:VERSION 2"}, playerRecord(12)}, nil,
			[]string{"account:bob malformed", "player:12 no-account"}},
		{"evaluation", []record{bad(accountRecord("bob", 12), `"bob"`, `#.(progn "bob")`), playerRecord(12)}, nil,
			[]string{"account:bob malformed", "player:12 no-account"}},
		{"malformed character", []record{accountRecord("bob", 12), bad(playerRecord(12), ":HP 36", ":HP")}, nil,
			[]string{"account:bob bad-character", "player:12 malformed"}},
		{"character that no world takes", []record{accountRecord("bob", 12), bad(playerRecord(12),
			":SLOTS (", ":SLOTS ("+strings.Repeat("(:ITEM-ID :COIN :COUNT 1) ", 256))}, nil,
			[]string{"account:bob bad-character", "player:12 malformed"}},
		{"no character", []record{accountRecord("bob", 12), playerRecord(13)}, nil,
			[]string{"account:bob no-character", "player:13 no-account"}},
		{"key without an id", append(pair("bob", 12), record{Key: "player:012", Value: samplePlayer}), []string{"bob"},
			[]string{"player:012 malformed"}},
		{"account twice", append(pair("bob", 12), changed), []string{"bob"}, []string{"account:bob duplicate-key"}},
		{"character twice", append(pair("bob", 12), playerRecord(12)), []string{"bob"}, []string{"player:12 duplicate-key"}},
		{"shared character", append(pair("bob", 12), accountRecord("eve", 12)), nil,
			[]string{"account:bob shared-character", "account:eve shared-character"}},
		{"names that have become one", append(append(pair("Bob", 12), pair("bob", 13)...), pair("BOB", 14)...),
			[]string{"bob"},
			[]string{"account:BOB duplicate-name", "account:Bob duplicate-name"}},
		{"a refused name shares no character", append(pair("bob", 12), accountRecord("Bob", 12)), []string{"bob"},
			[]string{"account:Bob duplicate-name"}},
		{"name with a line break", append(pair("a\nb", 12), pair("bob", 13)...), []string{"bob"},
			[]string{"account:a\nb malformed", "player:12 no-account"}},
		{"other keys", append(pair("bob", 12), record{Key: "session:bob", Value: "#.(quit)"}), []string{"bob"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The good in between arrives whatever else there is, and the order of records means nothing. (That of two
			// records with the same key does.)
			if !strings.HasSuffix(tt.name, "twice") {
				rand.Shuffle(len(tt.records), func(i, j int) { tt.records[i], tt.records[j] = tt.records[j], tt.records[i] })
			}
			records := slices.Concat(pair("first", 1), tt.records, pair("last", 2))
			store := newMemory(t)
			r := mustImport(t, writeFile(t, records...), store, importer.Options{})
			if got := refused(r); !slices.Equal(got, tt.want) {
				t.Errorf("refused %v, want %v", r.Refusals, tt.want)
			}
			if r.Imported != 2+len(tt.imported) {
				t.Errorf("%d were imported", r.Imported)
			}
			for _, name := range append(tt.imported, "first", "last") {
				if a, c := load(t, store, name); a.ID == 0 || c.ID != a.ID || a.PasswordHash != sampleHash {
					t.Errorf("%s was not imported", name)
				}
			}
		})
	}
}

// No id that the old game has given out goes to a new player, whatever has become of its record.
func TestImportMovesTheIDsPastRefusedRecords(t *testing.T) {
	for name, records := range map[string][]record{
		"without an account":   {playerRecord(900)},
		"without a character":  {accountRecord("gone", 900)},
		"malformed characters": {accountRecord("odd", 900), {Key: "player:900", Value: "()"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory(t)
			r := mustImport(t, writeFile(t, append(pair("bob", 12), records...)...), store, importer.Options{})
			if id, err := store.ReserveIDs(t.Context(), 1); err != nil || id != 901 || r.HighestID != 900 {
				t.Errorf("the next new player gets %d, %v", id, err)
			}
		})
	}
}

// The same for records of which only the key could be read.
func TestImportMovesTheIDsPastUnreadableRecords(t *testing.T) {
	for name, line := range map[string]string{
		"no value":            `{"key":"player:900"}`,
		"value of a type":     `{"key":"player:900","value":900}`,
		"cut off":             `{"key":"player:900","value":"(:VERSION 4`,
		"value twice":         `{"key":"player:900","value":"","value":""}`,
		"value not UTF-8":     "{\"key\":\"player:900\",\"value\":\"\xff\"}",
		"half a pair":         `{"key":"player:900","value":"\ud83d"}`,
		"longer than allowed": `{"key":"player:900","value":"` + strings.Repeat("x", jsonl.MaxLineLen) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory(t)
			r := mustImport(t, openText(t, line+"\n"), store, importer.Options{})
			if got := refused(r); !slices.Equal(got, []string{"player:900 unreadable"}) || r.Characters != 1 {
				t.Errorf("%+v", r)
			}
			if id, err := store.ReserveIDs(t.Context(), 1); err != nil || id != 901 || r.HighestID != 900 {
				t.Errorf("the next new player gets %d, %v", id, err)
			}
		})
	}
	got := found(item{ref: ref{key: "player:900"}, err: errNoString})
	if got.ID != 900 || got.Cause != importer.Unreadable {
		t.Errorf("a key that holds no string is %+v", got)
	}
}

func TestImportIntoAStoreWithPlayersOfItsOwn(t *testing.T) {
	store := newMemory(t)
	id, err := store.ReserveIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	own := rushgate.Account{ID: id, Username: "bob", PasswordHash: sampleHash}
	by := rushgate.Instance{Node: "node", Run: "run"}
	if _, err := store.Admit(t.Context(), by,
		[]rushgate.Admission{{Account: own, Create: true, Attempt: "a"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := importer.Import(t.Context(), open(t, recordsFile), store, importer.Options{}); !errors.Is(err,
		rushgate.ErrIDsInUse) {
		t.Errorf("error %v, want ErrIDsInUse", err)
	}
	if a, _ := load(t, store, "alice"); a.ID != 0 {
		t.Error("alice was imported")
	}
	r := mustImport(t, open(t, recordsFile), store, importer.Options{DryRun: true})
	if got := refused(r); !slices.Equal(got, []string{"account:bob name-taken"}) {
		t.Errorf("a dry run refuses %v", r.Refusals)
	}
	// Accounts without characters need no ids of the old game.
	r = mustImport(t, writeFile(t, accountRecord("bob", 0), accountRecord("new", 0)), store, importer.Options{})
	if got := refused(r); !slices.Equal(got, []string{"account:bob name-taken"}) || r.Imported != 1 {
		t.Errorf("%+v", r)
	}
}

// An account that an import made without a character can be logged in to at once: nothing holds its lease.
func TestAccountsWithoutCharactersAreFree(t *testing.T) {
	store := newMemory(t)
	mustImport(t, writeFile(t, accountRecord("new", 0)), store, importer.Options{})
	if where, err := store.Presence(t.Context(), []string{"new"}); err != nil || where[0].Inside() {
		t.Errorf("the player is %+v, %v", where, err)
	}
}

func TestLevelIsThatOfTheWorld(t *testing.T) {
	def, err := world.ParseDefinition([]byte(`{"start_zone":"zone-1",
		"player":{"speed":8,"reach":2.5,"attack_interval_ms":600,
		"regen_hp":2,"regen_interval_ms":2000,"respawn_ms":5000,"inventory_slots":28,
		"levels":[{"xp":0,"hp":4,"damage":5},{"xp":444,"hp":8,"damage":7},{"xp":445,"hp":9,"damage":8}]},
		"items":[],"monsters":[],
		"zones":[{"id":"zone-1","width":64,"height":64,"spawn":{"x":8,"y":8},"portals":[],"monsters":[]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	store := newMemory(t)
	mustImport(t, writeFile(t, pair("bob", 12)...), store, importer.Options{World: def})
	// The level is the world's; position and hit points are kept, though this world would not allow them.
	if _, c := load(t, store, "bob"); c.Numbers["level"] != 2 || c.Numbers["hp"] != 36 || c.X != 112.5 {
		t.Errorf("%+v", c)
	}
}

func TestReportIsBounded(t *testing.T) {
	var records []record
	for i := range importer.MaxRefusals + 5 {
		records = append(records, record{Key: fmt.Sprintf("account:%d%s", i, strings.Repeat("x", 500)), Value: "x"})
	}
	r := mustImport(t, writeFile(t, records...), newMemory(t), importer.Options{})
	if len(r.Refusals) != importer.MaxRefusals || r.Refused != importer.MaxRefusals+5 ||
		r.RefusedBy[importer.Malformed] != r.Refused {
		t.Errorf("%d listed of %d, %v", len(r.Refusals), r.Refused, r.RefusedBy)
	}
	b, err := json.Marshal(r)
	if err != nil || len(b) > importer.MaxRefusals*400 {
		t.Errorf("%d bytes of JSON, %v", len(b), err)
	}
	one := r.Refusals[6].String()
	if want := `line 7: "account:6xxx`; !strings.HasPrefix(one, want) ||
		!strings.Contains(one, "malformed: line 1, column 1") {
		t.Errorf("%s", one)
	}
}

func TestImportOptionsAreChecked(t *testing.T) {
	for _, opts := range []importer.Options{{BatchSize: -1}, {BatchSize: importer.MaxBatchSize + 1}} {
		if _, err := importer.Import(t.Context(), open(t, recordsFile), newMemory(t), opts); err == nil {
			t.Errorf("%+v passed", opts)
		}
	}
	if _, err := importer.Import(t.Context(), open(t, recordsFile), nil, importer.Options{}); err == nil {
		t.Error("an import without a store passed")
	}
}
