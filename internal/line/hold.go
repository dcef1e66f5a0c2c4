package line

import "time"

// holdStep is how far ahead the opening of a line that is held lies at least, for those who ask when that is: it is not
// known.
const holdStep = time.Minute

// hold is a time in which a line does not move, whose end is not known: the operator has closed the doors. Unlike
// before [Config].Opens, turns are given in the order in which clients come: the end may be earlier than was said, or
// later, and those who have waited are not to find newcomers before them.
type hold struct {
	is    bool
	since int64 // in milliseconds
	until int64 // when it is meant to end, in milliseconds; 0: that is not said
	ended int64 // the tick at which the last one has; 0: there was none
}

// Hold has the line call nobody until [Line.Release]: places are given and kept. Until is when that is meant to be, and
// what those who wait are told; the zero time is not known. It may be called again with another time.
func (l *Line) Hold(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	if !l.held.is {
		l.held.is, l.held.since = true, l.clock.millis()
	}
	l.held.until = 0
	if !until.IsZero() {
		l.held.until = int64(millis(until))
	}
}

// Release ends a hold. It does nothing if there is none. Those who had been called before may come for as long as if
// they were called now.
func (l *Line) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held.is {
		return
	}
	l.clock.read()
	l.held = hold{ended: l.clock.tick()}
}

// opening returns when the line opens, in milliseconds, as far as that can be said; in the past if it is open.
func (l *Line) opening() int64 {
	if !l.held.is {
		return l.opens
	}
	return max(l.opens, l.held.until, l.clock.millis()+holdStep.Milliseconds())
}

// waitFor does what is to be done while the line does not move.
func (l *Line) waitFor(tick int64) {
	if !l.held.is || l.clock.millis() < l.opens {
		return
	}
	for i := range l.tiers {
		l.tiers[i].keepUp(l.clock.millis()*1000, tick, l.graceTicks())
	}
}
