package door

import (
	"fmt"
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

// While others wait, a standstill is no way ahead for a newcomer: that no client came meanwhile does not say that those
// who were called are gone.
func TestAStandstillLetsNoNewcomerOvertake(t *testing.T) {
	stood := time.Duration(0)
	f := newFixture(t, func(c *Config) {
		c.Queue, c.Pace, c.Batch = 2, 10, 1
		c.Stood = func(time.Time) time.Duration { return stood }
	})
	var seats []*Seat
	for i := range 100 {
		if s, err := f.Knock(Knock{Addr: netip.MustParseAddr(addr(i)), Name: fmt.Sprint("p", i)}); err == nil {
			seats = append(seats, s)
		}
	}
	for _, s := range seats {
		s.Take()
		s.Close(NotJudged)
	}
	newcomer := func(name string) bool { return f.login("192.0.2.2", name, NotJudged) == "" }
	f.now, stood = f.now.Add(time.Minute), time.Minute
	if newcomer("bob") {
		t.Error("a newcomer has come in before those who wait")
	}
	f.now = f.now.Add(2 * missed)
	if !newcomer("carol") {
		t.Error("a door to which none of those who wait comes lets no newcomer in")
	}
}
