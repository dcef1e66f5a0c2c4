package realm

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// An operator sees who is inside and what the store has, without keeping the session alive, and can end it.
func TestFindAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		session := f.enter(t, "alice")
		find := func() (Presence, error) {
			type found struct {
				p   Presence
				err error
			}
			got := ask(f, func() found { p, err := f.Find(t.Context(), session.Player); return found{p, err} })
			return got.p, got.err
		}
		f.world.players[session.Player].Numbers["deaths"] = 1 // which the store does not have yet
		p, err := find()
		if err != nil || p.Character.Name != "alice" || p.Character.Numbers["deaths"] != 0 || p.Transport != NotConnected {
			t.Errorf("%+v, %v", p, err)
		}
		time.Sleep(DefaultSessionTimeout - time.Millisecond)
		if _, err := find(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		f.Tick()
		if _, err := find(); !errors.Is(err, rushgate.BadCredentials) || f.Stats().SessionsTimedOut != 1 {
			t.Errorf("looking on keeps the session alive: %v", err)
		}
		f.save(t)
		bob := f.enter(t, "bob")
		ended := make(chan error, 1)
		go func() { ended <- f.End(t.Context(), bob.Player) }()
		synctest.Wait()
		f.Tick()
		if f.Players() != 0 {
			t.Error("bob is still inside")
		}
		f.save(t)
		if err := <-ended; err != nil || f.online(t) != 0 {
			t.Errorf("%v, %d online", err, f.online(t))
		}
		if err := f.End(t.Context(), bob.Player); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("ending what has ended: %v", err)
		}
	})
}
