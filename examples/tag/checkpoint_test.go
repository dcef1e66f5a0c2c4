package main

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

var _ rushgate.Checkpointer = (*field)(nil)

// A field that is moved in the middle of a game goes on as if it had stayed.
func TestMovedFieldGoesOnAsItWouldHave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stayed, moved := newField(), newField()
		play := func(fields ...*field) {
			for range rapid.IntRange(0, 40).Draw(t, "calls") {
				c := newcomer(rushgate.PlayerID(rapid.IntRange(1, 4).Draw(t, "id")))
				c.CreatedAt = time.Unix(int64(c.ID), 0).UTC()
				in := rushgate.Intent{
					MoveX: rapid.Float32Range(-2, 2).Draw(t, "x"), MoveY: rapid.Float32Range(-2, 2).Draw(t, "y"),
				}
				what, steps := rapid.IntRange(0, 5).Draw(t, "what"), rapid.IntRange(1, 60).Draw(t, "steps")
				for _, f := range fields {
					switch what {
					case 0:
						_ = f.Enter(c) // who is on the field stays
					case 1:
						f.Leave(c.ID)
					case 2:
						f.Apply(c.ID, in)
					case 3:
						f.Hear(rushgate.Message{Player: c.ID, Data: []byte("boo")})
					default:
						for range steps {
							f.Step(0)
							f.Speak(nil)
						}
					}
				}
			}
		}
		play(stayed)
		state, err := stayed.Checkpoint(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := moved.Restore(state); err != nil {
			t.Fatal(err)
		}
		play(stayed, moved)
		a, _ := stayed.Checkpoint(nil)
		b, _ := moved.Checkpoint(nil)
		if !bytes.Equal(a, b) {
			t.Fatalf("stayed %s\nmoved  %s", a, b)
		}
		if a, b := stayed.View(nil), moved.View(nil); !slices.Equal(a, b) {
			t.Fatalf("stayed %v\nmoved  %v", a, b)
		}
	})
}

func TestWhatIsNoCheckpointIsRefused(t *testing.T) {
	const one = `{"character":{"ID":1,"Zone":"field"},"data":{"v":1}}`
	for name, state := range map[string]string{
		"nothing":             ``,
		"another version":     `{"v":1}`,
		"a player twice":      `{"v":2,"runners":[` + one + `,` + one + `]}`,
		"outside the field":   `{"v":2,"runners":[{"character":{"ID":1,"Zone":"field","X":25},"data":{"v":1}}]}`,
		"too fast":            `{"v":2,"runners":[{"character":{"ID":1,"Zone":"field"},"move_x":2,"data":{"v":1}}]}`,
		"data of the future":  `{"v":2,"runners":[{"character":{"ID":1,"Zone":"field"},"data":{"v":2}}]}`,
		"none of them is it":  `{"v":2,"runners":[` + one + `],"it":1}`,
		"it counts for hours": `{"v":2,"runners":[` + one + `],"count":61}`,
	} {
		t.Run(name, func(t *testing.T) {
			if newField().Restore([]byte(state)) == nil {
				t.Error("it was taken")
			}
		})
	}
}

func FuzzRestore(f *testing.F) {
	state, _ := filled(3).Checkpoint(nil)
	f.Add(state)
	f.Fuzz(func(t *testing.T, state []byte) {
		g := newField()
		if g.Restore(state) != nil {
			return
		}
		for range 2 * countdown {
			g.Step(0)
		}
		if _, err := g.Checkpoint(nil); err != nil {
			t.Fatal(err)
		}
	})
}
