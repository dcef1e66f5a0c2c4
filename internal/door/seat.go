package door

import (
	"time"

	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/line"
)

// Outcome is what has become of a knock that was given a [Seat].
type Outcome int

// The outcomes.
const (
	// NotJudged: nothing is known about the knock, be it that it was given up, or that the fault was ours.
	NotJudged Outcome = iota
	// Wrong: the password was wrong.
	Wrong
	// Unknown: there is no such account. It counts as Wrong does, but the name is not kept: players also type passwords
	// into the wrong field.
	Unknown
	// Taken: the name that was to be registered belongs to another account.
	Taken
	// Right: the player has proved to own the account, and does not come in here.
	Right
	// Asked: the password is right, and the player is asked for a second factor. That forgives no failure: whoever has the
	// password alone would try codes without an end.
	Asked
	// Inside: the player is in the world.
	Inside
	// Revoked: the proof with which a player has waited for the world is good no more.
	Revoked
)

// Departure is how a session has ended.
type Departure int

// The ways in which sessions end.
const (
	// Left: the player has logged out, or another node has the player now.
	Left Departure = iota
	// Silent: nothing was heard of the player for too long.
	Silent
	// TakenOver: the player was asked for, here or on another node.
	TakenOver
)

// Seat stands for a place in the queue and one in the world, until it is closed. Its methods may be called from many
// goroutines.
type Seat struct {
	door     *Door
	name     string
	takeover bool
	charge   charge
	state    seatState
	turn     time.Time
	ticket   *line.Ticket // that was redeemed for it; nil for none
	ofWorld  bool         // the ticket is of the world's line
	holder   line.Holder  // of the ticket that it is to be given, if it has to wait for the world
	standing bool         // it has no place in the world yet
	waits    bool         // it is to be given a place in the world's line, if it finds none
	stood    bool         // it was given one in the world's line
	hashes   int          // of an errand; 0 for all others
	try      *try         // that it is to end; nil for none
	lane     pair         // where a seat of [Door.Finish] is, which may be another place than that of its try
	device   access.Device
}

// Turn is the place of the request in the queue, which is best worked off in the order of turns: those who were called
// one after the other do not come so. Without a place in the line it is the time when the client came.
func (s *Seat) Turn() time.Time { return s.turn }

type seatState int

const (
	queued seatState = iota
	inHand
	slow
	resuming
	onErrand // which waits for a worker
	beginning
	closed
)

// Take notes that a worker has taken the request from the queue, whose place is free again.
func (s *Seat) Take() {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	if s.state != resuming && s.state != beginning { // which are counted until they are closed
		s.move(inHand)
	}
}

// Slow moves the seat of a request that a worker has taken to the slow lane, which is for hashes that take so long that
// they would hold up all others. If that is full, it returns a refusal, and the seat is still to be closed.
func (s *Seat) Slow() error {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.state == closed {
		return nil
	}
	late := d.slow.taken > 0 && d.paces[Slow].takes(d.slow.taken+1) > d.cfg.MaxAge
	if late || d.slow.taken >= d.slow.limit || !d.slow.shared(s.charge.who.origin, d.slow.limit) {
		d.refused.knocking.Slow++
		r := busy(d.clock.spread(d.slowWait()))
		return &r
	}
	s.move(slow)
	return nil
}

// Guess says of a registration that it is the repetition of an earlier one, and so may prove a password wrong: from
// here on it counts as a login would. The error is the refusal of one that would be refused as a guess; the seat is
// still to be closed.
func (s *Seat) Guess() error {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.state == closed || s.charge.guesses {
		return nil
	}
	now := d.cfg.Now()
	if v, wait := d.budgets.judgeGuess(s.charge.who, s.charge.known, now); v != free {
		r := d.limited(v, wait, &d.refused.knocking)
		return &r
	}
	d.budgets.flight(s.charge, -1)
	s.charge.guesses = true
	d.budgets.flight(s.charge, 1)
	return nil
}

// Close ends the seat with what has become of it, and returns the lockouts that this begins, which the caller may want
// to log. Only the first call counts.
func (s *Seat) Close(o Outcome) []Lockout {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.state == closed {
		return nil
	}
	s.move(closed)
	now := d.cfg.Now()
	if !s.standing {
		d.places.close(s.charge.who, o, s.takeover, now)
		if o == Inside {
			d.places.byName[s.charge.who.name].device = s.device
		}
	}
	s.giveBack(o)
	if s.try != nil && o == NotJudged {
		d.keep(s.try)
		d.lapse(now)
		return nil
	}
	return d.budgets.settle(s.charge, o, s.name, now)
}

// giveBack has a ticket be good again that has not brought its holder in. Those that were not judged lose nothing by
// it, and wrong passwords are bounded by the budgets; what was right is given back once, for a player who is to come
// with another wish: to take a session over, say.
func (s *Seat) giveBack(o Outcome) {
	switch {
	case s.ticket == nil || o == Inside || o == Revoked || s.stood:
	case s.ofWorld && (o == NotJudged || s.takeover):
		s.door.world.GiveBack(s.ticket)
	case s.ofWorld:
		s.door.world.GiveBackOnce(s.ticket)
	case o == Right || o == Asked:
		s.door.line.GiveBackOnce(s.ticket)
	default:
		s.door.line.GiveBack(s.ticket)
	}
}

// move takes the seat from where it is counted to where it is counted from now on. The caller has the door's lock.
func (s *Seat) move(to seatState) {
	if s.state == closed || s.state == to {
		return
	}
	d, origin := s.door, s.charge.who.origin
	switch s.state {
	case queued:
		d.queue.add(origin, -1)
		d.noteCrowd(d.cfg.Now())
	case inHand:
		d.inHand--
		if s.hashes > 0 {
			d.errands.inHand--
		}
	case slow:
		d.slow.add(origin, -1)
	case resuming:
		if s.lane.origin.IsValid() {
			origin = s.lane.origin
		}
		d.resumes.add(origin, -1)
	case beginning:
		d.beginnings.add(origin, -1)
	case onErrand:
		d.errands.add(origin, -1)
		if to == inHand {
			d.errands.credit = max(d.errands.credit-float64(s.hashes), -errandRoom)
		}
	}
	s.state = to
	switch to {
	case inHand:
		d.inHand++
		if s.hashes > 0 {
			d.errands.inHand++
		}
	case slow:
		d.slow.add(origin, 1)
	}
}
