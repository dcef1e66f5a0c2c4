package door

import (
	"time"
)

const (
	// errandShare is which part of the hashes goes to errands while logins wait, one in so many, so that no errand waits
	// for the end of a rush. What that, and all else of them, costs the logins of one is measured by
	// TestRushBesideErrands of package server.
	errandShare = 48
	// errandRoom is how many errands may wait.
	errandRoom = 64
	// errandBurst is for how many hashes of errands the logins of quiet times are saved up.
	errandBurst = 4
	// gapAfter is for how long a door that nobody waits at is in a rush still, once more logins have waited than a worker
	// takes at once: the clients of a rush come in waves. An errand that is begun between two of them is a batch of its
	// own, which costs the next wave as much as a quarter of a full one does.
	gapAfter = 500 * time.Millisecond
	// errandPatience is for how long a rush has gone on before errands get their share of it: most are over by then, and
	// all is the errands'.
	errandPatience = 5 * time.Second
)

// errands are requests of players who want something of their account that costs hashes, and do not come in.
type errands struct {
	room
	inHand int
	// credit is how many hashes of errands the logins that were served have paid for; less than 0 if more were done.
	credit float64
	// crowd says that more logins wait than a worker takes at once, crowded when that was so last, and began when the rush
	// began that this is a part of.
	crowd          bool
	crowded, began time.Time
}

// Errand answers the wish of a client that has a password proved, or one hashed, which takes so many hashes and opens
// no session. It may guess a password, and counts as a login does that guesses. The seat has no place in the world. The
// error is a [*rushgate.Refusal], as for [Door.Knock]; those for which there is no room are told when there will be.
func (d *Door) Errand(k Knock, hashes int) (*Seat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, count := d.cfg.Now(), &d.refused.knocking
	if d.closed {
		count.Draining++
		r := busy(d.later(Draining))
		return nil, &r
	}
	k.Want = Errand
	d.lapse(now)
	who := d.budgets.pair(&k)
	verdict, wait := d.budgets.judge(who, &k, now)
	if verdict != free && verdict != crowded {
		r := d.limited(verdict, wait, count)
		return nil, &r
	}
	hashes = max(hashes, 1)
	late := d.errandsTake(d.errands.taken+1, hashes, now) > d.cfg.MaxAge
	full := d.errands.taken >= errandRoom || !d.errands.shared(who.origin, errandRoom)
	if verdict == crowded || d.errands.taken > 0 && (late || full) {
		count.Errands++
		half := d.errandsTake(d.errands.taken/2, hashes, now)
		r := busy(d.clock.spread(min(max(half, time.Second), MaxRetryAfter/2)))
		return nil, &r
	}
	d.errands.add(who.origin, 1)
	return &Seat{
		door: d, name: k.Name, charge: d.budgets.hold(who, &k), state: onErrand, turn: now, standing: true, hashes: hashes,
	}, nil
}

// errandsTake returns how long n errands of so many hashes each take: at their share while logins wait, or are about
// to.
func (d *Door) errandsTake(n, hashes int, now time.Time) time.Duration {
	if d.queue.taken > 0 || d.untilGap(now) > 0 {
		hashes *= errandShare
	}
	return d.paces[Fast].takes(n * hashes)
}

// Errands returns how many hashes of errands a worker may take with its next batch, of so many at most; the last of
// them may bring some more. Less than 1 says that it is not their turn, which a worker with nothing to do has to ask
// for again after some time, if that is more than 0. In a rush they come with the logins of a batch only, once it has
// gone on for errandPatience. While no login waits, one worker at a time has them; one errand, if there are clients in
// line who will be called as soon as the node has noticed.
func (d *Door) Errands(batch int) (hashes int, again time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	rush := d.untilGap(now)
	switch {
	case d.errands.taken == 0:
		return 0, 0
	case d.queue.taken > 0 && rush > 0 && now.Sub(d.errands.began) < errandPatience:
		return 0, 0
	case d.queue.taken > 0:
		return int(min(d.errands.credit, float64(batch))), 0
	case rush > 0:
		return 0, rush
	case d.errands.inHand > 0:
		return 0, 0
	case d.newcomers(pair{}, now) != enough: // a whole batch would be in the way of those who are called
		return 1, 0
	}
	return batch, 0
}

// Crowded reports whether there is a rush: more logins wait than a worker takes at once, or did a moment ago.
func (d *Door) Crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.untilGap(d.cfg.Now()) > 0
}

// untilGap returns for how long a door that nobody waits at is in a rush still.
func (d *Door) untilGap(now time.Time) time.Duration {
	switch {
	case d.closed: // to logins, too
		return 0
	case d.errands.crowd:
		return gapAfter
	}
	return min(max(gapAfter-now.Sub(d.errands.crowded), 0), gapAfter)
}

// noteCrowd takes note of whether there is a rush, whenever the queue has changed.
func (d *Door) noteCrowd(now time.Time) {
	e, crowd := &d.errands, d.queue.taken > d.cfg.Batch
	if crowd && !e.crowd && now.Sub(e.crowded) >= gapAfter {
		e.began = now
	}
	if crowd || e.crowd {
		e.crowded = now
	}
	e.crowd = crowd
}

// paid notes that the hashes of logins were done.
func (e *errands) paid(hashes int) {
	e.credit = min(e.credit+float64(hashes)/(errandShare-1), errandBurst)
}

// ErrandHashes returns how many hashes the request of an errand takes.
func (s *Seat) ErrandHashes() int { return s.hashes }
