package world

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
)

func checkpointOf(t interface {
	Helper()
	Fatal(...any)
}, w *World) []byte {
	t.Helper()
	b, err := w.Checkpoint(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A world that is moved in the middle goes on, in every bit, as the one that was not.
func TestMovedWorldGoesOnAsItWouldHave(t *testing.T) {
	def := crowdedArena(t)
	rapid.Check(t, func(t *rapid.T) {
		stayed := New(def, rapid.Uint64().Draw(t, "seed"))
		moved := New(def, rapid.Uint64().Draw(t, "another seed"))
		play := func(worlds ...*World) {
			for range rapid.IntRange(0, 40).Draw(t, "calls") {
				id := rushgate.PlayerID(rapid.Uint64Range(1, 8).Draw(t, "id"))
				switch rapid.IntRange(0, 3).Draw(t, "what") {
				case 0:
					c := drawCharacter(t, id)
					for _, w := range worlds {
						_ = w.Enter(c)
					}
				case 1:
					for _, w := range worlds {
						w.Leave(id)
					}
				case 2:
					in := drawIntent(t)
					for _, w := range worlds {
						w.Apply(id, in)
					}
				default:
					for range rapid.IntRange(1, 100).Draw(t, "steps") {
						events := slices.Clone(stayed.Step(0))
						for _, w := range worlds[1:] {
							if got := w.Step(0); !slices.Equal(events, got) {
								t.Fatalf("events %v, moved %v", events, got)
							}
						}
					}
				}
			}
		}
		play(stayed)
		if err := moved.Restore(checkpointOf(t, stayed)); err != nil {
			t.Fatal(err)
		}
		checkGrids(t, moved)
		play(stayed, moved)
		if !bytes.Equal(checkpointOf(t, stayed), checkpointOf(t, moved)) {
			t.Fatal("the world that was moved is another than the one that stayed")
		}
		if a, b := stayed.View(nil), moved.View(nil); !slices.Equal(a, b) {
			t.Fatalf("seen %v, moved %v", a, b)
		}
	})
}

// With another definition players stay who, where and what they are, as far as it allows, and go on walking.
func TestWorldMovedToAnotherDefinitionKeepsItsPlayers(t *testing.T) {
	w := New(crowdedArena(t), 1)
	enter(t, w, rushgate.Character{ID: 9, Zone: "yard", X: 1, Y: 1, Numbers: rushgate.Numbers{"hp": 20}})
	enter(t, w, rushgate.Character{
		ID: 7, Name: "ann", Zone: "cave", X: 60, Y: 12, Playtime: time.Minute,
		CreatedAt: time.Unix(5, 0).UTC(), Data: []byte(`{"v":1,"equipment":["shield"]}`),
		Numbers: rushgate.Numbers{"hp": 20, "xp": 12, "deaths": 3},
	})
	w.Leave(9)
	w.Apply(7, rushgate.Intent{MoveX: 0.5, Action: ActionAttack, Target: 5 | MonsterBit})
	for range 60 {
		w.Step(0)
	}
	before, _ := w.Character(7)
	next, err := ParseDefinition(edit(t, set{"player.speed", 3}, set{"zones.1.width", 62}))
	if err != nil {
		t.Fatal(err)
	}
	moved := New(next, 1)
	if err := moved.Restore(checkpointOf(t, w)); err != nil {
		t.Fatal(err)
	}
	after, ok := moved.Character(7)
	before.X = 62 // the zone has become narrower
	if !ok || !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if _, ok := moved.Character(9); ok {
		t.Error("a player who had left is inside again")
	}
	p := moved.players[moved.slots[7]]
	if p.vx != 0.5*3/rushgate.TickRate || p.action != ActionAttack || p.target != 5|MonsterBit {
		t.Errorf("the intent is now %v, %v, %v", p.vx, p.action, p.target)
	}
	if len(moved.monsters) != 0 {
		t.Errorf("%d monsters of the old definition", len(moved.monsters))
	}
}

func TestWhatIsNoCheckpointIsRefused(t *testing.T) {
	def := crowdedArena(t)
	w := New(def, 1)
	crowd(t, w, rand.New(rand.NewPCG(1, 1)), 4)
	w.Leave(2)
	w.Step(0)
	change := func(how func(*checkpoint)) []byte {
		c := w.save()
		how(c)
		return packed.Append(nil, c.describe)
	}
	good := checkpointOf(t, w)
	for name, b := range map[string][]byte{
		"nothing":              {},
		"another version":      slices.Concat(good[:6], []byte{2}, good[7:]),
		"cut off":              good[:len(good)-1],
		"a byte more":          append(slices.Clone(good), 0),
		"a player twice":       change(func(c *checkpoint) { c.players[0].id = c.players[1].id }),
		"a player of id 0":     change(func(c *checkpoint) { c.players[0].id = 0 }),
		"a player's monster":   change(func(c *checkpoint) { c.players[0].id |= rushgate.PlayerID(MonsterBit) }),
		"two in one slot":      change(func(c *checkpoint) { c.players[0].slot = c.players[1].slot }),
		"no such slot":         change(func(c *checkpoint) { c.players[0].slot = 4 }),
		"a slot that is taken": change(func(c *checkpoint) { c.free[0] = 0 }),
		"no such zone":         change(func(c *checkpoint) { c.players[0].zone = 2 }),
		"out of the zone":      change(func(c *checkpoint) { c.players[0].x = -1 }),
		"too fast":             change(func(c *checkpoint) { c.players[0].vx = 1 }),
		"of another level":     change(func(c *checkpoint) { c.players[0].level++ }),
		"more than alive":      change(func(c *checkpoint) { c.players[0].hp = 41 }),
		"of the future":        change(func(c *checkpoint) { c.players[0].sheet.enteredAt = c.now + 1 }),
		"bad data":             change(func(c *checkpoint) { c.players[0].data = []byte("{") }),
		"a monster less":       change(func(c *checkpoint) { c.monsters = c.monsters[1:] }),
		"a monster outside":    change(func(c *checkpoint) { c.monsters[0].homeX = 1000 }),
		"a target that is not": change(func(c *checkpoint) { c.monsters[0].target = 4 }),
		"no random numbers":    change(func(c *checkpoint) { c.rng = nil }),
	} {
		t.Run(name, func(t *testing.T) {
			if err := New(def, 1).Restore(b); !errors.Is(err, ErrBadCheckpoint) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := New(def, 1).Restore(good); err != nil {
		t.Errorf("and the one that is right: %v", err)
	}
	if err := w.Restore(good); !errors.Is(err, ErrBadCheckpoint) {
		t.Errorf("into a world that is not new: %v", err)
	}
}

func FuzzRestore(f *testing.F) {
	def, other := crowdedArena(f), Default()
	w := New(def, 1)
	crowd(f, w, rand.New(rand.NewPCG(1, 1)), 3)
	w.Leave(2)
	for range 300 {
		w.Step(0)
	}
	b, _ := w.Checkpoint(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, def := range []*Definition{def, other} {
			w := New(def, 1)
			if w.Restore(b) != nil {
				continue
			}
			for range 3 {
				w.Step(0)
			}
			for id := range w.slots {
				checkPlayer(t, w, id)
			}
			if _, err := w.Checkpoint(nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckpoint(b *testing.B) {
	w := New(Default(), 1)
	crowd(b, w, rand.New(rand.NewPCG(1, 1)), 1000)
	var state []byte
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			state, _ = w.Checkpoint(state[:0])
		}
		b.ReportMetric(float64(len(state)), "bytes")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			if err := New(Default(), 1).Restore(state); err != nil {
				b.Fatal(err)
			}
		}
	})
}
