package door

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// FailureLimit failures of one origin at one account within FailureWindow lock that pair for LockoutTime.
	FailureLimit  = 5
	FailureWindow = 60 * time.Second
	LockoutTime   = 300 * time.Second

	// DefaultOriginFailures is how many accounts an origin may fail at within OriginWindow before all accounts but those
	// known there are locked for it, for LockoutTime. Half of a large household's, café's or campus's first evening fits
	// in; a list of names does not.
	DefaultOriginFailures = 100
	OriginWindow          = 10 * time.Minute

	// StrangerLimit failures at one account within StrangerWindow, from origins at which it is not known, have strangers
	// wait: minGuard at first, twice as long after each strangerBurst further ones, up to maxGuard.
	StrangerLimit  = 20
	StrangerWindow = time.Hour
	strangerBurst  = 5
	minGuard       = 30 * time.Second
	maxGuard       = 15 * time.Minute
	// strikeMemory is how long after the last guard ended the next one begins with minGuard again.
	strikeMemory = 24 * time.Hour

	// DefaultOriginRegistrations is how many accounts an origin may make within RegistrationWindow.
	DefaultOriginRegistrations = 1000
	RegistrationWindow         = time.Hour

	// remembered bounds each of the tables below. An attacker who means to push an entry out has to fill a table with
	// failures of his own, each from another origin or at another account.
	remembered = 1 << 16
)

// pair is an origin and an account, by a keyed hash of its name: what stands in the tables is as long whatever an
// outsider calls himself.
type pair struct {
	origin netip.Prefix
	name   uint64
}

// budgets bounds failures: by the pair of origin and account, by the account, and by the origin and the wider networks
// it is in. A seat that is open counts as if it had failed, so that guesses in flight are bounded with those judged.
type budgets struct {
	seed          maphash.Seed
	origin        budget // of failures spread over accounts
	registrations budget // of one origin

	pairs    *table[pair, pairFailures]
	accounts *table[uint64, accountFailures]
	networks *table[netip.Prefix, originFailures]
	known    *table[pair, struct{}] // origins from which an account has logged in
	lockouts lockouts
}

// pairFailures are those of one origin at one account: the times of the last ones, a ring whose oldest is at next.
type pairFailures struct {
	at       [FailureLimit]time.Time
	next     int
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

// accountFailures are those of strangers at one account.
type accountFailures struct {
	meter
	strikes    int // how often it has been guarded
	lastStrike time.Time
}

// originFailures are those of one origin, or of the network that it is in.
type originFailures struct {
	failures, registrations meter
}

var accountBudget = budget{StrangerLimit, StrangerWindow}

func newBudgets(cfg Config) budgets {
	return budgets{
		seed:          maphash.MakeSeed(),
		origin:        budget{cfg.OriginFailures, OriginWindow},
		registrations: budget{cfg.OriginRegistrations, RegistrationWindow},
		pairs:         newTable[pair](cfg.remember, func(f *pairFailures) bool { return f.inFlight > 0 }),
		accounts:      newTable[uint64](cfg.remember, func(f *accountFailures) bool { return f.inFlight > 0 }),
		networks: newTable[netip.Prefix](cfg.remember, func(f *originFailures) bool {
			return f.failures.inFlight > 0 || f.registrations.inFlight > 0
		}),
		known:    newTable[pair, struct{}](cfg.remember, nil),
		lockouts: newLockouts(cfg.remember),
	}
}

func (b *budgets) pair(k *Knock) pair { return pair{OriginOf(k.Addr), b.name(k.Name)} }

func (b *budgets) name(name string) uint64 { return maphash.String(b.seed, name) }

// times is a budget of a group of origins.
func (b budget) times(n int) budget { return budget{b.limit * n, b.over} }

// verdict says whether a knock may be judged.
type verdict int

const (
	free    verdict = iota
	locked          // a lockout runs
	pending         // not before it is known what becomes of those in flight at this account
	crowded         // the same for those of the origin, which may be many players behind one address
	spent           // a budget is used up
)

// judge returns whether a knock may be judged, and if a lockout or a spent budget is in the way, for how long.
func (b *budgets) judge(who pair, k *Knock, now time.Time) (verdict, time.Duration) {
	isKnown := b.known.get(who) != nil
	if wait := b.lockouts.wait(who, isKnown, k.guesses(), now); wait > 0 {
		return locked, wait
	}
	if k.guesses() {
		if f := b.pairs.get(who); f != nil && f.recent(now)+f.inFlight >= FailureLimit {
			return pending, 0
		}
		if f := b.accounts.get(who.name); f != nil && !isKnown && f.full(accountBudget, now) {
			return f.verdict(accountBudget, now, pending)
		}
	}
	for _, g := range groupsOf(who.origin) {
		f := b.networks.get(g.network)
		if f == nil {
			continue
		}
		if limit := b.origin.times(g.times); !isKnown && limit.limit > 0 && f.failures.full(limit, now) {
			return f.failures.verdict(limit, now, crowded)
		}
		limit := b.registrations.times(g.times)
		if k.Want == Register && limit.limit > 0 && f.registrations.full(limit, now) {
			return f.registrations.verdict(limit, now, crowded)
		}
	}
	return free, 0
}

// charge is what an open seat is charged for, in the budgets.
type charge struct {
	who      pair
	guesses  bool
	known    bool // the account was, at the origin, when the seat was given
	register bool
}

// hold charges a seat, until settle.
func (b *budgets) hold(who pair, k *Knock) charge {
	c := charge{who: who, guesses: k.guesses(), known: b.known.get(who) != nil, register: k.Want == Register}
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
		f := b.networks.make(g.network)
		if !c.known {
			f.failures.inFlight += n
		}
		if c.register {
			f.registrations.inFlight += n
		}
	}
}

// settle ends a charge by what has become of the seat, and returns the lockouts that this begins.
func (b *budgets) settle(c charge, o Outcome, name string, now time.Time) (began []Lockout) {
	b.flight(c, -1)
	switch o {
	case Wrong:
		began = b.wrong(c, name, now)
	case Unknown:
		began = b.wrong(c, "", now)
	case Taken:
		began = b.failedAt(c, now)
	case Right, Inside:
		b.right(c, now)
	case NotJudged:
	}
	if c.register && o == Inside {
		for _, g := range groupsOf(c.who.origin) {
			b.networks.make(g.network).registrations.charge(b.registrations.times(g.times), now)
		}
	}
	return began
}

// right forgives an origin its failures at the account that it has proved to own, and nothing else: neither those at
// other accounts nor a lockout. From now on the account is known there.
func (b *budgets) right(c charge, now time.Time) {
	b.known.make(c.who)
	if f := b.pairs.get(c.who); f != nil {
		f.at = [FailureLimit]time.Time{}
	}
}

// wrong charges a wrong password.
func (b *budgets) wrong(c charge, name string, now time.Time) (began []Lockout) {
	if b.pairs.make(c.who).charge(now) {
		began = append(began, b.lockouts.begin(lockKey{PairLocked, c.who}, name, now, LockoutTime))
	}
	if !c.known {
		if f := b.accounts.make(c.who.name); f.charge(accountBudget, now) {
			key := lockKey{AccountGuarded, pair{name: c.who.name}}
			began = append(began, b.lockouts.begin(key, name, now, f.strike(now)))
		}
	}
	return append(began, b.failedAt(c, now)...)
}

// strike returns how long strangers have to wait this time, and leaves room for strangerBurst failures afterwards.
func (f *accountFailures) strike(now time.Time) time.Duration {
	if now.Sub(f.lastStrike) > strikeMemory {
		f.strikes = 0
	}
	guard := min(minGuard<<min(f.strikes, 16), maxGuard)
	f.strikes++
	f.lastStrike = now.Add(guard)
	f.level = StrangerLimit - strangerBurst
	return guard
}

// failedAt charges an origin, and the networks it is in, for a failure at an account: once for each account in a while,
// since what locks an origin is failures that are spread over many.
func (b *budgets) failedAt(c charge, now time.Time) (began []Lockout) {
	if b.origin.limit <= 0 {
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
			f.at = [FailureLimit]time.Time{}
		}
	case AccountGuarded:
		if f := b.accounts.get(who.name); f != nil {
			f.level, f.strikes = 0, 0
		}
	case OriginLocked:
		if f := b.networks.get(who.origin); f != nil {
			f.failures.level = 0
		}
	}
	return lock, true
}
