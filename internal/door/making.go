package door

import "time"

// Making is what is made for a client that has no account yet. How many of each one origin may make is bounded.
type Making uint8

// What can be made.
const (
	nothing Making = iota
	// Registration is an account that its player has registered, or that a provider vouches for.
	Registration
	// Guest is an account that nothing but a device opens.
	Guest
	nMakings
)

// Make says of a seat for an [Identity] that an account is to be made, which is held against the budget of its origin
// from here on. The error is a [*rushgate.Refusal], with which the seat is still to be closed.
func (s *Seat) Make(m Making) error {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.state == closed || s.charge.making == m {
		return nil
	}
	now := d.cfg.Now()
	switch v, wait := d.budgets.judgeMaking(s.charge.who, m, now); v {
	case free:
	case crowded:
		d.refused.knocking.Share++
		r := busy(d.clock.later(UnderWay))
		return &r
	default:
		r := d.limited(v, wait, &d.refused.knocking)
		return &r
	}
	d.budgets.flight(s.charge, -1)
	s.charge.making = m
	d.budgets.flight(s.charge, 1)
	return nil
}

// Made says of a seat for which an account was to be made that there is one, whether its player comes in or not.
func (s *Seat) Made() {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.state == closed {
		return
	}
	d.budgets.flight(s.charge, -1)
	d.budgets.made(s.charge, d.cfg.Now())
	s.charge.making = nothing
	d.budgets.flight(s.charge, 1)
}

// judgeMaking returns whether an origin may make one more account, as judge does.
func (b *budgets) judgeMaking(who pair, m Making, now time.Time) (verdict, time.Duration) {
	for _, g := range groupsOf(who.origin) {
		f, limit := b.networks.get(g.network), b.makes[m].times(g.times)
		if f != nil && limit.limit > 0 && f.makes[m].full(limit, now) {
			return f.makes[m].verdict(limit, now, crowded)
		}
	}
	return free, 0
}

// made charges an origin, and the networks that it is in, for an account that was made.
func (b *budgets) made(c charge, now time.Time) {
	if c.making == nothing || b.makes[c.making].limit <= 0 {
		return
	}
	for _, g := range groupsOf(c.who.origin) {
		b.networks.make(g.network).makes[c.making].charge(b.makes[c.making].times(g.times), now)
	}
}
