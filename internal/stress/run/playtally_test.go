package run

import (
	"testing"

	"github.com/rushgate/rushgate"
)

// The ticks between any two snapshots of a server's schedule: never more snapshots than there were, and as many as
// there were where those ticks hold the fewest.
func TestSnapshotsInAsManyTicks(t *testing.T) {
	for rate := 1; rate <= rushgate.TickRate; rate++ {
		var due []int // ticks with a snapshot
		for tick := 1; tick <= 5*rushgate.TickRate; tick++ {
			if tick*rate/rushgate.TickRate != (tick-1)*rate/rushgate.TickRate {
				due = append(due, tick)
			}
		}
		fewest := map[uint32]int64{} // by ticks
		for i, from := range due {
			for n, to := range due[i+1:] {
				ticks, count := uint32(to-from), int64(n+1)
				if old, ok := fewest[ticks]; !ok || count < old {
					fewest[ticks] = count
				}
			}
		}
		tally := playTally{rate: float64(rate)}
		for ticks, want := range fewest {
			if ticks > 3*rushgate.TickRate {
				continue // not all of their places in the schedule were looked at
			}
			if got := tally.snapshotsIn(ticks); got != want {
				t.Errorf("rate %d: %d snapshots in %d ticks, want %d", rate, got, ticks, want)
			}
		}
	}
}

func TestNoSnapshotsInNoTicks(t *testing.T) {
	tally := playTally{rate: 20}
	for _, ticks := range []uint32{0, 1<<32 - 1, 1<<32 - 1000} { // the same tick again, and back in time
		if got := tally.snapshotsIn(ticks); got != 0 {
			t.Errorf("%d snapshots in %d ticks", got, int32(ticks))
		}
	}
}
