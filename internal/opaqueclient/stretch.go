package opaqueclient

import (
	"context"
	"time"

	"github.com/bytemare/opaque"
	"golang.org/x/crypto/argon2"
)

// Stage is how far a Finish has come.
type Stage int

// The stages, in their order.
const (
	// Waiting is for others that stretch a password in this process.
	Waiting Stage = iota
	// Stretching takes nearly all of the time, and 64 MiB of memory. How far it is cannot be told.
	Stretching
	// Finished is after it, whatever came of it.
	Finished
)

// Slots bounds how many passwords are stretched at once, each of which takes 64 MiB and up to four cores. A Slots may
// be used by many goroutines.
type Slots chan struct{}

// NewSlots returns n slots; n is at least 1.
func NewSlots(n int) Slots { return make(Slots, max(n, 1)) }

// Cost is that of an Argon2id: how often it passes over how many KiB of memory, in how many lanes.
type Cost struct{ Passes, Memory, Lanes int }

// usualCost is the second recommendation of RFC 9106.
var usualCost = Cost{Passes: 3, Memory: 64 << 10, Lanes: 4}

const maxMemory = 4 << 20

// one is for those who do not say.
var one = NewSlots(1)

// Options are about the stretching of a password. The zero Options are good for a game.
type Options struct {
	// Cost is that of the stretching; the zero Cost is the usual one, which all clients have to share that log in to the
	// same account. A load generator, which is not there to measure itself, takes less for accounts of its own.
	Cost Cost
	// Slots bounds the memory, to 64 MiB for each slot; nil means one slot that all in this process share who do not say.
	Slots Slots
	// Progress is called with each stage, on the goroutine that calls Finish; nil means that nobody wants to know.
	Progress func(Stage)
}

type outcome[T any] struct {
	value T
	err   error
}

// inSlot runs the rest of a registration or a login in a slot, and clears the client. When the context ends while
// it waits, nothing is computed. When it ends later, the caller is told at once, but an Argon2id cannot be broken off:
// its goroutine ends by itself with the computation, and holds the slot and the memory until then.
func inSlot[T any](ctx context.Context, o Options, client *opaque.Client, rest func() (T, error)) (T, error) {
	slots, tell := o.Slots, o.Progress
	if slots == nil {
		slots = one
	}
	if tell == nil {
		tell = func(Stage) {}
	}
	var none T
	tell(Waiting)
	defer tell(Finished)
	if err := ctx.Err(); err != nil {
		client.ClearState()
		return none, err
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		client.ClearState()
		return none, ctx.Err()
	}
	tell(Stretching)
	done := make(chan outcome[T], 1)
	go func() {
		defer func() { <-slots }()
		done <- protected(client, rest)
	}()
	select {
	case out := <-done:
		if err := ctx.Err(); err != nil { // of both that are ready, select takes either
			return none, err
		}
		return out.value, out.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func protected[T any](client *opaque.Client, rest func() (T, error)) (out outcome[T]) {
	defer recovered(&out.err)
	defer client.ClearState()
	out.value, out.err = rest()
	return out
}

// MeasureStretching does what a password is stretched with once, and returns how long that took: the time that a login
// takes on this device at least, when nothing else runs. It takes 64 MiB, and goes by no Slots.
func MeasureStretching() time.Duration {
	start := time.Now()
	argon2.IDKey(make([]byte, stretched), make([]byte, saltSize),
		uint32(usualCost.Passes), uint32(usualCost.Memory), uint8(usualCost.Lanes), stretched)
	return time.Since(start)
}
