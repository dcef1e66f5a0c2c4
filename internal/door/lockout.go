package door

import (
	"container/list"
	"net/netip"
	"time"
)

// LockKind says what a [Lockout] keeps out.
type LockKind uint8

// The kinds of [Lockout].
const (
	// PairLocked: one origin is kept from one account.
	PairLocked LockKind = iota
	// OriginLocked: an origin, or a network of them, is kept from all accounts but those known there.
	OriginLocked
	// AccountGuarded: an account is kept from all origins but those where it is known.
	AccountGuarded
)

// String returns the kind in one word.
func (k LockKind) String() string {
	return [...]string{PairLocked: "pair", OriginLocked: "origin", AccountGuarded: "account"}[k]
}

// Lockout keeps knocks from being judged until it ends.
type Lockout struct {
	// ID tells it apart from all others since the start.
	ID   uint64
	Kind LockKind
	// Origin is the network that is kept out; the zero Prefix with [AccountGuarded].
	Origin netip.Prefix
	// Name is the account's; empty with [OriginLocked], and where there is no such account.
	Name string
	// Until is when it ends.
	Until time.Time

	key lockKey
}

// lockKey names what is locked; the fields that do not matter for its kind are zero.
type lockKey struct {
	kind LockKind
	pair pair
}

// lockouts are those that run. Their number is bounded; the one of a kind that began first gives way to a new one, so
// that failures push out other failures but hardly ever a lockout: to undo one, an attacker has to begin as many
// others.
type lockouts struct {
	limit   int                       // of each kind
	running map[lockKey]*list.Element // of *Lockout
	byID    map[uint64]*list.Element
	ends    deadlines[uint64] // by ID
	lastID  uint64
	order   [3]*list.List // by kind, begun first first
	total   [3]int64      // begun since the start, by kind
}

func newLockouts(limit int) lockouts {
	l := lockouts{limit: limit, running: make(map[lockKey]*list.Element), byID: make(map[uint64]*list.Element)}
	for i := range l.order {
		l.order[i] = list.New()
	}
	return l
}

// begin starts a lockout, or lets one that runs last longer.
func (l *lockouts) begin(key lockKey, name string, now time.Time, lasts time.Duration) Lockout {
	l.end(now)
	order := l.order[key.kind]
	if e, ok := l.running[key]; ok { // end has dropped it if it is over
		l.remove(e)
	} else {
		l.total[key.kind]++
	}
	if order.Len() >= l.limit {
		l.remove(order.Front())
	}
	l.lastID++
	lock := &Lockout{ID: l.lastID, Kind: key.kind, Origin: key.pair.origin, Name: name, Until: now.Add(lasts), key: key}
	l.running[key] = order.PushBack(lock)
	l.byID[lock.ID] = l.running[key]
	l.ends.add(lock.Until, lock.ID, now)
	return *lock
}

// end drops the lockouts that are over.
func (l *lockouts) end(now time.Time) {
	for end, ok := l.ends.next(now); ok; end, ok = l.ends.next(now) {
		if e, ok := l.byID[end.key]; ok {
			l.remove(e)
		}
	}
}

func (l *lockouts) remove(e *list.Element) {
	lock := e.Value.(*Lockout)
	l.order[lock.Kind].Remove(e)
	delete(l.running, lock.key)
	delete(l.byID, lock.ID)
}

// lift ends a lockout before its time.
func (l *lockouts) lift(id uint64, now time.Time) (Lockout, bool) {
	e, ok := l.byID[id]
	if !ok || !now.Before(e.Value.(*Lockout).Until) {
		return Lockout{}, false
	}
	l.remove(e)
	return *e.Value.(*Lockout), true
}

// wait returns how long the lockouts that apply to a knock go on, and whether the longest is shared with other
// clients; guesses tells whether the knock could prove a password wrong.
func (l *lockouts) wait(who pair, known, guesses bool, now time.Time) (wait time.Duration, shared bool) {
	if guesses {
		wait = l.left(lockKey{PairLocked, who}, now)
		if left := l.left(lockKey{AccountGuarded, pair{name: who.name}}, now); !known && left > wait {
			wait, shared = left, true
		}
	}
	if !known {
		for _, g := range groupsOf(who.origin) {
			if left := l.left(lockKey{OriginLocked, pair{origin: g.network}}, now); left > wait {
				wait, shared = left, true
			}
		}
	}
	return wait, shared
}

func (l *lockouts) left(key lockKey, now time.Time) time.Duration {
	e, ok := l.running[key]
	if !ok {
		return 0
	}
	return max(0, e.Value.(*Lockout).Until.Sub(now))
}

// list returns up to limit lockouts that run: those of networks and of accounts, which keep many out, before those of
// pairs, and the newest of each kind first.
func (l *lockouts) list(limit int, now time.Time) []Lockout {
	l.end(now)
	var all []Lockout
	for _, kind := range []LockKind{OriginLocked, AccountGuarded, PairLocked} {
		for e := l.order[kind].Back(); e != nil && len(all) < limit; e = e.Prev() {
			all = append(all, *e.Value.(*Lockout))
		}
	}
	return all
}
