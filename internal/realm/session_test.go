package realm

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

func TestArrivalOpensASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		if s.Player == 0 || s.Token == "" || !s.ExpiresAt.Equal(time.Now().Add(DefaultSessionTimeout)) {
			t.Errorf("session %+v", s)
		}
		if f.Players() != 1 {
			t.Errorf("%d players inside", f.Players())
		}
		time.Sleep(5 * time.Second)
		me := f.me(t, s.Token)
		if me.err != nil || me.c.Name != "alice" || me.c.Zone != "meadow" || me.c.Numbers["hp"] != 100 ||
			me.c.Playtime != 5*time.Second {
			t.Errorf("own state %+v, %v", me.c, me.err)
		}
		if got := f.me(t, "no such token"); !errors.Is(got.err, rushgate.BadCredentials) {
			t.Errorf("an unknown token: %v", got.err)
		}
	})
}

func TestWorldHoldsSoManyPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.MaxPlayers = 2 })
		f.enter(t, "alice")
		bob := f.enter(t, "bob")
		a, r := f.admit(t, "carol", "carol-1")
		f.Enter(a)
		f.Tick()
		if f.Players() != 2 || !errors.Is(r.err, rushgate.ServerBusy) {
			t.Errorf("%d inside; who came last was told %v", f.Players(), r.err)
		}
		go f.Logout(t.Context(), bob.Token)
		synctest.Wait()
		f.Tick()
		f.save(t)
		if f.Players() != 1 || f.online(t) != 1 {
			t.Errorf("%d inside with %d online after one left", f.Players(), f.online(t))
		}
		a, r = f.admit(t, "carol", "carol-2")
		f.Enter(a)
		f.Tick()
		if r.err != nil {
			t.Errorf("with room again: %v", r.err)
		}
	})
}

func TestSilentSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		for range 4 {
			time.Sleep(DefaultSessionTimeout - time.Second)
			if err := f.call(s.Token); err != nil {
				t.Fatalf("a session with calls ended: %v", err)
			}
			f.Tick()
		}
		time.Sleep(DefaultSessionTimeout)
		f.Tick()
		if err := f.call(s.Token); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("after %v of silence: %v", DefaultSessionTimeout, err)
		}
		f.save(t)
		if f.Players() != 0 || f.online(t) != 0 || len(f.world.players) != 0 {
			t.Errorf("%d inside, %d online, %d in the world", f.Players(), f.online(t), len(f.world.players))
		}
		time.Sleep(remembered)
		f.Tick()
		if len(f.players) != 0 {
			t.Error("an ended session is remembered for good")
		}
	})
}

func TestLogoutReturnsWhenSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		f.world.players[s.Player].X = 7
		done := make(chan error, 1)
		go func() { done <- f.Logout(t.Context(), s.Token) }()
		synctest.Wait()
		f.Tick()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Logout returned before the save: %v", err)
		default:
		}
		if err := f.Logout(t.Context(), s.Token); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("the token outlives the logout: %v", err)
		}
		f.save(t)
		if err := <-done; err != nil {
			t.Errorf("Logout: %v", err)
		}
		if f.online(t) != 0 {
			t.Error("the lease was not released")
		}
		again, _ := f.admit(t, "alice", "alice-2")
		if again.Character.X != 7 || again.Character.Zone != "meadow" {
			t.Errorf("saved %+v", again.Character)
		}
	})
}

// The three ways in which an arrival can meet an earlier session of its player.
func TestArrivalMeetsEarlierSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")

		repeat, r := f.admit(t, "alice", "alice-1")
		if !repeat.Resumed {
			t.Fatal("the store did not recognise the attempt")
		}
		f.Enter(repeat)
		f.Tick()
		if r.err != nil || r.session.Token != s.Token || f.Players() != 1 {
			t.Errorf("a repeated login: %+v, want the session it opened", r)
		}

		ask(f, func() error {
			go f.Logout(t.Context(), s.Token)
			return nil
		})
		f.Tick()
		f.Enter(rushgate.Arrival{Admitted: repeat.Admitted, Token: "x", Reply: r.set})
		f.Tick()
		if !errors.Is(r.err, rushgate.ServerBusy) {
			t.Errorf("a repeat that comes after the end: %v, want server-busy", r.err)
		}
		f.save(t)

		fresh, r2 := f.admit(t, "alice", "alice-2")
		f.Enter(fresh)
		f.Tick()
		if r2.err != nil || r2.session.Token == s.Token {
			t.Errorf("a new login after the end: %+v", r2)
		}

		newer := fresh
		newer.Lease.Fence += 2 // another node has had the player in between
		var r3 reply
		newer.Reply, newer.Token = r3.set, "newer"
		f.Enter(newer)
		f.Tick()
		if r3.err != nil || f.Players() != 1 || f.Stats().SessionsEvicted != 1 || f.Stats().Unsaved != 0 {
			t.Errorf("a claim that overtakes a live session: %+v, %+v", r3, f.Stats())
		}
		if err := f.call(r2.session.Token); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("the overtaken session lives on: %v", err)
		}
	})
}
