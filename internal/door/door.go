package door

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// Want is what a client knocks for.
type Want uint8

// What a client can want.
const (
	Login Want = iota
	Register
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
}

// guesses reports whether the knock could prove a password wrong. A registration cannot, unless [Seat.Guess] says so.
func (k *Knock) guesses() bool { return k.Want == Login }

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
	// SlowPace is the same for the slow lane; 0 means 4.
	SlowPace float64
	// OriginFailures is at how many accounts one origin may fail within [OriginWindow]; 0 means
	// [DefaultOriginFailures], less than 0 no bound.
	OriginFailures int
	// OriginRegistrations is how many accounts one origin may make within [RegistrationWindow]; 0 means
	// [DefaultOriginRegistrations], less than 0 no bound.
	OriginRegistrations int
	// OriginShare is how many percent of the seats in the world one origin may hold, 1 to 100; 0 means
	// [DefaultOriginShare].
	OriginShare int
	// Now tells the time; nil means [time.Now].
	Now func() time.Time
	// Stood returns for how much of the time since a moment the process stood still: places that are kept for clients are
	// kept for as much longer. Nil means that it never does.
	Stood func(since time.Time) time.Duration
	// Jitter returns a random duration from 0 to less than n, which is more than 0; nil means a pseudo-random one.
	Jitter func(n time.Duration) time.Duration

	// remember bounds each table; 0 means remembered. Tests make it small.
	remember int
}

func (c Config) withDefaults() (Config, error) {
	if c.World < 1 || c.Queue < 0 || c.MaxAge <= 0 || c.Batch < 1 || !(c.Pace > 0) ||
		c.OriginShare < 0 || c.OriginShare > 100 {
		return c, fmt.Errorf("door: %d seats, a queue of %d, max age %v, batches of %d, pace %v, share %d%%: out of range",
			c.World, c.Queue, c.MaxAge, c.Batch, c.Pace, c.OriginShare)
	}
	c.OriginFailures = orDefault(c.OriginFailures, DefaultOriginFailures)
	c.OriginRegistrations = orDefault(c.OriginRegistrations, DefaultOriginRegistrations)
	c.OriginShare = orDefault(c.OriginShare, DefaultOriginShare)
	if c.SlowPace <= 0 {
		c.SlowPace = defaultSlowPace
	}
	c.remember = orDefault(c.remember, remembered)
	if c.Now == nil {
		c.Now = time.Now
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

	mu      sync.Mutex
	closed  bool
	budgets budgets
	queue   room
	inHand  int // requests taken by workers
	slow    room
	places  places
	paces   [2]pace // by lane
	clock   clock
	refused struct{ knocking, turnedAway Refusals } // by Knock, with Slow; by TurnAway
}

// New returns an open door.
func New(cfg Config) (*Door, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Door{
		cfg:     cfg,
		budgets: newBudgets(cfg),
		queue:   newRoom(cfg.Queue),
		slow:    newRoom(slowRoom),
		places:  newPlaces(cfg.World, cfg.OriginShare),
		paces:   [2]pace{Fast: newPace(cfg.Pace), Slow: newPace(cfg.SlowPace)},
		clock:   newClock(cfg.Jitter),
	}
	d.places.ends.stood, d.clock.ends.stood = cfg.Stood, cfg.Stood
	return d, nil
}

// Knock answers a client's wish to come in with a seat, which the caller has to close, or with a [*rushgate.Refusal]:
// [rushgate.RateLimited] for clients that have failed too often, or have too many tries being judged, and
// [rushgate.ServerBusy] where there is no room in the queue or the world, each with the time to come back.
func (d *Door) Knock(k Knock) (*Seat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	who := d.budgets.pair(&k)
	if r := d.refuse(who, &k, now, &d.refused.knocking); r.Reason != "" {
		return nil, &r
	}
	d.places.take(who)
	d.clock.use(who)
	d.queue.add(who.origin, 1)
	return &Seat{door: d, name: k.Name, takeover: k.Takeover, charge: d.budgets.hold(who, &k)}, nil
}

// TurnAway answers a client's wish to come in if [Door.Knock] would refuse it now, with that refusal, and otherwise
// reports false and takes nothing: the caller then lets the client go on to Knock, which decides. It allocates nothing
// but the memory of what it has promised, and does not keep the name. What it refuses is counted in [Stats.TurnedAway].
func (d *Door) TurnAway(k Knock) (r rushgate.Refusal, refused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r = d.refuse(d.budgets.pair(&k), &k, d.cfg.Now(), &d.refused.turnedAway)
	return r, r.Reason != ""
}

// refuse returns the refusal of a knock, and counts it, or the zero one if the knock may be let in.
func (d *Door) refuse(who pair, k *Knock, now time.Time, count *Refusals) rushgate.Refusal {
	if d.closed {
		count.Draining++
		return busy(d.clock.later(Draining))
	}
	switch v, wait := d.budgets.judge(who, k, now); v {
	case free:
	case crowded:
		count.add(ofShare)
		return d.promise(who, now)
	default:
		return d.limited(v, wait, count)
	}
	if s := d.shortage(who, now); s != enough {
		count.add(s)
		return d.promise(who, now)
	}
	if !d.places.free(who, now) {
		count.World++
		return busy(d.clock.later(WorldFull))
	}
	return rushgate.Refusal{}
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
	return rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: wait}
}

// promise is the refusal that tells a client when there will be room. The seat of a player who is on the way back is
// kept until then.
func (d *Door) promise(who pair, now time.Time) rushgate.Refusal {
	wait := d.clock.promise(who, now, d.paces[Fast].perSecond(), d.backlog())
	if d.budgets.isKnown(who) {
		d.places.extend(who, now.Add(wait+momentGrace), now)
	}
	return busy(wait)
}

func busy(wait time.Duration) rushgate.Refusal {
	return rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: wait}
}

// shortage is what a request finds too little of in the queue.
type shortage int

const (
	enough  shortage = iota
	ofRoom           // the queue is full, or what is left of it promised
	ofTime           // the request would be stale before its turn
	ofShare          // the origin has its share
)

// shortage returns what keeps a request from being queued, if anything.
//
// An empty queue always takes one: a door that refused with nothing to do would refuse for ever, for what it knows of
// the pace changes only with what it lets in. Otherwise a request that would be stale before its turn is not taken. And
// while clients who were refused earlier are on their way back to the moments that they were promised, half of the
// queue is theirs: newcomers who happen to knock in between must not take their places.
func (d *Door) shortage(who pair, now time.Time) shortage {
	depth, limit := d.queue.taken, d.queue.limit
	switch {
	case depth == 0:
		return enough
	case limit > 0 && depth >= limit:
		return ofRoom
	case d.paces[Fast].takes(depth+d.inHand+d.cfg.Batch) > d.cfg.MaxAge:
		return ofTime
	case !d.queue.shared(who.origin, d.reach()):
		return ofShare
	case limit > 0 && depth >= limit/2 && d.clock.yields(who, now):
		return ofRoom
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

// backlog is how many requests have to be worked off until the first moment to promise: half of the queue, so that
// returns that come in bunches still find room.
func (d *Door) backlog() int { return max(1, d.queue.taken-d.queue.limit/2) }

// Lane is one of the two ways that requests are served in.
type Lane int

// The lanes.
const (
	// Fast is the workers' and their batches'.
	Fast Lane = iota
	// Slow is for hashes that take long, see [Seat.Slow].
	Slow
)

// Served notes that n requests of a lane have been hashed and completed. What expired or needed no hash says nothing
// about the pace.
func (d *Door) Served(l Lane, n int) {
	if n <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paces[l].served(n, d.cfg.Now())
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
	return d.clock.later(c)
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
	switch {
	case d.closed:
		return true, least[Draining]
	case len(d.places.byName) >= d.places.limit:
		return true, least[WorldFull]
	}
	return d.shortage(pair{}, now) != enough, d.clock.outlook(now, d.paces[Fast].perSecond(), d.backlog())
}

// Waiting reports whether requests wait for a worker, or are in the hands of one.
func (d *Door) Waiting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queue.taken+d.inHand > 0
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
