package realm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// A lease whose admission was answered to a process that never heard of it is no session's: a player who goes on asking
// for a takeover gets in within seconds, and not when the lease runs out. What was saved stays as it is.
func TestTakeoverOfALeaseWithoutASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		other := f.live(t, "bob")
		f.admit(t, "alice", "lost") // and the answer never comes to the realm
		start := time.Now()
		var in rushgate.Admitted
		for {
			in = f.askFor(t, elsewhere, "alice", "second")
			if in.Err == nil {
				break
			}
			if took := time.Since(start); took > 10*time.Second || !errors.Is(in.Err, rushgate.AlreadyLoggedIn) {
				t.Fatalf("after %v: %v", took, in.Err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(start); took < orphanAge {
			t.Errorf("the lease was released after %v: an admission that is on its way would have lost it", took)
		}
		if in.Character.Name != "alice" || len(in.Character.Numbers) != 0 {
			t.Errorf("the character is %+v", in.Character)
		}
		if err := f.call(other.session.Token); err != nil {
			t.Errorf("another player: %v", err)
		}
		f.Stop(t.Context())
	})
}

// An admission that arrives while its lease is asked for keeps it, and is taken over like any other session.
func TestArrivalWhoseLeaseIsAskedForIsNoOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		a, r := f.admit(t, "alice", "first")
		f.saver.wanted.put(rushgate.Wanted{Lease: a.Lease})
		f.Tick()
		f.Enter(a)
		f.Tick()
		if r.err != nil || f.saver.orphaned.take(nil) != nil {
			t.Fatalf("the arrival: %v", r.err)
		}
		time.Sleep(orphanAge + time.Second)
		f.saver.wanted.put(rushgate.Wanted{Lease: a.Lease})
		f.Tick()
		if n := len(f.saver.orphaned.take(nil)); n != 0 || f.Stats().SessionsTakenOver != 1 {
			t.Errorf("%d orphans, %d taken over", n, f.Stats().SessionsTakenOver)
		}
	})
}

// An admission whose answer comes when its lease has already been given up opens no session: what the player did in it
// could not be saved. The next try does.
func TestArrivalAfterItsLeaseWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		a, r := f.admit(t, "alice", "first")
		f.saver.wanted.put(rushgate.Wanted{Lease: a.Lease})
		f.Tick()
		time.Sleep(orphanAge)
		f.saver.wanted.put(rushgate.Wanted{Lease: a.Lease})
		f.Tick()
		f.Enter(a)
		f.Tick()
		if !errors.Is(r.err, rushgate.ServerBusy) || f.Players() != 0 {
			t.Fatalf("the late arrival: %v, %d inside", r.err, f.Players())
		}
		if err := f.saver.releaseOrphans(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.enter(t, "alice")
	})
}

// What is remembered of orphans is bounded in number and in time.
func TestOrphansAreForgotten(t *testing.T) {
	o, now := make(orphans), time.Now()
	for i := range 2 * rushgate.MaxWanted {
		o.add(rushgate.Lease{Player: rushgate.PlayerID(i + 1)}, now)
	}
	if len(o) != rushgate.MaxWanted {
		t.Errorf("%d are remembered", len(o))
	}
	o.forget(now.Add(orphanMemory + time.Second))
	if len(o) != 0 {
		t.Errorf("%d are remembered after a while", len(o))
	}
}

// awayOnce is a store that does not answer the first time that a character is asked for.
type awayOnce struct {
	Store
	asked int
}

func (s *awayOnce) LoadCharacters(ctx context.Context, names []string) ([]rushgate.LoadedCharacter, error) {
	if s.asked++; s.asked == 1 {
		return nil, rushgate.ErrUnavailable
	}
	return s.Store.LoadCharacters(ctx, names)
}

// A release that the store does not answer is tried again.
func TestOrphansAreReleasedWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := &awayOnce{}
		f := newFixture(t, func(c *Config) { away.Store = c.Store; c.Store = away })
		a, _ := f.admit(t, "alice", "lost")
		f.saver.orphaned.put(rushgate.Wanted{Lease: a.Lease})
		if err := f.saver.releaseOrphans(t.Context()); !errors.Is(err, rushgate.ErrUnavailable) {
			t.Fatalf("while the store is away: %v", err)
		}
		if err := f.saver.releaseOrphans(t.Context()); err != nil {
			t.Fatal(err)
		}
		if in := f.askFor(t, elsewhere, "alice", "second"); in.Err != nil {
			t.Errorf("after the release: %v", in.Err)
		}
	})
}
