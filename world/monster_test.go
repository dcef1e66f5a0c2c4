package world

import (
	"testing"

	"github.com/rushgate/rushgate"
)

func TestAggro(t *testing.T) {
	tests := []struct {
		name   string
		kind   string
		x      float64 // of the player; the monster stands at 50
		pursue bool
	}{
		{"within the radius", "hunter", 59.9, true},
		{"beyond the radius", "hunter", 60.1, false},
		{"a kind that only strikes back", "dummy", 51, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t, monstersAt(tt.kind, 50, 10))
			enter(t, w, in(1, tt.x, 10))
			steps(w, 120)
			m := &w.monsters[0]
			if pursued := m.target != none; pursued != tt.pursue {
				t.Errorf("has a target: %v, want %v", pursued, tt.pursue)
			}
			if hurt := character(t, w, 1).Numbers["hp"] < 20; hurt != tt.pursue {
				t.Errorf("has hurt the player: %v, want %v", hurt, tt.pursue)
			}
		})
	}
}

func TestAMonsterPrefersTheNearest(t *testing.T) {
	w := newArena(t, monstersAt("hunter", 50, 10))
	enter(t, w, in(1, 58, 10))
	enter(t, w, in(2, 45, 10))
	steps(w, lookInterval)
	if got := w.monsters[0].targetID; got != 2 {
		t.Errorf("target is player %d, want 2", got)
	}
}

func TestAMonsterNeverPassesItsSpeedOrItsLeash(t *testing.T) {
	w := newArena(t, monstersAt("hunter", 30, 10), set{"player.speed", 11.5}, set{"player.levels.0.hp", 1000})
	c := in(1, 35, 10)
	c.Numbers["hp"] = 1000
	enter(t, w, c)
	steps(w, lookInterval)
	w.Apply(1, rushgate.Intent{MoveX: 1})
	m := &w.monsters[0]
	furthest := 30.0
	for range 600 {
		x, y := m.x, m.y
		steps(w, 1)
		if d := distance2(x, y, m.x, m.y); d > 0.2*0.2+1e-9 {
			t.Fatalf("moved %v units² in a step", d)
		}
		furthest = max(furthest, m.x)
	}
	if furthest < 40 || furthest > 50 {
		t.Errorf("pursued as far as %v, want near but not past 50", furthest)
	}
	if m.x != 30 || m.y != 10 || m.target != none {
		t.Errorf("at %v, %v with target %d, want home without one", m.x, m.y, m.target)
	}
}

func TestAMonsterBackHomeIsWhole(t *testing.T) {
	w := newArena(t, monstersAt("dummy", 50, 10))
	enter(t, w, in(1, 50, 10))
	w.Apply(1, attack)
	steps(w, 31)
	if hp := w.monsters[0].hp; hp != 6 {
		t.Fatalf("%d HP after a hit of 4, want 6", hp)
	}
	w.Leave(1)
	steps(w, 1)
	if m := &w.monsters[0]; m.hp != 10 || m.target != none {
		t.Errorf("%d HP and target %d, want 10 and none", m.hp, m.target)
	}
}

// The slot of a player who left belongs to the next one in; a monster must not take the one for the other.
func TestATargetThatLeft(t *testing.T) {
	w := newArena(t, monstersAt("hunter", 50, 10))
	enter(t, w, in(1, 55, 10))
	steps(w, lookInterval)
	if w.monsters[0].targetID != 1 {
		t.Fatal("no target")
	}
	w.Leave(1)
	enter(t, w, in(2, 62, 10)) // within the leash, beyond the aggro radius
	steps(w, 300)
	if c := character(t, w, 2); c.Numbers["hp"] != 20 {
		t.Errorf("the monster hunts a bystander, who has %d HP", c.Numbers["hp"])
	}
}

// The portal leads to a point of the cave whose coordinates are right beside the monster's in the yard.
func TestATargetInAnotherZone(t *testing.T) {
	w := newArena(t, monstersAt("hunter", 86, 40), set{"zones.1.width", 200}, set{"player.speed", 60},
		set{"monsters.1.hp", 1},
		set{"zones.0.portals.0.to_x", 86}, set{"zones.0.portals.0.to_y", 40})
	enter(t, w, in(1, 91, 40))
	steps(w, 3)
	w.Apply(1, rushgate.Intent{MoveX: 1})
	for range 10 {
		if steps(w, 1); character(t, w, 1).Zone == "cave" {
			break
		}
	}
	w.Apply(1, attack)
	before := character(t, w, 1)
	w.monsters[0].target, w.monsters[0].targetID = w.slots[1], 1 // whether or not it has looked in time
	steps(w, 200)
	after := character(t, w, 1)
	if before.Zone != "cave" || after.Numbers["hp"] != before.Numbers["hp"] {
		t.Errorf("a monster of the yard hits a player of the %s: %d HP, before %d", before.Zone, after.Numbers["hp"],
			before.Numbers["hp"])
	}
	w.Apply(1, rushgate.Intent{Action: ActionAttack, Target: MonsterBit})
	steps(w, 60)
	if xp := character(t, w, 1).Numbers["xp"]; xp != 0 {
		t.Errorf("the player kills across zones for %d XP", xp)
	}
}

func TestAMonsterSticksToItsTarget(t *testing.T) {
	w := newArena(t, monstersAt("dummy", 50, 10), set{"monsters.0.hp", 1000})
	enter(t, w, in(1, 50, 11))
	enter(t, w, in(2, 50, 10))
	w.Apply(1, attack)
	steps(w, 31)
	w.Apply(2, attack)
	steps(w, 31)
	if m := w.monsters[0]; m.targetID != 1 || m.hp > 992 {
		t.Errorf("target is player %d at %d HP, want 1, who struck first, after three hits", m.targetID, m.hp)
	}
}

func TestAMonsterRespawns(t *testing.T) {
	w := newArena(t, set{"zones.0.monsters", []any{
		map[string]any{"kind": "dummy", "count": 1, "x": 50, "y": 10, "radius": 5},
	}}, set{"player.levels.0.damage", 10}, set{"player.reach", 10})
	enter(t, w, in(1, 50, 10))
	w.Apply(1, attack)
	m := &w.monsters[0]
	for range 60 {
		if steps(w, 1); !m.alive() {
			break
		}
	}
	if m.alive() {
		t.Fatal("not killed")
	}
	w.Apply(1, rushgate.Intent{})
	steps(w, 119)
	if m.alive() {
		t.Fatal("alive 119 steps after its death, want 120")
	}
	steps(w, 1)
	if !m.alive() || m.hp != 10 {
		t.Errorf("%d HP after 120 steps, want 10", m.hp)
	}
	if d := distance2(50, 10, m.x, m.y); d > 25 || d == 0 {
		t.Errorf("respawned at %v, %v, want somewhere within 5 units of 50, 10", m.x, m.y)
	}
}

func TestMonstersSpawnInsideTheirZone(t *testing.T) {
	w := newArena(t, set{"zones.0.monsters", []any{
		map[string]any{"kind": "hunter", "count": 200, "x": 0, "y": 80, "radius": 50},
	}})
	places := make(map[[2]float64]bool)
	for _, m := range w.monsters {
		if !w.zones[m.zone].spec.contains(m.x, m.y) {
			t.Fatalf("at %v, %v", m.x, m.y)
		}
		places[[2]float64{m.x, m.y}] = true
	}
	if len(places) < 100 {
		t.Errorf("200 monsters stand in %d places", len(places))
	}
}
