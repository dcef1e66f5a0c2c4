package door

import (
	"errors"

	"github.com/rushgate/rushgate/internal/line"
)

// Refusals count the knocks that were refused, by cause.
type Refusals struct {
	Draining int64 `json:"draining"` // the door was closed
	Mode     int64 `json:"mode"`     // the operator lets in nobody, or only some players
	Queue    int64 `json:"queue"`    // the queue was full
	Line     int64 `json:"line"`     // others were before the client in the line
	Stale    int64 `json:"stale"`    // the request would have been stale before its turn
	Share    int64 `json:"share"`    // the origin had its share of the queue
	World    int64 `json:"world"`    // the world was full, or the origin had its share of the seats
	Slow     int64 `json:"slow"`     // the slow lane was full
	Lane     int64 `json:"lane"`     // the lane of resumes was full, or the origin had its share of it
	Begin    int64 `json:"begin"`    // the lane of those who begin a proof was full, or the origin had its share of it
	Errands  int64 `json:"errands"`  // as many errands waited as may, or the origin had its share of them
	Locked   int64 `json:"locked"`   // a lockout ran
	Pending  int64 `json:"pending"`  // as many were being judged as may fail
	Spent    int64 `json:"spent"`    // the origin's or the account's budget was used up
}

func (r *Refusals) add(s shortage) {
	switch s {
	case ofRoom:
		r.Queue++
	case ofTime:
		r.Stale++
	case ofShare:
		r.Share++
	case ofTurn:
		r.Line++
	}
}

// plus returns the sum of two counts, cause by cause.
func (r Refusals) plus(o Refusals) Refusals {
	return Refusals{
		r.Draining + o.Draining, r.Mode + o.Mode, r.Queue + o.Queue, r.Line + o.Line, r.Stale + o.Stale, r.Share + o.Share,
		r.World + o.World, r.Slow + o.Slow, r.Lane + o.Lane, r.Begin + o.Begin, r.Errands + o.Errands, r.Locked + o.Locked,
		r.Pending + o.Pending, r.Spent + o.Spent,
	}
}

// Limited is how many were refused with [rushgate.RateLimited].
func (r Refusals) Limited() int64 { return r.Locked + r.Pending + r.Spent }

// Busy is how many were refused with [rushgate.ServerBusy].
func (r Refusals) Busy() int64 {
	return r.Draining + r.Mode + r.Queue + r.Line + r.Stale + r.Share + r.World + r.Slow + r.Lane + r.Begin + r.Errands
}

// Stats is the state of a door at one moment.
type Stats struct {
	Refused Refusals `json:"refused"`
	// TurnedAway are those of Refused that [Door.TurnAway] has refused, at the least cost.
	TurnedAway Refusals `json:"turned_away"`

	Queued   int     `json:"queued"`          // requests in the queue
	Capacity int     `json:"capacity"`        // of the queue; 0: unbounded
	InHand   int     `json:"in_hand"`         // requests taken by workers
	Slow     int     `json:"slow"`            // requests in the slow lane
	Pace     float64 `json:"pace_per_s"`      // estimated capacity in requests per second
	SlowPace float64 `json:"slow_pace_per_s"` // the same for the slow lane
	// Resumes is how many are in their lane, and ResumePace how fast that is worked off.
	Resumes    int     `json:"resumes"`
	ResumePace float64 `json:"resume_pace_per_s"`
	// Beginnings is how many are in the lane of those who begin a proof, BeginPace how fast that is worked off, and Tries
	// how many have begun one and not ended it.
	Beginnings int     `json:"beginnings"`
	BeginPace  float64 `json:"begin_pace_per_s"`
	Tries      int     `json:"tries"`
	// Errands is how many errands wait for a worker.
	Errands int `json:"errands"`
	// Seats are those taken in the world: by players inside, and by those on their way in or back.
	Seats    int `json:"seats"`
	Held     int `json:"held"`     // seats kept for players who may come back
	Promised int `json:"promised"` // clients that wait in the line, or were called and are on their way
	// Line is the state of the line, Newcomer what a client is told that has no place in it.
	Line     line.Stats `json:"line"`
	Newcomer Newcomer   `json:"-"`
	// WorldLine is the state of the line of the world.
	WorldLine line.Stats `json:"world_line"`
	// Failing is how many pairs of origin and account have remembered failures or a knock under way.
	Failing int `json:"failing"`
	// Locked is how many lockouts run, Lockouts how many have begun since the start, by kind.
	Locked   int              `json:"locked"`
	Lockouts map[string]int64 `json:"lockouts"`
}

// Stats returns the state of the door.
func (d *Door) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	d.places.expire(now)
	d.lapse(now)
	d.move(now)
	l := &d.budgets.lockouts
	l.end(now)
	s := Stats{
		Refused: d.refused.knocking.plus(d.refused.turnedAway), TurnedAway: d.refused.turnedAway,
		Queued: d.queue.taken, Capacity: d.queue.limit, InHand: d.inHand, Slow: d.slow.taken,
		Pace: d.paces[Fast].perSecond(), SlowPace: d.paces[Slow].perSecond(),
		Errands:    d.errands.taken,
		Beginnings: d.beginnings.taken, BeginPace: d.paces[Beginnings].perSecond(), Tries: len(d.beginnings.tries.byID),
		Resumes: d.resumes.taken, ResumePace: d.paces[Resumes].perSecond(),
		Seats: len(d.places.byName), Held: d.places.held, Line: d.line.Stats(), Newcomer: d.newcomer(now),
		WorldLine: d.world.Stats(),
		Failing:   d.budgets.pairs.len(), Locked: len(l.running),
		Lockouts: make(map[string]int64, len(l.total)),
	}
	s.Promised = s.Line.Outstanding
	for _, n := range s.Line.Waiting {
		s.Promised += n
	}
	for kind, n := range l.total {
		s.Lockouts[LockKind(kind).String()] = n
	}
	return s
}

// ErrNoLockout is the error of [Door.Lift] for a lockout that does not run, or no longer.
var ErrNoLockout = errors.New("door: no such lockout")

// Lockouts returns up to limit lockouts that run.
func (d *Door) Lockouts(limit int) []Lockout {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.budgets.lockouts.list(limit, d.cfg.Now())
}

// Lift ends a lockout before its time and forgets the failures that began it. The error is [ErrNoLockout].
func (d *Door) Lift(id uint64) (Lockout, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lock, ok := d.budgets.lift(id, d.cfg.Now())
	if !ok {
		return lock, ErrNoLockout
	}
	return lock, nil
}
