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
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		cores, workers     int
		after              time.Duration
		process, hash, own time.Duration // used meanwhile
		want               float64
	}{
		"one core, nothing else":       {1, 4, time.Second, 1000 * ms, 500 * ms, 500 * ms, 0.5},
		"a tick that takes a tenth":    {1, 4, time.Second, 1000 * ms, 500 * ms, 400 * ms, 0.4},
		"players who take all":         {1, 4, time.Second, 1000 * ms, 0, 10 * ms, leastShare},
		"hashes by one worker":         {4, 1, time.Second, 4000 * ms, 1000 * ms, 3000 * ms, 3},
		"a quarter over two seconds":   {1, 4, 2 * time.Second, 1000 * ms, 300 * ms, 200 * ms, 0.25},
		"sooner, the figure of before": {1, 4, judgedFor - 1, 1000 * ms, 0, 0, 0.5},
		"counted a moment too late":    {1, 4, time.Second, 900 * ms, 500 * ms, 1000 * ms, 0.5},
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
