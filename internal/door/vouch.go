package door

import (
	"net/netip"
	"time"
)

// What an origin may ask about proofs of identities: so many questions within vouchWindow, and so many at once, which
// is less than the calls that a provider gets at once from a node.
const (
	originVouches = 600
	vouchWindow   = 10 * time.Minute
	vouchesAtOnce = 6
)

var vouchBudget = budget{originVouches, vouchWindow}

// vouches are the budgets of questions about proofs of identities.
type vouches struct {
	networks *table[netip.Prefix, meter]
	inFlight tally // of those that are not done
}

func newVouches(limit int) vouches {
	return vouches{networks: newTable[netip.Prefix, meter](limit, nil), inFlight: make(tally)}
}

// Vouch answers the wish of a client to have another server vouch for a player, which may take a call to that server.
// If the error is nil, done has to be called once when the call is over. The error is a [*rushgate.Refusal] if too much
// was asked for, or if the client is locked out.
func (d *Door) Vouch(from netip.Addr) (done func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, count := d.cfg.Now(), &d.refused.knocking
	if d.closed {
		count.Draining++
		r := busy(d.later(Draining))
		return nil, &r
	}
	who := pair{origin: OriginOf(from)}
	if v, wait := d.judgeVouch(who, now); v != free {
		r := d.limited(v, wait, count)
		return nil, &r
	}
	for _, g := range groupsOf(who.origin) {
		d.vouches.networks.make(g.network).charge(vouchBudget.times(g.times), now)
	}
	d.vouches.inFlight.add(who.origin, 1)
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.vouches.inFlight.add(who.origin, -1)
	}, nil
}

func (d *Door) judgeVouch(who pair, now time.Time) (verdict, time.Duration) {
	if wait, shared := d.budgets.lockouts.wait(who, false, false, now); wait > 0 && shared {
		return lockedTogether, wait
	}
	for _, g := range groupsOf(who.origin) {
		limit := vouchBudget.times(g.times)
		if m := d.vouches.networks.get(g.network); m != nil && m.full(limit, now) {
			return m.verdict(limit, now, spent)
		}
		if d.vouches.inFlight[g.network] >= vouchesAtOnce*g.times {
			return pending, 0
		}
	}
	return free, 0
}
