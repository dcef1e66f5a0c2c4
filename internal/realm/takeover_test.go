package realm

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// askFor has the player of a name come to a node once more, and returns what the store says.
func (f *fixture) askFor(t *testing.T, by rushgate.Instance, name, attempt string) rushgate.Admitted {
	t.Helper()
	results, err := f.store.Admit(t.Context(), by,
		[]rushgate.Admission{{Account: f.names[name], Attempt: attempt, Takeover: true}})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// A player who comes to another node is let go here, with everything saved, and is there what they were here.
func TestTakeoverEndsTheSessionWithItsLastState(t *testing.T) {
	for _, by := range []rushgate.Instance{elsewhere, here} {
		t.Run(by.Node, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				r, other := f.live(t, "alice"), f.live(t, "bob")
				moved := make(chan struct{})
				move := func() {
					f.world.players[r.session.Player].Numbers["xp"] = 77
					f.world.players[r.session.Player].Data = []byte("bag")
					close(moved)
				}
				f.world.next.Store(&move)
				<-moved
				if got := f.askFor(t, by, "alice", "second"); !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
					t.Fatalf("while the session lasts the store says %+v", got)
				}
				time.Sleep(watchInterval + time.Second)
				synctest.Wait()
				if err := f.call(r.session.Token); !errors.Is(err, rushgate.BadCredentials) {
					t.Errorf("a call of the session that was taken over: %v, want %v", err, rushgate.BadCredentials)
				}
				if err := f.call(other.session.Token); err != nil {
					t.Errorf("a call of another player: %v", err)
				}
				got := f.askFor(t, by, "alice", "second")
				if c := got.Character; got.Err != nil || c.Numbers["xp"] != 77 || string(c.Data) != "bag" || c.Zone != "meadow" {
					t.Errorf("afterwards the store says %+v", got)
				}
				if st := f.Stats(); st.SessionsTakenOver != 1 || st.SessionsClosed != 1 || st.SessionsEvicted != 0 ||
					st.Players != 1 {
					t.Errorf("stats are %+v", st)
				}
				f.Stop(t.Context())
			})
		})
	}
}

// Calls that are waiting for the tick are answered as they are when the player logs out meanwhile.
func TestTakeoverAnswersTheCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		f.save(t)
		f.askFor(t, elsewhere, "alice", "second")
		if err := f.saver.askWanted(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.letGo()
		reply, loggedOut := make(chan queryAnswer, 1), make(chan error, 1)
		inside := f.players[s.Player]
		inside.queries.Add(2) // as if they had been posted before
		f.handle(message{session: inside, kind: messageQuery, reply: reply})
		f.handle(message{session: inside, kind: messageLogout, done: func(err error) { loggedOut <- err }})
		if a := <-reply; !errors.Is(a.err, rushgate.BadCredentials) {
			t.Errorf("a query got %+v", a)
		}
		f.save(t)
		if err := <-loggedOut; err != nil {
			t.Errorf("a logout got %v", err)
		}
		if n := f.online(t); n != 0 {
			t.Errorf("%d online", n)
		}
	})
}

// Only the session that was asked for is ended: not the next one, and nothing that this node does not have.
func TestTakeoverOfALeaseThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		lease := f.players[s.Player].lease()
		older, unknown := lease, lease
		older.Fence--
		unknown.Player = 999
		f.saver.wanted.put(rushgate.Wanted{Lease: older})
		f.saver.wanted.put(rushgate.Wanted{Lease: unknown})
		f.Tick()
		if err := f.call(s.Token); err != nil {
			t.Fatalf("the session has ended: %v", err)
		}
		f.saver.wanted.put(rushgate.Wanted{Lease: lease})
		f.saver.wanted.put(rushgate.Wanted{Lease: lease})
		f.Tick()
		if err := f.call(s.Token); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("the session has not ended: %v", err)
		}
		f.save(t)
		f.saver.wanted.put(rushgate.Wanted{Lease: lease}) // saved and over
		f.Tick()
		if st := f.Stats(); st.SessionsTakenOver != 1 || f.store.saves() != 1 {
			t.Errorf("%d taken over, %d saves", st.SessionsTakenOver, f.store.saves())
		}
	})
}

// deafStore does not say what is wanted: it fails, or is silent until it is given up on.
type deafStore struct {
	Store
	mu     sync.Mutex
	err    error
	silent bool
	calls  int
}

func (s *deafStore) Wanted(ctx context.Context, by rushgate.Instance) ([]rushgate.Wanted, error) {
	s.mu.Lock()
	err, silent := s.err, s.silent
	s.calls++
	s.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return s.Store.Wanted(ctx, by)
}

func (s *deafStore) set(err error, silent bool) (calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.silent = err, silent
	return s.calls
}

// Whatever becomes of the question who is wanted, saves go on, and a stop does not wait for it.
func TestFailingWatchDisturbsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		deaf := &deafStore{err: errors.New("no answer")}
		f := newFixture(t, func(c *Config) {
			deaf.Store, c.Store = c.Store, deaf
			c.SessionTimeout = time.Hour
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		r := f.live(t, "alice")
		for _, silent := range []bool{false, true} {
			deaf.set(errors.New("no answer"), silent)
			before := f.store.saves()
			start := time.Now()
			f.world.befall(r.session.Player, func(c *rushgate.Character) { c.Numbers["deaths"]++ })
			for f.store.saves() == before && time.Since(start) < time.Minute {
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
			}
			if took := time.Since(start); took > 100*time.Millisecond {
				t.Errorf("silent %v: a death was saved after %v", silent, took)
			}
			time.Sleep(time.Minute)
		}
		if n := deaf.set(nil, false); n < 60 || n > 150 {
			t.Errorf("the store was asked %d times in two minutes", n)
		}
		f.askFor(t, elsewhere, "alice", "second")
		time.Sleep(watchTimeout + 2*time.Second)
		synctest.Wait()
		if err := f.call(r.session.Token); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("when the store answers again, nobody is let go: %v", err)
		}
		deaf.set(nil, true)
		time.Sleep(2 * time.Second)
		start := time.Now()
		if err := f.Stop(t.Context()); err != nil || time.Since(start) > time.Second {
			t.Errorf("Stop: %v after %v", err, time.Since(start))
		}
		warned, again := strings.Count(log.String(), "cannot be taken over"), strings.Count(log.String(), "taken over again")
		if warned != 1 || again != 1 {
			t.Errorf("logged %d warnings and %d ends of them:\n%s", warned, again, log.String())
		}
	})
}
