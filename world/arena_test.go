package world

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// arenaJSON is a small world whose numbers make for easy sums: a player walks 0.1 units per step, strikes every 30
// steps and respawns after 60. Tests put monsters in as they need them.
const arenaJSON = `{
  "start_zone": "yard",
  "player": {
    "speed": 6, "reach": 2, "attack_interval_ms": 500, "regen_hp": 0, "regen_interval_ms": 1000, "respawn_ms": 1000,
    "inventory_slots": 3,
    "levels": [{"xp": 0, "hp": 20, "damage": 4}, {"xp": 10, "hp": 30, "damage": 5}, {"xp": 30, "hp": 40, "damage": 6}]
  },
  "items": [
    {"id": "coin", "max_stack": 10},
    {"id": "sword", "max_stack": 1, "attack": 3},
    {"id": "shield", "max_stack": 1, "defense": 2}
  ],
  "monsters": [
    {"id": "dummy", "hp": 10, "damage": 3, "speed": 0, "reach": 2, "aggro_radius": 0, "leash_radius": 20,
     "attack_interval_ms": 1000, "respawn_ms": 2000, "xp": 10, "loot": [{"item": "coin", "count": 4, "chance": 1}]},
    {"id": "hunter", "hp": 10, "damage": 3, "speed": 12, "reach": 1, "aggro_radius": 10, "leash_radius": 20,
     "attack_interval_ms": 1000, "respawn_ms": 2000, "xp": 10}
  ],
  "zones": [
    {"id": "yard", "width": 100, "height": 80, "spawn": {"x": 50, "y": 40},
     "portals": [{"x": 96, "y": 40, "radius": 4, "zone": "cave", "to_x": 10, "to_y": 20}]},
    {"id": "cave", "width": 64, "height": 64, "spawn": {"x": 32, "y": 32}}
  ]
}`

// set is one change to a JSON document: the value at a path such as zones.0.width.
type set struct {
	path  string
	value any
}

// edit returns arenaJSON with changes.
func edit(t testing.TB, sets ...set) []byte {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(arenaJSON), &doc); err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		at := doc
		path := strings.Split(s.path, ".")
		last := path[len(path)-1]
		for _, key := range path[:len(path)-1] {
			if list, ok := at.([]any); ok {
				i, err := strconv.Atoi(key)
				if err != nil {
					t.Fatal(err)
				}
				at = list[i]
			} else {
				at = at.(map[string]any)[key]
			}
		}
		at.(map[string]any)[last] = s.value
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// monstersAt is the change that puts one monster at each of the points into the yard.
func monstersAt(kind string, points ...float64) set {
	groups := []any{}
	for p := range slices.Chunk(points, 2) {
		groups = append(groups, map[string]any{"kind": kind, "count": 1, "x": p[0], "y": p[1], "radius": 0})
	}
	return set{"zones.0.monsters", groups}
}

func newArena(t testing.TB, sets ...set) *World {
	t.Helper()
	def, err := ParseDefinition(edit(t, sets...))
	if err != nil {
		t.Fatal(err)
	}
	return New(def, 1)
}

func enter(t testing.TB, w *World, c rushgate.Character) {
	t.Helper()
	if err := w.Enter(c); err != nil {
		t.Fatal(err)
	}
}

// character fails the test if the player is not inside.
func character(t testing.TB, w *World, id rushgate.PlayerID) rushgate.Character {
	t.Helper()
	c, ok := w.Character(id)
	if !ok {
		t.Fatalf("player %d is not inside", id)
	}
	return c
}

// steps advances the world and returns the events of all the steps.
func steps(w *World, n int) (events []rushgate.Event) {
	for range n {
		events = append(events, w.Step(w.now+1)...)
	}
	return events
}

// in returns a living level 1 character at a point of the yard.
func in(id rushgate.PlayerID, x, y float64) rushgate.Character {
	return rushgate.Character{ID: id, Name: "player", Zone: "yard", X: x, Y: y, Numbers: numbers(20, 0, 1, 0)}
}

var attack = rushgate.Intent{Action: ActionAttack}

func near(a, b float64) bool { return max(a-b, b-a) < 1e-6 }
