package door

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// unknownOpening is when clients come back, spread up to twice as long, while it is not known when the doors open.
	unknownOpening = 30 * time.Second
	// openingSpread is how long after the opening the last of those who know nothing of places come.
	openingSpread = time.Minute
	// latestReturn is the longest that a client is told to stay away for a mode.
	latestReturn = 24 * time.Hour
)

// heed has the lines go by the rules as they are now, and reports whether these are others than before: while the doors
// are closed, or open to staff alone, those who wait keep their places, and nobody is called.
func (d *Door) heed() (changed bool) {
	rules := d.cfg.Rules()
	if rules == d.rules {
		return false
	}
	d.rules = rules
	for _, l := range []*line.Line{d.line, d.world.Line} {
		if rules.Closed() || rules.Mode == rushgate.ModeStaff {
			l.Hold(rules.OpensAt)
		} else {
			l.Release()
		}
	}
	return true
}

// opening returns when a client is to come back that is kept out by the mode.
func (d *Door) opening(now time.Time) time.Duration {
	until := d.rules.OpensAt.Sub(now)
	if until <= 0 || d.rules.OpensAt.IsZero() {
		return d.clock.spread(unknownOpening)
	}
	return min(until+d.clock.jitter(openingSpread), latestReturn)
}

// unlisted refuses a client whose name is on no list of those who may come in. It is asked before all else: what a
// client has failed at must not tell whether its name is on one.
func (d *Door) unlisted(name string, now time.Time, count *Refusals) (r rushgate.Refusal, refused bool) {
	d.heed()
	if !d.rules.Choosy() || d.rules.Lets(name) {
		return r, false
	}
	count.Mode++
	return d.rules.Refusal(d.opening(now)), true
}

// kept refuses whom the mode does not let in, without a place in the line.
func (d *Door) kept(name string, now time.Time, count *Refusals) (r rushgate.Refusal, refused bool) {
	if d.rules.Lets(name) {
		return r, false
	}
	count.Mode++
	return d.rules.Refusal(d.opening(now)), true
}

// shut refuses a client at closed doors. It has a place in the line all the same, for the time when they open.
func (d *Door) shut(v *visit, count *Refusals) rushgate.Refusal {
	count.Mode++
	_, w := d.decide(v, ofMode)
	return d.refusalAtShut(&w, v.now)
}

// refusalAtShut is what a client with a place, or without one, is told at closed doors.
func (d *Door) refusalAtShut(w *wait, now time.Time) rushgate.Refusal {
	told := w.refusal()
	r := d.rules.Refusal(d.opening(now))
	r.Place, r.Work = told.Place, told.Work
	if r.Work.Bits > 0 {
		r.RetryAfter = told.RetryAfter // then it has a place
	}
	return r
}

// standsShut refuses a player who has waited for the world, and finds the doors closed. The place is kept.
func (d *Door) standsShut(p *Pass, now time.Time) error {
	d.refused.knocking.Mode++
	t := p.ticket
	out, err := d.world.Due(&t, p.Proof.Holder)
	if err != nil && !errors.Is(err, line.ErrNotYet) {
		r := d.rules.Refusal(d.opening(now))
		return &r
	}
	w := wait{out: out, short: ofTurn, placed: err != nil}
	r := d.refusalAtShut(&w, now)
	return &r
}

// Barred returns why a client that had been given a seat is not let in after all: the mode has changed meanwhile. It is
// for requests that have waited.
func (d *Door) Barred(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heed()
	if r, refused := d.kept(name, d.cfg.Now(), &d.refused.knocking); refused {
		return &r
	}
	return nil
}

// Veil returns what a client is told of a refusal that must not say more than that of a name which is on no list: while
// only some accounts may come in, one that is wrong about the password hears what a stranger hears.
func (d *Door) Veil(err error) error {
	rules := d.cfg.Rules()
	if !rules.Choosy() {
		return err
	}
	for _, reason := range []rushgate.Reason{rushgate.BadCredentials, rushgate.UsernameTaken, rushgate.RateLimited} {
		if errors.Is(err, reason) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.heed()
			r := d.rules.Refusal(d.opening(d.cfg.Now()))
			return &r
		}
	}
	return err
}

// namesAtOnce is for how many names the door is held at a time.
const namesAtOnce = 250

// From is where a player has come from.
type From struct {
	// Origin is the network that the seat counts against. It is the zero prefix for a name without a seat.
	Origin netip.Prefix
	// Device is what the client has said of its device, or the zero one.
	Device access.Device
}

// Whence returns where the players inside of names have come from.
func (d *Door) Whence(names []string) []From {
	out := make([]From, 0, len(names))
	for some := range slices.Chunk(names, namesAtOnce) {
		out = d.whence(out, some)
	}
	return out
}

func (d *Door) whence(dst []From, names []string) []From {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		var from From
		if own := d.places.byName[d.budgets.name(name)]; own != nil {
			from = From{own.origin, own.device}
		}
		dst = append(dst, from)
	}
	return dst
}
