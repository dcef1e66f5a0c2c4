package world

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// checkPlayer requires what must hold for every player at any time.
func checkPlayer(t interface {
	Helper()
	Fatalf(string, ...any)
}, w *World, id rushgate.PlayerID) {
	t.Helper()
	c, ok := w.Character(id)
	if !ok {
		t.Fatalf("player %d is not inside", id)
	}
	zone, ok := w.def.zoneIndex[c.Zone]
	if !ok {
		t.Fatalf("player %d is in zone %q", id, c.Zone)
	}
	if !w.def.Zones[zone].contains(c.X, c.Y) { // false for NaN, too
		t.Fatalf("player %d is at %v, %v of %s", id, c.X, c.Y, c.Zone)
	}
	hp, xp, level := int(c.Numbers["hp"]), c.Numbers["xp"], int(c.Numbers["level"])
	if level < 1 || level > len(w.def.Player.Levels) || level != w.def.levelAt(1, xp) {
		t.Fatalf("player %d has level %d at %d XP", id, level, xp)
	}
	if hp < 0 || hp > w.def.Player.Levels[level-1].HP {
		t.Fatalf("player %d has %d HP at level %d", id, hp, level)
	}
	if len(c.Data) > rushgate.MaxDataLen {
		t.Fatalf("player %d has %d bytes of data", id, len(c.Data))
	}
}

// crowdedArena has enough monsters for things to happen wherever players go.
func crowdedArena(t testing.TB) *Definition {
	t.Helper()
	group := func(kind string) map[string]any {
		return map[string]any{"kind": kind, "count": 20, "x": 40, "y": 40, "radius": 50}
	}
	def, err := ParseDefinition(edit(t,
		set{"zones.0.monsters", []any{group("hunter"), group("dummy")}},
		set{"zones.1.monsters", []any{group("dummy"), group("hunter")}}))
	if err != nil {
		t.Fatal(err)
	}
	return def
}

func drawCharacter(t *rapid.T, id rushgate.PlayerID) rushgate.Character {
	return rushgate.Character{
		ID:   id,
		Zone: rapid.SampledFrom([]string{"", "yard", "cave", "gone"}).Draw(t, "zone"),
		X:    rapid.Float64().Draw(t, "x"),
		Y:    rapid.Float64().Draw(t, "y"),
		Numbers: rushgate.Numbers{
			"hp":     rapid.Int64().Draw(t, "hp"),
			"xp":     rapid.Int64Min(0).Draw(t, "xp") >> rapid.IntRange(0, 63).Draw(t, "shift"),
			"level":  rapid.Int64().Draw(t, "level"),
			"deaths": rapid.Int64().Draw(t, "deaths"),
		},
		Playtime: time.Duration(rapid.Int64().Draw(t, "playtime")),
		Data: []byte(rapid.SampledFrom([]string{"", `{"v":1}`, imported, `{"v":1,"equipment":["shield"]}`}).Draw(t,
			"data")),
	}
}

func drawIntent(t *rapid.T) rushgate.Intent {
	float := rapid.OneOf(rapid.Float32Range(-1, 1), rapid.Float32(),
		rapid.Map(rapid.Uint32(), math.Float32frombits)) // infinities and NaNs included
	return rushgate.Intent{
		MoveX:  float.Draw(t, "move x"),
		MoveY:  float.Draw(t, "move y"),
		Action: rapid.OneOf(rapid.Just(ActionAttack), rapid.Uint8()).Draw(t, "action"),
		Target: rapid.OneOf(rapid.Just(uint64(0)), rapid.Map(rapid.Uint64Range(0, 100),
			func(i uint64) uint64 { return i | MonsterBit }), rapid.Uint64()).Draw(t, "target"),
	}
}

func TestInvariants(t *testing.T) {
	def := crowdedArena(t)
	rapid.Check(t, func(t *rapid.T) {
		w := New(def, rapid.Uint64().Draw(t, "seed"))
		xp := make(map[rushgate.PlayerID]int64) // of those inside
		deaths := make(map[rushgate.PlayerID]int)
		drawID := func(t *rapid.T) rushgate.PlayerID {
			return rushgate.PlayerID(rapid.Uint64Range(1, 8).Draw(t, "id"))
		}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				c := drawCharacter(t, drawID(t))
				_, inside := xp[c.ID]
				if err := w.Enter(c); (err != nil) != inside {
					t.Fatalf("Enter, inside already %v: %v", inside, err)
				}
				if !inside {
					xp[c.ID], deaths[c.ID] = c.Numbers["xp"], int(max(c.Numbers["deaths"], 0))
				}
			},
			"leave": func(t *rapid.T) {
				id := drawID(t)
				w.Leave(id)
				delete(xp, id)
				delete(deaths, id)
			},
			"leave and enter": func(t *rapid.T) {
				id := drawID(t)
				before, ok := w.Character(id)
				if !ok {
					t.Skip("not inside")
				}
				w.Leave(id)
				if err := w.Enter(before); err != nil {
					t.Fatal(err)
				}
				if after, _ := w.Character(id); !reflect.DeepEqual(before, after) {
					t.Fatalf("before %+v\nafter  %+v", before, after)
				}
			},
			"apply": func(t *rapid.T) { w.Apply(drawID(t), drawIntent(t)) },
			"step": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "steps") {
					for _, e := range w.Step(rapid.Uint64().Draw(t, "tick")) {
						if _, ok := xp[e.Player]; !ok {
							t.Fatalf("event %v of a player who is not inside", e)
						}
						if e.Kind == rushgate.EventDeath && deaths[e.Player] < math.MaxInt {
							deaths[e.Player]++
						}
					}
				}
			},
			"": func(t *rapid.T) {
				if len(w.slots) != len(xp) {
					t.Fatalf("%d players inside, want %d", len(w.slots), len(xp))
				}
				for id, before := range xp {
					checkPlayer(t, w, id)
					c, _ := w.Character(id)
					if c.Numbers["xp"] < before {
						t.Fatalf("XP of player %d fell from %d to %d", id, before, c.Numbers["xp"])
					}
					xp[id] = c.Numbers["xp"]
					if c.Numbers["deaths"] != int64(deaths[id]) {
						t.Fatalf("player %d died %d times, but events say %d", id, c.Numbers["deaths"], deaths[id])
					}
				}
				checkGrids(t, w)
			},
		})
	})
}

// checkGrids requires that the grids hold the living, and where they are.
func checkGrids(t *rapid.T, w *World) {
	living := 0
	for slot, p := range w.players {
		if p.id == 0 || !p.alive() {
			continue
		}
		living++
		n := w.playerNodes[slot]
		if n.x != p.x || n.y != p.y {
			t.Fatalf("player %d at %v, %v has node %+v", p.id, p.x, p.y, n)
		}
	}
	for i, m := range w.monsters {
		if !m.alive() {
			continue
		}
		living++
		n := w.monsterNodes[i]
		if n.x != m.x || n.y != m.y {
			t.Fatalf("monster %d at %v, %v has node %+v", i, m.x, m.y, n)
		}
	}
	found := 0
	for _, z := range w.zones {
		found += len(z.players.within(nil, 0, 0, maxRadius)) + len(z.monsters.within(nil, 0, 0, maxRadius))
	}
	if found != living {
		t.Fatalf("the grids hold %d entities, %d are alive", found, living)
	}
}

// crowd enters n players all over the world.
func crowd(t testing.TB, w *World, rng *rand.Rand, n int) {
	t.Helper()
	for i := range n {
		z := &w.def.Zones[i%len(w.def.Zones)]
		enter(t, w, rushgate.Character{
			ID: rushgate.PlayerID(i + 1), Zone: z.ID,
			Numbers: rushgate.Numbers{"hp": math.MaxInt64, "xp": rng.Int64N(2000)},
			X:       rng.Float64() * z.Width, Y: rng.Float64() * z.Height,
		})
		w.Apply(rushgate.PlayerID(i+1), randomIntent(rng))
	}
}

func randomIntent(rng *rand.Rand) rushgate.Intent {
	return rushgate.Intent{MoveX: rng.Float32()*4 - 2, MoveY: rng.Float32()*4 - 2, Action: ActionAttack}
}

// Two worlds that are told the same must stay the same in all they hold, however long they run.
func TestDeterminism(t *testing.T) {
	def := crowdedArena(t)
	a, b := New(def, 42), New(def, 42)
	rng := rand.New(rand.NewPCG(1, 2))
	count := make(map[rushgate.EventKind]int)
	for tick := range uint64(20_000) {
		id, in := rushgate.PlayerID(rng.IntN(30)+1), randomIntent(rng)
		c := rushgate.Character{ID: id, Zone: "yard", Numbers: rushgate.Numbers{"hp": 20}, X: rng.Float64() * 100,
			Y: rng.Float64() * 80}
		come, change, leave := rng.IntN(10) == 0, rng.IntN(3) == 0, rng.IntN(30) == 0
		var lists [2][]rushgate.Event
		for i, w := range []*World{a, b} {
			if _, inside := w.Character(id); come && !inside {
				enter(t, w, c)
			}
			if change {
				w.Apply(id, in)
			}
			if leave {
				w.Leave(id)
			}
			lists[i] = w.Step(tick)
		}
		if !slices.Equal(lists[0], lists[1]) {
			t.Fatalf("tick %d: events %v and %v", tick, lists[0], lists[1])
		}
		for _, e := range lists[0] {
			count[e.Kind]++
		}
		if tick%500 == 0 {
			compareWorlds(t, a, b)
		}
	}
	compareWorlds(t, a, b)
	if count[rushgate.EventDeath] < 20 || count[rushgate.EventLevelUp] < 20 {
		t.Errorf("only %d deaths and %d level-ups: this proves little",
			count[rushgate.EventDeath], count[rushgate.EventLevelUp])
	}
}

func compareWorlds(t *testing.T, a, b *World) {
	t.Helper()
	for id := range rushgate.PlayerID(31) {
		ca, inA := a.Character(id)
		cb, inB := b.Character(id)
		if inA != inB || !reflect.DeepEqual(ca, cb) {
			t.Fatalf("player %d: %+v and %+v", id, ca, cb)
		}
	}
	if !reflect.DeepEqual(a.monsters, b.monsters) {
		t.Fatal("the monsters differ")
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, b := New(Default(), 1), New(Default(), 2)
	for i := range a.monsters {
		if a.monsters[i].x == b.monsters[i].x {
			t.Fatalf("monster %d stands in the same place with another seed", i)
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var worlds [2]*World
	for i := range worlds {
		worlds[i] = New(Default(), 1)
		crowd(t, worlds[i], rng, 1000)
	}
	events, run := 0, 0
	// AllocsPerRun calls once before it measures. With a world for each call the first step counts, too; with one long
	// run an average cannot round single allocations away.
	n := testing.AllocsPerRun(1, func() {
		w := worlds[run]
		run++
		for range 1200 {
			for range 50 {
				w.Apply(rushgate.PlayerID(rng.IntN(1000)+1), randomIntent(rng))
			}
			events += len(w.Step(1))
		}
	})
	if n != 0 {
		t.Errorf("%v allocations in 1200 steps", n)
	}
	if events < 100 {
		t.Errorf("%d events: this proves little", events)
	}
}

func BenchmarkStep(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprintf("players=%d", n), func(b *testing.B) {
			w := New(Default(), 1)
			rng := rand.New(rand.NewPCG(1, 2))
			crowd(b, w, rng, n)
			steps(w, 600)
			b.ReportAllocs()
			for b.Loop() {
				for range n / 12 { // every player changes course 5 times a second
					w.Apply(rushgate.PlayerID(rng.IntN(n)+1), randomIntent(rng))
				}
				w.Step(1)
			}
		})
	}
}

// In the default world 5000 players soon leave few monsters alive. Here 5000 fight 5000 that last.
func BenchmarkStepFighting(b *testing.B) {
	group := map[string]any{"kind": "hunter", "count": 1000, "x": 300, "y": 300, "radius": 300}
	def, err := ParseDefinition(edit(b,
		set{"zones.0.width", 600}, set{"zones.0.height", 600}, set{"zones.0.portals", []any{}},
		set{"zones.0.monsters", []any{group, group, group, group, group}},
		set{"monsters.1.hp", 1_000_000}, set{"player.levels.0.hp", 1_000_000}))
	if err != nil {
		b.Fatal(err)
	}
	w := New(def, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		id := rushgate.PlayerID(i + 1)
		enter(b, w, rushgate.Character{
			ID: id, Zone: "yard", Numbers: rushgate.Numbers{"hp": 1_000_000}, X: rng.Float64() * 600, Y: rng.Float64() * 600,
		})
		w.Apply(id, randomIntent(rng))
	}
	steps(w, 60)
	b.ReportAllocs()
	for b.Loop() {
		for range 5000 / 12 {
			w.Apply(rushgate.PlayerID(rng.IntN(5000)+1), randomIntent(rng))
		}
		w.Step(1)
	}
}

// The worst case of a rush: all players stand on the same spot.
func BenchmarkStepAtSpawn(b *testing.B) {
	w := New(Default(), 1)
	for i := range 5000 {
		enter(b, w, rushgate.Character{ID: rushgate.PlayerID(i + 1)})
		w.Apply(rushgate.PlayerID(i+1), attack)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Step(1)
	}
}

func BenchmarkCharacter(b *testing.B) {
	w := New(Default(), 1)
	enter(b, w, rushgate.Character{ID: 1, Data: []byte(imported)})
	b.ReportAllocs()
	for b.Loop() {
		w.Character(1)
	}
}
