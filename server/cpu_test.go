package server

import (
	"testing"
	"time"
)

// What no part has used is the rest, and never falls: a counter that does is taken for another process's.
func TestRestOfTheCPUNeverFalls(t *testing.T) {
	var m cpuMeter
	ms := time.Millisecond
	for i, c := range []struct{ process, hash, door, tick, rest time.Duration }{
		{100 * ms, 40 * ms, 20 * ms, 10 * ms, 30 * ms},
		{110 * ms, 40 * ms, 20 * ms, 10 * ms, 40 * ms}, // a derivation that is under way
		{112 * ms, 51 * ms, 20 * ms, 10 * ms, 40 * ms}, // is done
		{130 * ms, 60 * ms, 20 * ms, 10 * ms, 40 * ms},
		{135 * ms, 60 * ms, 20 * ms, 10 * ms, 45 * ms},
	} {
		if u := m.read(c.process, c.hash, c.door, c.tick); u.rest != c.rest {
			t.Errorf("reading %d: the rest is %v, want %v", i, u.rest, c.rest)
		}
	}
}
