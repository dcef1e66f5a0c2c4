package world

import (
	"math"
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
)

// kill lets player 1 kill monster 0, a dummy of 1 HP, once; it returns the events.
func kill(t *testing.T, w *World) []rushgate.Event {
	t.Helper()
	w.Apply(1, attack)
	for range 600 {
		events := slices.Clone(steps(w, 1))
		if !w.monsters[0].alive() {
			w.Apply(1, rushgate.Intent{})
			return events
		}
	}
	t.Fatal("no kill within 600 steps")
	return nil
}

func TestExperience(t *testing.T) {
	levelUp := []rushgate.Event{{Player: 1, Kind: rushgate.EventLevelUp}}
	tests := []struct {
		name      string
		xp        int64
		reward    int
		wantXP    int64
		wantLevel int64
		wantHP    int64
		events    []rushgate.Event
	}{
		{"same level", 0, 9, 9, 1, 7, nil},
		{"to the threshold", 0, 10, 10, 2, 30, levelUp},
		{"two levels at once", 5, 25, 30, 3, 40, levelUp},
		{"at the top level", 30, 1000, 1030, 3, 7, nil},
		{"saturated", math.MaxInt64 - 1, 10, math.MaxInt64, 3, 7, nil},
		{"no reward", 9, 0, 9, 1, 7, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t, set{"monsters.0.hp", 1}, set{"monsters.0.xp", tt.reward}, monstersAt("dummy", 50, 10))
			c := in(1, 50, 10)
			c.Numbers["xp"], c.Numbers["hp"] = tt.xp, 7
			enter(t, w, c)
			enter(t, w, in(2, 50, 10)) // who only watches
			if events := kill(t, w); !slices.Equal(events, tt.events) {
				t.Errorf("events %v, want %v", events, tt.events)
			}
			got := character(t, w, 1)
			want := rushgate.Numbers{"xp": tt.wantXP, "level": tt.wantLevel, "hp": tt.wantHP}
			if !got.Numbers.Equal(want) {
				t.Errorf("numbers are %v, want %v", got.Numbers, want)
			}
			if got := character(t, w, 2); got.Numbers["xp"] != 0 {
				t.Errorf("a bystander has %d XP", got.Numbers["xp"])
			}
		})
	}
}

func TestLoot(t *testing.T) {
	loot := func(chance float64, count int) set {
		return set{"monsters.0.loot", []any{map[string]any{"item": "coin", "count": count, "chance": chance}}}
	}
	tests := []struct {
		name       string
		loot       set
		give, want string
	}{
		{"first", loot(1, 4), ``, `[{"item":"coin","count":4}]`},
		{"never", loot(0, 4), ``, ``},
		{"onto a stack", loot(1, 4), `[{"item":"coin","count":5}]`, `[{"item":"coin","count":9}]`},
		{"onto a new stack", loot(1, 4), `[{"item":"coin","count":8}]`,
			`[{"item":"coin","count":10},{"item":"coin","count":2}]`},
		{"over several stacks", loot(1, 25), ``,
			`[{"item":"coin","count":10},{"item":"coin","count":10},{"item":"coin","count":5}]`},
		{"full",
			loot(1, 4),
			`[{"item":"sword","count":1},{"item":"coin","count":9},{"item":"relic","count":77}]`,
			`[{"item":"sword","count":1},{"item":"coin","count":10},{"item":"relic","count":77}]`},
		{"more than the rules allow is kept", loot(1, 4), `[{"item":"coin","count":250}]`,
			`[{"item":"coin","count":250},{"item":"coin","count":4}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t, tt.loot, set{"monsters.0.hp", 1}, monstersAt("dummy", 50, 10))
			c := in(1, 50, 10)
			want := `{"v":1}`
			if tt.give != "" {
				c.Data = []byte(`{"v":1,"inventory":` + tt.give + `}`)
			}
			if tt.want != "" {
				want = `{"v":1,"inventory":` + tt.want + `}`
			}
			enter(t, w, c)
			kill(t, w)
			if got := character(t, w, 1).Data; string(got) != want {
				t.Errorf("data %s, want %s", got, want)
			}
		})
	}
}

func TestLootChance(t *testing.T) {
	w := newArena(t, set{"monsters.0.hp", 1}, set{"monsters.0.respawn_ms", 1}, set{"player.attack_interval_ms", 1},
		set{"items.0.max_stack", 1000}, monstersAt("dummy", 50, 10),
		set{"monsters.0.loot", []any{map[string]any{"item": "coin", "count": 1, "chance": 0.25}}})
	enter(t, w, in(1, 50, 10))
	const kills = 1000
	for range kills {
		kill(t, w)
	}
	// The seed is fixed, so this cannot flake; 250 ± 60 is more than four standard deviations.
	if n := w.players[0].sheet.data.Inventory[0].Count; n < 190 || n > 310 {
		t.Errorf("%d of %d kills dropped something at a chance of 0.25", n, kills)
	}
}
