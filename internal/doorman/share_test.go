package doorman

import (
	"testing"
	"testing/synctest"
	"time"
)

// machine is one or more cores on which hashing, the door and others use the CPU as a test says.
type machine struct {
	*Share
	used     Usage
	waiting  bool
	hashes   float64 // what hashing uses of a second, if it can
	others   float64
	doorUsed time.Duration
}

func newMachine(cores, workers int) *machine {
	m := &machine{}
	m.Share = &Share{
		Cores: cores, Workers: workers, Usage: func() Usage { return m.used }, Waiting: func() bool { return m.waiting },
	}
	return m
}

// run has the door use all that it may for some time, in pieces, and returns which part of the time it used.
func (m *machine) run(t *testing.T, length time.Duration) (part float64) {
	t.Helper()
	const piece = 100 * time.Microsecond
	m.doorUsed = 0
	begin := time.Now()
	for time.Since(begin) < length {
		before := time.Now()
		if m.refill(time.Now()) {
			m.spend(piece)
			m.used.Process += piece
			m.doorUsed += piece
			time.Sleep(piece / time.Duration(m.Cores))
		} else {
			rest := m.rest()
			if rest <= 0 || rest > longestRest {
				t.Fatalf("the door has nothing left and is to rest for %v", rest)
			}
			time.Sleep(rest)
		}
		passed := time.Since(before)
		hash := time.Duration(m.hashes * float64(passed))
		m.used.Hash += hash
		m.used.Process += hash + time.Duration(m.others*float64(passed))
	}
	return m.doorUsed.Seconds() / time.Since(begin).Seconds()
}

// The door has what the tick, the players and half of the cores for hashing leave, while logins wait.
func TestShares(t *testing.T) {
	for name, c := range map[string]struct {
		cores, workers int
		waiting        bool
		others         float64
		least, most    float64 // the door's part of a second
	}{
		"no login waits":                       {1, 4, false, 0, 0.95, 1},
		"logins wait":                          {1, 4, true, 0, 0.45, 0.52},
		"players use a third":                  {1, 4, true, 0.33, 0.13, 0.18},
		"players use more than there is":       {1, 4, true, 0.9, 0.04, 0.06},
		"two cores":                            {2, 4, true, 0, 0.9, 1},
		"eight cores, and as many workers":     {8, 8, true, 0, 3.6, 4.1},
		"eight cores, of which hashes use two": {8, 2, true, 0, 5.4, 6.1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(c.cores, c.workers)
				m.waiting, m.others, m.hashes = c.waiting, c.others, float64(c.cores)*hashShare
				m.run(t, time.Second/4) // what was saved up is used
				if part := m.run(t, 2*time.Second); part < c.least || part > c.most {
					t.Errorf("the door has used %.3f of a second, want %v to %v", part, c.least, c.most)
				}
			})
		})
	}
}

// As soon as no login waits, the door has all that it can use, and when one does, its share again.
func TestShareFollowsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(1, 4)
		for _, waiting := range []bool{true, false, true} {
			m.waiting = waiting
			part := m.run(t, time.Second/2)
			if waiting && part > 0.52 || !waiting && part < 0.95 {
				t.Errorf("with logins waiting %v the door has used %.3f of a second", waiting, part)
			}
		}
	})
}
