package door

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/line"
)

// Want is what a client knocks for.
type Want uint8

// What a client can want.
const (
	Login Want = iota
	Register
	// Enter is the wish of a player who has waited for the world, see [Door.Enter].
	Enter
	// Resume is that of a player whose device is remembered, and Continue that of one whose session goes on, see
	// [Door.Resume]; Forget wants no more than that a device is not remembered any longer.
	Resume
	Continue
	Forget
	// Errand is of a player who wants something of the account that costs hashes, see [Door.Errand].
	Errand
	// Passkey is of a player who shows a passkey, which does not say the name of the account: as [Resume], but that the
	// Name of the knock stands for an account whose own name is found out later, see [Seat.Identify].
	Passkey
	// Identity is of a player whom a device or a provider vouches for. As [Passkey]; if it turns out that no account has
	// the identity, one may be made, see [Seat.Make].
	Identity
)

// Knock is a client's wish to come in.
type Knock struct {
	// Addr is the client's address.
	Addr netip.Addr
	// Name is the account's canonical username.
	Name string
	Want Want
	// Takeover asks for the end of a session that the player has elsewhere.
	Takeover bool
	// Wait has a login without a seat in the world go on all the same: once it is proved, [Seat.Sit] gives it a place in
	// the world's line. It needs a Holder.
	Wait bool
	// Holder is the hash of the secret that the client has chosen to wait with: where there is no room, it is given a
	// ticket. The zero one is of clients that know nothing of tickets.
	Holder line.Holder
	// Ticket is the text that the client has sent as its ticket; the door reads it and keeps nothing of it.
	Ticket []byte
	// Work is the text that the client has sent as its proof of work, if it was asked for one.
	Work []byte
	// Device is what the client says of the device that it runs on; the zero one if it says nothing.
	Device access.Device
}

// guesses reports whether the knock could prove a password wrong. A registration cannot, unless [Seat.Guess] says so.
func (k *Knock) guesses() bool { return k.Want == Login || k.Want == Errand }

// Config says what a [Door] has to give.
type Config struct {
	// Queue is how many requests may wait; 0 means no bound but MaxAge.
	Queue int
	// World is how many players may be inside, 1 or more. Required.
	World int
	// MaxAge is the longest that a request may be predicted to wait. Required.
	MaxAge time.Duration
	// Batch is how many requests a worker takes at once, 1 or more. Required.
	Batch int
	// Pace is how many requests the workers are expected to serve in a second. Required.
	Pace float64
	// SlowPace is the same for the slow lane, ResumePace for that of resumes, and BeginPace for that of those who begin a
	// proof; 0 means 4, 2,000 and 1,000.
	SlowPace, ResumePace, BeginPace float64
	// OriginFailures is at how many accounts one origin may fail within [OriginWindow]; 0 means
	// [DefaultOriginFailures], less than 0 no bound.
	OriginFailures int
	// OriginRegistrations is how many accounts one origin may make within [RegistrationWindow]; 0 means
	// [DefaultOriginRegistrations], less than 0 no bound.
	OriginRegistrations int
	// OriginGuests is how many guests one origin may make within [GuestWindow]; 0 means [DefaultOriginGuests], less than 0
	// no bound.
	OriginGuests int
	// OriginShare is how many percent of the seats in the world one origin may hold, 1 to 100; 0 means
	// [DefaultOriginShare].
	OriginShare int
	// SeatHold is for how long the seat of a player is kept whose session has ended by silence; 0 means
	// [DefaultSeatHold].
	SeatHold time.Duration
	// Work is how many bits of work a ticket costs, up to [line.MaxWorkBits]: it is on only where a line is filled on
	// purpose. Clients that know nothing of tickets are given no places then, and those that ask by UDP, which has no
	// proofs, are sent elsewhere. 0 means none.
	Work int
	// Line is what the line before the door is for; its Line, Pace, Now and Elapsed are the door's to fill in.
	Line line.Config
	// WorldLine is what the line of the world is for: its Grace, Requests and State; the rest is the door's to fill in.
	WorldLine line.Config
	// State, if not nil, is what [Door.State] has returned for a door that this one goes on in place of. It counts in
	// place of the states of both lines. The error of [New] wraps [ErrBadState].
	State []byte
	// Rules returns what the operators have decided about who may come in. It must not block. Nil stands for open doors.
	Rules func() *access.Rules
	// Now tells the time; nil means [time.Now].
	Now func() time.Time
	// Stood returns for how much of the time since a moment the process stood still: seats that are kept for players are
	// kept for as much longer. Nil means that it never does.
	Stood func(since time.Time) time.Duration
	// Jitter returns a random duration from 0 to less than n, which is more than 0; nil means a pseudo-random one.
	Jitter func(n time.Duration) time.Duration

	// remember bounds each table; 0 means remembered. Tests make it small.
	remember int
}

func (c Config) withDefaults() (Config, error) {
	if c.World < 1 || c.Queue < 0 || c.MaxAge <= 0 || c.Batch < 1 || !(c.Pace > 0) ||
		c.OriginShare < 0 || c.OriginShare > 100 || c.SeatHold < 0 || c.Work < 0 || c.Work > line.MaxWorkBits {
		return c, fmt.Errorf("door: %d seats, a queue of %d, max age %v, batches of %d, pace %v, share %d%%, %d bits: "+
			"out of range", c.World, c.Queue, c.MaxAge, c.Batch, c.Pace, c.OriginShare, c.Work)
	}
	c.OriginFailures = orDefault(c.OriginFailures, DefaultOriginFailures)
	c.OriginRegistrations = orDefault(c.OriginRegistrations, DefaultOriginRegistrations)
	c.OriginGuests = orDefault(c.OriginGuests, DefaultOriginGuests)
	c.OriginShare = orDefault(c.OriginShare, DefaultOriginShare)
	if c.SlowPace <= 0 {
		c.SlowPace = defaultSlowPace
	}
	if c.ResumePace <= 0 {
		c.ResumePace = defaultResumePace
	}
	if c.BeginPace <= 0 {
		c.BeginPace = defaultBeginPace
	}
	c.remember = orDefault(c.remember, remembered)
	if c.SeatHold == 0 {
		c.SeatHold = DefaultSeatHold
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rules == nil {
		c.Rules = (*access.Keeper)(nil).Rules
	}
	if c.Jitter == nil {
		c.Jitter = rand.N[time.Duration]
	}
	return c, nil
}

// defaultSlowPace is what one worker does with hashes that take a quarter of a second.
const defaultSlowPace = 4

func orDefault(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}

// Door decides who may come in. All methods may be called from many goroutines; none of them blocks.
type Door struct {
	cfg Config

	mu       sync.Mutex
	closed   bool
	rules    *access.Rules // that the lines go by
	budgets  budgets
	queue    room
	inHand   int // requests taken by workers
	slow     room
	resumes  room // in their lane, those in hand included
	errands  errands
	mails    mails
	vouches  vouches
	promised time.Time // when the client is to come back that was refused last for want of room in that lane

	beginnings beginnings
	places     places
	paces      [4]pace // by lane
	clock      clock
	line       *line.Line
	moved      time.Time // when the line was
	came       time.Time // when a client came last whose turn had
	world      worldLine
	ring       atomic.Pointer[line.Keyring]
	spent      spentWork
	refused    struct{ knocking, turnedAway Refusals } // by Knock, with Slow; by TurnAway
}

// New returns an open door.
func New(cfg Config) (*Door, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	start := cfg.Now()
	var saved *state
	if cfg.State != nil {
		if saved, err = parseState(cfg.State, start); err != nil {
			return nil, err
		}
		cfg.Line.State, cfg.WorldLine.State = saved.line, saved.worldLine
	}
	d := &Door{
		cfg:     cfg,
		budgets: newBudgets(cfg),
		queue:   newRoom(cfg.Queue),
		slow:    newRoom(slowRoom),
		resumes: newRoom(0),
		errands: errands{room: newRoom(errandRoom)},
		mails:   newMails(cfg.remember),
		vouches: newVouches(cfg.remember),
		places:  newPlaces(cfg.World, cfg.OriginShare, cfg.SeatHold),
		paces: [4]pace{
			Fast: newPace(cfg.Pace), Slow: newPace(cfg.SlowPace), Resumes: newPace(cfg.ResumePace),
			Beginnings: newPace(cfg.BeginPace),
		},
		beginnings: beginnings{room: newRoom(0), tries: newTries(cfg.remember)},
		clock:      clock{cfg.Jitter},
	}
	d.places.ends.stood = cfg.Stood
	lineCfg := cfg.Line
	d.came = start
	lineCfg.Line, lineCfg.Pace, lineCfg.Now = line.ForDoor, cfg.Pace, cfg.Now
	lineCfg.Elapsed = func() time.Duration { return cfg.Now().Sub(start) }
	if d.line, err = line.New(lineCfg); err != nil {
		return nil, fmt.Errorf("door: %w", err)
	}
	if d.world, err = newWorldLine(cfg, start); err != nil {
		return nil, err
	}
	d.heed()
	if saved != nil {
		d.restore(saved, start)
		d.cfg.State, d.cfg.Line.State, d.cfg.WorldLine.State = nil, nil, nil // they are not to be kept
	}
	return d, nil
}

// Knock answers a client's wish to come in with a seat, which the caller has to close, or with a [*rushgate.Refusal]:
// [rushgate.RateLimited] for clients that have failed too often, or have too many tries being judged, and
// [rushgate.ServerBusy] where there is no room in the queue or the world, each with the time to come back; and where it
// is the queue's, with a place in the line.
func (d *Door) Knock(k Knock) (*Seat, error) {
	v := visit{Knock: &k, shown: d.open(&k)}
	d.mu.Lock()
	defer d.mu.Unlock()
	a, r := d.judge(&v, &d.refused.knocking)
	if r.Reason != "" {
		return nil, &r
	}
	who := v.who
	if !v.stands {
		d.places.take(who)
	}
	d.queue.add(who.origin, 1)
	d.noteCrowd(v.now)
	s := &Seat{
		door: d, name: k.Name, takeover: k.Takeover, charge: d.budgets.hold(who, &k), turn: a.turn, standing: v.stands,
		waits: v.stands, holder: k.Holder, device: k.Device,
	}
	if a.ticket != nil {
		t := *a.ticket // which is part of what is larger
		s.ticket = &t
	}
	return s, nil
}

// TurnAway answers a client's wish to come in if [Door.Knock] would refuse it now, with that refusal, and otherwise
// reports false and takes nothing: the caller then lets the client go on to Knock, which decides. It does not keep the
// name, and allocates for tickets only. What it refuses is counted in [Stats.TurnedAway].
func (d *Door) TurnAway(k Knock) (r rushgate.Refusal, refused bool) {
	v := visit{Knock: &k, shown: d.open(&k), looking: true}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, r = d.judge(&v, &d.refused.turnedAway)
	return r, r.Reason != ""
}

// judge returns how a client comes in, or the refusal of its knock, which it counts.
func (d *Door) judge(v *visit, count *Refusals) (admission, rushgate.Refusal) {
	v.who, v.now = d.budgets.pair(v.Knock), d.cfg.Now()
	d.lapse(v.now)
	if d.closed {
		count.Draining++
		return admission{}, busy(d.later(Draining))
	}
	if r, refused := d.unlisted(v.Name, v.now, count); refused {
		return admission{}, r
	}
	verdict, wait := d.budgets.judge(v.who, v.Knock, v.now)
	short := d.shortage()
	switch verdict {
	case free:
	case crowded:
		short = ofShare
	default:
		return admission{}, d.limited(verdict, wait, count)
	}
	d.move(v.now)
	if d.rules.Closed() {
		return admission{}, d.shut(v, count)
	}
	if !d.seatFor(v.who, v.now) {
		if v.stands = d.stands(v.Knock, v.who); !v.stands {
			count.World++
			return admission{}, busy(d.clock.later(WorldFull))
		}
	}
	a, w := d.decide(v, short)
	if w.short == enough {
		return a, rushgate.Refusal{}
	}
	count.add(w.short)
	r := w.refusal()
	if d.budgets.isKnown(v.who) { // a player who is on the way back
		until := min(max(r.RetryAfter, r.Place.High), maxExtension) + returnGrace
		d.places.extend(v.who, v.now.Add(until), v.now)
	}
	return admission{}, r
}

// limited is the refusal for a verdict that is no lack of room.
func (d *Door) limited(v verdict, wait time.Duration, count *Refusals) rushgate.Refusal {
	switch v {
	case locked:
		count.Locked++
	case lockedTogether: // those who wait must not come together
		count.Locked++
		wait = d.clock.past(wait)
	case spent:
		count.Spent++
		wait = d.clock.past(wait)
	default:
		count.Pending++
		wait = d.clock.later(UnderWay)
	}
	if d.rules.Choosy() { // who is on the list is not to be found out by failing
		return d.rules.Refusal(d.opening(d.cfg.Now()))
	}
	return rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: wait}
}

func busy(wait time.Duration) rushgate.Refusal {
	return rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: wait}
}

// shortage is what a request finds too little of.
type shortage int

const (
	enough  shortage = iota
	ofRoom           // the queue is full
	ofTime           // the request would be stale before its turn
	ofShare          // the origin has its share
	ofTurn           // others are before it in the line
	ofMode           // the operator has closed the doors
)

// shortage returns what keeps any request from being queued.
//
// An empty queue has room: a door that refused with nothing to do would refuse for ever, for what it knows of the pace
// changes only with what it lets in. Otherwise a request that would be stale before its turn is not taken.
func (d *Door) shortage() shortage {
	depth, limit := d.queue.taken, d.queue.limit
	switch {
	case depth == 0:
		return enough
	case limit > 0 && depth >= limit:
		return ofRoom
	case d.paces[Fast].takes(depth+d.inHand+d.cfg.Batch) > d.cfg.MaxAge:
		return ofTime
	}
	return enough
}

// reach is how many places the queue has: without a bound, as many as can be served in time.
func (d *Door) reach() int {
	if d.queue.limit > 0 {
		return d.queue.limit
	}
	return int(min(d.paces[Fast].perSecond()*d.cfg.MaxAge.Seconds(), 1<<30))
}

// Lane is one of the ways that requests are served in.
type Lane int

// The lanes.
const (
	// Fast is the workers' and their batches'.
	Fast Lane = iota
	// Slow is for hashes that take long, see [Seat.Slow].
	Slow
	// Resumes is for what needs no hash, see [Door.Resume] and [Door.Finish].
	Resumes
	// Beginnings is for what begins a proof, see [Door.Begin].
	Beginnings
)

// Served notes that n requests of a lane have been completed, in the lanes for hashes those that were hashed. What
// expired or needed no hash there says nothing about the pace.
func (d *Door) Served(l Lane, n int) {
	if n <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paces[l].served(n, d.cfg.Now())
	if l == Fast {
		d.errands.paid(n)
	}
}

// Idle notes that a worker of a lane has nothing to do.
func (d *Door) Idle(l Lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paces[l].idle = true
}

// slowWait is how long the slow lane takes for half of what is in it.
func (d *Door) slowWait() time.Duration {
	return min(max(d.paces[Slow].takes(d.slow.taken/2), time.Second), MaxRetryAfter/2)
}

// Left notes that the session of a name has ended. Its seat is free, or kept for a while for the player's return.
func (d *Door) Left(name string, how Departure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.places.left(d.budgets.name(name), how, d.cfg.Now())
}

// Later returns when a client is to come back for a cause other than those that [Door.Knock] looks after.
func (d *Door) Later(c Cause) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.later(c)
}

// After returns a wait that ends a little after least, for a cause whose end is known.
func (d *Door) After(least time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock.past(least)
}

// Close refuses all further knocks, with the time by which another process can be expected. It is idempotent.
func (d *Door) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// Outlook returns whether a newcomer would be refused now for lack of room, and about how long it would be told to
// wait, at most [MaxRetryAfter]. It promises nothing.
func (d *Door) Outlook() (isBusy bool, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	d.places.expire(now)
	d.move(now)
	n := d.newcomer(now)
	return n.Refused, min(n.High, MaxRetryAfter)
}

// Newcomer is what becomes of a client that knocks now and has no place in the line.
type Newcomer struct {
	Refused bool
	// Low and High are between which it is told that it will be let in; the same without the line, to which a full world
	// and a closed door give no place.
	Low, High time.Duration
}

// newcomer says what becomes of one. The line has been moved.
func (d *Door) newcomer(now time.Time) Newcomer {
	switch {
	case d.closed:
		return Newcomer{true, least[Draining], least[Draining]}
	case d.rules.Closed():
		out := d.line.Newcomer()
		return Newcomer{true, out.Low, max(out.High, out.PollAfter)}
	case d.full(now):
		return Newcomer{true, least[WorldFull], least[WorldFull]}
	case d.shortage() == enough && d.newcomers(pair{}, now) == enough:
		return Newcomer{}
	}
	out := d.line.Newcomer()
	return Newcomer{true, out.Low, max(out.High, out.PollAfter)}
}

// Waiting reports whether requests wait for a worker, or are in the hands of one.
func (d *Door) Waiting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queue.taken+d.inHand+d.resumes.taken+d.errands.taken+d.beginnings.taken > 0
}

// Empty reports whether there is no request that waits for a worker of either lane, or is in the hands of one.
func (d *Door) Empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queue.taken+d.inHand+d.slow.taken+d.resumes.taken+d.errands.taken+d.beginnings.taken == 0
}

// Rush reports whether the queue is more than half full; one without bound is taken to have usualQueue places.
func (d *Door) Rush() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	limit := d.queue.limit
	if limit == 0 {
		limit = usualQueue
	}
	return d.queue.taken > limit/2
}

const usualQueue = 200
