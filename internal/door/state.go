package door

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/packed"
)

// MaxState is the greatest length of what [Door.State] returns, in bytes.
const MaxState = 256 << 20

// stateVersion is that of the layout in which a state is written.
const stateVersion = 3

// ErrBadState is wrapped by the error of [New] for a [Config].State that it cannot use.
var ErrBadState = errors.New("door: not the state of a door that this one can go on from")

// State returns all that another door needs to go on in place of this one, see [Config].State: what clients have failed
// at and which lockouts run, which names have a place in the world or have one kept, the pace of the workers, and both
// lines. Seats that are open are not part of it: it is to be taken when the pool is frozen, so that there are none.
func (d *Door) State() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	s := d.save()
	return packed.Append(make([]byte, 0, s.size()), func(c *packed.Codec) { s.describe(c, now) })
}

// state is what is kept of a door. Moments are kept by how far they are from the one at which it is taken.
type state struct {
	key             [nameKeySize]byte
	pairs           []*entry[pair, pairFailures]
	accounts        []*entry[uint64, guard]
	networks        []*entry[netip.Prefix, originFailures]
	known           []*entry[uint64, [knownOrigins]netip.Prefix]
	lastLockout     uint64
	lockouts        []Lockout // of each kind begun first first
	places          []savedPlace
	paces           [3]pace
	promised        time.Time
	came, worldCame time.Time
	roomy           time.Time
	freed, over     float64
	spent           [2][]uint64
	turned          time.Time
	line, worldLine []byte
}

type savedPlace struct {
	name uint64
	place
}

// Of how many bytes each entry is at least, and how long names and the lines' states are at most.
const (
	leastPair, leastGuard, leastNetwork, leastKnown, leastLockout, leastPlace = 20, 12, 20, 9, 8, 8
	maxName                                                                   = 1 << 10
	maxLineState                                                              = 8 << 20
)

func (d *Door) save() *state {
	b := &d.budgets
	s := &state{
		key: b.key, pairs: b.pairs.all(), accounts: b.accounts.all(), networks: b.networks.all(), known: b.known.all(),
		lastLockout: b.lockouts.lastID, paces: [3]pace(d.paces[:]), promised: d.promised, came: d.came,
		worldCame: d.world.came, roomy: d.world.roomy,
		freed: d.world.freed, over: d.world.over, turned: d.spent.turned, line: d.line.State(),
		worldLine: d.world.State(),
	}
	for _, order := range b.lockouts.order {
		for e := order.Front(); e != nil; e = e.Next() {
			s.lockouts = append(s.lockouts, *e.Value.(*Lockout))
		}
	}
	for name, p := range d.places.byName {
		if p.inside || !p.until.IsZero() {
			s.places = append(s.places, savedPlace{name, *p})
		}
	}
	for i, half := range []map[uint64]struct{}{d.spent.before, d.spent.now} {
		for id := range half {
			s.spent[i] = append(s.spent[i], id)
		}
	}
	return s
}

// size is about how many bytes it takes, or a few more.
func (s *state) size() int {
	return 96*(len(s.pairs)+len(s.networks)+len(s.places)+len(s.lockouts)) + 48*(len(s.accounts)+len(s.known)) +
		10*(len(s.spent[0])+len(s.spent[1])) + len(s.line) + len(s.worldLine) + 256
}

func (s *state) describe(c *packed.Codec, now time.Time) {
	// One of version 1 has no devices, and one before version 3 no guests.
	version := c.Header("door", 1, stateVersion)
	c.Raw(s.key[:])
	packed.Slice(c, &s.pairs, math.MaxInt32, leastPair, func(at **entry[pair, pairFailures]) {
		e := made(c, at)
		e.key.describe(c)
		for i := range e.value.at {
			c.Instant(&e.value.at[i], now)
		}
		packed.Int(c, &e.value.next)
		e.value.slow.describe(c, now)
		c.Instant(&e.value.counted, now)
	})
	packed.Slice(c, &s.accounts, math.MaxInt32, leastGuard, func(at **entry[uint64, guard]) {
		e := made(c, at)
		c.Uint64(&e.key)
		e.value.describe(c, now)
	})
	packed.Slice(c, &s.networks, math.MaxInt32, leastNetwork, func(at **entry[netip.Prefix, originFailures]) {
		e := made(c, at)
		c.Prefix(&e.key)
		e.value.failures.describe(c, now)
		e.value.makes[Registration].describe(c, now)
		e.value.tokens.describe(c, now)
		if version > 2 {
			e.value.makes[Guest].describe(c, now)
		}
	})
	packed.Slice(c, &s.known, math.MaxInt32, leastKnown, func(at **entry[uint64, [knownOrigins]netip.Prefix]) {
		e := made(c, at)
		c.Uint64(&e.key)
		for i := range e.value {
			c.Prefix(&e.value[i])
		}
	})
	c.Uint64(&s.lastLockout)
	packed.Slice(c, &s.lockouts, math.MaxInt32, leastLockout, func(l *Lockout) {
		c.Uint64(&l.ID)
		packed.Uint(c, &l.Kind)
		l.key.pair.describe(c)
		c.String(&l.Name, maxName)
		c.Instant(&l.Until, now)
	})
	packed.Slice(c, &s.places, math.MaxInt32, leastPlace, func(p *savedPlace) {
		c.Uint64(&p.name)
		c.Prefix(&p.origin)
		c.Bool(&p.inside)
		c.Bool(&p.visited)
		c.Instant(&p.until, now)
		c.Bool(&p.extended)
		c.Instant(&p.claimed, now)
		c.Instant(&p.returned, now)
		if version > 1 {
			c.Raw(p.device[:])
		}
	})
	s.describeFlow(c, now)
}

func (s *state) describeFlow(c *packed.Codec, now time.Time) {
	for i := range s.paces {
		c.Float64(&s.paces[i].done)
		packed.Int(c, &s.paces[i].busy)
	}
	for _, at := range []*time.Time{&s.promised, &s.came, &s.worldCame, &s.roomy, &s.turned} {
		c.Instant(at, now)
	}
	c.Float64(&s.freed)
	c.Float64(&s.over)
	for i := range s.spent {
		packed.Slice(c, &s.spent[i], maxSpent, 1, func(id *uint64) { c.Uint64(id) })
	}
	c.Bytes(&s.line, maxLineState)
	c.Bytes(&s.worldLine, maxLineState)
}

func (p *pair) describe(c *packed.Codec) {
	c.Prefix(&p.origin)
	c.Uint64(&p.name)
}

func (g *guard) describe(c *packed.Codec, now time.Time) {
	g.meter.describe(c, now)
	packed.Int(c, &g.strikes)
	c.Instant(&g.lastStrike, now)
}

func (m *meter) describe(c *packed.Codec, now time.Time) {
	c.Float64(&m.level)
	c.Instant(&m.at, now)
}

// parseState reads a state, and refuses one that no door has.
func parseState(b []byte, now time.Time) (*state, error) {
	var s state
	err := packed.Parse(b, func(c *packed.Codec) {
		s.describe(c, now)
		c.Fail(s.check())
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return &s, nil
}

// check reports what would have a door stumble.
func (s *state) check() error {
	for i := range s.pairs {
		f := &s.pairs[i].value
		if f.next < 0 || f.next >= FailureLimit || !f.slow.sound() {
			return fmt.Errorf("%w: failures that cannot be", ErrBadState)
		}
	}
	for i := range s.accounts {
		if !s.accounts[i].value.sound() {
			return fmt.Errorf("%w: failures at an account that cannot be", ErrBadState)
		}
	}
	for i := range s.networks {
		if f := &s.networks[i].value; !f.sound() {
			return fmt.Errorf("%w: failures of an origin that cannot be", ErrBadState)
		}
	}
	for i := range s.lockouts {
		if l := &s.lockouts[i]; l.Kind > AccountGuarded || l.ID == 0 || l.ID > s.lastLockout {
			return fmt.Errorf("%w: a lockout that cannot be", ErrBadState)
		}
	}
	for _, p := range s.paces {
		if p.busy <= 0 || !(p.done > 0 && p.done <= math.MaxInt32) {
			return fmt.Errorf("%w: a pace of nothing", ErrBadState)
		}
	}
	for _, l := range [][]byte{s.line, s.worldLine} {
		if _, err := line.CheckState(l); err != nil {
			return fmt.Errorf("%w: %w", ErrBadState, err)
		}
	}
	if !(s.freed >= 0 && s.freed <= math.MaxInt32) || !(s.over >= 0 && s.over <= math.MaxInt32) {
		return fmt.Errorf("%w: less than no seats have become free", ErrBadState)
	}
	return nil
}

func (f *originFailures) sound() bool {
	return f.failures.sound() && f.tokens.sound() && f.makes[Registration].sound() && f.makes[Guest].sound()
}

func (g *guard) sound() bool { return g.meter.sound() && g.strikes >= 0 }

// sound reports whether a level can be one: it is compared with budgets, and leaks.
func (m *meter) sound() bool { return m.level >= 0 && m.level <= math.MaxInt32 }

// restore has a new door go on from a state, but for its lines, which have been made of it.
func (d *Door) restore(s *state, now time.Time) {
	b := &d.budgets
	b.key = s.key
	b.pairs.restore(s.pairs)
	b.accounts.restore(s.accounts)
	b.networks.restore(s.networks)
	b.known.restore(s.known)
	for _, l := range s.lockouts {
		b.lockouts.restore(l, now)
	}
	b.lockouts.lastID = s.lastLockout
	for i := range s.places {
		d.places.restore(&s.places[i], now)
	}
	for i := range s.paces {
		d.paces[i].done, d.paces[i].busy = s.paces[i].done, s.paces[i].busy
	}
	d.promised = s.promised
	d.came, d.world.came, d.world.roomy = s.came, s.worldCame, s.roomy
	d.world.freed, d.world.over = s.freed, s.over
	d.spent.turned = s.turned
	for i, half := range []*map[uint64]struct{}{&d.spent.before, &d.spent.now} {
		*half = make(map[uint64]struct{}, len(s.spent[i]))
		for _, id := range s.spent[i] {
			(*half)[id] = struct{}{}
		}
	}
}

// made returns the entry that is described, a new one if it is read.
func made[K comparable, V any](c *packed.Codec, at **entry[K, V]) *entry[K, V] {
	if c.Reading() {
		*at = new(entry[K, V])
	}
	return *at
}

// all returns the entries, used longest ago first. They are not copied, which would take longer than all else.
func (t *table[K, V]) all() []*entry[K, V] {
	all := make([]*entry[K, V], 0, len(t.entries))
	for e := t.recent.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*entry[K, V]))
	}
	return all
}

// restore adds entries as all returns them, and keeps them; of more than the table may have, those used last stay.
func (t *table[K, V]) restore(all []*entry[K, V]) {
	for _, e := range all {
		if t.get(e.key) == nil {
			t.makeRoom()
			t.entries[e.key] = t.recent.PushBack(e)
		}
	}
}

// restore has a lockout go on.
func (l *lockouts) restore(lock Lockout, now time.Time) {
	lock.key.kind = lock.Kind
	lock.Origin = lock.key.pair.origin
	order := l.order[lock.Kind]
	if l.running[lock.key] != nil || l.byID[lock.ID] != nil || order.Len() >= l.limit {
		return
	}
	l.running[lock.key] = order.PushBack(&lock)
	l.byID[lock.ID] = l.running[lock.key]
	l.ends.add(lock.Until, lock.ID, now)
}

// restore has a name keep its place.
func (p *places) restore(s *savedPlace, now time.Time) {
	if p.byName[s.name] != nil || !s.inside && s.until.IsZero() {
		return
	}
	own := s.place
	own.seats = 0
	p.byName[s.name] = &own
	p.networks.add(own.origin, 1)
	if !own.until.IsZero() {
		p.held++
		p.hold(s.name, &own, own.until, now)
	}
}
