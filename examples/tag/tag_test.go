package main

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// newcomer is a character as the store makes it.
func newcomer(id rushgate.PlayerID) rushgate.Character {
	return rushgate.Character{ID: id, Name: names[int(id-1)%len(names)], Numbers: rushgate.Numbers{}}
}

// filled returns a field with so many newcomers, the first of which is it.
func filled(players int) *field {
	f := newField()
	for id := range players {
		if err := f.Enter(newcomer(rushgate.PlayerID(id + 1))); err != nil {
			panic(err) // there is always room
		}
	}
	return f
}

// chase has the player who is it run at a prey that stands still, and returns the events of the catch.
func chase(t *testing.T, f *field, prey rushgate.PlayerID) []rushgate.Event {
	t.Helper()
	for tick := uint64(1); tick <= 10*rushgate.TickRate; tick++ {
		it, p := f.it, f.runners[prey]
		f.Apply(it.ID, rushgate.Intent{MoveX: float32(p.X - it.X), MoveY: float32(p.Y - it.Y)})
		if events := f.Step(tick); len(events) > 0 {
			return events
		}
	}
	t.Fatal("nobody was caught in ten seconds")
	return nil
}

func TestCatch(t *testing.T) {
	f := filled(2)
	events := chase(t, f, 2)
	if len(events) != 1 || events[0] != (rushgate.Event{Player: 2, Kind: rushgate.EventDeath}) {
		t.Errorf("the events are %v", events)
	}
	if one, two := f.runners[1], f.runners[2]; f.it != two || one.Numbers[numberCatches] != 1 ||
		two.Numbers["deaths"] != 1 {
		t.Errorf("it is %d, with %d catches and %d deaths", f.it.ID, one.Numbers[numberCatches], two.Numbers["deaths"])
	}
}

func TestEverySecondCatchIsALevel(t *testing.T) {
	f := filled(2)
	chase(t, f, 2)
	chase(t, f, 1)
	events := chase(t, f, 2)
	want := rushgate.Event{Player: 1, Kind: rushgate.EventLevelUp}
	if level := f.runners[1].Numbers["level"]; len(events) != 2 || events[1] != want || level != 2 {
		t.Errorf("the events are %v, the level is %d", events, level)
	}
}

// A player who was just caught counts before running after the others, who stand within reach.
func TestItCounts(t *testing.T) {
	f := filled(2)
	chase(t, f, 2)
	at := [2]float64{f.it.X, f.it.Y}
	f.Apply(1, rushgate.Intent{})
	f.Apply(2, rushgate.Intent{MoveX: 1})
	for tick := range uint64(countdown) {
		if events := f.Step(tick); len(events) > 0 || at != [2]float64{f.it.X, f.it.Y} {
			t.Fatalf("step %d: it is at %v,%v, events %v", tick, f.it.X, f.it.Y, events)
		}
	}
	if events := f.Step(countdown); len(events) == 0 {
		t.Error("it went on counting")
	}
}

func TestItLeaves(t *testing.T) {
	f := filled(3)
	f.Leave(1)
	if f.it != f.runners[2] {
		t.Error("the next one did not take over")
	}
	f.Leave(2)
	f.Leave(3)
	f.Leave(3)
	if f.it != nil || len(f.View(nil)) != 0 {
		t.Error("an empty field has somebody on it")
	}
	f.Step(1)
}

// What a player has is what they come back with.
func TestCharacterComesBack(t *testing.T) {
	f := filled(2)
	chase(t, f, 2)
	saved, ok := f.Character(1)
	if !ok {
		t.Fatal("the player is not there")
	}
	longest := f.runners[2].data.Longest
	again := newField()
	for _, id := range []rushgate.PlayerID{1, 2} {
		c, _ := f.Character(id)
		if err := again.Enter(c); err != nil {
			t.Fatal(err)
		}
	}
	back, _ := again.Character(1)
	same := back.Numbers.Equal(saved.Numbers) && back.X == saved.X && back.Y == saved.Y && back.Zone == zone
	if !same || back.Numbers[numberCatches] != 1 {
		t.Errorf("%+v came back as %+v", saved, back)
	}
	if got := again.runners[2].data.Longest; got != longest || got == 0 {
		t.Errorf("the longest run is %d steps, was %d", got, longest)
	}
}

// No player gets in at the price of what a later version has written.
func TestUnreadableData(t *testing.T) {
	for _, data := range []string{"{", "7", "{}", `{"v":2,"longest":9}`, `{"v":1,"longest":"far"}`} {
		f, c := newField(), newcomer(1)
		c.Data = []byte(data)
		if err := f.Enter(c); err == nil || f.it != nil {
			t.Errorf("with %s: error %v, inside: %v", data, err, f.it != nil)
		}
	}
	f := filled(1)
	if f.Enter(newcomer(1)) == nil {
		t.Error("a player is on the field twice")
	}
}

// Whatever comes from the network, no player is faster than the rules say, or beyond a wall.
func TestIntentsAreBounded(t *testing.T) {
	odd := []float32{0, 1, -1, 0.5, 1e-38, math.MaxFloat32, -math.MaxFloat32,
		float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	rapid.Check(t, func(t *rapid.T) {
		f := filled(rapid.IntRange(1, 5).Draw(t, "players"))
		catches := 0
		for tick := range uint64(rapid.IntRange(1, 300).Draw(t, "steps")) {
			before := f.View(nil)
			id := rushgate.PlayerID(rapid.IntRange(1, 6).Draw(t, "player"))
			f.Apply(id, rushgate.Intent{
				MoveX: rapid.SampledFrom(odd).Draw(t, "x"), MoveY: rapid.SampledFrom(odd).Draw(t, "y"),
			})
			for _, e := range f.Step(tick) {
				if e.Kind == rushgate.EventDeath {
					catches++
				}
			}
			checkStep(t, before, f.View(nil), catches)
		}
	})
}

// checkStep compares what is to be seen before and after a step.
func checkStep(t *rapid.T, before, after []rushgate.Entity, catches int) {
	its, xp := 0, 0
	for i, e := range after {
		its += int(e.Flags & flagIt)
		xp += int(e.XP)
		if moved := math.Hypot(e.X-before[i].X, e.Y-before[i].Y); !(moved <= itSpeed*secondsPerStep+1e-9) {
			t.Fatalf("player %d has moved %v units in one step", e.ID, moved)
		}
		if !(e.X >= 0 && e.X <= fieldSize && e.Y >= 0 && e.Y <= fieldSize) {
			t.Fatalf("player %d is at %v,%v", e.ID, e.X, e.Y)
		}
	}
	if its != 1 || xp != catches {
		t.Fatalf("%d players are it, %d XP for %d catches", its, xp, catches)
	}
}

func TestStepAndViewDoNotAllocate(t *testing.T) {
	f := filled(len(names))
	view := f.View(nil)
	allocs := testing.AllocsPerRun(1, func() {
		for tick := range uint64(2000) { // counted as one run, for an average would hide what only a catch allocates
			for _, r := range f.order {
				f.Apply(r.ID, rushgate.Intent{MoveX: float32(12 - r.X), MoveY: float32(12 - r.Y)})
			}
			f.Step(tick)
			view = f.View(view[:0])
		}
	})
	if allocs != 0 || f.runners[1].Numbers[numberCatches] == 0 {
		t.Errorf("%v allocations, %d catches of the first player", allocs, f.runners[1].Numbers[numberCatches])
	}
}

// A crowd runs to and fro: what a step and a view of it take.
func BenchmarkStepAndView(b *testing.B) {
	f := filled(1000)
	var view []rushgate.Entity
	var tick uint64
	b.ReportAllocs()
	for b.Loop() {
		tick++
		direction := float32(1 - 2*int(tick/rushgate.TickRate%2))
		for _, r := range f.order {
			f.Apply(r.ID, rushgate.Intent{MoveX: direction})
		}
		f.Step(tick)
		view = f.View(view[:0])
	}
}
