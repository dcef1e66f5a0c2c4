package line

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	mrand "math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

const (
	// MaxTiers is how many tiers a line can have.
	MaxTiers = 8
	// Horizon is how far ahead of the time turns are given to an origin that asks for many.
	Horizon = 4 * time.Hour

	// DefaultGrace, MinGrace and MaxGrace are for how long a turn is good after it has come.
	DefaultGrace = 10 * time.Minute
	MinGrace     = time.Minute
	MaxGrace     = time.Hour
	// DefaultShare is how many percent of the pace one origin is given turns at.
	DefaultShare = 10
	// DefaultRequests is how many requests per second the whole line is to make.
	DefaultRequests = 500

	// maxSoon is how many places at most before its turn a client may come, see [Line.soon].
	maxSoon = 64

	// clockSkew is by how much the clocks of a fleet's nodes may differ.
	clockSkew = 30 * time.Second
	// leastPace is what is taken for the pace of a door that lets in hardly any, per second.
	leastPace = 1.0 / 60
)

// The errors of [Line.Redeem], and of others that say so.
var (
	// ErrNotYet says that the turn has not come; the outlook says when it will.
	ErrNotYet = errors.New("line: the turn has not come")
	// ErrUsed says that the ticket was redeemed before.
	ErrUsed = errors.New("line: the ticket was used already")
	// ErrExpired says that the turn came longer ago than the grace.
	ErrExpired = errors.New("line: the turn is over")
	// ErrNotHolder says that the client does not have the secret that the ticket is for.
	ErrNotHolder = errors.New("line: the ticket is another's")
	// ErrFuture says that the ticket was issued by a clock that is far ahead.
	ErrFuture = errors.New("line: the ticket is of the future")
	// ErrWrongLine says that the ticket is for another line.
	ErrWrongLine = errors.New("line: the ticket is for another line")
	// ErrTooMany says that there is no turn to be given: the origin has so many that the next would lie beyond the
	// [Horizon], or the line is longer than eight hours. It is for now only.
	ErrTooMany = errors.New("line: no more turns to be given")
)

// Config says what a [Line] is for. The zero value is that of a door's line with the defaults.
type Config struct {
	// Line is [ForDoor] or [ForWorld].
	Line uint8
	// Grace is for how long a turn is good after it has come, [MinGrace] to [MaxGrace]; 0 means [DefaultGrace].
	Grace time.Duration
	// Share is how many percent of the pace one origin is given turns at, 1 to 100; 0 means [DefaultShare].
	Share int
	// Weights are those of the tiers, 1 to [MaxTiers] of them, from 1 to 1000 each: while players of several tiers wait,
	// each tier has its part. Nil means one tier.
	Weights []int
	// Opens, if not zero, is when the line begins to move. Those who come before it are given a random turn of the Window
	// before it; 0 means a minute.
	Opens  time.Time
	Window time.Duration
	// Pace is how many players per second the door lets in, about, until [Line.Tick] says; 0 means 1.
	Pace float64
	// Requests is how many requests per second all who wait are to make together, 1 or more; 0 means [DefaultRequests].
	Requests int
	// PollMost is the longest that a client is told to wait before it asks again while that keeps all within Requests: for
	// a line that moves by chance, as seats in a world become free. 0 means that there is no such bound.
	PollMost time.Duration
	// Strict has no client come in before its turn, be it by a moment: there is no queue behind the line that would put
	// those right who came a little early.
	Strict bool
	// State is what [Line.State] has returned in an earlier run; nil means none.
	State []byte

	// Now tells the wall clock's time, which may be set at any time; nil means [time.Now].
	Now func() time.Time
	// Elapsed tells how long the process has been running, and never goes back; nil means by the monotonic clock.
	Elapsed func() time.Duration
	// Random is read for 40 bytes, by [New]; nil means [crypto/rand.Reader].
	Random io.Reader
}

func (c Config) withDefaults() (Config, error) {
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.Share == 0 {
		c.Share = DefaultShare
	}
	if c.Requests == 0 {
		c.Requests = DefaultRequests
	}
	if c.Window == 0 {
		c.Window = time.Minute
	}
	if c.Pace == 0 {
		c.Pace = 1
	}
	if c.Weights == nil {
		c.Weights = []int{1}
	}
	if c.Grace < MinGrace || c.Grace > MaxGrace || c.Share < 1 || c.Share > 100 || c.Requests < 1 || !(c.Pace > 0) ||
		c.PollMost != 0 && c.PollMost < time.Second ||
		c.Window < time.Second || c.Window > Horizon || len(c.Weights) < 1 || len(c.Weights) > MaxTiers {
		return c, fmt.Errorf("line: grace %v, share %d%%, %d requests/s, window %v, %d tiers: out of range",
			c.Grace, c.Share, c.Requests, c.Window, len(c.Weights))
	}
	for i, w := range c.Weights {
		if w < 1 || w > 1000 {
			return c, fmt.Errorf("line: tier %d has weight %d, want 1 to 1000", i, w)
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Elapsed == nil {
		start := time.Now()
		c.Elapsed = func() time.Duration { return time.Since(start) }
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c, nil
}

// Line keeps the counts of a line. All methods may be called from many goroutines; none blocks.
type Line struct {
	cfg Config

	mu       sync.Mutex
	clock    clock
	random   *mrand.Rand
	issuers  []Issuer // of this run, and of those before it whose turns are counted; the newest first
	serial   uint64   // of the next ticket
	opens    int64    // in milliseconds; 0: it is open
	held     hold
	tiers    []tier
	virtual  float64 // how far the tier that was served last had come, see tier.pass
	calls    calls
	redeemed redeemed
	shares   shares
	known    known
	promises promises
	flow     flow
	counts   Counts
}

// New returns a line. The error says what is out of range, or wraps [ErrBadState].
func New(cfg Config) (*Line, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var random [40]byte
	if _, err := io.ReadFull(cfg.Random, random[:]); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	l := &Line{
		cfg: cfg, issuers: []Issuer{Issuer(random[:8])}, random: mrand.New(mrand.NewChaCha8([32]byte(random[8:]))),
		tiers: make([]tier, len(cfg.Weights)), flow: newFlow(cfg.Pace),
		redeemed: redeemed{seed: maphash.MakeSeed()}, shares: shares{seed: maphash.MakeSeed()},
		known: known{seed: maphash.MakeSeed()}, promises: promises{seed: maphash.MakeSeed()},
	}
	var saved *state
	if cfg.State != nil {
		if saved, err = parseState(cfg.State); err != nil {
			return nil, err
		}
	}
	l.begin(saved)
	return l, nil
}

// begin sets the clock and the watermarks, from a saved state if there is one.
func (l *Line) begin(saved *state) {
	var turn int64
	if saved != nil {
		turn = saved.turn
	}
	l.clock = newClock(l.cfg.Now, l.cfg.Elapsed, turn)
	l.calls = newCalls(l.clock.tick(), l.cfg.PollMost)
	mark := l.clock.millis() * 1000
	if !l.cfg.Opens.IsZero() && l.cfg.Opens.UnixMilli() > l.clock.millis() {
		l.opens = int64(millis(l.cfg.Opens))
		mark = min(mark, (l.opens-l.cfg.Window.Milliseconds())*1000)
	}
	for i := range l.tiers {
		l.tiers[i] = newTier(l.cfg.Weights[i], mark, l.clock.tick())
	}
	if saved != nil {
		l.restore(saved)
	}
}

// place is one in a line: a turn in milliseconds since 1970, and whether it lies ahead of the time when it was given,
// or was drawn. Those are counted apart, since they may be called before their time when no others wait.
type place struct {
	turn  int64
	ahead bool
	tier  int
}

func (l *Line) placeOf(t *Ticket) place {
	p := place{turn: t.Turn.UnixMilli(), ahead: !t.Turn.Equal(t.Issued)}
	if int(t.Tier) < len(l.tiers) { // else the operator has fewer tiers than before
		p.tier = int(t.Tier)
	}
	return p
}

func (l *Line) track(p place) *track {
	if p.ahead {
		return &l.tiers[p.tier].ahead
	}
	return &l.tiers[p.tier].plain
}

// Ask is a client's wish for a place.
type Ask struct {
	// Origin is the network by which clients are told apart, see door.OriginOf.
	Origin netip.Prefix
	// Alone says that the client counts for itself, and not with others of its origin: a device that is known, say.
	Alone bool
	// Tier is 0 to one less than there are weights; beyond that it is the last.
	Tier uint8
	// Holder is the hash of the secret that the client has chosen.
	Holder Holder
}

// Take gives a client a place, and says what to expect. The error is [ErrTooMany].
func (l *Line) Take(a Ask) (Ticket, Outlook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	tier := min(int(a.Tier), len(l.tiers)-1)
	p, err := l.give(a.Origin, a.Alone, tier)
	if err != nil {
		return Ticket{}, Outlook{PollAfter: l.later()}, err
	}
	t := Ticket{
		Turn: time.UnixMilli(p.turn), Issued: time.UnixMilli(l.clock.millis()), Issuer: l.issuers[0], Serial: l.serial,
		Line: l.cfg.Line, Tier: uint8(tier), Holder: a.Holder,
	}
	l.serial++
	l.counts.Issued++
	o := l.outlookOf(p, l.beforeNew(p))
	l.promised(l.ticketKey(&t), o)
	return t, o, nil
}

// give counts a new place.
func (l *Line) give(o netip.Prefix, alone bool, tier int) (place, error) {
	now, gap := l.clock.millis(), l.flow.gap(l.cfg.Share)
	drawn := now < l.opens
	if drawn {
		now = l.opens - l.cfg.Window.Milliseconds()
	}
	share := now // before the opening, and while it is held, the share of an origin does not fill up again
	if !drawn && l.held.is {
		share = l.held.since
	}
	var delay int64
	if !alone {
		delay = l.shares.delay(o, share, gap)
	}
	p := place{turn: now, tier: tier}
	switch {
	case delay > 0:
		p.ahead, p.turn = true, l.apart(now, delay, gap, tier)
	case drawn:
		p.ahead, p.turn = true, l.draw(tier)
	}
	late := p.turn-max(now, l.opens) > Horizon.Milliseconds()
	tooEarly := drawn && l.opens-l.clock.millis() > longestBefore.Milliseconds()
	if late || tooEarly || !l.track(p).add(p.turn*1000, 1) {
		l.counts.TooMany++
		return p, ErrTooMany
	}
	if !alone {
		l.shares.use(o, share, delay > 0, p.turn, gap)
	}
	l.flow.arrived++
	return p, nil
}

// beforeNew returns how many wait before a place that was given just now: all of its tier, unless it lies ahead. Those
// whose turn is of the same moment are told apart by this alone.
func (l *Line) beforeNew(p place) int {
	if t := &l.tiers[p.tier]; !p.ahead {
		return t.waiting() - 1 - (t.ahead.waiting - t.ahead.before(p.turn*1000))
	}
	return l.tiers[p.tier].before(p.turn * 1000)
}

// longestBefore is how long before the opening turns are given: tickets are good that long.
const longestBefore = 12 * time.Hour

// early reports whether the line has yet to open, or is held.
func (l *Line) early() bool { return l.held.is || l.clock.millis() < l.opens }

// Opens returns when the line opens, if it has yet to, as far as that is known.
func (l *Line) Opens() (at time.Time, early bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	if !l.early() {
		return time.Time{}, false
	}
	return time.UnixMilli(l.opening()), true
}

// draw returns a random turn of the window before the opening, but none that has come.
func (l *Line) draw(tier int) int64 {
	first := max(l.opens-l.cfg.Window.Milliseconds(), (l.tiers[tier].ahead.mark+999)/1000)
	if first >= l.opens {
		return l.opens
	}
	turn := first + l.random.Int64N(l.opens-first)
	if turn == l.clock.millis() { // it would be taken for one that was not drawn
		turn++
	}
	return turn
}

// apart returns a turn that lies ahead. While no others wait such turns are called before their time, and what is given
// then comes after those.
func (l *Line) apart(now, delay int64, gap time.Duration, tier int) int64 {
	half := max(gap.Milliseconds()/2, 1)
	turn := max(now, l.opens) + delay
	return max(turn, (l.tiers[tier].ahead.mark+999)/1000+half) + l.random.Int64N(half)
}

// Tick moves the line, and is to be called several times a second. Room is for how many more there is room that is to
// be filled, less than 0 if there are more than there should be: half of a queue say, so that those who were called
// find the other half. Pace is how many per second the door lets in when it has all it can do. As many are called as
// are likely to fill the room by the time they have come, the share of those who do not come included.
func (l *Line) Tick(room int, pace float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	tick := l.clock.tick()
	l.calls.settle(tick)
	l.flow.tick(l.clock.age, pace)
	if l.early() {
		l.waitFor(tick)
		return
	}
	if l.waiting() > 0 {
		want := float64(room) + l.flow.pace*l.calls.lag()*tickLength.Seconds() - l.calls.expected(tick)
		called := 0
		if n := l.flow.smooth(want, room) / (1 - l.calls.noShows()); n >= 1 {
			called = l.call(int(min(n, math.MaxInt32)))
			l.flow.burst -= float64(called) * (1 - l.calls.noShows())
			l.calls.call(called, tick)
			l.counts.Called += int64(called)
		}
		if called > 0 {
			l.flow.moved = tick
		}
		l.flow.called(called, l.waiting() > 0, l.calls.noShows())
	}
	for i := range l.tiers {
		l.tiers[i].keepUp(l.clock.millis()*1000, tick, l.graceTicks())
	}
}

// Admits reports whether a client without a ticket may come in: nobody waits, and there is room for it besides those
// who have been called and are on their way.
func (l *Line) Admits(room int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	return !l.early() && l.waiting() == 0 && float64(room) >= l.calls.expected(l.clock.tick())+1
}

// waiting returns how many wait.
func (l *Line) waiting() (n int) {
	for i := range l.tiers {
		n += l.tiers[i].waiting()
	}
	return n
}

// Come is for clients that know nothing of tickets: they are known by their origin and the account that they want. Such
// a client may come in if the error is nil; once it has, say so by [Line.Came]. [ErrNotYet] comes with an outlook, and
// the client keeps its turn, however often it asks. [ErrTooMany] is as for [Line.Take]. Tier is 0.
func (l *Line) Come(o netip.Prefix, account string, alone bool) (Outlook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	key := l.known.key(o, account)
	if e := l.known.find(key); e != nil {
		switch p := e.place(); {
		case l.early() || !l.track(p).come(p.turn*1000):
			l.counts.NotYet++
			return l.outlook(p), ErrNotYet
		case !l.over(p):
			l.showedUp(key, p)
			return l.outlook(p), nil
		}
		*e = knownEntry{}
	}
	p, err := l.give(o, alone, 0)
	if err != nil {
		return Outlook{PollAfter: l.later()}, err
	}
	l.known.put(key, p, l.over)
	l.counts.Remembered++
	out := l.outlookOf(p, l.beforeNew(p))
	l.promised(key, out)
	return out, ErrNotYet
}

// Entered notes that a client has come in as a newcomer, see [Line.Admits]: it counts for its origin as a turn does. If
// it had a turn, as one that knows nothing of tickets, that is used.
func (l *Line) Entered(o netip.Prefix, account string) {
	l.Came(o, account)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shares.use(o, l.clock.millis(), false, 0, l.flow.gap(l.cfg.Share))
}

// Came notes that a client that knows nothing of tickets has come in: its turn is used. It reports whether it had one
// that has come.
func (l *Line) Came(o netip.Prefix, account string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	key := l.known.key(o, account)
	e := l.known.find(key)
	if e == nil {
		return false
	}
	p := e.place()
	l.showedUp(key, p)
	l.promises.letIn(key, l.clock.last)
	if !l.track(p).come(p.turn * 1000) {
		return false
	}
	l.calls.came(l.track(p).passes.when(p.turn*1000), l.clock.tick())
	*e = knownEntry{}
	l.counts.Redeemed++
	return true
}
