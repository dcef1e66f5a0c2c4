package door

import (
	"errors"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// MaxRetryAfter is the longest that a client is told to wait, as far as it knows nothing of lines, that was refused
	// for lack of room.
	MaxRetryAfter = 60 * time.Second

	// returnGrace is how much longer than it is told to wait the seat of a player is kept who is on the way back, and
	// maxExtension for how long at most.
	returnGrace  = 10 * time.Second
	maxExtension = 10 * time.Minute
	// lineMoves is how often the line is moved.
	lineMoves = 100 * time.Millisecond
	// maxOpenSeats is how many requests of one name may be under way without a place in the line: the answer to the first
	// may have been lost.
	maxOpenSeats = 2
	// returnsEvery is how often at most one name comes past the line to its seat.
	returnsEvery = 10 * time.Second
	// missed is how long no client may have come whose turn had, at least, before a door with nothing to do lets newcomers
	// in though others wait: those seem to be gone.
	missed = 2 * time.Second
)

// What became of a ticket that was not honoured, as [rushgate.Place] has it.
const (
	lostExpired = "expired"
	lostUsed    = "used"
	lostUnknown = "unknown"
)

// visit is a knock that is being decided about.
type visit struct {
	*Knock
	who     pair
	shown   shown
	now     time.Time
	looking bool // nothing is to be taken, see [Door.TurnAway]
	stands  bool // it comes in without a seat in the world, see [Knock].Wait
}

// shown is the ticket that a client has sent.
type shown struct {
	ticket line.Ticket
	good   bool   // it is of this fleet
	lost   string // else what is wrong with it, if there is one
}

// open reads the ticket of a knock. While the keys of the fleet are not known, it is neither good nor lost.
func (d *Door) open(k *Knock) (s shown) {
	ring := d.ring.Load()
	if len(k.Ticket) == 0 || ring == nil || k.Holder == (line.Holder{}) {
		return s
	}
	s.lost = lostUnknown
	sealed, err := line.DecodeText(string(k.Ticket))
	if err != nil {
		return s
	}
	if s.ticket, err = ring.Open(sealed); err == nil {
		s.good, s.lost = true, ""
	}
	return s
}

// wait is what one who may not come in is told; the zero one may.
type wait struct {
	out    line.Outlook
	ticket string
	lost   string
	short  shortage // which kept it out; ofTurn if it was none of the queue's
	placed bool     // out is a place in the line
	work   rushgate.Work
}

// admission is how a client comes in that may.
type admission struct {
	turn   time.Time    // its place in the queue
	ticket *line.Ticket // that was redeemed; nil for none
}

// decide returns how a client comes in whose budgets and seats allow it, or what it is told. Short is what the queue
// has too little of for any client.
//
// A player with a seat need not stand in the line for it, as long as its origin has not used up its share of the queue:
// an origin with many seats would fill the queue again and again. One whose turn has come needs room in the queue, and
// all others have to leave room to those who were called.
func (d *Door) decide(v *visit, short shortage) (admission, wait) {
	if short == enough && d.rules.Mode == rushgate.ModeStaff && d.inShare(v.who) { // the line waits for the end of that
		return admission{turn: d.line.Now()}, wait{}
	}
	if short == enough && d.inShare(v.who) && d.places.returns(v.who, v.now) {
		if !v.looking {
			d.places.noteReturn(v.who, v.now)
		}
		return admission{turn: d.line.Now()}, wait{}
	}
	if v.shown.good {
		if a, w, over := d.redeem(v, short); !over {
			return a, w
		}
	}
	newcomer := short
	if short == enough {
		newcomer = d.newcomers(v.who, v.now)
	}
	switch {
	case newcomer == enough:
		if !v.looking {
			d.line.Entered(v.who.origin, v.Name)
		}
		return admission{turn: d.line.Now()}, wait{}
	case v.Holder != (line.Holder{}) && d.ring.Load() != nil:
		return admission{}, d.issue(v, newcomer)
	case d.cfg.Work > 0:
		return admission{}, d.unplaced(v, newcomer)
	}
	return d.come(v, short, newcomer)
}

// redeem decides about a client with a ticket of the fleet; over says that the ticket is worth nothing any more, and
// the client a newcomer.
func (d *Door) redeem(v *visit, short shortage) (a admission, w wait, over bool) {
	t := &v.shown.ticket
	judge := d.line.Redeem
	if v.looking && short == enough {
		judge = d.line.Due
	}
	out, err := judge(t, v.Holder)
	switch {
	case err == nil && short == enough:
		d.came = v.now
		if !v.looking {
			d.line.LetIn(t)
		}
		return admission{turn: out.Turn, ticket: t}, wait{}, false
	case err == nil: // its turn, and no room
		d.came = v.now
		out.PollAfter = d.line.GiveBack(t)
		out.Expected = out.PollAfter
		return a, wait{out: out, short: short, placed: true}, false
	case errors.Is(err, line.ErrNotYet) && short == enough && d.idle(v.now) && (v.looking || d.line.RedeemEarly(t)):
		return admission{turn: t.Turn, ticket: t}, wait{}, false
	case errors.Is(err, line.ErrNotYet):
		return a, wait{out: out, short: ofTurn, placed: true}, false
	case errors.Is(err, line.ErrExpired):
		v.shown.lost = lostExpired
	case errors.Is(err, line.ErrUsed):
		v.shown.lost = lostUsed
	default:
		v.shown.lost = lostUnknown
	}
	return a, w, true
}

// issue gives a client a ticket, if it has worked for it where that is asked for.
func (d *Door) issue(v *visit, short shortage) wait {
	ring := d.ring.Load()
	var work uint64
	if d.cfg.Work > 0 {
		var ok bool
		if work, ok = d.worked(v, ring); !ok {
			return d.unplaced(v, short)
		}
	}
	t, out, err := d.line.Take(line.Ask{Origin: v.who.origin, Holder: v.Holder})
	w := wait{out: out, lost: v.shown.lost, short: short, placed: err == nil}
	if err == nil {
		var sealed [line.TicketSize]byte
		w.ticket = line.EncodeText(ring.Seal(sealed[:0], &t))
		if d.cfg.Work > 0 {
			d.spent.add(work, v.now)
		}
	}
	return w
}

// come decides about a client that knows nothing of tickets, and as a newcomer does not come in.
func (d *Door) come(v *visit, short, newcomer shortage) (admission, wait) {
	out, err := d.line.Come(v.who.origin, v.Name, false)
	switch {
	case err == nil && short == enough:
		d.came = v.now
		if !v.looking {
			d.line.Came(v.who.origin, v.Name)
		}
		return admission{turn: out.Turn}, wait{}
	case err == nil: // its turn, and no room
		d.came = v.now
		out.PollAfter = d.line.Again()
		out.Expected = out.PollAfter
	}
	placed := err == nil || errors.Is(err, line.ErrNotYet)
	return admission{}, wait{out: out, short: newcomer, placed: placed}
}

// newcomers returns what keeps a client from coming in that has no place in the line.
func (d *Door) newcomers(who pair, now time.Time) shortage {
	switch {
	case d.idle(now):
		return enough
	case !d.inShare(who):
		return ofShare
	case !d.line.Admits(d.reach() - d.queue.taken):
		return ofTurn
	}
	return enough
}

// inShare reports whether an origin has room for one more in its share of the queue.
func (d *Door) inShare(who pair) bool {
	return d.queue.taken == 0 || d.queue.shared(who.origin, d.reach())
}

// idle reports whether there has been nothing to do for so long that those who were called seem to be gone. While the
// process stood still no client could come, and none is gone for that.
func (d *Door) idle(now time.Time) bool {
	if d.queue.taken > 0 {
		return false
	}
	since := now.Sub(d.came)
	if d.cfg.Stood != nil {
		since -= d.cfg.Stood(d.came)
	}
	if since <= max(missed, d.paces[Fast].takes(4)) {
		return false
	}
	_, early := d.line.Opens()
	return !early
}

// refusal puts what a client is told into words.
func (w *wait) refusal() rushgate.Refusal {
	if !w.placed {
		r := busy(min(w.out.PollAfter, MaxRetryAfter))
		r.Work = w.work
		return r
	}
	r := busy(min(max(w.out.Expected, time.Second), MaxRetryAfter))
	r.Place = rushgate.Place{
		Number: max(w.out.Place, 1), Low: w.out.Low, High: max(w.out.High, w.out.PollAfter), PollAfter: w.out.PollAfter,
		Turn: w.out.Turn, Ticket: w.ticket, Lost: w.lost,
	}
	return r
}

// move moves the lines, if it is time.
func (d *Door) move(now time.Time) {
	if d.closed || !d.heed() && now.Sub(d.moved) < lineMoves && !now.Before(d.moved) {
		return
	}
	d.moved = now
	d.line.Tick(max(d.reach()/2, 1)-d.queue.taken, d.paces[Fast].perSecond())
	d.world.move(&d.places, now)
}

// Move moves the lines. Knocks do so too: it is for times in which none comes, and to be called about once a second.
func (d *Door) Move() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.move(d.cfg.Now())
}

// SetKeyring has the door seal tickets with the keys of the fleet, and know those of other nodes. Until it is called,
// clients are given places that are theirs by origin and name.
func (d *Door) SetKeyring(r *line.Keyring) { d.ring.Store(r) }

// Document is what all who wait are told alike.
func (d *Door) Document() line.Document {
	d.Move()
	return d.line.Document(0)
}

// LineState returns what the next run of the node needs to honour the places of this one, see [Config].
func (d *Door) LineState() []byte { return d.line.State() }
