package doorman

import (
	"math"
	"testing"
	"time"
)

// What the operator sees as the door's share is what hashing, the tick and all else leave of the cores while logins
// wait, over a second at least, and never less than the least.
func TestShareForTheOperator(t *testing.T) {
	start := time.Now()
	for name, c := range map[string]struct {
		cores, workers     int
		after              time.Duration
		process, hash, own time.Duration // used meanwhile
		want               float64
	}{
		"one core, nothing else":       {1, 4, time.Second, time.Second, 500 * time.Millisecond, 500 * time.Millisecond, 0.5},
		"a tick that takes a tenth":    {1, 4, time.Second, time.Second, 500 * time.Millisecond, 400 * time.Millisecond, 0.4},
		"players who take all":         {1, 4, time.Second, time.Second, 0, 10 * time.Millisecond, leastShare},
		"hashes by one worker":         {4, 1, time.Second, 4 * time.Second, time.Second, 3 * time.Second, 3},
		"a quarter over two seconds":   {1, 4, 2 * time.Second, time.Second, 300 * time.Millisecond, 200 * time.Millisecond, 0.25},
		"sooner, the figure of before": {1, 4, judgedFor - 1, time.Second, 0, 0, 0.5},
		"counted a moment too late":    {1, 4, time.Second, 900 * time.Millisecond, 500 * time.Millisecond, time.Second, 0.5},
	} {
		usage := Usage{Process: time.Hour, Hash: time.Minute}
		s := &Share{Cores: c.cores, Workers: c.workers, Usage: func() Usage { return usage }}
		var m shareMeter
		m.measure(s, start, time.Minute)
		usage.Process += c.process
		usage.Hash += c.hash
		if got := m.measure(s, start.Add(c.after), time.Minute+c.own); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v cores, want %v", name, got, c.want)
		}
	}
}
