package door

import "time"

// meter is a leaky bucket (ITU-T I.371): each charge adds one, and what is in it leaks at a steady rate. What seats
// that are still open may yet be charged for counts as if it had been.
type meter struct {
	level    float64
	at       time.Time // when level was true
	inFlight int       // charges that open seats stand for
}

// budget is what a meter is held against.
type budget struct {
	limit int           // charges at once
	over  time.Duration // in which that many leak
}

// leak brings the level up to date.
func (m *meter) leak(b budget, now time.Time) {
	if b.limit <= 0 { // no bound
		m.level, m.at = 0, now
		return
	}
	if passed := now.Sub(m.at); passed > 0 {
		m.level = max(0, m.level-float64(b.limit)*float64(passed)/float64(b.over))
		m.at = now
	}
}

// full reports whether one more charge could exceed the budget.
func (m *meter) full(b budget, now time.Time) bool {
	m.leak(b, now)
	return m.level+float64(m.inFlight)+1 > float64(b.limit)
}

// charge adds one and reports whether that has used the budget up.
func (m *meter) charge(b budget, now time.Time) bool {
	m.leak(b, now)
	m.level++
	return m.level+1 > float64(b.limit)
}

// verdict says why a full meter is: for what has been charged, and then how long until there is room, or for what is in
// flight.
func (m *meter) verdict(b budget, now time.Time, inFlight verdict) (verdict, time.Duration) {
	m.leak(b, now)
	excess := m.level + 1 - float64(b.limit)
	if excess <= 0 {
		return inFlight, 0
	}
	return spent, time.Duration(excess / float64(b.limit) * float64(b.over))
}

// idle reports whether a meter that has leaked is empty.
func (m *meter) idle() bool { return m.level == 0 && m.inFlight == 0 }
