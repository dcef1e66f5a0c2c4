package door

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

const (
	// FailureLimit failures of one origin at one account within FailureWindow lock that pair for LockoutTime.
	FailureLimit  = 5
	FailureWindow = 60 * time.Second
	LockoutTime   = 300 * time.Second

	// DefaultOriginFailures is how many accounts an origin may fail at within OriginWindow before all accounts but those
	// known there are locked for it, for LockoutTime. The typos of a campus fit in; a list of names does not.
	DefaultOriginFailures = 100
	OriginWindow          = 10 * time.Minute

	// SlowLimit failures at one account within SlowWindow, from origins at which it is not known, have strangers wait:
	// minGuard at first, twice as long after each guardBurst further ones, up to maxGuard. As many from one origin at
	// which it is known have that origin wait in the same way.
	SlowLimit  = 20
	SlowWindow = time.Hour
	guardBurst = 5
	minGuard   = 30 * time.Second
	maxGuard   = 15 * time.Minute
	// strikeMemory is how long after the last guard ended the next one begins with minGuard again.
	strikeMemory = 24 * time.Hour

	// DefaultOriginRegistrations is how many accounts an origin may make within RegistrationWindow.
	DefaultOriginRegistrations = 1000
	RegistrationWindow         = time.Hour

	// DefaultOriginGuests is how many guests an origin may make within GuestWindow: a school that begins to play at once.
	// No hash slows them down, as one does registrations.
	DefaultOriginGuests = 300
	GuestWindow         = time.Hour

	// remembered bounds each table of failures: an attacker who means to push an entry out has to fill it with failures of
	// its own, each from another origin or at another account. knownFactor is how many times as many accounts may be known
	// somewhere, each at knownOrigins origins: there an attacker needs as many accounts.
	remembered   = 1 << 16
	knownFactor  = 2
	knownOrigins = 8
)

// pair is an origin and an account, by a keyed hash of its name: what stands in the tables is as long whatever an
// outsider calls itself.
type pair struct {
	origin netip.Prefix
	name   uint64
}

// nameKeySize is how many bytes of chance go into the hashes of names, so that no client can choose names that meet.
const nameKeySize = 16

// budgets bounds failures: by the pair of origin and account, by the account, and by the origin and the wider networks
// it is in. A seat that is open counts as if it had failed, so that guesses in flight are bounded with those judged.
type budgets struct {
	key    [nameKeySize]byte // of the hash of names
	origin budget            // of failures spread over accounts
	makes  [nMakings]budget  // of one origin, by what is made
	tokens budget            // of one origin that are none

	pairs    *table[pair, pairFailures]
	accounts *table[uint64, guard] // of strangers
	networks *table[netip.Prefix, originFailures]
	known    *table[uint64, [knownOrigins]netip.Prefix] // origins from which an account has logged in, the last first
	lockouts lockouts
}

// pairFailures are those of one origin at one account: the times of the last ones, a ring whose oldest is at next, and
// those of a longer time.
type pairFailures struct {
	at       [FailureLimit]time.Time
	next     int
	slow     guard // forgiven by no success
	inFlight int
	counted  time.Time // when a failure was last charged to the origin
}

// recent returns how many failures lie within the window.
func (f *pairFailures) recent(now time.Time) (n int) {
	for _, at := range f.at {
		if !at.IsZero() && now.Sub(at) <= FailureWindow {
			n++
		}
	}
	return n
}

// charge notes a failure and reports whether it is one too many.
func (f *pairFailures) charge(now time.Time) bool {
	f.at[f.next] = now
	f.next = (f.next + 1) % FailureLimit
	return f.recent(now) == FailureLimit
}

// guard counts failures over a long time and has those who make them wait, ever longer.
type guard struct {
	meter
	strikes    int // how often it has begun to
	lastStrike time.Time
}

// strike returns how long the wait is this time, and leaves room for guardBurst failures afterwards.
func (g *guard) strike(now time.Time) time.Duration {
	if now.Sub(g.lastStrike) > strikeMemory {
		g.strikes = 0
	}
	wait := min(minGuard<<min(g.strikes, 16), maxGuard)
	g.strikes++
	g.lastStrike = now.Add(wait)
	g.level = SlowLimit - guardBurst
	return wait
}

// idle reports whether there is nothing to remember.
func (g *guard) idle(now time.Time) bool {
	g.leak(slowBudget, now)
	return g.level == 0 && g.inFlight == 0 && now.Sub(g.lastStrike) > strikeMemory
}

// originFailures are those of one origin, or of the network that it is in.
type originFailures struct {
	failures, tokens meter
	makes            [nMakings]meter
}

// busy reports whether open seats count against an origin.
func (f *originFailures) busy() bool {
	return f.failures.inFlight > 0 || f.makes[Registration].inFlight > 0 || f.makes[Guest].inFlight > 0
}

var slowBudget = budget{SlowLimit, SlowWindow}

func newBudgets(cfg Config) budgets {
	var key [nameKeySize]byte
	_, _ = rand.Read(key[:]) // which never fails
	return budgets{
		key:    key,
		origin: budget{cfg.OriginFailures, OriginWindow},
		makes: [nMakings]budget{
			Registration: {cfg.OriginRegistrations, RegistrationWindow}, Guest: {cfg.OriginGuests, GuestWindow},
		},
		tokens:   budget{tokensOfFailures * cfg.OriginFailures, OriginWindow},
		pairs:    newTable[pair](cfg.remember, func(f *pairFailures) bool { return f.inFlight > 0 }),
		accounts: newTable[uint64](cfg.remember, func(g *guard) bool { return g.inFlight > 0 }),
		networks: newTable[netip.Prefix](cfg.remember, (*originFailures).busy),
		known:    newTable[uint64, [knownOrigins]netip.Prefix](knownFactor*cfg.remember, nil),
		lockouts: newLockouts(cfg.remember),
	}
}

func (b *budgets) pair(k *Knock) pair { return pair{OriginOf(k.Addr), b.name(k.Name)} }

// name returns the hash of a name. Package maphash would be faster, but another process could not go on with its
// hashes; no name of a player makes it look at more than one block.
func (b *budgets) name(name string) uint64 {
	var room [64]byte
	sum := sha256.Sum256(append(append(room[:0], b.key[:]...), name...))
	return binary.LittleEndian.Uint64(sum[:])
}

// isKnown reports whether an account has logged in from an origin.
func (b *budgets) isKnown(who pair) bool {
	origins := b.known.get(who.name)
	return origins != nil && slices.Contains(origins[:], who.origin)
}

// know remembers that an account has logged in from an origin. It pushes out the account's own oldest origin alone.
func (b *budgets) know(who pair) {
	origins := b.known.make(who.name)
	i := slices.Index(origins[:], who.origin)
	if i < 0 {
		i = knownOrigins - 1
	}
	copy(origins[1:i+1], origins[:i])
	origins[0] = who.origin
}

// times is a budget of a group of origins.
func (b budget) times(n int) budget { return budget{b.limit * n, b.over} }

// verdict says whether a knock may be judged.
type verdict int

const (
	free           verdict = iota
	locked                 // a lockout runs
	lockedTogether         // the same, for all clients of a network or all strangers at an account
	pending                // not before it is known what becomes of those in flight at this account
	crowded                // the same for those of the origin, which may be many players behind one address
	spent                  // a budget is used up
)

// judge returns whether a knock may be judged, and if a lockout or a spent budget is in the way, for how long.
func (b *budgets) judge(who pair, k *Knock, now time.Time) (verdict, time.Duration) {
	known := b.isKnown(who)
	if wait, shared := b.lockouts.wait(who, known, false, now); wait > 0 && shared {
		return lockedTogether, wait
	}
	if k.guesses() {
		if v, wait := b.judgeGuess(who, known, now); v != free {
			return v, wait
		}
	}
	for _, g := range groupsOf(who.origin) {
		f := b.networks.get(g.network)
		if f == nil {
			continue
		}
		if limit := b.origin.times(g.times); !known && limit.limit > 0 && f.failures.full(limit, now) {
			return f.failures.verdict(limit, now, crowded)
		}
	}
	if k.Want == Register {
		return b.judgeMaking(who, Registration, now)
	}
	return free, 0
}

// judgeGuess is judge for what the guess of a password is held against besides.
func (b *budgets) judgeGuess(who pair, known bool, now time.Time) (verdict, time.Duration) {
	if wait, shared := b.lockouts.wait(who, known, true, now); shared {
		return lockedTogether, wait
	} else if wait > 0 {
		return locked, wait
	}
	if f := b.pairs.get(who); f != nil {
		f.slow.leak(slowBudget, now)
		if f.recent(now)+f.inFlight >= FailureLimit || int(f.slow.level)+f.inFlight >= SlowLimit {
			return pending, 0
		}
	}
	if g := b.accounts.get(who.name); g != nil && !known && g.full(slowBudget, now) {
		return g.verdict(slowBudget, now, pending)
	}
	return free, 0
}

// charge is what an open seat is charged for, in the budgets.
type charge struct {
	who     pair
	guesses bool
	known   bool // the account was, at the origin, when the seat was given
	making  Making
	token   bool // in place of a password: nothing is held against the account, nor against anyone in advance
	resumes bool // of a device
}

// hold charges a seat, until settle.
func (b *budgets) hold(who pair, k *Knock) charge {
	c := charge{who: who, guesses: k.guesses(), known: b.isKnown(who)}
	if k.Want == Register {
		c.making = Registration
	}
	b.flight(c, 1)
	return c
}

func (b *budgets) flight(c charge, n int) {
	if c.guesses {
		b.pairs.make(c.who).inFlight += n
		if !c.known {
			b.accounts.make(c.who.name).inFlight += n
		}
	}
	for _, g := range groupsOf(c.who.origin) {
		if c.token && c.making == nothing {
			continue
		}
		f := b.networks.make(g.network)
		if !c.known && !c.token {
			f.failures.inFlight += n
		}
		if c.making != nothing {
			f.makes[c.making].inFlight += n
		}
	}
}

// settle ends a charge by what has become of the seat, and returns the lockouts that this begins.
func (b *budgets) settle(c charge, o Outcome, name string, now time.Time) (began []Lockout) {
	b.flight(c, -1)
	switch {
	case c.token && !c.guesses && (o == Wrong || o == Unknown):
		began = b.badToken(c, now)
	case o == Wrong:
		began = b.wrong(c, name, now)
	case o == Unknown:
		began = b.wrong(c, "", now)
	case o == Taken:
		began = b.failedAt(c, now)
	case o == Right || o == Inside:
		b.right(c)
	}
	if o == Inside {
		b.made(c, now)
	}
	b.tidy(c, now)
	return began
}

// tidy forgets what there is nothing to remember of: what succeeds must not push out what has failed.
func (b *budgets) tidy(c charge, now time.Time) {
	if f := b.pairs.get(c.who); f != nil && f.inFlight == 0 && f.at == [FailureLimit]time.Time{} && f.slow.idle(now) &&
		now.Sub(f.counted) >= OriginWindow {
		b.pairs.drop(c.who)
	}
	if g := b.accounts.get(c.who.name); g != nil && g.idle(now) {
		b.accounts.drop(c.who.name)
	}
	for _, g := range groupsOf(c.who.origin) {
		f := b.networks.get(g.network)
		if f == nil {
			continue
		}
		f.failures.leak(b.origin.times(g.times), now)
		for m := range f.makes {
			f.makes[m].leak(b.makes[m].times(g.times), now)
		}
		f.tokens.leak(b.tokens.times(g.times), now)
		if f.failures.idle() && f.makes[Registration].idle() && f.makes[Guest].idle() && f.tokens.idle() {
			b.networks.drop(g.network)
		}
	}
}

// right forgives an origin its failures at the account that it has proved to own, and nothing else: neither those at
// other accounts nor a lockout. From now on the account is known there.
func (b *budgets) right(c charge) {
	b.know(c.who)
	if f := b.pairs.get(c.who); f != nil {
		f.at = [FailureLimit]time.Time{}
	}
}

// wrong charges a wrong password.
func (b *budgets) wrong(c charge, name string, now time.Time) (began []Lockout) {
	key := lockKey{PairLocked, c.who}
	f := b.pairs.make(c.who)
	slowly := f.slow.charge(slowBudget, now)
	switch quickly := f.charge(now); {
	case quickly:
		began = append(began, b.lockouts.begin(key, name, now, LockoutTime))
	case slowly:
		began = append(began, b.lockouts.begin(key, name, now, f.slow.strike(now)))
	}
	if !c.known {
		if g := b.accounts.make(c.who.name); g.charge(slowBudget, now) {
			key := lockKey{AccountGuarded, pair{name: c.who.name}}
			began = append(began, b.lockouts.begin(key, name, now, g.strike(now)))
		}
	}
	return append(began, b.failedAt(c, now)...)
}

// failedAt charges an origin, and the networks it is in, for a failure at an account: once for each account in a while,
// since what locks an origin is failures that are spread over many. Those at accounts known there are their players'
// typos.
func (b *budgets) failedAt(c charge, now time.Time) (began []Lockout) {
	if b.origin.limit <= 0 || c.known {
		return nil
	}
	f := b.pairs.make(c.who)
	if !f.counted.IsZero() && now.Sub(f.counted) < OriginWindow {
		return nil
	}
	f.counted = now
	for _, g := range groupsOf(c.who.origin) {
		if b.networks.make(g.network).failures.charge(b.origin.times(g.times), now) {
			key := lockKey{OriginLocked, pair{origin: g.network}}
			began = append(began, b.lockouts.begin(key, "", now, LockoutTime))
		}
	}
	return began
}

// lift ends a lockout, and forgets the failures that began it: one more must not begin it again.
func (b *budgets) lift(id uint64, now time.Time) (Lockout, bool) {
	lock, ok := b.lockouts.lift(id, now)
	if !ok {
		return lock, false
	}
	switch who := lock.key.pair; lock.Kind {
	case PairLocked:
		if f := b.pairs.get(who); f != nil {
			f.at, f.slow.level, f.slow.strikes = [FailureLimit]time.Time{}, 0, 0
		}
	case AccountGuarded:
		if g := b.accounts.get(who.name); g != nil {
			g.level, g.strikes = 0, 0
		}
	case OriginLocked:
		if f := b.networks.get(who.origin); f != nil {
			f.failures.level = 0
		}
	}
	return lock, true
}
