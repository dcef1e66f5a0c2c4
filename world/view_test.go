package world

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
)

// seen returns what View shows of one entity, and false if it shows nothing.
func seen(w *World, id uint64) (rushgate.Entity, bool) {
	view := w.View(nil)
	i := slices.IndexFunc(view, func(e rushgate.Entity) bool { return e.ID == id })
	if i < 0 {
		return rushgate.Entity{}, false
	}
	return view[i], true
}

func TestViewOfAPlayer(t *testing.T) {
	w := newArena(t)
	c := rushgate.Character{
		ID: 7, Name: "zoe", Zone: "cave", X: 3.25, Y: 60.5,
		Numbers: rushgate.Numbers{"hp": 11, "xp": 12, "level": 2, "deaths": math.MaxInt32 + 1},
	}
	enter(t, w, in(3, 1, 1))
	enter(t, w, c)
	want := rushgate.Entity{
		ID: 7, Name: "zoe", Zone: 1, Kind: KindPlayer, Level: 2, X: 3.25, Y: 60.5, HP: 11, MaxHP: 30, XP: 12,
		Deaths: math.MaxInt32,
	}
	if got, _ := seen(w, 7); got != want {
		t.Errorf("View shows\n%+v, want\n%+v", got, want)
	}

	w.Apply(7, attack)
	want.Flags = FlagFighting
	if got, _ := seen(w, 7); got != want {
		t.Errorf("while attacking View shows\n%+v, want\n%+v", got, want)
	}

	w.Leave(7)
	if got, ok := seen(w, 7); ok {
		t.Errorf("View shows a player who has left: %+v", got)
	}
	if _, ok := seen(w, 3); !ok {
		t.Error("View has lost a player who stayed")
	}
}

func TestViewOfTheDead(t *testing.T) {
	w := newArena(t)
	c := in(1, 10, 20)
	c.Numbers["hp"] = 0
	enter(t, w, c)
	w.Apply(1, attack)
	want := rushgate.Entity{ID: 1, Name: "player", Kind: KindPlayer, Flags: FlagDead, Level: 1, X: 10, Y: 20, MaxHP: 20}
	if got, _ := seen(w, 1); got != want {
		t.Errorf("View shows\n%+v, want\n%+v", got, want)
	}
	steps(w, 60) // the respawn delay
	want.Flags, want.X, want.Y, want.HP = FlagFighting, 50, 40, 20
	if got, _ := seen(w, 1); got != want {
		t.Errorf("after the respawn View shows\n%+v, want\n%+v", got, want)
	}
}

func TestViewOfAMonster(t *testing.T) {
	w := newArena(t, monstersAt("hunter", 30, 40))
	want := rushgate.Entity{
		ID: MonsterBit, Name: "hunter", Kind: KindMonster + 1, X: 30, Y: 40, HP: 10, MaxHP: 10,
	}
	if got, _ := seen(w, MonsterBit); got != want {
		t.Errorf("View shows\n%+v, want\n%+v", got, want)
	}

	enter(t, w, in(1, 30.5, 40))
	steps(w, lookInterval)
	want.Flags = FlagFighting
	if got, _ := seen(w, MonsterBit); got != want {
		t.Errorf("with a target View shows\n%+v, want\n%+v", got, want)
	}

	w.Apply(1, attack)
	steps(w, 100) // three strikes of 4 kill it; it is back 120 steps later
	if got, ok := seen(w, MonsterBit); ok {
		t.Errorf("View shows a dead monster: %+v", got)
	}
}

// Players see where a portal is, how large, and where it leads, and cannot harm it.
func TestViewOfAPortal(t *testing.T) {
	w := newArena(t, set{"zones.0.portals.0.radius", 3.5})
	enter(t, w, in(1, 91, 40))
	strike := attack
	strike.Target = PortalBit
	w.Apply(1, strike)
	steps(w, 100)
	want := rushgate.Entity{ID: PortalBit, Name: "cave", Kind: KindPortal, Level: 4, X: 96, Y: 40, HP: 1, MaxHP: 1}
	if got, _ := seen(w, PortalBit); got != want {
		t.Errorf("View shows\n%+v, want\n%+v", got, want)
	}
}

// Kinds of monsters are numbered in the order of the definition as far as a byte goes.
func TestViewKinds(t *testing.T) {
	var kinds, groups []any
	for i := range maxMonsterKinds {
		id := fmt.Sprintf("kind-%d", i)
		kinds = append(kinds, map[string]any{"id": id, "hp": 1, "damage": 1, "reach": 1, "leash_radius": 1,
			"attack_interval_ms": 1, "respawn_ms": 1})
		groups = append(groups, map[string]any{"kind": id, "count": 1})
	}
	w := newArena(t, set{"monsters", kinds}, set{"zones.0.monsters", groups})
	for i, e := range w.View(nil)[:maxMonsterKinds] {
		if want := min(2+i, 255); int(e.Kind) != want || e.Name != fmt.Sprintf("kind-%d", i) {
			t.Errorf("kind %d is shown as %q, %d, want %d", i, e.Name, e.Kind, want)
		}
	}
}

// Whatever happens, View shows each player inside once, as Character has them, and each living monster once.
func TestViewIsComplete(t *testing.T) {
	w := New(crowdedArena(t), 1)
	rng := rand.New(rand.NewPCG(1, 2))
	inside := make(map[uint64]bool)
	for range 3000 {
		id := rushgate.PlayerID(rng.IntN(20) + 1)
		switch {
		case !inside[uint64(id)]:
			enter(t, w, rushgate.Character{ID: id, X: rng.Float64() * 50, Y: rng.Float64() * 50,
				Numbers: rushgate.Numbers{"hp": 30}})
			inside[uint64(id)] = true
		case rng.IntN(50) == 0:
			w.Leave(id)
			delete(inside, uint64(id))
		}
		w.Apply(id, randomIntent(rng))
		w.Step(1)
		checkView(t, w, len(inside))
	}
}

func checkView(t *testing.T, w *World, players int) {
	t.Helper()
	want := players + len(w.portals)
	for i := range w.monsters {
		if w.monsters[i].alive() {
			want++
		}
	}
	view := w.View(nil)
	ids := make(map[uint64]bool)
	for _, e := range view {
		ids[e.ID] = true
		if e.ID&MonsterBit != 0 {
			if e.HP <= 0 || e.Kind < KindMonster {
				t.Fatalf("View shows the monster %+v", e)
			}
			continue
		}
		if e.ID&PortalBit != 0 {
			if z := &w.def.Zones[e.Zone]; z.portalAt(e.X, e.Y) == nil || e.Kind != KindPortal || e.HP != 1 {
				t.Fatalf("View shows the portal %+v", e)
			}
			continue
		}
		c := character(t, w, rushgate.PlayerID(e.ID))
		shown := numbers(int(e.HP), e.XP, int(e.Level), int(e.Deaths))
		if e.Kind != KindPlayer || e.X != c.X || e.Y != c.Y || !shown.Equal(c.Numbers) || w.def.Zones[e.Zone].ID != c.Zone {
			t.Fatalf("View shows %+v of %+v", e, c)
		}
		if (e.Flags&FlagDead != 0) != (c.Numbers["hp"] <= 0) {
			t.Fatalf("flags %b at %d HP", e.Flags, c.Numbers["hp"])
		}
	}
	if len(view) != want || len(ids) != want {
		t.Fatalf("View shows %d entities, %d different ones, want %d", len(view), len(ids), want)
	}
}

func TestViewAppends(t *testing.T) {
	w := newArena(t, monstersAt("dummy", 30, 40))
	enter(t, w, in(1, 1, 1))
	first := rushgate.Entity{ID: 99}
	view := w.View([]rushgate.Entity{first})
	if len(view) != 4 || view[0] != first || view[1].ID != 1 || view[2].ID != MonsterBit || view[3].ID != PortalBit {
		t.Errorf("View(99) = %+v, want 99, the player, the monster and the portal", view)
	}
}

func TestViewDoesNotAllocate(t *testing.T) {
	w := New(Default(), 1)
	crowd(t, w, rand.New(rand.NewPCG(1, 2)), 1000)
	view := w.View(nil)
	if n := testing.AllocsPerRun(100, func() { view = w.View(view[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkView(b *testing.B) {
	w := New(Default(), 1)
	crowd(b, w, rand.New(rand.NewPCG(1, 2)), 5000)
	view := w.View(nil)
	b.ReportAllocs()
	for b.Loop() {
		view = w.View(view[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(view)), "ns/entity")
}
