package auth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

func TestFrozenPoolAnswersWhatCameAndHoldsWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		release := make(chan struct{})
		f.store.beforeLoad = func([]string) { <-release }
		f.Start()
		before := f.submit(t.Context(), request(Register, "before", 1))
		synctest.Wait()

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.Freeze(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a request in hand: %v", err)
		}
		frozen := make(chan error, 1)
		go func() { frozen <- f.Freeze(t.Context()) }()
		synctest.Wait()
		held := f.submit(t.Context(), request(Register, "held", 2))
		gone, leave := context.WithCancel(t.Context())
		given := f.submit(gone, request(Register, "given up", 3))
		entered := make(chan error, 1)
		go func() { _, err := f.Enter(t.Context(), Request{}); entered <- err }()
		time.Sleep(2 * time.Second)
		if len(frozen)+len(held)+len(given)+len(entered) > 0 {
			t.Fatal("one of those that have to wait does not")
		}
		close(release)
		if err := <-before; err != nil {
			t.Errorf("what came before: %v", err)
		}
		if err := <-frozen; err != nil {
			t.Errorf("when all have been answered: %v", err)
		}
		leave()
		if err := <-given; !errors.Is(err, rushgate.RequestExpired) {
			t.Errorf("a client that has gone: %v", err)
		}
		time.Sleep(2 * time.Second)
		if len(held) > 0 {
			t.Fatal("a request is let in while the pool is frozen")
		}
		f.Thaw()
		f.Thaw()
		if err := <-held; err != nil {
			t.Errorf("what came meanwhile: %v", err)
		}
		if err := <-entered; err == nil {
			t.Error("a player without a proof is let in")
		}
	})
}

func TestDrainTurnsAwayWhatAFrozenPoolHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		if err := f.Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		held := f.submit(t.Context(), request(Register, "held", 1))
		time.Sleep(time.Second)
		if err := f.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, ok := errors.AsType[*rushgate.Refusal](<-held)
		if !ok || r.Reason != rushgate.ServerBusy || r.RetryAfter <= 0 {
			t.Errorf("told %+v", r)
		}
	})
}
