package world

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// imported is a character of the old game, as the importer hands it over.
const imported = `{"v":1,"stats":{"attack":{"level":7,"xp":4300},"strength":{"level":5,"xp":2100},` +
	`"defense":{"level":4,"xp":1500},"hitpoints":{"level":12,"xp":9800}},` +
	`"inventory":[{"item":"rusty-pipe","count":1},{"item":"coin","count":250}],` +
	`"equipment":["","","","rusty-pipe","",""]}`

func TestAnImportedCharacterKeepsEverything(t *testing.T) {
	w := New(Default(), 1)
	for i, zone := range []string{"zone-1", "zone-42"} {
		c := rushgate.Character{
			ID: rushgate.PlayerID(12 + i), Zone: zone, X: 112.5, Y: 276.25, Data: []byte(imported),
			Numbers: rushgate.Numbers{"hp": 36, "xp": 444, "deaths": 2},
		}
		enter(t, w, c)
		steps(w, 60)
		got := character(t, w, c.ID)
		if got.Zone != zone || got.X != c.X || got.Y != c.Y || got.Numbers["hp"] < c.Numbers["hp"] ||
			got.Numbers["xp"] != c.Numbers["xp"] || got.Numbers["deaths"] != c.Numbers["deaths"] {
			t.Errorf("got %+v, want %+v", got, c)
		}
		if string(got.Data) != imported {
			t.Errorf("data %s, want %s", got.Data, imported)
		}
	}
	if got := w.players[0].attack; got == 0 {
		t.Error("the equipped rusty-pipe adds nothing")
	}
}

func TestDataIsKept(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"empty", ``, `{"v":1}`},
		{"bare", `{"v":1}`, `{"v":1}`},
		{"spaces", " {\n\"v\" : 1 } \n", `{"v":1}`},
		{"nulls", `{"v":1,"stats":null,"inventory":null,"equipment":[null,"sword"]}`, `{"v":1,"equipment":["","sword"]}`},
		{"some stats", `{"v":1,"stats":{"defense":{"level":3,"xp":12}}}`, `{"v":1,"stats":{"defense":{"level":3,"xp":12}}}`},
		{"unknown items", `{"v":1,"inventory":[{"item":"relic.2","count":1000000000}],"equipment":["relic.2"]}`,
			`{"v":1,"inventory":[{"item":"relic.2","count":1000000000}],"equipment":["relic.2"]}`},
		{"split stacks", `{"v":1,"inventory":[{"item":"coin","count":1},{"item":"coin","count":2}]}`,
			`{"v":1,"inventory":[{"item":"coin","count":1},{"item":"coin","count":2}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t)
			c := in(1, 50, 40)
			c.Data = []byte(tt.give)
			enter(t, w, c)
			if got := character(t, w, 1).Data; string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDataIsRefused(t *testing.T) {
	item := func(id, count string) string {
		return `{"v":1,"inventory":[{"item":` + id + `,"count":` + count + `}]}`
	}
	tests := []struct{ name, give, want string }{
		{"not JSON", `coins`, "invalid character"},
		{"cut off", `{"v":1,"inventory":[`, "unexpected EOF"},
		{"null", `null`, "v: 0"},
		{"no version", `{}`, "v: 0"},
		{"a later version", `{"v":2}`, "v: 2"},
		{"two values", `{"v":1}{"v":1}`, "more than one"},
		{"trailing bytes", `{"v":1}]`, "more than one"},
		{"unknown field", `{"v":1,"pets":[]}`, `"pets"`},
		{"unknown stat", `{"v":1,"stats":{"luck":{"level":1,"xp":0}}}`, `"luck"`},
		{"negative stat", `{"v":1,"stats":{"attack":{"level":1,"xp":-1}}}`, "stats"},
		{"stat too large", `{"v":1,"stats":{"attack":{"level":9007199254740993,"xp":0}}}`, "stats"},
		{"count of zero", item(`"coin"`, `0`), "inventory[0].count"},
		{"negative count", item(`"coin"`, `-5`), "inventory[0].count"},
		{"count too large", item(`"coin"`, `1000000001`), "inventory[0].count"},
		{"broken count", item(`"coin"`, `1.5`), "count"},
		{"no id", item(`""`, `1`), "inventory[0].item"},
		{"not an id", item(`"Rusty Pipe"`, `1`), "inventory[0].item"},
		{"id too long", item(`"`+strings.Repeat("x", 65)+`"`, `1`), "inventory[0].item"},
		{"null item", `{"v":1,"inventory":[null]}`, "inventory[0].item"},
		{"too many items", `{"v":1,"inventory":[` + strings.Repeat(`{"item":"coin","count":1},`, 256) +
			`{"item":"coin","count":1}]}`, "inventory"},
		{"too much equipment", `{"v":1,"equipment":["","","","","","",""]}`, "equipment"},
		{"equipment not an id", `{"v":1,"equipment":["a b"]}`, "equipment[0]"},
		{"too long", `{"v":1}` + strings.Repeat(" ", rushgate.MaxDataLen), "longer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t)
			c := in(1, 50, 40)
			c.Data = []byte(tt.give)
			err := w.Enter(c)
			if !errors.Is(err, ErrInvalidCharacter) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrInvalidCharacter that mentions %s", err, tt.want)
			}
			if len(err.Error()) > 500 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			if _, ok := w.Character(1); ok {
				t.Error("the player is inside")
			}
		})
	}
}

// The largest data that passes the checks must still be a Character that a store accepts.
func TestDataNeverExceedsItsLimit(t *testing.T) {
	id := func(i int) string { return fmt.Sprintf("%s%03d", strings.Repeat("x", maxIDLen-3), i) }
	full := Stat{Level: maxStat, XP: maxStat}
	d := Data{Version: DataVersion, Stats: Stats{full, full, full, full}}
	for i := range maxStacks {
		d.Inventory = append(d.Inventory, Stack{Item: id(i), Count: maxCount})
	}
	for i := range EquipmentSlots {
		d.Equipment = append(d.Equipment, id(i))
	}
	if err := d.check(); err != nil {
		t.Fatal(err)
	}
	if n := len(d.Encode()); n > rushgate.MaxDataLen {
		t.Errorf("%d bytes, at most %d are allowed", n, rushgate.MaxDataLen)
	}
}

func FuzzEnterData(f *testing.F) {
	for _, s := range []string{
		imported, ``, `{"v":1}`, `{"v":2}`, `{"v":1,"equipment":[null,"sword"]}`,
		`{"v":1,"inventory":[{"item":"coin","count":3},{"item":"relic","count":1000000000}]}`,
	} {
		f.Add([]byte(s))
	}
	def := Default()
	f.Fuzz(func(t *testing.T, b []byte) {
		w := New(def, 1)
		c := rushgate.Character{ID: 1, Zone: "zone-1", X: 1, Y: 1, Data: b, Numbers: rushgate.Numbers{"hp": 1}}
		if err := w.Enter(c); err != nil {
			if !errors.Is(err, ErrInvalidCharacter) {
				t.Fatal(err)
			}
			return
		}
		first := character(t, w, 1)
		if len(first.Data) > rushgate.MaxDataLen {
			t.Fatalf("%d bytes of data", len(first.Data))
		}
		w.Leave(1)
		enter(t, w, first)
		if second := character(t, w, 1); string(second.Data) != string(first.Data) {
			t.Errorf("%s became %s", first.Data, second.Data)
		}
	})
}
