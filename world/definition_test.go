package world

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

func TestDefault(t *testing.T) {
	d := Default()
	for _, zone := range []string{"zone-1", "zone-42"} { // where the characters of the old game are
		if _, ok := d.zoneIndex[zone]; !ok {
			t.Errorf("no zone %s", zone)
		}
	}
	for _, item := range []string{"coin", "rusty-pipe"} {
		if d.items[item] == nil {
			t.Errorf("no item %s", item)
		}
	}
	// Every zone must be within a new character's walk.
	reached := map[int]bool{d.start: true}
	for queue := []int{d.start}; len(queue) > 0; queue = queue[1:] {
		for _, p := range d.Zones[queue[0]].Portals {
			if !reached[p.zone] {
				reached[p.zone] = true
				queue = append(queue, p.zone)
			}
		}
	}
	if len(reached) != len(d.Zones) {
		t.Errorf("%d of %d zones can be reached", len(reached), len(d.Zones))
	}
}

func TestParseDefinitionRanges(t *testing.T) {
	portal := func(path string, v any) []set { return []set{{"zones.0.portals.0." + path, v}} }
	group := func(path string, v any) []set {
		return []set{monstersAt("dummy", 50, 40), {"zones.0.monsters.0." + path, v}}
	}
	loot := func(path string, v any) []set { return []set{{"monsters.0.loot.0." + path, v}} }
	one := func(path string, v any) []set { return []set{{path, v}} }
	many := func(n int, v map[string]any) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = v
		}
		return list
	}
	tests := []struct {
		sets []set
		want string // in the error; empty if the definition is fine
	}{
		{nil, ""},
		{one("start_zone", "nowhere"), `start_zone: "nowhere" is not among the zones`},
		{one("player.speed", 0), "player.speed: 0 is outside 0.1..60"},
		{one("player.speed", 60.1), "player.speed: 60.1 is outside 0.1..60"},
		{one("player.speed", 60), ""},
		{one("player.reach", 65), "player.reach"},
		{one("player.attack_interval_ms", 0), "player.attack_interval_ms: 0 is outside 1..60000"},
		{one("player.regen_hp", -1), "player.regen_hp"},
		{one("player.regen_interval_ms", 60001), "player.regen_interval_ms"},
		{one("player.respawn_ms", 86400001), "player.respawn_ms"},
		{one("player.inventory_slots", 257), "player.inventory_slots: 257 is outside 0..256"},
		{one("player.levels", []any{}), "player.levels: 0 elements are outside 1..200"},
		{one("player.levels", many(201, nil)), "player.levels: 201 elements"},
		{one("player.levels.0.xp", 5), "player.levels[0].xp: 5 is outside 0..0"},
		{one("player.levels.2.xp", 10), "player.levels[2].xp: 10 is outside 11.."},
		{one("player.levels.1.hp", 0), "player.levels[1].hp"},
		{one("player.levels.1.damage", 0), "player.levels[1].damage"},
		{one("items.1.id", "Two Words"), "items[1].id"},
		{one("items.1.id", "coin"), `items[1].id: "coin" is used twice`},
		{one("items.1.max_stack", 0), "items[1].max_stack"},
		{one("items.1.attack", -1), "items[1].attack"},
		{one("items.1.defense", 1000001), "items[1].defense"},
		{one("items", many(1025, nil)), "items: 1025 elements"},
		{one("monsters", many(257, nil)), "monsters: 257 elements"},
		{one("monsters.1.id", "dummy"), `monsters[1].id: "dummy" is used twice`},
		{one("monsters.1.hp", 0), "monsters[1].hp"},
		{one("monsters.1.damage", 0), "monsters[1].damage"},
		{one("monsters.1.defense", -1), "monsters[1].defense"},
		{one("monsters.1.speed", -1), "monsters[1].speed"},
		{one("monsters.1.reach", 0), "monsters[1].reach"},
		{one("monsters.1.aggro_radius", 257), "monsters[1].aggro_radius: 257 is outside 0..256"},
		{one("monsters.1.leash_radius", 9), "monsters[1].leash_radius: 9 is outside 10..1024"},
		{one("monsters.1.attack_interval_ms", -1), "monsters[1].attack_interval_ms"},
		{one("monsters.1.respawn_ms", 0), "monsters[1].respawn_ms"},
		{one("monsters.1.xp", -1), "monsters[1].xp"},
		{loot("item", "gem"), `monsters[0].loot[0].item: "gem" is not among the items`},
		{loot("count", 0), "monsters[0].loot[0].count"},
		{loot("chance", 1.5), "monsters[0].loot[0].chance: 1.5 is outside 0..1"},
		{one("monsters.0.loot", many(17, nil)), "monsters[0].loot: 17 elements"},
		{one("zones", []any{}), "zones: 0 elements are outside 1..64"},
		{one("zones", many(65, nil)), "zones: 65 elements"},
		{one("zones.1.id", "yard"), `zones[1].id: "yard" is used twice`},
		{one("zones.1.width", 15), "zones[1].width: 15 is outside 16..65536"},
		{one("zones.1.height", 65537), "zones[1].height"},
		{one("zones.1.spawn.x", 65), "zones[1].spawn.x: 65 is outside 0..64"},
		{one("zones.1.spawn.y", -1), "zones[1].spawn.y"},
		{one("zones.0.spawn.radius", -1), "zones[0].spawn.radius: -1 is outside 0.."},
		{one("zones.0.spawn.radius", 41), "zones[0].spawn.y: 40 is outside 41..39"},
		{[]set{{"zones.0.spawn", map[string]any{"x": 80, "y": 40, "radius": 12}}},
			"zones[0].spawn.x: 80, 40 lies in a portal"},
		{[]set{{"zones.0.spawn", map[string]any{"x": 80, "y": 40, "radius": 11.9}}}, ""},
		{one("zones.0.spawn", map[string]any{"x": 95, "y": 40}), "zones[0].spawn.x: 95, 40 lies in a portal"},
		{portal("x", 101), "zones[0].portals[0].x"},
		{portal("y", -1), "zones[0].portals[0].y"},
		{portal("radius", 0.5), "zones[0].portals[0].radius: 0.5 is outside 1..1024"},
		{portal("zone", "nowhere"), `zones[0].portals[0].zone: "nowhere"`},
		{portal("to_x", 65), "zones[0].portals[0].to_x: 65 is outside 0..64"},
		{portal("to_y", 65), "zones[0].portals[0].to_y"},
		{[]set{portal("zone", "yard")[0], portal("to_x", 96)[0], portal("to_y", 40)[0]}, "lies in a portal"},
		{one("zones.0.portals", many(17, nil)), "zones[0].portals: 17 elements"},
		{group("kind", "dragon"), `zones[0].monsters[0].kind: "dragon"`},
		{group("count", 0), "zones[0].monsters[0].count"},
		{group("count", 1001), "zones[0].monsters[0].count: 1001 is outside 1..1000"},
		{group("x", 101), "zones[0].monsters[0].x"},
		{group("y", 81), "zones[0].monsters[0].y"},
		{group("radius", -1), "zones[0].monsters[0].radius"},
		{one("zones.0.monsters", many(257, nil)), "zones[0].monsters: 257 elements"},
		{one("zones.0.monsters", many(21, map[string]any{"kind": "dummy", "count": 1000})),
			"monsters in all: 21000 is outside 0..20000"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprintf("%d %s", i, tt.want), func(t *testing.T) {
			_, err := ParseDefinition(edit(t, tt.sets...))
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrInvalidDefinition) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrInvalidDefinition that mentions %s", err, tt.want)
			}
		})
	}
}

func TestParseDefinitionForm(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"empty", "", "EOF"},
		{"not JSON", "{\n\"start_zone\": \"a\",\n oops}", "line 3"},
		{"unknown field", strings.Replace(arenaJSON, `"regen_hp"`, "\n"+`"regenhp"`, 1), `"regenhp"`},
		{"wrong type", strings.Replace(arenaJSON, `"speed": 6`, `"speed": "fast"`, 1),
			"line 4: json: cannot unmarshal string into Go struct field"},
		{"fraction", strings.Replace(arenaJSON, `"hp": 20`, `"hp": 20.5`, 1), "player.levels.hp"},
		{"out of range of float64", strings.Replace(arenaJSON, `"speed": 6`, `"speed": 1e999`, 1), "speed"},
		{"trailing", arenaJSON + "{}", "more than one JSON value"},
		{"too long", arenaJSON + strings.Repeat(" ", MaxDefinitionLen), "longer than"},
		{"nothing in it", "{}", "player.speed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseDefinition([]byte(tt.give))
			if !errors.Is(err, ErrInvalidDefinition) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrInvalidDefinition that mentions %s", err, tt.want)
			}
		})
	}
}

// A designer sees several mistakes at once, but a hostile file does not make the error grow with its size.
func TestParseDefinitionListsProblems(t *testing.T) {
	_, err := ParseDefinition(edit(t, set{"player.speed", 0}, set{"zones.1.width", 1}))
	if err == nil || !strings.Contains(err.Error(), "player.speed") || !strings.Contains(err.Error(), "zones[1].width") {
		t.Errorf("error %v, want both problems", err)
	}
	list := make([]any, maxItems)
	for i := range list {
		list[i] = map[string]any{"id": strings.Repeat("X", 500)}
	}
	if _, err := ParseDefinition(edit(t, set{"items", list})); err == nil || len(err.Error()) > 2000 {
		t.Errorf("want a short error, got %d bytes", len(fmt.Sprint(err)))
	}
}

func FuzzParseDefinition(f *testing.F) {
	f.Add([]byte(arenaJSON))
	f.Add(defaultJSON)
	f.Add(edit(f, monstersAt("hunter", 50, 40, 51, 41)))
	f.Add(edit(f, set{"player.speed", 0}))
	f.Add([]byte(`{"zones":[{"portals":[{"zone":""}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDefinition(b)
		if err != nil {
			if !errors.Is(err, ErrInvalidDefinition) {
				t.Fatal(err)
			}
			return
		}
		// Whatever is accepted must make a world in which a player can walk and fight.
		w := New(d, 1)
		enter(t, w, rushgate.Character{ID: 1})
		w.Apply(1, rushgate.Intent{MoveX: 1, MoveY: -0.5, Action: ActionAttack})
		for range 120 {
			w.Step(1)
			checkPlayer(t, w, 1)
		}
	})
}
