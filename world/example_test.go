package world_test

import (
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/world"
)

// The same definition, seed and calls lead to the same world, every time and on every machine.
func Example() {
	w := world.New(world.Default(), 1)
	if err := w.Enter(rushgate.Character{ID: 1, Name: "alice", Numbers: rushgate.Numbers{"level": 1}}); err != nil {
		fmt.Println(err)
		return
	}
	before, _ := w.Character(1)
	w.Apply(1, rushgate.Intent{MoveX: 1, Action: world.ActionAttack})
	for tick := uint64(1); tick <= rushgate.TickRate; tick++ {
		w.Step(tick)
	}
	after, _ := w.Character(1)
	fmt.Printf("%s in %s walked %.2f units in a second\n", after.Name, after.Zone, after.X-before.X)
	// Output: alice in zone-1 walked 8.00 units in a second
}

// A definition that cannot be is refused with the value that is wrong.
func ExampleParseDefinition() {
	_, err := world.ParseDefinition([]byte(`{"start_zone": "zone-1", "gravity": 9.81}`))
	fmt.Println(err)
	// Output: invalid world definition: line 1: json: unknown field "gravity"
}
