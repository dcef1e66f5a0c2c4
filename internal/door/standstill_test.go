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
		{SeatHold / 2, 2 * time.Minute, false},
		{SeatHold / 4, 0, false},
		{0, time.Minute, false},
		{SeatHold / 4, 0, true},
	} {
		f.now = f.now.Add(step.runs + step.stands)
		stood += step.stands
		if newcomer() != step.free {
			t.Errorf("%v and a standstill of %v later the seat is free: %t", step.runs, step.stands, !step.free)
		}
	}
}

// A client whose moment came while the node stood still is let past those who hold none, as if it had come in time.
func TestAStandstillBreaksNoPromise(t *testing.T) {
	for _, stand := range []time.Duration{0, time.Minute} {
		stood := time.Duration(0)
		c := newClock(func(time.Duration) time.Duration { return 0 })
		c.ends.stood = func(time.Time) time.Duration { return stood }
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		alice := pair{origin: netip.MustParsePrefix("192.0.2.1/32"), name: 1}
		wait := c.promise(alice, now, 1, 4)
		stood = stand
		now = now.Add(wait + time.Minute)
		c.forget(now)
		if _, kept := c.promises[alice]; kept != (stand > 0) {
			t.Errorf("after a standstill of %v the promise is kept: %t", stand, kept)
		}
	}
}
