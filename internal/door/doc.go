// Package door decides who may come in, in which order, at whose cost, and when to come back.
//
// Every knock, by whatever transport, is one call of [Door.Knock], which never blocks, does no I/O and takes the same
// time however many have knocked before. Its answer is a [Seat], which stands for a place in the queue and one in the
// world, or a refusal with the time to come back. The caller closes the seat with what became of it, and that settles
// everything the knock was charged for.
//
// The door owns, each in a file of its own:
//
//   - the budgets of failures, so that guessing is slow from one address, from many, and at one account (budget.go,
//     lockout.go);
//   - the room in the queue, and each origin's share of it (room.go);
//   - the seats in the world, and each origin's share of them (places.go);
//   - the pace at which the workers serve (pace.go);
//   - the clock that tells the refused when to come back (clock.go), which is where every Retry-After that players hear
//     of a node comes from.
//
// Time and chance are injected, and one mutex guards it all: no method holds it for more than some map operations.
package door
