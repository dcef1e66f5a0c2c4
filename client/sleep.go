package client

import "time"

const (
	// asleep is how late a heartbeat is after a sleep of the machine or the process.
	asleep = 3 * time.Second
	// awakening is how long after a sleep a connection may take to show that it lives: the server sends many snapshots in
	// that time.
	awakening = time.Second
)

// sleepWatch notices from heartbeats that a connection may not have outlived a sleep. Of the two clocks one may have
// stood still with the machine: the monotonic one does on Linux. The zero value is ready for use.
type sleepWatch struct {
	last, day time.Time // of the last heartbeat, by each clock
	woken     time.Time // when the last sleep was noticed; the zero time once that is settled
	ack       uint32    // the newest snapshot at that time
}

// beat takes note of a heartbeat, by both clocks, and of the newest snapshot. It reports whether the connection is
// lost: a sleep has ended, and nothing has come since.
func (w *sleepWatch) beat(now, day time.Time, ack uint32) (lost bool) {
	if !w.last.IsZero() && max(now.Sub(w.last), day.Sub(w.day)) > asleep {
		w.woken, w.ack = now, ack
	}
	w.last, w.day = now, day
	if w.woken.IsZero() || now.Sub(w.woken) < awakening {
		return false
	}
	w.woken = time.Time{}
	return ack == w.ack
}

// timeOfDay returns the time without its monotonic reading.
func timeOfDay() time.Time { return time.Now().Round(0) }
