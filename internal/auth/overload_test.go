package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/password"
)

func TestPoolRefusesAtOnceWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.QueueDepth = 10; c.HashTime = time.Second; c.Workers = 1 })
		for i := range 10 {
			f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i))
		}
		synctest.Wait()
		start := time.Now()
		var last time.Duration
		for i := range 5 {
			_, err := f.Submit(t.Context(), request(Register, "late", 100+i))
			var refusal *rushgate.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy {
				t.Fatalf("a full queue answers %v", err)
			}
			if refusal.RetryAfter <= last {
				t.Errorf("refusal %d is to come back in %v, the one before in %v", i, refusal.RetryAfter, last)
			}
			last = refusal.RetryAfter
		}
		if time.Since(start) != 0 {
			t.Errorf("the refusals took %v", time.Since(start))
		}
		if busy, _ := f.door.Outlook(); !busy || f.Stats().Counters.RejectedBusy != 5 {
			t.Errorf("busy %v, counters %+v", busy, f.Stats().Counters)
		}
		f.Stop()
	})
}

// Those who are refused before they reach the pool are counted with the others: for the operator they are players who
// were told to come back.
func TestPoolCountsThoseTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.QueueDepth = 1 }) // not started: nothing leaves the queue
		f.submit(t.Context(), request(Register, "alice", 1))
		synctest.Wait()
		k := door.Knock{Addr: netip.MustParseAddr("192.0.2.7"), Name: "bob", Want: door.Login}
		if _, refused := f.door.TurnAway(k); !refused {
			t.Fatal("a full queue turns no client away")
		}
		if _, err := f.Submit(t.Context(), request(Register, "carol", 3)); err == nil {
			t.Fatal("a full queue takes another")
		}
		if c := f.Stats().Counters; c.RejectedBusy != 2 || c.RateLimited != 0 {
			t.Errorf("counted %d told busy and %d rate-limited, want 2 and 0", c.RejectedBusy, c.RateLimited)
		}
		if s := f.door.Stats(); s.Refused.Queue != 2 || s.TurnedAway.Queue != 1 {
			t.Errorf("the door has refused %+v, turned away %+v", s.Refused, s.TurnedAway)
		}
		f.Stop()
	})
}

func TestPoolRefusesWhileTheWorldIsFull(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.World = 1 })
	f.Start()
	if _, err := f.Submit(t.Context(), request(Register, "alice", 1)); err != nil {
		t.Fatal(err)
	}
	_, err := f.Submit(t.Context(), request(Register, "bob", 2))
	var refusal *rushgate.Refusal
	busy, _ := f.door.Outlook()
	if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy || refusal.RetryAfter < 10*time.Second || !busy {
		t.Errorf("a full world: %v, %+v", err, refusal)
	}
	if n := f.cfg.Hasher.Iterations() / password.MinIterations; n != 1 {
		t.Errorf("%d derivations, want that of the player inside", n)
	}
	f.door.Left("alice", door.Left)
	_, err = f.Submit(t.Context(), request(Register, "bob", 2))
	if busy, _ := f.door.Outlook(); err != nil || !busy {
		t.Errorf("with room again: %v", err)
	}
}

func TestPoolRefusesWhatWouldExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One login a second in batches of six, and no bound on the queue: the 21st might be stale before its turn.
		f := newFixture(t, func(c *settings) { c.QueueDepth = 0; c.HashTime = time.Second; c.Workers = 1 })
		for i := range 40 {
			f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i))
			synctest.Wait()
		}
		if c := f.Stats().Counters; c.Queued != 20 || c.RejectedBusy != 20 {
			t.Errorf("queued %d, refused %d; want 20 and 20", c.Queued, c.RejectedBusy)
		}
		f.Stop()
	})
}

// Places that free up belong to those who were promised them.
func TestPoolKeepsPlacesForThePromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.QueueDepth = 10; c.HashTime = time.Second; c.Workers = 1 })
		for i := range 10 {
			f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i))
		}
		synctest.Wait()
		_, err := f.Submit(t.Context(), request(Register, "promised", 50))
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		taken, _ := f.queue.take(7)
		for _, r := range taken { // places free up
			r.seat.Close(door.NotJudged)
		}
		if _, err := f.Submit(t.Context(), request(Register, "newcomer", 51)); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a newcomer took a promised place: %v", err)
		}
		if _, err := f.Submit(t.Context(), request(Register, "promised", 50)); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a client that came back early was let in: %v", err)
		}
		time.Sleep(refusal.RetryAfter)
		done := f.submit(t.Context(), request(Register, "promised", 50))
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("a client that came back in time was refused: %v", err)
		default:
		}
		f.Stop()
	})
}

// burst has clients knock all at once at a pool with a known speed, each coming back when it is told to, and returns
// the attempts per success, the time until the last was in, and the time that the workers need at least. address tells
// who shares one.
func burst(t *testing.T, clients int, address func(i int) int) (attempts float64, took, ideal time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // one for each worker, whose work here is to sleep
	synctest.Test(t, func(t *testing.T) {
		const hash = 10 * time.Millisecond // two at a time: 200 logins per second
		f := newFixture(t, func(c *settings) { c.QueueDepth = 200; c.Workers = 2; c.HashTime = hash })
		f.store.beforeLoad = func(names []string) { time.Sleep(time.Duration(len(names)) * hash) }
		f.Start()
		start := time.Now()
		var wg sync.WaitGroup
		var total atomic.Int64
		for i := range clients {
			wg.Go(func() {
				for {
					total.Add(1)
					r := request(Register, fmt.Sprintf("player-%d", i), address(i))
					_, err := f.Submit(t.Context(), r)
					if err == nil {
						return
					}
					var refusal *rushgate.Refusal
					if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy {
						t.Errorf("client %d: %v", i, err)
						return
					}
					time.Sleep(refusal.RetryAfter)
				}
			})
		}
		wg.Wait()
		attempts = float64(total.Load()) / float64(clients)
		took, ideal = time.Since(start), time.Duration(clients)*hash/2
		t.Logf("%.2f attempts per success, %v for %v of work", attempts, took, ideal)
	})
	return attempts, took, ideal
}

// A burst of five times what the queue holds: everyone gets in, on the second try at the latest but for a few, and the
// workers are hardly ever out of work before the last.
func TestBurstComesBackAtTheRateItIsServed(t *testing.T) {
	attempts, took, ideal := burst(t, 1000, func(i int) int { return i })
	if attempts > 1.9 || took > ideal*110/100 {
		t.Errorf("%.2f attempts per success, took %v for %v of work", attempts, took, ideal)
	}
}

// The same burst from behind one address: the clients are spread nearly as well as if each had its own. Their turns lie
// ahead, a share of the pace apart, and are called before their time since no others wait.
func TestBurstBehindOneAddress(t *testing.T) {
	attempts, took, ideal := burst(t, 1000, func(int) int { return 7 })
	if attempts > 2.6 || took > ideal*125/100 {
		t.Errorf("%.2f attempts per success, took %v for %v of work", attempts, took, ideal)
	}
}

// Under a steady overload hardly anything is queued only to expire: what has expired does not pass for capacity.
func TestOverloadDoesNotQueueToExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hash = 500 * time.Millisecond
		f := newFixture(t, func(c *settings) { c.QueueDepth = 0; c.Workers = 1; c.HashTime = hash })
		f.store.beforeLoad = func(names []string) { time.Sleep(time.Duration(len(names)) * hash) }
		f.Start()
		var wg sync.WaitGroup
		for i := range 3000 { // ten a second for five minutes, against two a second
			wg.Go(func() { f.Submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i)) })
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
		c := f.Stats().Counters
		if c.Expired > c.Success/50 || c.Success < 590 {
			t.Errorf("%d served and %d expired, want 600 or more and next to none", c.Success, c.Expired)
		}
		if rate := f.door.Stats().Pace; rate < 1.9 || rate > 2.1 {
			t.Errorf("the estimate is %v per second, want 2", rate)
		}
	})
}
