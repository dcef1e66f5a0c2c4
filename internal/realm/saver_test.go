package realm

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// A death is saved at once, and the player hears of it only then.
func TestEventIsSavedBeforeThePlayerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		s := f.enter(t, "alice")
		f.store.setFail(errors.New("disk full"))
		c := f.world.players[s.Player]
		c.Numbers["deaths"], c.Numbers["level"] = 1, 2
		f.world.events = []rushgate.Event{{Player: s.Player, Kind: rushgate.EventDeath},
			{Player: 999, Kind: rushgate.EventDeath}}
		f.Tick()
		if err := f.saver.round(t.Context()); err == nil {
			t.Fatal("the store did not fail")
		}
		if me := f.me(t, s.Token); me.c.Numbers["deaths"] != 0 || me.c.Numbers["level"] != 1 {
			t.Errorf("told of %d deaths and level %d before they are saved", me.c.Numbers["deaths"], me.c.Numbers["level"])
		}
		f.store.setFail(nil)
		f.save(t)
		if me := f.me(t, s.Token); me.c.Numbers["deaths"] != 1 || me.c.Numbers["level"] != 2 {
			t.Errorf("told of %d deaths and level %d after they are saved", me.c.Numbers["deaths"], me.c.Numbers["level"])
		}
		ranks, err := f.store.Top(t.Context(), rushgate.BoardDeaths, 1)
		if err != nil || ranks[0].Score != 1 {
			t.Errorf("stored %+v, %v", ranks, err)
		}
	})
}

func TestChangedCharactersAreSavedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
		mover, idler := f.enter(t, "mover"), f.enter(t, "idler")
		time.Sleep(DefaultSaveInterval)
		f.Tick()
		f.save(t) // both have been given a place by the world
		if got := f.store.saves(); got != 2 {
			t.Fatalf("%d saves of newcomers, want 2", got)
		}
		for range 120 {
			f.world.players[mover.Player].X++
			time.Sleep(time.Second)
			f.Tick()
			f.save(t)
		}
		count := map[rushgate.PlayerID]int{}
		for _, v := range f.store.saved[2:] {
			count[v.Character.ID]++
		}
		if count[mover.Player] != 4 || count[idler.Player] != 0 {
			t.Errorf("in two minutes %d saves of who moved and %d of who did not, want 4 and 0", count[mover.Player],
				count[idler.Player])
		}
	})
}

func TestSaverKeepsTheNewestWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		r := f.live(t, "alice")
		f.store.setFail(errors.New("gone"))
		done := make(chan error, 1)
		go func() { done <- f.Logout(t.Context(), r.session.Token) }()
		time.Sleep(time.Minute)
		select {
		case err := <-done:
			t.Fatalf("Logout returned while nothing could be saved: %v", err)
		default:
		}
		if got := f.Stats(); got.Unsaved != 1 || got.SaveRetries < 5 || got.SaveRetries > 60 {
			t.Errorf("unsaved %d, retries %d", got.Unsaved, got.SaveRetries)
		}
		f.store.setFail(nil)
		if err := <-done; err != nil {
			t.Errorf("Logout: %v", err)
		}
		if f.online(t) != 0 || f.store.saves() != 1 {
			t.Errorf("%d online, %d saves", f.online(t), f.store.saves())
		}
		f.Stop(t.Context())
	})
}

// The lease of a player whose last save is still to be done is kept alive: no login may come in with what the store
// has.
func TestLeaseOfALeavingPlayerIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		r := f.live(t, "alice")
		f.store.setFail(errors.New("disk full"))
		go f.Logout(t.Context(), r.session.Token)
		for range 5 {
			time.Sleep(rushgate.LeaseTTL / 2)
			results, err := f.store.Admit(t.Context(), elsewhere,
				[]rushgate.Admission{{Account: f.names["alice"], Attempt: "elsewhere"}})
			if err != nil || !errors.Is(results[0].Err, rushgate.AlreadyLoggedIn) {
				t.Fatalf("another node claimed a player who is being saved: %v, %+v", err, results)
			}
		}
		f.store.setFail(nil)
		f.Stop(t.Context())
	})
}

// A record that cannot be written to for now throws no player out, holds no other's save up, and loses nothing.
func TestDamagedRecordThrowsNoPlayerOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
		broken, good := f.live(t, "broken"), f.live(t, "good")
		f.store.setDamaged(broken.session.Player)
		for xp := range int64(4) {
			for _, id := range []rushgate.PlayerID{broken.session.Player, good.session.Player} {
				f.world.befall(id, func(c *rushgate.Character) {
					c.Numbers["xp"] = xp + 1
					c.Numbers["deaths"]++
				})
				time.Sleep(time.Second) // it befalls one at a time
			}
			time.Sleep(rushgate.LeaseTTL / 2)
			saved, err := f.store.LoadCharacters(t.Context(), []string{"broken", "good"})
			if err != nil || saved[0].Numbers["xp"] != 0 || saved[1].Numbers["xp"] != xp+1 {
				t.Errorf("saved are %+v, %v", saved, err)
			}
		}
		if n := f.Players(); n != 2 || f.Stats().Unsaved != 1 {
			t.Errorf("%d players are inside, %d unsaved", n, f.Stats().Unsaved)
		}
		left := make(chan error, 1)
		go func() { left <- f.Logout(t.Context(), broken.session.Token) }()
		time.Sleep(time.Minute)
		select {
		case err := <-left:
			t.Fatalf("Logout returned while nothing could be saved: %v", err)
		default:
		}
		f.store.setDamaged(0)
		if err := <-left; err != nil {
			t.Error(err)
		}
		saved, err := f.store.LoadCharacters(t.Context(), []string{"broken"})
		if err != nil || saved[0].Numbers["xp"] != 4 {
			t.Errorf("saved is %+v, %v", saved, err)
		}
		if err := f.Stop(t.Context()); err != nil || f.online(t) != 0 {
			t.Errorf("Stop: %v, %d online", err, f.online(t))
		}
	})
}

func TestStopTellsOfADamagedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.store.setDamaged(f.live(t, "broken").session.Player)
		if err := f.Stop(t.Context()); !errors.Is(err, errNotSaved) {
			t.Errorf("Stop: %v, want %v", err, errNotSaved)
		}
	})
}

func TestOversizedCharacterHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
		big, good := f.enter(t, "big"), f.enter(t, "good")
		f.world.players[big.Player].Data = make([]byte, rushgate.MaxDataLen+1)
		f.world.players[good.Player].X = 7
		time.Sleep(DefaultSaveInterval)
		f.Tick()
		f.save(t)
		if f.store.saves() != 1 || f.store.saved[0].Character.X != 7 {
			t.Errorf("saved %+v, want only the other's", f.store.saved)
		}
		if err := f.Stop(t.Context()); err != nil || f.online(t) != 0 {
			t.Errorf("Stop: %v, %d online", err, f.online(t))
		}
	})
}

// A number that no store takes costs the others of its character nothing, nor the end of the session.
func TestNumbersThatCannotBeSavedAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
		alice := f.enter(t, "alice")
		n := f.world.players[alice.Player].Numbers
		n["Gold"], n["gold"] = 1, 5
		time.Sleep(DefaultSaveInterval)
		f.Tick()
		f.save(t)
		if got := f.store.saved[0].Character.Numbers; f.store.saves() != 1 || got["gold"] != 5 || got["Gold"] != 0 {
			t.Errorf("saved %+v", f.store.saved)
		}
		if got := f.Stats().NumbersLeftOut; got != 1 {
			t.Errorf("%d left out", got)
		}
		if err := f.Stop(t.Context()); err != nil || f.online(t) != 0 {
			t.Errorf("Stop: %v, %d online", err, f.online(t))
		}
	})
}

func TestLostLeaseRemovesThePlayerWithoutSaving(t *testing.T) {
	for _, how := range []string{"save", "refresh"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
				s := f.enter(t, "alice")
				f.save(t)
				// The lease runs out while this node is cut off, and the player logs in elsewhere.
				time.Sleep(rushgate.LeaseTTL + time.Second)
				results, err := f.store.Admit(t.Context(), elsewhere,
					[]rushgate.Admission{{Account: f.names["alice"], Attempt: "elsewhere"}})
				if err != nil || results[0].Err != nil {
					t.Fatalf("%v, %+v", err, results)
				}
				f.world.players[s.Player].X = 666
				if how == "save" {
					f.nextRefresh = time.Now().Add(time.Hour)
				} else {
					f.players[s.Player].nextSave = time.Now().Add(time.Hour)
				}
				f.Tick()
				f.save(t)
				if f.Players() != 0 || f.Stats().SessionsEvicted != 1 {
					t.Errorf("%d inside, stats %+v", f.Players(), f.Stats())
				}
				saved, err := f.store.Admit(t.Context(), elsewhere,
					[]rushgate.Admission{{Account: f.names["alice"], Attempt: "elsewhere"}})
				if err != nil || !saved[0].Resumed || saved[0].Character.X == 666 {
					t.Errorf("a node without the lease wrote %+v (%v)", saved, err)
				}
			})
		})
	}
}

func TestLeasesAreKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.SessionTimeout = time.Hour })
		f.Start()
		a, _ := f.admit(t, "alice", "alice-1")
		f.Enter(a)
		for range 10 {
			time.Sleep(rushgate.LeaseTTL / 2)
			results, err := f.store.Admit(t.Context(), elsewhere,
				[]rushgate.Admission{{Account: f.names["alice"], Attempt: "elsewhere"}})
			if err != nil || !errors.Is(results[0].Err, rushgate.AlreadyLoggedIn) {
				t.Fatalf("another node claimed a live player: %v, %+v", err, results)
			}
		}
		f.Stop(t.Context())
	})
}

func TestStopSavesEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		const n = 600
		var arrivals [n]rushgate.Arrival
		for i := range n {
			arrivals[i], _ = f.admit(t, fmt.Sprintf("player-%d", i), "1")
			f.Enter(arrivals[i])
		}
		time.Sleep(time.Second)
		late, r := f.admit(t, "late", "1")
		f.Enter(late)
		if err := f.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := f.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if r.err != nil || r.count != 1 {
			t.Errorf("who was admitted before the end was told %+v", r)
		}
		if f.online(t) != 0 || f.store.saves() != n+1 {
			t.Errorf("%d online and %d saves after Stop", f.online(t), f.store.saves())
		}
		var after reply
		f.Enter(rushgate.Arrival{Admitted: late.Admitted, Reply: after.set})
		if !errors.Is(after.err, rushgate.ServerBusy) {
			t.Errorf("after Stop: %+v", after)
		}
		f.Start() // does nothing
	})
}

func TestStopTellsWhatItCouldNotSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		a, _ := f.admit(t, "alice", "1")
		f.Enter(a)
		time.Sleep(time.Second)
		f.store.setFail(errors.New("gone"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := f.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 4*time.Second {
			t.Errorf("Stop: %v after %v", err, time.Since(start))
		}
	})
}

// hangingStore never answers a save before its context ends.
type hangingStore struct{ Store }

func (hangingStore) Save(ctx context.Context, _ []rushgate.Save) ([]error, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestStopEndsInTimeWhenTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Store = hangingStore{c.Store} })
		f.Start()
		for i := range 3 * saveBatch {
			a, _ := f.admit(t, fmt.Sprintf("player-%d", i), "1")
			f.Enter(a)
		}
		time.Sleep(DefaultSaveInterval - time.Second) // the first saves are under way
		for range 3 {
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if err := f.Stop(ctx); err == nil || time.Since(start) > 2*time.Second {
			t.Errorf("Stop: %v after %v, want an error within 2s", err, time.Since(start))
		}
	})
}

func TestStopWithoutStart(t *testing.T) {
	f := newFixture(t, nil)
	if err := f.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
