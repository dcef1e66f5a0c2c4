package realm

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/protocol"
)

// names returns the names of those that the last of some snapshots tells of.
func names(t *testing.T, snapshots []protocol.Snapshot) []string {
	t.Helper()
	if len(snapshots) == 0 {
		t.Fatal("no snapshots")
	}
	var out []string
	for _, e := range snapshots[len(snapshots)-1].Entities {
		out = append(out, e.Name)
	}
	return out
}

// TestSight checks who is seen: those of one's own zone, within the radius, nearest first, and no other a moment
// after a jump.
func TestSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, func(c *Config) { c.ViewRadius = 10 })
		s := a.enterLive(t, "alice")
		for _, name := range []string{"far", "near", "below", "out"} {
			a.enterLive(t, name)
		}
		put := func(name string, x float64, zone string) {
			a.world.befall(a.names[name].ID, func(c *rushgate.Character) { c.X, c.Zone = x, zone })
			time.Sleep(100 * time.Millisecond)
		}
		put("far", 9, "meadow")
		put("near", -3, "meadow")
		put("below", 1, "cellar")
		put("out", 11, "meadow")
		p, err := a.dial(t, s)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got, _, _ := p.taken()
		if seen := names(t, got); !slices.Equal(seen, []string{"near", "far"}) {
			t.Errorf("alice sees %v", seen)
		}
		put("alice", 1000, "meadow")
		got, _, _ = p.taken()
		if last := got[len(got)-1]; last.Own.X != 1000*protocol.Scale || len(last.Entities) != 0 {
			t.Errorf("after a jump alice is at %d and sees %v", last.Own.X, names(t, got))
		}
		put("alice", 0, "cellar")
		got, _, _ = p.taken()
		if seen := names(t, got); got[len(got)-1].Own.Zone != 7 || !slices.Equal(seen, []string{"below"}) {
			t.Errorf("in zone %d alice sees %v", got[len(got)-1].Own.Zone, seen)
		}
	})
}

// TestWorldShowsNobody checks that an entity without a number costs no player a snapshot.
func TestWorldShowsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		a.world.players[0] = &rushgate.Character{Name: "nobody"}
		_, p := a.play(t, "alice")
		time.Sleep(time.Second)
		if got, _, failed := p.taken(); len(got) < 15 || len(failed) != 0 || len(names(t, got)) != 0 {
			t.Errorf("%d snapshots, failed %v", len(got), failed)
		}
	})
}

// TestPlayerWithoutConnectionStandsStill checks that a player does not walk on when the connection is gone.
func TestPlayerWithoutConnectionStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		_, p := a.play(t, "alice")
		time.Sleep(time.Second)
		p.client.Close()
		<-p.done
		time.Sleep(time.Second)
		synctest.Wait()
		if a.Players() != 1 || a.world.last != (rushgate.Intent{}) {
			t.Errorf("%d inside, the last intent was %+v", a.Players(), a.world.last)
		}
	})
}

// TestConnectionToASessionThatEnds covers the moment in which a session ends while its player connects.
func TestConnectionToASessionThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{}, nil)
		s := a.enterLive(t, "alice")
		held, _ := a.byPlayer.get(s.Player)
		if err := a.Logout(t.Context(), s.Token); err != nil {
			t.Fatal(err)
		}
		a.byPlayer.add(s.Player, held) // as found just before it was removed
		p, err := a.dial(t, s)
		if err != nil {
			t.Fatal(err)
		}
		<-p.done
		if a.Stats().Connected != 0 {
			t.Error("a connection outlives its session")
		}
	})
}

// TestBaselinesLast checks that at no rate a snapshot takes the place of one that may still be a baseline.
func TestBaselinesLast(t *testing.T) {
	for rate := 1; rate <= MaxSnapshotRate; rate++ {
		for _, arrival := range []uint64{0, 1, 7, 31, 59} {
			l := newLink(nil, nil, &session{arrival: arrival}, rate)
			frames := make(map[uint32]*frame)
			for tick := uint32(1); tick < 300; tick++ {
				turn := uint64(tick) + arrival
				if snapshotsUntil(turn, uint64(rate)) == snapshotsUntil(turn-1, uint64(rate)) {
					continue
				}
				for old, f := range frames {
					if s := l.sentAt(old, tick); (s != nil) != (tick-old <= protocol.MaxBase) || s != nil && s.frame != f {
						t.Fatalf("rate %d, arrival %d: the snapshot of tick %d is %v at tick %d", rate, arrival, old, s, tick)
					}
				}
				frames[tick] = &frame{tick: tick}
				l.begin(frames[tick])
			}
		}
	}
}
