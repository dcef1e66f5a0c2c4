package realm

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// A store that is away for longer than a lease lasts, and a login as soon as it is back: what the session here knows
// counts, not what the store had.
func TestProgressSurvivesAnOutageLongerThanTheLease(t *testing.T) {
	for _, left := range []bool{false, true} {
		t.Run(fmt.Sprintf("left=%v", left), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
				s := f.enter(t, "alice")
				f.save(t)
				f.world.players[s.Player].Numbers["xp"] = 5000
				f.store.setFail(errors.New("gone"))
				loggedOut := make(chan error, 1)
				if left {
					go func() { loggedOut <- f.Logout(t.Context(), s.Token) }()
					synctest.Wait()
				}
				f.nextRefresh = time.Now().Add(time.Hour) // refreshing fails as well
				f.Tick()
				time.Sleep(rushgate.LeaseTTL + time.Second)
				f.store.setFail(nil)
				a, r := f.admit(t, "alice", "alice-2")
				if a.Character.Numbers["xp"] == 5000 || a.Lease.Fence == a.Previous+1 {
					t.Fatal("the fixture is wrong: the store knows already, or its fences do not leap")
				}
				f.Enter(a)
				f.Tick()
				if left && r.err != nil || !left && !errors.Is(r.err, rushgate.AlreadyLoggedIn) {
					t.Errorf("the login was answered %v", r.err)
				}
				if got := f.world.players[s.Player]; got == nil || got.Numbers["xp"] != 5000 {
					t.Errorf("inside is %+v", got)
				}
				f.save(t)
				if left {
					if err := <-loggedOut; err != nil {
						t.Errorf("the logout was answered %v", err)
					}
				}
				ranks, err := f.store.Top(t.Context(), rushgate.BoardXP, 1)
				if err != nil || ranks[0].Score != 5000 || f.Stats().SessionsEvicted != 0 {
					t.Errorf("stored %+v, %v", ranks, err)
				}
			})
		})
	}
}

// A login that comes between the last save and the tick's taking note of it does not make that save a failure.
func TestLogoutFollowedAtOnceByLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		loggedOut := f.logoutUntilSaved(t, s)
		a, r := f.admit(t, "alice", "alice-2")
		f.Enter(a)
		f.Tick()
		f.save(t)
		if err := <-loggedOut; err != nil || r.err != nil {
			t.Errorf("the logout was answered %v, the login %v", err, r.err)
		}
	})
}

// logoutUntilSaved logs a player out as far as the last save, which the tick has yet to take note of, and returns where
// the logout will be answered.
func (f *fixture) logoutUntilSaved(t *testing.T, s rushgate.Session) <-chan error {
	t.Helper()
	loggedOut := make(chan error, 1)
	go func() { loggedOut <- f.Logout(t.Context(), s.Token) }()
	synctest.Wait()
	f.Tick()
	if err := f.saver.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	return loggedOut
}

// elsewhereAndBack has a player whose lease here is over log in at another node, leave it with some XP, and log in
// here.
func (f *fixture) elsewhereAndBack(t *testing.T, name string, xp int64) (rushgate.Arrival, *reply) {
	t.Helper()
	there := f.askFor(t, elsewhere, name, name+" elsewhere")
	if there.Err != nil {
		t.Fatal(there.Err)
	}
	there.Character.Numbers["xp"] = xp
	save := rushgate.Save{Character: there.Character, Fence: there.Lease.Fence, Release: true}
	if errs, err := f.store.Store.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	return f.admit(t, name, name+" back")
}

// What another node has saved in between counts, not what a session here still knows.
func TestProgressMadeElsewhereIsNotUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
		s := f.enter(t, "alice")
		f.save(t)
		f.world.players[s.Player].Numbers["xp"] = 5000
		time.Sleep(rushgate.LeaseTTL + time.Second)
		a, r := f.elsewhereAndBack(t, "alice", 7)
		f.Enter(a)
		f.Tick()
		if got := f.world.players[s.Player]; r.err != nil || got.Numbers["xp"] != 7 || f.Stats().SessionsEvicted != 1 {
			t.Errorf("answered %v; inside is %+v, %d evicted", r.err, got, f.Stats().SessionsEvicted)
		}
	})
}

// A logout that is done stays done, whichever node has had the player since.
func TestLogoutFollowedAtOnceByAnotherNodeAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		loggedOut := f.logoutUntilSaved(t, s)
		a, r := f.elsewhereAndBack(t, "alice", 7)
		f.Enter(a)
		f.Tick()
		if err := <-loggedOut; err != nil || r.err != nil || f.Stats().SessionsEvicted != 0 {
			t.Errorf("the logout was answered %v, the login %v; %d evicted", err, r.err, f.Stats().SessionsEvicted)
		}
		if got := f.world.players[s.Player]; got.Numbers["xp"] != 7 {
			t.Errorf("inside is %+v", got)
		}
	})
}

// A save that is refused because the player is on the way in here again costs nothing.
func TestSaveRefusedForTheSakeOfAnArrival(t *testing.T) {
	for _, left := range []bool{false, true} {
		t.Run(fmt.Sprintf("left=%v", left), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
				s := f.enter(t, "alice")
				f.save(t)
				time.Sleep(rushgate.LeaseTTL + time.Second)
				f.nextRefresh = time.Now().Add(time.Hour)
				f.world.befall(s.Player, func(c *rushgate.Character) { c.Numbers["xp"] = 5000 })
				f.Tick()
				if left {
					go f.Logout(t.Context(), s.Token)
					synctest.Wait()
					f.Tick()
				}
				a, _ := f.admit(t, "alice", "alice-2")
				if err := f.saver.round(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.Enter(a)
				f.Tick()
				f.save(t)
				c, err := f.store.LoadCharacters(t.Context(), []string{"alice"})
				if err != nil || c[0].Numbers["xp"] != 5000 || f.Players() != 1 || f.Stats().SessionsEvicted != 0 {
					t.Errorf("stored is %+v, %v; %d inside, %d evicted", c, err, f.Players(), f.Stats().SessionsEvicted)
				}
			})
		})
	}
}
