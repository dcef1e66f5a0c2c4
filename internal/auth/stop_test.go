package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

func TestPoolStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		var inHand atomic.Bool
		release := make(chan struct{})
		f.store.beforeLoad = func([]string) { inHand.Store(true); <-release }
		f.Start()
		first := f.submit(t.Context(), request(Register, "first", 1))
		synctest.Wait()
		if !inHand.Load() {
			t.Fatal("no worker took the request")
		}
		queued := f.submit(t.Context(), request(Register, "queued", 2))
		synctest.Wait()
		stopped := make(chan struct{})
		go func() { f.Stop(); close(stopped) }()
		synctest.Wait()
		select {
		case <-stopped:
			t.Fatal("Stop returned with a batch in hand")
		default:
		}
		close(release)
		<-stopped
		if err := <-first; err != nil {
			t.Errorf("the batch in hand: %v", err)
		}
		if err := <-queued; !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a queued request: %v, want server-busy", err)
		}
		if _, err := f.Submit(t.Context(), request(Register, "late", 3)); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("after Stop: %v, want server-busy", err)
		}
		f.Start() // does nothing
		f.Stop()
	})
}

func TestPoolDrainFinishesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		var done []<-chan error
		for i := range 100 {
			done = append(done, f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i)))
		}
		synctest.Wait()
		f.store.beforeLoad = func([]string) { time.Sleep(time.Second) }
		f.Start()
		if err := f.Drain(t.Context()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		for i, d := range done {
			if err := <-d; err != nil {
				t.Errorf("queued request %d: %v", i, err)
			}
		}
	})
}

func TestPoolDrainGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		f.store.beforeLoad = func([]string) { time.Sleep(time.Second) }
		var done []<-chan error
		for i := range 100 {
			done = append(done, f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i)))
		}
		synctest.Wait()
		f.Start()
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := f.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		ok, busy := 0, 0
		for _, d := range done {
			switch err := <-d; {
			case err == nil:
				ok++
			case errors.Is(err, rushgate.ServerBusy):
				busy++
			default:
				t.Errorf("unexpected answer: %v", err)
			}
		}
		// Two batches were done, the third was about to be hashed.
		if ok != 2*BatchMax || busy != 100-2*BatchMax {
			t.Errorf("%d served and %d told to come back, want %d and %d", ok, busy, 2*BatchMax, 100-2*BatchMax)
		}
	})
}

func TestPoolStartAndStopInAnyOrder(t *testing.T) {
	for range 50 {
		f := newFixture(t, nil)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(f.Start)
			wg.Go(f.Stop)
			wg.Go(func() { f.Submit(t.Context(), request(Login, "nobody", 1)) })
		}
		wg.Wait()
	}
}
