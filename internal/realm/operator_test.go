package realm

import (
	"errors"
	"fmt"
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

// A list of all players has each once, though no step of the tick is asked of more than some, and only those inside.
func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		for i := range listedAtOnce + 3 {
			f.enter(t, fmt.Sprintf("player-%d", i))
		}
		gone := f.enter(t, "gone")
		start := time.Now()
		time.Sleep(time.Second)
		asked := 0
		f.world.onCall = func(method string) {
			if method == "Character" {
				asked++
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- f.End(t.Context(), gone.Player) }()
		synctest.Wait()
		f.Tick()
		f.save(t)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		asked = 0
		list, err := f.List(t.Context())
		if err != nil || len(list) != listedAtOnce+3 || asked != len(list) {
			t.Fatalf("%d players, asked %d times: %v", len(list), asked, err)
		}
		seen := make(map[string]bool)
		for _, p := range list {
			seen[p.Name] = true
			if p.Zone != "meadow" || p.Transport != NotConnected || p.RoundTrip != 0 || p.Since.After(start) {
				t.Errorf("%+v", p)
			}
		}
		if len(seen) != len(list) || seen["gone"] {
			t.Errorf("%d names of %d players", len(seen), len(list))
		}
	})
}
