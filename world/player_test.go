package world

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

func TestMovement(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	diagonal := 6 * math.Sqrt2 / 2
	tests := []struct {
		name string
		in   rushgate.Intent
		x, y float64 // after one second from 50, 40
	}{
		{name: "stand", x: 50, y: 40},
		{name: "east", in: rushgate.Intent{MoveX: 1}, x: 56, y: 40},
		{name: "half speed north", in: rushgate.Intent{MoveY: -0.5}, x: 50, y: 37},
		{name: "diagonal is no faster", in: rushgate.Intent{MoveX: 1, MoveY: 1}, x: 50 + diagonal, y: 40 + diagonal},
		{name: "twice the speed", in: rushgate.Intent{MoveX: 2}, x: 56, y: 40},
		{name: "huge", in: rushgate.Intent{MoveX: -math.MaxFloat32, MoveY: math.MaxFloat32}, x: 50 - diagonal,
			y: 40 + diagonal},
		{name: "tiny", in: rushgate.Intent{MoveX: math.SmallestNonzeroFloat32}, x: 50, y: 40},
		{name: "NaN", in: rushgate.Intent{MoveX: nan, MoveY: 1}, x: 50, y: 40},
		{name: "infinite", in: rushgate.Intent{MoveX: inf, MoveY: -inf}, x: 50, y: 40},
		{name: "unknown action", in: rushgate.Intent{MoveX: 1, Action: 200, Target: math.MaxUint64}, x: 56, y: 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t)
			enter(t, w, in(1, 50, 40))
			w.Apply(1, tt.in)
			for range rushgate.TickRate {
				before := character(t, w, 1)
				steps(w, 1)
				after := character(t, w, 1)
				if d := math.Hypot(after.X-before.X, after.Y-before.Y); d > 0.1+1e-9 {
					t.Fatalf("moved %v units in a step, at most 0.1 is allowed", d)
				}
			}
			if c := character(t, w, 1); !near(c.X, tt.x) || !near(c.Y, tt.y) {
				t.Errorf("at %v, %v, want %v, %v", c.X, c.Y, tt.x, tt.y)
			}
		})
	}
}

func TestMovementEndsAtTheBorder(t *testing.T) {
	tests := []struct {
		in   rushgate.Intent
		x, y float64
	}{
		{rushgate.Intent{MoveX: -1}, 0, 10},
		{rushgate.Intent{MoveX: 1}, 100, 10},
		{rushgate.Intent{MoveY: -1}, 50, 0},
		{rushgate.Intent{MoveX: -1, MoveY: 1}, 0, 80},
	}
	for _, tt := range tests {
		w := newArena(t)
		enter(t, w, in(1, 50, 10))
		w.Apply(1, tt.in)
		steps(w, 2000)
		if c := character(t, w, 1); c.X != tt.x || c.Y != tt.y {
			t.Errorf("%+v: at %v, %v, want %v, %v", tt.in, c.X, c.Y, tt.x, tt.y)
		}
	}
}

func TestTheLastIntentCountsUntilReplaced(t *testing.T) {
	w := newArena(t)
	enter(t, w, in(1, 50, 40))
	w.Apply(1, rushgate.Intent{MoveX: -1})
	w.Apply(1, rushgate.Intent{MoveX: 1})
	steps(w, 20)
	if c := character(t, w, 1); !near(c.X, 52) {
		t.Fatalf("x = %v after 20 steps, want 52", c.X)
	}
	w.Apply(1, rushgate.Intent{})
	steps(w, 20)
	if c := character(t, w, 1); !near(c.X, 52) {
		t.Errorf("x = %v after standing still, want 52", c.X)
	}
}

func TestPortal(t *testing.T) {
	w := newArena(t)
	enter(t, w, in(1, 91.95, 40))
	w.Apply(1, rushgate.Intent{MoveX: 1})
	steps(w, 1)
	if c := character(t, w, 1); c.Zone != "cave" || c.X != 10 || c.Y != 20 {
		t.Fatalf("at %v, %v of %s, want 10, 20 of cave", c.X, c.Y, c.Zone)
	}
	steps(w, 10)
	if c := character(t, w, 1); c.Zone != "cave" || !near(c.X, 11) || c.Y != 20 {
		t.Errorf("at %v, %v of %s after walking on, want 11, 20 of cave", c.X, c.Y, c.Zone)
	}
}

// Who has logged out inside a portal stays where they were until they walk.
func TestStandingInAPortal(t *testing.T) {
	w := newArena(t)
	enter(t, w, in(1, 96, 40))
	steps(w, 10)
	if c := character(t, w, 1); c.Zone != "yard" || c.X != 96 {
		t.Errorf("at %v of %s", c.X, c.Zone)
	}
}

func TestEnterRepairs(t *testing.T) {
	type edit = func(c *rushgate.Character)
	tests := []struct {
		name string
		give edit // to a sound character
		want edit // to what was given
	}{
		{"sound", func(*rushgate.Character) {}, func(*rushgate.Character) {}},
		{"new", func(c *rushgate.Character) { c.Zone, c.Numbers["hp"] = "", 0 },
			func(c *rushgate.Character) { c.Zone, c.X, c.Y, c.Numbers["hp"] = "yard", 50, 40, 20 }},
		{"unknown zone", func(c *rushgate.Character) { c.Zone = "atlantis" },
			func(c *rushgate.Character) { c.Zone, c.X, c.Y = "yard", 50, 40 }},
		{"outside", func(c *rushgate.Character) { c.X, c.Y = -5, 1000 },
			func(c *rushgate.Character) { c.X, c.Y = 0, 80 }},
		{"infinite", func(c *rushgate.Character) { c.X, c.Y = math.Inf(1), math.Inf(-1) },
			func(c *rushgate.Character) { c.X, c.Y = 100, 0 }},
		{"NaN", func(c *rushgate.Character) { c.Zone, c.X = "cave", math.NaN() },
			func(c *rushgate.Character) { c.X, c.Y = 32, 32 }},
		{"too many hit points", func(c *rushgate.Character) { c.Numbers["hp"] = 1000 },
			func(c *rushgate.Character) { c.Numbers["hp"] = 20 }},
		{"less than dead", func(c *rushgate.Character) { c.Numbers["hp"] = -7 },
			func(c *rushgate.Character) { c.Numbers["hp"] = 0 }},
		{"level too low", func(c *rushgate.Character) { c.Numbers["xp"], c.Numbers["level"], c.Numbers["hp"] = 29, 1, 30 },
			func(c *rushgate.Character) { c.Numbers["level"] = 2 }},
		{"level too high", func(c *rushgate.Character) { c.Numbers["xp"], c.Numbers["level"], c.Numbers["hp"] = 0, 99, 40 },
			func(c *rushgate.Character) { c.Numbers["level"], c.Numbers["hp"] = 1, 20 }},
		{"far above the top level", func(c *rushgate.Character) { c.Numbers["xp"] = math.MaxInt64 },
			func(c *rushgate.Character) { c.Numbers["level"] = 3 }},
		{"negative counts", func(c *rushgate.Character) { c.Numbers["deaths"], c.Playtime = -1, -time.Second },
			func(c *rushgate.Character) { c.Numbers["deaths"], c.Playtime = 0, 0 }},
		{"no data", func(c *rushgate.Character) { c.Data = nil },
			func(c *rushgate.Character) { c.Data = []byte(`{"v":1}`) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			give := in(7, 20, 30)
			give.Name, give.Numbers["hp"], give.CreatedAt = "alice", 15, time.UnixMilli(1_700_000_000_123)
			give.Numbers["deaths"], give.Playtime, give.Data = 2, time.Hour, []byte(`{"v":1}`)
			tt.give(&give)
			want := give
			tt.want(&want)
			w := newArena(t)
			enter(t, w, give)
			got := character(t, w, 7)
			if !got.Numbers.Equal(want.Numbers) {
				t.Errorf("numbers are %v, want %v", got.Numbers, want.Numbers)
			}
			if got.Numbers = want.Numbers; !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEnterRefuses(t *testing.T) {
	tests := []struct {
		name string
		c    rushgate.Character
		want error
	}{
		{"no id", rushgate.Character{}, ErrInvalidCharacter},
		{"a monster's id", rushgate.Character{ID: rushgate.PlayerID(MonsterBit | 1)}, ErrInvalidCharacter},
		{"negative XP", rushgate.Character{ID: 2, Numbers: rushgate.Numbers{"xp": -1}}, ErrInvalidCharacter},
		{"bad data", rushgate.Character{ID: 2, Data: []byte("{")}, ErrInvalidCharacter},
		{"inside already", rushgate.Character{ID: 1}, ErrAlreadyInside},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newArena(t)
			enter(t, w, in(1, 50, 40))
			if err := w.Enter(tt.c); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if len(w.slots) != 1 {
				t.Errorf("%d players inside, want 1", len(w.slots))
			}
		})
	}
}

func TestUnknownPlayers(t *testing.T) {
	w := newArena(t)
	w.Leave(1)
	w.Apply(1, attack)
	if _, ok := w.Character(1); ok {
		t.Error("a player who never entered is inside")
	}
	enter(t, w, in(1, 50, 40))
	w.Leave(1)
	w.Leave(1)
	w.Apply(1, rushgate.Intent{MoveX: 1})
	if _, ok := w.Character(1); ok {
		t.Error("a player who has left is inside")
	}
	// The next one in gets the slot, but not the intent or anything else of the one who left.
	enter(t, w, in(2, 50, 40))
	steps(w, 10)
	if c := character(t, w, 2); c.X != 50 || len(w.players) != 1 {
		t.Errorf("at %v in one of %d slots", c.X, len(w.players))
	}
}

func TestPlaytime(t *testing.T) {
	w := newArena(t)
	c := in(1, 50, 40)
	c.Playtime = time.Hour
	enter(t, w, c)
	steps(w, 100)
	// 100/60 s, to the millisecond, without the drift of adding up rounded ticks.
	if got, want := character(t, w, 1).Playtime, time.Hour+1666*time.Millisecond; got != want {
		t.Errorf("playtime %v, want %v", got, want)
	}
}

// Stepping, leaving and further queries must not change a copy that the saver holds.
func TestCharacterIsACopy(t *testing.T) {
	w := newArena(t, monstersAt("dummy", 50, 40))
	c := in(1, 50, 40)
	c.Data = []byte(`{"v":1,"inventory":[{"item":"coin","count":3}]}`)
	given := string(c.Data)
	enter(t, w, c)
	clear(c.Data) // the world must not have kept it
	first := character(t, w, 1)
	if string(first.Data) != given {
		t.Fatalf("data %s, want %s", first.Data, given)
	}
	w.Apply(1, attack)
	steps(w, 300)
	if string(first.Data) != given {
		t.Errorf("the copy changed to %s", first.Data)
	}
	second := character(t, w, 1)
	clear(second.Data)
	if third := character(t, w, 1); string(third.Data) == string(second.Data) {
		t.Error("writing to a copy reaches the world")
	}
}

func TestRegeneration(t *testing.T) {
	w := newArena(t, set{"player.regen_hp", 2}, monstersAt("dummy", 50, 40))
	c := in(1, 10, 10)
	c.Numbers["hp"] = 17
	enter(t, w, c)
	for i, want := range []int64{17, 19, 20, 20} {
		if got := character(t, w, 1).Numbers["hp"]; got != want {
			t.Errorf("%d HP after %d s, want %d", got, i, want)
		}
		steps(w, 60)
	}
}

func TestBeingHurtDelaysRegeneration(t *testing.T) {
	// The dummy strikes back every 500 ms, more often than the player regenerates.
	w := newArena(t, set{"player.regen_hp", 2}, set{"monsters.0.hp", 1000}, set{"monsters.0.damage", 1},
		set{"monsters.0.attack_interval_ms", 500}, monstersAt("dummy", 50, 40))
	enter(t, w, in(1, 50, 40))
	w.Apply(1, attack)
	last := int64(20)
	for range 8 * 30 {
		steps(w, 1)
		hp := character(t, w, 1).Numbers["hp"]
		if hp > last {
			t.Fatalf("regenerated from %d to %d HP in the middle of a fight", last, hp)
		}
		last = hp
	}
	if last == 20 {
		t.Error("the dummy never struck back")
	}
}

// Newcomers in a row do not stand on one another, each has the same place in every run, and all are within the radius.
func TestNewcomersAreSpread(t *testing.T) {
	w, again := New(Default(), 1), New(Default(), 2)
	spawn := w.def.Zones[w.def.start].Spawn
	var all []rushgate.Character
	for id := rushgate.PlayerID(1000); id < 1081; id++ {
		enter(t, w, rushgate.Character{ID: id})
		enter(t, again, rushgate.Character{ID: id})
		c := character(t, w, id)
		if o := character(t, again, id); o.X != c.X || o.Y != c.Y {
			t.Errorf("player %d is at %v, %v and at %v, %v", id, c.X, c.Y, o.X, o.Y)
		}
		if d := distance2(c.X, c.Y, spawn.X, spawn.Y); d > spawn.Radius*spawn.Radius {
			t.Errorf("player %d is %v from the middle", id, math.Sqrt(d))
		}
		for _, o := range all {
			if distance2(c.X, c.Y, o.X, o.Y) < spawnApart*spawnApart {
				t.Errorf("players %d and %d are at %v, %v and %v, %v", o.ID, id, o.X, o.Y, c.X, c.Y)
			}
		}
		if n := len(all); n > 0 && distance2(c.X, c.Y, all[n-1].X, all[n-1].Y) < 4*spawnApart*spawnApart {
			t.Errorf("player %d is beside the one before", id)
		}
		all = append(all, c)
	}
}

// Without a radius all appear at one point, as the definition says, and whatever the radius none in a portal.
func TestPlacesOfASpawn(t *testing.T) {
	for radius, places := range map[float64]int{0: 1, 2: 1, 2.9: 9, 12: 81, 256: 181 * 181} {
		s := spawnSpec{X: 300, Y: 400, Radius: radius}
		seen := make(map[[2]float64]bool)
		for id := range rushgate.PlayerID(places) {
			x, y := s.place(id + math.MaxInt64)
			seen[[2]float64{x, y}] = true
			if d := math.Sqrt(distance2(x, y, s.X, s.Y)); d > radius {
				t.Fatalf("radius %v: a place is %v from the middle", radius, d)
			}
		}
		if len(seen) != places {
			t.Errorf("radius %v: %d places for %d players in a row", radius, len(seen), places)
		}
	}
}
