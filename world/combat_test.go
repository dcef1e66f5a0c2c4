package world

import (
	"math"
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
)

// hits counts the steps in which monster i loses hit points.
func hits(w *World, i, n int) (at []uint64) {
	for range n {
		before := w.monsters[i].hp
		steps(w, 1)
		if w.monsters[i].hp < before {
			at = append(at, w.now)
		}
	}
	return at
}

func TestMelee(t *testing.T) {
	// Monsters 0 and 1 stand at distances 1.5 and 1.9 of the player, monster 2 just out of reach.
	monsters := monstersAt("dummy", 51.5, 10, 50, 11.9, 47.9, 10)
	tests := []struct {
		name string
		in   rushgate.Intent
		want int // the monster that is hit, or none
	}{
		{"nearest", attack, 0},
		{"chosen", rushgate.Intent{Action: ActionAttack, Target: MonsterBit | 1}, 1},
		{"out of reach", rushgate.Intent{Action: ActionAttack, Target: MonsterBit | 2}, none},
		{"no such monster", rushgate.Intent{Action: ActionAttack, Target: MonsterBit | 3}, none},
		{"absurd", rushgate.Intent{Action: ActionAttack, Target: math.MaxUint64}, none},
		{"a player", rushgate.Intent{Action: ActionAttack, Target: 2}, none},
		{"no action", rushgate.Intent{Target: MonsterBit}, none},
		{"unknown action", rushgate.Intent{Action: 2, Target: MonsterBit}, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t, monsters)
			enter(t, w, in(1, 50, 10))
			enter(t, w, in(2, 50, 10))
			w.Apply(1, tt.in)
			steps(w, 30)
			for i := range w.monsters {
				want := 10
				if i == tt.want {
					want = 6
				}
				if hp := w.monsters[i].hp; hp != want {
					t.Errorf("monster %d has %d HP, want %d", i, hp, want)
				}
			}
			if tt.want == none && character(t, w, 2).Numbers["hp"] != 20 {
				t.Error("players can hurt each other")
			}
		})
	}
}

func TestTheDeadAreNotHit(t *testing.T) {
	w := newArena(t, set{"monsters.0.hp", 1}, set{"monsters.0.xp", 1}, set{"monsters.0.respawn_ms", 60_000},
		monstersAt("dummy", 50, 10))
	enter(t, w, in(1, 50, 10))
	for _, target := range []uint64{0, MonsterBit} {
		w.Apply(1, rushgate.Intent{Action: ActionAttack, Target: target})
		steps(w, 100)
		if c := character(t, w, 1); c.Numbers["xp"] != 1 {
			t.Errorf("target %#x: %d XP for one kill of 1 XP", target, c.Numbers["xp"])
		}
	}
}

func TestAttackInterval(t *testing.T) {
	w := newArena(t, set{"monsters.0.hp", 1000}, monstersAt("dummy", 50, 10))
	enter(t, w, in(1, 50, 10))
	for range 100 { // asking often does not strike often
		w.Apply(1, attack)
	}
	if got := hits(w, 0, 95); !slices.Equal(got, []uint64{30, 60, 90}) {
		t.Errorf("hits in steps %v, want 30, 60, 90", got)
	}
	// Nor does leaving and entering again.
	c := character(t, w, 1)
	var got []uint64
	for range 20 {
		w.Leave(1)
		enter(t, w, c)
		w.Apply(1, attack)
		got = append(got, hits(w, 0, 5)...)
	}
	if len(got) != 0 {
		t.Errorf("hits in steps %v by relogging", got)
	}
}

func TestAMissDoesNotStartTheInterval(t *testing.T) {
	w := newArena(t, monstersAt("dummy", 50, 10))
	enter(t, w, in(1, 45, 10))
	w.Apply(1, rushgate.Intent{MoveX: 1, Action: ActionAttack})
	if got := hits(w, 0, 35); len(got) != 1 || got[0] != 30 && got[0] != 31 {
		t.Errorf("hits in steps %v, want one as soon as 2 units are left, in step 30", got)
	}
}

func TestDamage(t *testing.T) {
	tests := []struct {
		name      string
		equipment string
		defense   int // of the monster
		dealt     int
		taken     int
	}{
		{"bare hands", `[]`, 0, 4, 3},
		{"sword", `["sword"]`, 0, 7, 3},
		{"sword and shield", `[null,"shield","",null,null,"sword"]`, 0, 7, 1},
		{"two shields", `["shield","shield"]`, 0, 4, 1},
		{"unknown item", `["excalibur"]`, 0, 4, 3},
		{"armour", `["sword"]`, 5, 2, 3},
		{"armour too thick", `[]`, 100, 1, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t, set{"monsters.0.defense", tt.defense}, monstersAt("dummy", 50, 10))
			c := in(1, 50, 10)
			c.Data = []byte(`{"v":1,"equipment":` + tt.equipment + `}`)
			enter(t, w, c)
			w.Apply(1, attack)
			steps(w, 31)
			if dealt := 10 - w.monsters[0].hp; dealt != tt.dealt {
				t.Errorf("dealt %d, want %d", dealt, tt.dealt)
			}
			if taken := 20 - int(character(t, w, 1).Numbers["hp"]); taken != tt.taken {
				t.Errorf("took %d, want %d", taken, tt.taken)
			}
		})
	}
}

func TestDeathAndRespawn(t *testing.T) {
	w := newArena(t, set{"monsters.1.damage", 15}, monstersAt("hunter", 20, 10))
	c := in(1, 20, 10)
	c.Numbers["xp"] = 5
	enter(t, w, c)
	var events []rushgate.Event
	for range 600 {
		if events = steps(w, 1); len(events) > 0 {
			break
		}
	}
	if want := []rushgate.Event{{Player: 1, Kind: rushgate.EventDeath}}; !slices.Equal(events, want) {
		t.Fatalf("events %v, want %v", events, want)
	}
	dead := character(t, w, 1)
	if dead.Numbers["hp"] != 0 || dead.Numbers["deaths"] != 1 || dead.Numbers["xp"] != 5 || dead.X != 20 {
		t.Fatalf("dead: %+v", dead)
	}
	w.Apply(1, rushgate.Intent{MoveX: 1})
	if ev := steps(w, 59); len(ev) != 0 {
		t.Errorf("events %v while dead", ev)
	}
	if c := character(t, w, 1); c.Numbers["hp"] != 0 || c.X != 20 || c.Numbers["deaths"] != 1 {
		t.Fatalf("the dead walk: %+v", c)
	}
	steps(w, 1)
	if c := character(t, w, 1); c.Numbers["hp"] != 20 || !near(c.X, 50.1) || c.Y != 40 || c.Zone != "yard" {
		t.Errorf("respawned as %+v, want 20 HP one step from 50, 40", c)
	}
}

func TestLeavingDoesNotCheatDeath(t *testing.T) {
	w := newArena(t)
	c := in(1, 20, 10)
	c.Numbers["hp"] = 0
	enter(t, w, c)
	steps(w, 50)
	c = character(t, w, 1)
	w.Leave(1)
	enter(t, w, c)
	steps(w, 59)
	if got := character(t, w, 1); got.Numbers["hp"] != 0 {
		t.Errorf("%d HP 59 steps after entering dead", got.Numbers["hp"])
	}
	steps(w, 1)
	if got := character(t, w, 1); got.Numbers["hp"] != 20 || got.X != 50 || got.Numbers["deaths"] != 0 {
		t.Errorf("respawned as %+v", got)
	}
}

func TestRespawnInTheZoneOfDeath(t *testing.T) {
	w := newArena(t)
	c := in(1, 20, 10)
	c.Zone, c.Numbers["hp"] = "cave", 0
	enter(t, w, c)
	steps(w, 60)
	if got := character(t, w, 1); got.Zone != "cave" || got.X != 32 || got.Y != 32 {
		t.Errorf("respawned as %+v, want at 32, 32 of the cave", got)
	}
}
