package door

import (
	"container/list"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// defaultBeginPace is what half a core does of the beginnings of proofs.
	defaultBeginPace = 1000
	// maxLapsed is how many lockouts are kept for [Door.Lapsed].
	maxLapsed = 256
	// partForEnds is how much more than others those may fill the lane of tokens who end what they have begun, one part in
	// so many.
	partForEnds = 4
)

// TryID names a try that is under way between two requests, see [Door.Begin]. It is a client's to show and nobody
// else's to guess.
type TryID [24]byte

// try is a guess at a password of which it is not known yet whether it was right.
type try struct {
	id     TryID
	name   string // empty for a name without an account
	charge charge
	until  time.Time
}

// tries are those whose clients have what they were answered, and have not come back with what they make of it. Each
// knows by then whether its guess was right, and one whose guess was wrong need not come back: so a try counts as a
// seat that is open, as if it had failed, and has failed when its time is over. Their number is bounded; where there
// are more, the one that began first has failed.
type tries struct {
	limit  int
	byID   map[TryID]*list.Element // of *try
	order  *list.List              // of *try, begun first first
	lapsed []Lockout               // that began with the end of a try, for [Door.Lapsed]
}

func newTries(limit int) tries {
	return tries{limit: limit, byID: make(map[TryID]*list.Element), order: list.New()}
}

// take returns a try, which is not kept any more.
func (t *tries) take(id TryID) (*try, bool) {
	e, ok := t.byID[id]
	if !ok {
		return nil, false
	}
	t.order.Remove(e)
	delete(t.byID, id)
	return e.Value.(*try), true
}

// beginnings is the lane of those who begin a proof.
type beginnings struct {
	room
	promised time.Time
	tries    tries
}

// Begin answers the wish of a client to begin a proof that takes two requests: a [Login], an [Errand], both of which
// guess a password, or another want, which does not. They have a lane of their own, beside the line, which holds what
// is worked off in a second. The error is a [*rushgate.Refusal], as for [Door.Knock].
func (d *Door) Begin(k Knock) (*Seat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	who := d.budgets.pair(&k)
	if r, refused := d.mayBegin(&k, who, now, &d.refused.knocking); refused {
		return nil, &r
	}
	d.beginnings.add(who.origin, 1)
	return &Seat{
		door: d, name: k.Name, charge: d.budgets.hold(who, &k), state: beginning, turn: now, standing: true, device: k.Device,
	}, nil
}

// TurnAwayBegin answers the wish of a client to begin a proof if [Door.Begin] would refuse it now, with that refusal,
// and otherwise reports false and takes nothing, as [Door.TurnAway] does for a login.
func (d *Door) TurnAwayBegin(k Knock) (r rushgate.Refusal, refused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mayBegin(&k, d.budgets.pair(&k), d.cfg.Now(), &d.refused.turnedAway)
}

// mayBegin refuses whom the door does not let begin a proof. Nothing is begun while there is no room for those who have
// begun to end what they did: the client's stretching, which is most of the work, would be for nothing.
func (d *Door) mayBegin(k *Knock, who pair, now time.Time, count *Refusals) (r rushgate.Refusal, refused bool) {
	if r, refused := d.mayProve(k, who, true, now, count); refused {
		return r, true
	}
	if depth := d.resumes.taken; depth >= d.laneRoom(Resumes)+d.endsRoom() {
		count.Begin++
		return busy(d.clock.spread(min(max(d.paces[Resumes].takes(depth), time.Second), MaxRetryAfter/2))), true
	}
	in := &d.beginnings
	if r, ok := d.laneHas(&in.room, Beginnings, d.laneRoom(Beginnings), &in.promised, who, now); !ok {
		count.Begin++
		return r, true
	}
	return r, false
}

// endsRoom is how much room the lane of tokens has for those alone who end what they were let begin, so that a flood of
// all else there cannot have their work be for nothing.
func (d *Door) endsRoom() int { return d.laneRoom(Resumes) / partForEnds }

// mayProve refuses whom the door does not let begin, or end, a proof; judged says whether what was failed at counts.
func (d *Door) mayProve(
	k *Knock, who pair, judged bool, now time.Time, count *Refusals,
) (r rushgate.Refusal, refused bool) {
	if d.closed {
		count.Draining++
		return busy(d.later(Draining)), true
	}
	d.heed()
	if k.Want == Login || k.Want == Register {
		if r, refused := d.kept(k.Name, now, count); refused {
			return r, true
		}
	}
	d.lapse(now)
	if !judged {
		return r, false
	}
	switch verdict, wait := d.budgets.judge(who, k, now); verdict {
	case free:
		return r, false
	case crowded:
		count.Share++
		return busy(d.clock.later(UnderWay)), true
	default:
		return d.limited(verdict, wait, count), true
	}
}

// Keep ends the place of a seat in the lane of those who begin, and has its try go on until a time: known says whether
// there is such an account. A seat that is not kept is to be closed.
func (s *Seat) Keep(id TryID, known bool, until time.Time) {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.state == closed {
		return
	}
	s.move(closed)
	t := &try{id: id, charge: s.charge, until: until}
	if known {
		t.name = s.name
	}
	d.keep(t)
	d.lapse(d.cfg.Now())
}

// keep has a try go on. The caller has the door's lock.
func (d *Door) keep(t *try) {
	all := &d.beginnings.tries
	for all.order.Len() >= all.limit {
		d.fail(all.order.Front().Value.(*try))
	}
	e := all.order.PushBack(t)
	for before := e.Prev(); before != nil && before.Value.(*try).until.After(t.until); before = e.Prev() {
		all.order.MoveBefore(e, before) // one that comes back, which few do
	}
	all.byID[t.id] = e
}

// lapse has those tries fail whose time is over.
func (d *Door) lapse(now time.Time) {
	for e := d.beginnings.tries.order.Front(); e != nil; e = d.beginnings.tries.order.Front() {
		t := e.Value.(*try)
		if now.Before(t.until) {
			return
		}
		d.fail(t)
	}
}

// fail counts a try as failed, at the time when it was to end.
func (d *Door) fail(t *try) {
	all := &d.beginnings.tries
	all.take(t.id)
	o := Wrong
	if t.name == "" {
		o = Unknown
	}
	began := d.budgets.settle(t.charge, o, t.name, d.cfg.Now())
	if len(all.lapsed) < maxLapsed {
		all.lapsed = append(all.lapsed, began...)
	}
}

// Lapsed returns the lockouts that began with tries to which no client came back, since it was last asked.
func (d *Door) Lapsed() []Lockout {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lapse(d.cfg.Now())
	began := d.beginnings.tries.lapsed
	d.beginnings.tries.lapsed = nil
	return began
}

// Finish answers the wish of a client to end a proof, by the try that it has begun; wants are as for [Door.Begin]. What
// was let in there is not judged again. A try that was begun at another node, or is over, is: as a knock that guesses.
// It takes the lane of [Door.Resume], and is a seat as there. One that is closed without having been judged leaves the
// try as it was: that way no client gets rid of a wrong guess.
func (d *Door) Finish(k Knock, id TryID) (*Seat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	who := d.budgets.pair(&k)
	begun, r, refused := d.mayFinish(&k, id, who, now, &d.refused.knocking)
	if refused {
		return nil, &r
	}
	s := d.laneSeat(&k, who, now)
	s.lane = who
	if begun {
		s.try, _ = d.beginnings.tries.take(id)
		s.charge = s.try.charge
	} else {
		s.charge = d.budgets.hold(who, &k)
	}
	return s, nil
}

// TurnAwayFinish answers the wish of a client to end a proof if [Door.Finish] would refuse it now, with that refusal,
// and otherwise reports false and takes nothing, as [Door.TurnAway] does for a login. The try stays as it is.
func (d *Door) TurnAwayFinish(k Knock, id TryID) (r rushgate.Refusal, refused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, r, refused = d.mayFinish(&k, id, d.budgets.pair(&k), d.cfg.Now(), &d.refused.turnedAway)
	return r, refused
}

// mayFinish refuses whom the door does not let end a proof, and reports whether what is not refused was begun here.
func (d *Door) mayFinish(
	k *Knock, id TryID, who pair, now time.Time, count *Refusals,
) (begun bool, r rushgate.Refusal, refused bool) {
	e, begun := d.beginnings.tries.byID[id]
	begun = begun && e.Value.(*try).charge.who.name == who.name && now.Before(e.Value.(*try).until)
	if r, refused := d.mayProve(k, who, !begun, now, count); refused {
		return begun, r, true
	}
	d.move(now)
	limit := d.laneRoom(Resumes)
	if begun {
		limit += d.endsRoom()
	}
	if r, ok := d.laneHas(&d.resumes, Resumes, limit, &d.promised, who, now); !ok {
		count.Lane++
		return begun, r, true
	}
	return begun, r, false
}
