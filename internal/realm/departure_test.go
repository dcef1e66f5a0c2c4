package realm

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// Whatever ends a session, the realm's owner is told once, and how: seats are given back by it.
func TestDeparturesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type departure struct {
			name string
			how  Departure
		}
		var told []departure
		f := newFixture(t, func(c *Config) {
			c.Left = func(name string, how Departure) { told = append(told, departure{name, how}) }
		})
		alice := f.enter(t, "alice")
		f.enter(t, "bob")
		go f.Logout(t.Context(), alice.Token)
		synctest.Wait()
		f.Tick()
		time.Sleep(DefaultSessionTimeout + scanInterval)
		f.Tick()
		f.enter(t, "carol")
		carol := f.players[3]
		f.saver.wanted.put(rushgate.Wanted{Lease: carol.lease()})
		f.Tick()
		f.enter(t, "dave")
		f.lose(f.players[4])
		want := []departure{{"alice", Left}, {"bob", Silent}, {"carol", TakenOver}, {"dave", Left}}
		if !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
	})
}
