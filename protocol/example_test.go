package protocol_test

import (
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

// A snapshot says only what has changed since the last one that the client has: here one monster of two has moved.
func Example() {
	wolf := protocol.Quantise(&rushgate.Entity{ID: 1, Name: "wolf", Kind: 2, X: 10, Y: 5, HP: 30, MaxHP: 30})
	bear := protocol.Quantise(&rushgate.Entity{ID: 2, Name: "bear", Kind: 3, X: -4, Y: 9, HP: 80, MaxHP: 80})

	// The node.
	var encoder protocol.Encoder
	encoder.Begin(protocol.Header{Tick: 100}, nil) // the client has nothing yet
	encoder.Add(&wolf)
	encoder.Add(&bear)
	first := append([]byte(nil), encoder.Bytes()...)

	known := []*protocol.State{&wolf, &bear}
	moved := wolf
	moved.X += protocol.Scale / 2
	encoder.Begin(protocol.Header{Tick: 103, Base: 100}, known) // the client has acknowledged the first
	encoder.Add(&moved)
	encoder.Add(&bear)
	second := append([]byte(nil), encoder.Bytes()...)

	// The client.
	var decoder protocol.Decoder
	var snapshot protocol.Snapshot
	for _, message := range [][]byte{first, second} {
		if err := decoder.Decode(message, &snapshot); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("tick %d in %d bytes:", snapshot.Tick, len(message))
		for _, e := range snapshot.Entities {
			fmt.Printf(" %s at %v,%v", e.Name, float64(e.X)/protocol.Scale, float64(e.Y)/protocol.Scale)
		}
		fmt.Println()
	}
	// Output:
	// tick 100 in 55 bytes: wolf at 10,5 bear at -4,9
	// tick 103 in 28 bytes: wolf at 10.5,5 bear at -4,9
}

// What a client sends: what its player wants from now on, and which snapshot it has.
func ExampleAppendIntent() {
	message := protocol.AppendIntent(nil, protocol.Intent{
		Seq: 1, Ack: 103, Intent: rushgate.Intent{MoveX: 1, Action: 1, Target: 7},
	})
	got, err := protocol.ParseIntent(message)
	fmt.Println(len(message), "bytes:", got.Seq, got.Ack, got.MoveX, got.MoveY, got.Action, got.Target, err)
	// Output: 16 bytes: 1 103 1 0 1 7 <nil>
}
