package storetest_test

import (
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/storetest"
)

// ownStore stands for a store of your own.
type ownStore struct{ rushgate.Store }

// openOwn opens an empty one. The suite moves the clock, by which leases run out.
func openOwn(clock *storetest.Clock) rushgate.Store {
	return ownStore{memory.New(memory.Options{Now: clock.Now, Boards: storetest.Boards()})}
}

// The body of the function is all that the test of a store needs to be.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		clock := storetest.NewClock()
		storetest.Run(t, storetest.Harness{
			Open:    func(t *testing.T) rushgate.Store { return openOwn(clock) },
			Advance: clock.Advance,
		})
	}
}
