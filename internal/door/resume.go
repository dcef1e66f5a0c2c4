package door

import (
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// laneTime is how much work the lane of resumes may hold, at the pace at which it is worked off.
	laneTime = time.Second
	// leastLane is how many resumes the lane has room for in any case.
	leastLane = 64
	// defaultResumePace is what a core does with a store that makes every change durable.
	defaultResumePace = 2000
	// tokensOfFailures is how many times as many bad tokens as accounts that it may fail at an origin may show within
	// [OriginWindow]. Beyond that it waits, and is not locked out: no token can be guessed, and those of all players
	// behind an address are bad at once when a node was away for too long.
	tokensOfFailures = 10
)

// Resume answers the wish of a client that shows a token in place of a password, [Resume], [Continue] or [Forget], a
// [Passkey] or an [Identity]. What is worked off so fast does not wait in the line before the door: it has a lane of
// its own, which holds what can be worked off in a second. The seat has no place in the world yet, see [Seat.Sit]: a
// token that is made up neither takes one, nor tells of whom there is one. The error is a [*rushgate.Refusal], as for
// [Door.Knock]; those for which the lane has no room are told to come back at the pace of the lane.
func (d *Door) Resume(k Knock) (*Seat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, count := d.cfg.Now(), &d.refused.knocking
	if d.closed {
		count.Draining++
		r := busy(d.later(Draining))
		return nil, &r
	}
	who := d.budgets.pair(&k)
	if k.Want == Passkey || k.Want == Identity { // of which it is not known yet whether the mode lets its player in
		d.heed()
		if d.rules.Closed() {
			count.Mode++
			r := d.rules.Refusal(d.opening(now))
			return nil, &r
		}
	} else if k.Want != Forget {
		d.heed()
		if r, refused := d.kept(k.Name, now, count); refused {
			return nil, &r
		}
	}
	if v, wait := d.budgets.judgeToken(who, k.Want, now); v != free {
		r := d.limited(v, wait, count)
		return nil, &r
	}
	s, r := d.laneSeat(&k, who, now)
	if s == nil {
		return nil, &r
	}
	s.charge = charge{who: who, known: d.budgets.isKnown(who), token: true, resumes: k.Want != Continue}
	return s, nil
}

// laneSeat gives a client a seat in the lane of tokens that nothing is charged for yet, or nil and the refusal.
func (d *Door) laneSeat(k *Knock, who pair, now time.Time) (*Seat, rushgate.Refusal) {
	d.move(now)
	// Whether a full world has a place for the name is told to the player only, see [Seat.Sit].
	waits := d.stands(k, who)
	if r, ok := d.laneHas(&d.resumes, Resumes, &d.promised, who, now); !ok {
		d.refused.knocking.Lane++
		return nil, r
	}
	d.resumes.add(who.origin, 1)
	return &Seat{
		door: d, name: k.Name, takeover: k.Takeover, state: resuming, turn: now, standing: true, waits: waits,
		holder: k.Holder, device: k.Device,
	}, rushgate.Refusal{}
}

// Identify says whose a seat is that was given for a [Passkey] or an [Identity], once the player has proved to own the
// account of a name. That is known at the origin from now on, so that what others fail at there does not keep the
// player out. A place in the world that the seat has taken under another name is given back.
func (s *Seat) Identify(name string) {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case s.state == closed || !s.standing && s.name == name:
		return
	case !s.standing:
		d.places.close(s.charge.who, NotJudged, false, d.cfg.Now())
		s.standing = true
	}
	if s.name != name {
		d.budgets.know(s.charge.who) // by what the next knock is known by before it is looked at
	}
	s.name = name
	s.charge.who.name = d.budgets.name(name)
	s.charge.known = d.budgets.isKnown(s.charge.who)
}

// laneHas reports whether a lane that holds what is worked off in a second has room for one more of an origin, and if
// it has not, what that client is told. An empty lane has room, whatever is known of its pace.
//
// Of those for whom there is no room, each is told a moment after that of the one before it, promised, as far apart as
// the lane needs for each. An origin that has its share is not: it could put off the moments of all others.
func (d *Door) laneHas(
	in *room, l Lane, promised *time.Time, who pair, now time.Time,
) (r rushgate.Refusal, ok bool) {
	pace, depth := &d.paces[l], in.taken
	limit := max(int(pace.perSecond()*laneTime.Seconds()), leastLane)
	switch {
	case depth == 0 || depth < limit && in.shared(who.origin, limit):
		return r, true
	case depth < limit:
		return busy(d.clock.spread(min(max(pace.takes(depth), time.Second), MaxRetryAfter/2))), false
	}
	if free := now.Add(pace.takes(depth)); promised.Before(free) {
		*promised = free
	}
	if latest := now.Add(MaxRetryAfter); promised.After(latest) {
		*promised = latest
	}
	wait := max(promised.Sub(now), time.Millisecond)
	*promised = promised.Add(pace.takes(1))
	return busy(d.clock.past(wait)), false
}

// later returns when to come back for a cause. All players of a node that is going down come back to what takes its
// place: no faster than they can be let in there.
func (d *Door) later(c Cause) time.Duration {
	wait := d.clock.later(c)
	if all := d.paces[Resumes].takes(len(d.places.byName)); c == Draining && all > least[Draining] {
		wait = least[Draining] + d.clock.jitter(min(all, MaxRetryAfter-least[Draining]))
	}
	return wait
}

// judgeToken returns whether a token may be judged, and if not, for how long. Bad tokens say nothing against an
// account: a stranger could lock its player out. What an origin has failed at with passwords is held against its resume
// tokens, but not against sessions: those behind its address who are playing have nothing to do with that.
func (b *budgets) judgeToken(who pair, want Want, now time.Time) (verdict, time.Duration) {
	known := b.isKnown(who)
	if wait, shared := b.lockouts.wait(who, known, false, now); want != Continue && shared {
		return lockedTogether, wait
	}
	if known {
		return free, 0
	}
	for _, g := range groupsOf(who.origin) {
		f := b.networks.get(g.network)
		if limit := b.tokens.times(g.times); f != nil && limit.limit > 0 && f.tokens.full(limit, now) {
			return f.tokens.verdict(limit, now, pending)
		}
	}
	return free, 0
}

// badToken charges an origin, and the networks that it is in, for a token that is none.
func (b *budgets) badToken(c charge, now time.Time) (began []Lockout) {
	if b.tokens.limit > 0 {
		for _, g := range groupsOf(c.who.origin) {
			b.networks.make(g.network).tokens.charge(b.tokens.times(g.times), now)
		}
	}
	if !c.resumes {
		return nil
	}
	return b.failedAt(c, now)
}
