package door

import (
	"net/netip"
	"testing"
	"time"
)

// The place of a player who could not come back because the node stood still is kept for as much longer, and no more.
func TestAStandstillTakesNoSeat(t *testing.T) {
	stood := time.Duration(0)
	f := newFixture(t, func(c *Config) {
		c.World = 1
		c.Stood = func(time.Time) time.Duration { return stood }
	})
	alice := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"}
	seat, err := f.Knock(alice)
	if err != nil {
		t.Fatal(err)
	}
	seat.Close(Inside)
	f.Left("alice", Silent)
	newcomer := func() bool { return f.login("192.0.2.2", "bob", NotJudged) == "" }
	for _, step := range []struct {
		runs, stands time.Duration
		free         bool
	}{
		{DefaultSeatHold / 2, 2 * time.Minute, false},
		{DefaultSeatHold / 4, 0, false},
		{0, time.Minute, false},
		{DefaultSeatHold / 4, 0, true},
	} {
		f.now = f.now.Add(step.runs + step.stands)
		stood += step.stands
		if newcomer() != step.free {
			t.Errorf("%v and a standstill of %v later the seat is free: %t", step.runs, step.stands, !step.free)
		}
	}
}
