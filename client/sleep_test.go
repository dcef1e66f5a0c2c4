package client

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

func TestSleepIsNoticedByWhateverClockHasGoneOn(t *testing.T) {
	begun := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		monotonic, day time.Duration // of the sleep
		comes          bool          // something, after it
		lost           bool
	}{
		"both clocks":                        {23 * time.Second, 23 * time.Second, false, true},
		"the monotonic one stood still":      {0, 23 * time.Second, false, true},
		"the time of day was set back":       {23 * time.Second, -time.Hour, false, true},
		"a connection that lives":            {23 * time.Second, 23 * time.Second, true, false},
		"a time of day that was set forward": {0, time.Hour, true, false},
		"a time of day that was set back":    {0, -time.Hour, false, false},
		"a late heartbeat":                   {time.Second, time.Second, false, false},
	} {
		var w sleepWatch
		now, day, ack, lost := begun, begun, uint32(7), false
		w.beat(now, day, ack)
		now, day = now.Add(tt.monotonic), day.Add(tt.day)
		for range 10 {
			now, day = now.Add(heartbeat), day.Add(heartbeat)
			if tt.comes {
				ack += 12
			}
			lost = w.beat(now, day, ack) || lost
		}
		if lost != tt.lost {
			t.Errorf("%s: lost %t", name, lost)
		}
	}
}

// A laptop that wakes after 23 s of a session of 30 s has it still, if its client does not wait for ten seconds more.
func TestAfterASleepTheConnectionIsMadeAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		<-rt.Views()
		time.Sleep(time.Second)
		n.network.SetOptions(outage) // the address that the client had is another's by now
		rt.intents.mu.Lock()
		rt.intents.watch.day = rt.intents.watch.day.Add(-23 * time.Second)
		rt.intents.mu.Unlock()
		time.Sleep(awakening + 2*heartbeat)
		n.network.SetOptions(memnet.Options{})
		time.Sleep(2 * time.Second)
		if got := rt.Stats().Connects; got != 2 {
			t.Errorf("%d connections within some seconds of waking, want 2", got)
		}
	})
}
