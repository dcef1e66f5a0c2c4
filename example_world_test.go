package rushgate_test

import (
	"fmt"

	"github.com/rushgate/rushgate"
)

// line is a whole game: players walk along a line, a unit for each step that they want to move.
type line struct {
	players map[rushgate.PlayerID]*walker
	order   []*walker // in which they came; a map has no order
}

type walker struct {
	rushgate.Character
	move float64
}

func (l *line) Enter(c rushgate.Character) error {
	if c.Zone == "" { // a new player
		c.Zone, c.Numbers["hp"] = "line", 1
	}
	w := &walker{Character: c}
	l.players[c.ID] = w
	l.order = append(l.order, w)
	return nil
}

func (l *line) Leave(id rushgate.PlayerID) {
	for i, w := range l.order {
		if w.ID == id {
			l.order = append(l.order[:i], l.order[i+1:]...)
		}
	}
	delete(l.players, id)
}

func (l *line) Apply(id rushgate.PlayerID, in rushgate.Intent) {
	w := l.players[id]
	if w == nil {
		return
	}
	switch { // a client may send anything, also NaN: only the sign counts
	case in.MoveX > 0:
		w.move = 1
	case in.MoveX < 0:
		w.move = -1
	default:
		w.move = 0
	}
}

func (l *line) Step(uint64) []rushgate.Event {
	for _, w := range l.order {
		w.X += w.move
	}
	return nil
}

func (l *line) Character(id rushgate.PlayerID) (rushgate.Character, bool) {
	w := l.players[id]
	if w == nil {
		return rushgate.Character{}, false
	}
	return w.Character, true
}

func (l *line) View(dst []rushgate.Entity) []rushgate.Entity {
	for _, w := range l.order {
		dst = append(dst, rushgate.Entity{ID: uint64(w.ID), Name: w.Name, Kind: 1, X: w.X, HP: 1, MaxHP: 1})
	}
	return dst
}

// A game is a type with six methods. It needs no server to be tried: here the example is the tick.
func ExampleWorld() {
	var game rushgate.World = &line{players: make(map[rushgate.PlayerID]*walker)}
	if err := game.Enter(rushgate.Character{ID: 1, Name: "alice", Numbers: rushgate.Numbers{"level": 1}}); err != nil {
		fmt.Println(err)
		return
	}
	game.Apply(1, rushgate.Intent{MoveX: 1})
	for tick := uint64(1); tick <= rushgate.TickRate; tick++ {
		game.Step(tick)
	}
	for _, e := range game.View(nil) {
		fmt.Printf("%s is at %v after a second\n", e.Name, e.X)
	}
	// Output: alice is at 60 after a second
}
