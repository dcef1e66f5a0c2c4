package oldgame

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/world"
)

// sampleData is what the sample's stats, inventory and equipment are in the reference world.
const sampleData = `{"v":1,"stats":{"attack":{"level":7,"xp":4300},"strength":{"level":5,"xp":2100},` +
	`"defense":{"level":4,"xp":1500},"hitpoints":{"level":12,"xp":9800}},` +
	`"inventory":[{"item":"rusty-pipe","count":1},{"item":"coin","count":250}],` +
	`"equipment":["","","","rusty-pipe","",""]}`

func TestParsePlayer(t *testing.T) {
	tests := []struct {
		name, old, new string
		change         func(*rushgate.Character)
	}{
		{"as it was", "", "", func(*rushgate.Character) {}},
		{"double", ":X 112.5", ":X -3.25d0", func(c *rushgate.Character) { c.X = -3.25 }},
		{"exponent", ":Y 276.25", ":Y 2.5e-4", func(c *rushgate.Character) { c.Y = 0.00025 }},
		{"whole number", ":X 112.5", ":X 112", func(c *rushgate.Character) { c.X = 112 }},
		{"dead", ":HP 36", ":HP -3", func(c *rushgate.Character) { c.Numbers["hp"] = -3 }},
		{"playtime", "666.0", "0.0015", func(c *rushgate.Character) { c.Playtime = 2 * time.Millisecond }},
		{"long playtime", "666.0", "1.0d9", func(c *rushgate.Character) { c.Playtime = 1e9 * time.Second }},
		{"created at the epoch", "3978000012", "2208988800",
			func(c *rushgate.Character) { c.CreatedAt = time.Unix(0, 0).UTC() }},
		{"zone", ":ZONE-1)", ":ZONE-42)", func(c *rushgate.Character) { c.Zone = "zone-42" }},
		{"no inventory", "((:ITEM-ID :RUSTY-PIPE :COUNT 1) (:ITEM-ID :COIN :COUNT 250))", "NIL", func(c *rushgate.Character) {
			c.Data = []byte(strings.Replace(sampleData,
				`"inventory":[{"item":"rusty-pipe","count":1},{"item":"coin","count":250}],`, "", 1))
		}},
		{"empty slot", "(:ITEM-ID :RUSTY-PIPE :COUNT 1)", "NIL", func(c *rushgate.Character) {
			c.Data = []byte(strings.Replace(sampleData, `{"item":"rusty-pipe","count":1},`, "", 1))
		}},
		{"no equipment", "(:ITEMS (NIL NIL NIL :RUSTY-PIPE NIL NIL))", "()", func(c *rushgate.Character) {
			c.Data = []byte(strings.Replace(sampleData, `,"equipment":["","","","rusty-pipe","",""]`, "", 1))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := rushgate.Character{
				ID: 12, X: 112.5, Y: 276.25, Playtime: 666 * time.Second, Zone: "zone-1",
				CreatedAt: time.Date(2026, 1, 21, 16, 0, 12, 0, time.UTC), Data: []byte(sampleData),
				Numbers: rushgate.Numbers{"hp": 36, "xp": 444, "deaths": 2},
			}
			tt.change(&want)
			got, err := parsePlayer(12, replace(t, samplePlayer, tt.old, tt.new))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Data) != string(want.Data) {
				t.Errorf("data %s, want %s", got.Data, want.Data)
			}
			got.Data, want.Data = nil, nil
			if !equal(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func equal(a, b rushgate.Character) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Zone == b.Zone && a.X == b.X && a.Y == b.Y &&
		a.Numbers["hp"] == b.Numbers["hp"] &&
		a.Numbers["xp"] == b.Numbers["xp"] &&
		a.Numbers["level"] == b.Numbers["level"] && a.Numbers["deaths"] == b.Numbers["deaths"] && a.Playtime == b.Playtime &&
		a.CreatedAt.Equal(b.CreatedAt) &&
		string(a.Data) == string(b.Data)
}

// replace requires that there is something to replace.
func replace(t *testing.T, s, old, new string) string {
	t.Helper()
	if !strings.Contains(s, old) {
		t.Fatalf("no %s to replace", old)
	}
	return strings.Replace(s, old, new, 1)
}

func TestParsePlayerRefuses(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{":VERSION 4", ":VERSION 3", "line 1, column 11: :VERSION is 3"},
		{":VERSION 4 ", "", "no :VERSION"},
		{":ID 12", ":ID 13", "line 1, column 17: :ID is 13, the key says 12"},
		{":ID 12", ":ID NIL", ":ID is NIL"},
		{":DEATHS 2", "", "no :DEATHS"},
		{":DEATHS 2", ":DEATHS 2 :PETS 3", "line 2, column 35: :PETS is not known"},
		{":DEATHS 2", ":DEATHS 2 :HP 3", ":HP is there twice"},
		{":DEATHS 2", ":DEATHS 2 2 :X", "an integer where a keyword"},
		{":DEATHS 2", ":DEATHS", "keywords and values"},
		{":DEATHS 2", ":DEATHS 1000000001", ":DEATHS is 1000000001, outside"},
		{":DEATHS 2", ":DEATHS -1", ":DEATHS"},
		{":HP 36", ":HP 36.0", ":HP is a float"},
		{":LIFETIME-XP 444", ":LIFETIME-XP -1", ":LIFETIME-XP"},
		{":X 112.5", `:X "1"`, ":X is a string"},
		{":X 112.5", ":X 1.0d300", ":X is 1e+300, outside"},
		{":PLAYTIME 666.0", ":PLAYTIME -0.5", ":PLAYTIME"},
		{":PLAYTIME 666.0", ":PLAYTIME 1.1d9", ":PLAYTIME"},
		{"3978000012", "1700000000", ":CREATED-AT"},
		{"3978000012", "3978000012.0", ":CREATED-AT"},
		{"(:LEVEL 7 :XP 4300)", "(:LEVEL 7)", "line 3, column 11: no :XP"},
		{"(:LEVEL 7 :XP 4300)", "(:LEVEL 7 :XP -1)", ":XP"},
		{":ATTACK", ":LUCK", ":LUCK is not known"},
		{":COUNT 250", ":COUNT 0", "line 6, column 66: :COUNT is 0"},
		{":ITEM-ID :COIN", `:ITEM-ID "coin"`, ":ITEM-ID is a string"},
		{":ITEM-ID :COIN", ":ITEM-ID NIL", ":ITEM-ID is NIL"},
		{"(:ITEMS (NIL", "(:ITEMS (NIL NIL", "more than 6 places"},
		{":RUSTY-PIPE NIL NIL)", "T NIL NIL)", ":ITEMS is T"},
		{"(:ITEMS (NIL NIL NIL :RUSTY-PIPE NIL NIL))", "(:ITEMS 3)", ":ITEMS is an integer"},
		{":ZONE-ID :ZONE-1", ":ZONE-ID NIL", ":ZONE-ID is NIL"},
		{":ZONE-ID :ZONE-1", ":ZONE-ID #.(quit)", "evaluation"},
	}
	for _, tt := range tests {
		t.Run(tt.new, func(t *testing.T) {
			_, err := parsePlayer(12, replace(t, samplePlayer, tt.old, tt.new))
			if _, ok := errors.AsType[*ValueError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestParseAccount(t *testing.T) {
	const hash = "d3000cd1ca6d871330cf6a581c55e834$10000$883ba7c1060d15652f0221bc2a8f83555126e363731e397504d90a1aafd487dc"
	value := func(version, name, hash, id string) string {
		return "(:VERSION " + version + " :USERNAME " + name + " :PASSWORD-HASH\n " + hash + "\n :CHARACTER-ID " + id + ")"
	}
	quoted := `"` + hash + `"`
	of := func(version int, name, hash string, character rushgate.PlayerID) importer.Account {
		return importer.Account{Version: version, Name: name, Hash: hash, Character: character}
	}
	tests := []struct {
		name, key, value string
		want             importer.Account
		err              string
	}{
		{"version 2", "bob", accountRecord("bob", 12).Value, of(2, "bob", sampleHash, 12), ""},
		{"version 3", "carol_99", value("3", `"carol_99"`, quoted, "14"), of(3, "carol_99", hash, 14), ""},
		{"no character", "dave", value("3", `"dave"`, quoted, "NIL"), of(3, "dave", hash, 0), ""},
		{"folded", "Bob", value("3", `"Bob"`, quoted, "14"), of(3, "bob", hash, 14), ""},
		{"too short for today", "Al", value("3", `"Al"`, quoted, "14"), of(3, "Al", hash, 14), ""},
		{"quotes", `a "b" \`, value("3", `"a \"b\" \\"`, quoted, "14"), of(3, `a "b" \`, hash, 14), ""},
		{"version 1", "bob", value("1", `"bob"`, quoted, "14"), importer.Account{}, ":VERSION is 1, outside 2..3"},
		{"version 4", "bob", value("4", `"bob"`, quoted, "14"), importer.Account{}, ":VERSION is 4, outside 2..3"},
		{"another name", "bob", value("3", `"alice"`, quoted, "14"), importer.Account{}, "not the name in the key"},
		{"empty name", "", value("3", `""`, quoted, "14"), importer.Account{}, ":USERNAME: invalid username"},
		{"name of another type", "BOB", value("3", ":BOB", quoted, "14"), importer.Account{}, ":USERNAME is a keyword"},
		{"hash of another type", "bob", value("3", `"bob"`, "NIL", "14"), importer.Account{}, ":PASSWORD-HASH is NIL"},
		{"hash cut off", "bob", value("3", `"bob"`, `"`+hash[:80]+`"`, "14"), importer.Account{},
			"line 2, column 2: :PASSWORD-HASH: malformed"},
		{"hash with a pepper", "bob", value("3", `"bob"`, `"`+hash+`$p1"`, "14"), importer.Account{}, "neither salt$key nor"},
		{"hash of another system", "bob", value("3", `"bob"`,
			`"$2b$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"`, "14"), importer.Account{}, "neither salt$key nor"},
		{"id 0", "bob", value("3", `"bob"`, quoted, "0"), importer.Account{}, ":CHARACTER-ID is 0"},
		{"huge id", "bob", value("3", `"bob"`, quoted, "4503599627370497"), importer.Account{}, ":CHARACTER-ID"},
		{"id T", "bob", value("3", `"bob"`, quoted, "T"), importer.Account{}, ":CHARACTER-ID is T"},
		{"not a list", "bob", "NIL", importer.Account{}, "not a list of keywords"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseAccount(keyAccounts+tt.key, tt.value)
			if tt.err == "" {
				if err != nil || got != tt.want {
					t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
				}
				return
			}
			if _, ok := errors.AsType[*ValueError](err); !ok || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %s", err, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), hash[:16]) {
				t.Errorf("the error has the hash: %v", err)
			}
		})
	}
}

func TestParsePlayerKey(t *testing.T) {
	for key, want := range map[string]rushgate.PlayerID{
		"player:12": 12, "player:4503599627370496": 1 << 52,
		"player:": 0, "player:0": 0, "player:-1": 0, "player:012": 0, "player:+1": 0, "player:1x": 0,
		"player:4503599627370497":     0,
		"player:18446744073709551616": 0,
	} {
		if got, err := parsePlayerKey(key); got != want || (err == nil) != (want != 0) {
			t.Errorf("%s: got %d, %v, want %d", key, got, err, want)
		}
	}
}

// A record that is taken can be logged in to, let into the world, and stored.
func FuzzRecord(f *testing.F) {
	for _, r := range fileRecords(f) {
		f.Add(r.Key, r.Value)
	}
	f.Add("account:Al", accountRecord("Al", 0).Value)
	f.Add("player:12", strings.Replace(samplePlayer, ":COIN", ":RELIC.2", 1))
	w := world.New(world.Default(), 1)
	f.Fuzz(func(t *testing.T, key, value string) {
		if id, err := parsePlayerKey(key); err == nil && strings.HasPrefix(key, keyPlayers) {
			c, err := parsePlayer(id, value)
			if err != nil {
				return
			}
			if math.IsNaN(c.X+c.Y) || c.Numbers["xp"] < 0 || c.Numbers["deaths"] < 0 || c.Playtime < 0 || c.Zone == "" {
				t.Errorf("%+v", c)
			}
			if w.Enter(c) == nil {
				w.Leave(id)
				if len(c.Data) > rushgate.MaxDataLen {
					t.Errorf("%d bytes of data", len(c.Data))
				}
			}
			return
		}
		a, err := parseAccount(key, value)
		if err != nil {
			return
		}
		if name, err := rushgate.LoginName(a.Name); name != a.Name || err != nil {
			t.Errorf("%q cannot log in: it would be %q, %v", a.Name, name, err)
		}
		if _, _, err := password.Describe(a.Hash); err != nil || a.Version < 2 || a.Version > 3 {
			t.Errorf("%+v: %v", a, err)
		}
	})
}
