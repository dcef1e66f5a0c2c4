package auth

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/token"
)

// parked registers a name, and parks its session as a node does that goes down.
func (f *fixture) parked(t *testing.T, name string, i int) (token.Resume, token.Session) {
	t.Helper()
	device, session := f.join(t, name, i)
	f.mu.Lock()
	in := f.inside[name]
	f.mu.Unlock()
	f.letGo(time.Minute, in)
	f.door.Left(name, door.Left)
	return device, session
}

// A token that is made up says nothing of the player whom it names: neither whether there is an account, nor whether
// the player is inside, also while the world is full; nor does it take anything of the player's.
func TestForgedTokensLearnAndCostNothing(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.World = 2 })
	f.Start()
	device, session := f.parked(t, "outside", 1)
	f.join(t, "inside", 2)
	f.join(t, "other", 3)
	check := func(world string) {
		t.Helper()
		seats := f.door.Stats().Seats
		f.store.beforeAdmit = func([]rushgate.Admission) {
			if n := f.door.Stats().Seats; n != seats {
				t.Errorf("%s: %d seats are taken while a token is judged, want %d", world, n, seats)
			}
		}
		defer func() { f.store.beforeAdmit = nil }()
		for _, name := range []string{"inside", "outside", "nobody"} {
			for what, r := range map[string]Request{
				"session":             {SessionToken: token.NewSession(name)},
				"session that moves":  {SessionToken: token.NewSession(name), Elsewhere: Move},
				"session, if it must": {SessionToken: token.NewSession(name), Elsewhere: MoveUnlessReachable},
				"device":              {ResumeToken: token.NewResume(name)},
				"device, to take over": {
					ResumeToken: token.NewResume(name), Attempt: "a", Takeover: true,
				},
			} {
				r.Addr = addr(9)
				failed := f.Stats().Resumes.Fail[rushgate.BadCredentials]
				loads, admits, updates := f.store.loads.Load(), f.store.admits.Load(), f.store.updates.Load()
				_, err := f.Resume(t.Context(), r)
				if _, more := errors.AsType[*rushgate.Refusal](err); more || !errors.Is(err, rushgate.BadCredentials) {
					t.Errorf("%s: %s of %s: %v", world, what, name, err)
				}
				asked := int64(0)
				if r.SessionToken != (token.Session{}) {
					asked = 1
				}
				l, a, u := f.store.loads.Load()-loads, f.store.admits.Load()-admits, f.store.updates.Load()-updates
				if l != 1 || a != asked || u != 0 || f.Stats().Resumes.Fail[rushgate.BadCredentials] != failed+1 {
					t.Errorf("%s: %s of %s: %d loads, %d admissions, %d changes", world, what, name, l, a, u)
				}
			}
		}
		if n := f.door.Stats().Seats; n != seats {
			t.Errorf("%s: %d seats are taken afterwards, want %d", world, n, seats)
		}
		wanted, err := f.store.Wanted(t.Context(), f.cfg.Instance)
		if err != nil || len(wanted) != 0 {
			t.Errorf("%s: the node is asked for %+v, %v", world, wanted, err)
		}
	}
	check("full world")
	f.leave(t, "other")
	check("world with a place")
	w, err := f.Resume(t.Context(), Request{SessionToken: session, Addr: addr(1)})
	if err != nil || w.Token != session.Text() {
		t.Fatalf("the parked session, after all that: %v", err)
	}
	f.leave(t, "outside")
	if _, err := f.Resume(t.Context(), resumeBy(device, "b", 1)); err != nil {
		t.Errorf("the device, after all that: %v", err)
	}
}

// However many tokens are made up in the name of a player who is on the way back, the player keeps the place.
func TestForgedTokensDoNotCrowdAPlayerOut(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.World = 2 })
	f.holdLane(t) // by a name that there is not; alice has left
	var forged []<-chan error
	for i := range 20 {
		forged = append(forged, f.resume(Request{SessionToken: token.NewSession("alice"), Addr: addr(100 + i)}))
	}
	f.join(t, "bob", 2)
	if _, err := f.Submit(t.Context(), request(Login, "alice", 1)); err != nil {
		t.Errorf("the player, meanwhile: %v", err)
	}
	f.release()
	for _, answer := range forged {
		wantReason(t, "a token that is made up", <-answer, rushgate.BadCredentials)
	}
}

// A session that a full world has no place for is not over: it waits, parked, and no other node is asked for it.
func TestASessionWithoutAPlaceWaits(t *testing.T) {
	here := newFixture(t, nil)
	here.Start()
	_, session := here.parked(t, "alice", 1)
	_, elsewhere := here.join(t, "bob", 2)
	small := newFixture(t, func(c *settings) {
		c.World, c.Store, c.Instance = 1, here.store, rushgate.Instance{Node: "small", Run: "run"}
	})
	small.store = here.store
	small.Start()
	small.join(t, "carol", 3)
	for range 3 {
		for what, r := range map[string]Request{
			"a parked session":       {SessionToken: session},
			"one on another node":    {SessionToken: elsewhere, Elsewhere: MoveUnlessReachable},
			"one that is to move":    {SessionToken: elsewhere, Elsewhere: Move},
			"a parked one, to move":  {SessionToken: session, Elsewhere: Move},
			"a parked one, if it is": {SessionToken: session, Elsewhere: MoveUnlessReachable},
		} {
			_, err := small.Resume(t.Context(), r)
			wantReason(t, what+", in a full world", err, rushgate.ServerBusy)
			if refusalOf(err).RetryAfter < time.Second {
				t.Errorf("%s: told %+v", what, refusalOf(err))
			}
		}
	}
	if wanted, err := here.store.Wanted(t.Context(), here.cfg.Instance); err != nil || len(wanted) != 0 {
		t.Errorf("the other node is asked for %+v, %v", wanted, err)
	}
	small.leave(t, "carol")
	if w, err := small.Resume(t.Context(), Request{SessionToken: session}); err != nil || w.Token != session.Text() {
		t.Errorf("when there is a place: %v", err)
	}
}

// When a client hears that its token is not good does not depend on how long the store has looked for it.
func TestRefusedTokensAreToldInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		for _, took := range []time.Duration{0, time.Microsecond, time.Millisecond, refusalStep - 1} {
			f.store.beforeLoad = func([]string) { time.Sleep(took) }
			for _, r := range []Request{
				{SessionToken: token.NewSession("nobody")}, {ResumeToken: token.NewResume("nobody")},
			} {
				began := time.Now()
				_, err := f.Resume(t.Context(), r)
				wantReason(t, "a token that is made up", err, rushgate.BadCredentials)
				if told := time.Since(began); told < refusalStep || told >= 2*refusalStep {
					t.Errorf("after %v of the store it is told after %v", took, told)
				}
			}
		}
		f.store.beforeLoad = nil
		last := make(chan error, 1)
		go func() {
			_, err := f.Resume(t.Context(), Request{SessionToken: token.NewSession("nobody")})
			last <- err
		}()
		synctest.Wait()
		f.Stop()
		synctest.Wait()
		select {
		case err := <-last:
			wantReason(t, "as the pool stops", err, rushgate.BadCredentials)
		default:
			t.Error("the pool has stopped, and a client waits")
		}
	})
}
