package rushgate_test

import (
	"fmt"

	"github.com/rushgate/rushgate"
)

// town is the game of [ExampleWorld] with a town crier: what one says, all hear.
type town struct {
	line
	said []rushgate.Message
}

func (t *town) Hear(m rushgate.Message) {
	words := fmt.Sprintf("%s: %.200q", t.players[m.Player].Name, m.Data) // quoted, since it may be anything
	t.said = append(t.said, rushgate.Message{Reliable: true, Data: []byte(words)})
}

func (t *town) Speak(dst []rushgate.Message) []rushgate.Message {
	dst = append(dst, t.said...) // without a Player they are for all
	t.said = t.said[:0]
	return dst
}

// A world that talks has two methods more.
func ExampleMessenger() {
	var game rushgate.Messenger = &town{line: line{players: make(map[rushgate.PlayerID]*walker)}}
	if err := game.Enter(rushgate.Character{ID: 1, Name: "alice", Numbers: rushgate.Numbers{}}); err != nil {
		fmt.Println(err)
		return
	}
	game.Hear(rushgate.Message{Player: 1, Reliable: true, Data: []byte("hello")})
	game.Step(1)
	for _, m := range game.Speak(nil) {
		fmt.Println(string(m.Data))
	}
	// Output: alice: "hello"
}
