package door

import (
	"net/netip"
	"time"

	"github.com/rushgate/rushgate/internal/access"
)

const (
	// DefaultSeatHold is how long the seat of a player whose session has ended by silence, or for a takeover, is kept for
	// the player's return.
	DefaultSeatHold = 2 * time.Minute
	// DefaultOriginShare is the share of the seats, in percent, that one origin may hold.
	DefaultOriginShare = 50
	// leastShare is what an origin may hold in any case: a small world is often one household's.
	leastShare = 16
	// claimLasts is how long a takeover that was asked for here, with the right password, is remembered.
	claimLasts = 10 * time.Second
)

// places are the seats in the world. A seat belongs to a name: it is taken with the first knock of that name, so that
// no more are hashed than find room, and the player who has it comes back to it however full the world is.
type places struct {
	limit    int
	share    int // of one origin
	keep     time.Duration
	byName   map[uint64]*place
	networks tally
	ends     deadlines[uint64] // of holds, by name
	held     int               // places that are held
	freed    int               // places that sessions had, and that have become free since [worldLine.move]
}

// place is one name's.
type place struct {
	origin   netip.Prefix
	seats    int       // open, for this name
	inside   bool      // a session has it
	visited  bool      // a session had it
	until    time.Time // held for a return; the zero time if not
	extended bool      // the hold was, once
	claimed  time.Time // when a takeover was last asked for by the player
	returned time.Time // when its name last came past the line
	device   access.Device
}

func newPlaces(limit, percent int, keep time.Duration) places {
	share := limit
	if percent < 100 {
		share = max(int(int64(limit)*int64(percent)/100), leastShare)
	}
	return places{
		limit: limit, share: share, keep: keep, byName: make(map[uint64]*place), networks: make(tally),
	}
}

// free reports whether a name has a seat in the world already, or can have one: false if the world, or the share of the
// origin, has none left.
func (p *places) free(who pair, now time.Time) bool {
	p.expire(now)
	return p.byName[who.name] != nil || len(p.byName) < p.limit && p.shared(who.origin)
}

// has reports whether a name has a seat.
func (p *places) has(who pair) bool { return p.byName[who.name] != nil }

// room returns how many seats are free; less than 0 never, but for a world that is given fewer seats than it had.
func (p *places) room() int { return p.limit - len(p.byName) }

// returns reports whether a name has a seat already, and the client comes from where that was taken: a player who was
// just inside, or whose answer was lost. Once in a while only: a player who is inside, and comes again and again, would
// take the workers from those in the line.
func (p *places) returns(who pair, now time.Time) bool {
	own := p.byName[who.name]
	return own != nil && own.origin == who.origin && own.seats < maxOpenSeats &&
		(own.returned.IsZero() || now.Sub(own.returned) >= returnsEvery)
}

// noteReturn takes note that a name has come past the line.
func (p *places) noteReturn(who pair, now time.Time) { p.byName[who.name].returned = now }

// take takes a seat for a name, for which one is free.
func (p *places) take(who pair) {
	own := p.byName[who.name]
	if own == nil {
		own = &place{origin: who.origin}
		p.byName[who.name] = own
		p.networks.add(who.origin, 1)
	}
	own.seats++
}

// shared reports whether an origin, and the networks that it is in, may have one more place. Of the part that is beyond
// the share of one origin, a wider network has a fraction as well: it never gets all.
func (p *places) shared(o netip.Prefix) bool {
	for _, g := range groupsOf(o) {
		if p.networks[g.network] >= p.limit-(p.limit-p.share)/g.times {
			return false
		}
	}
	return true
}

// close ends a seat with what has become of it.
func (p *places) close(who pair, o Outcome, takeover bool, now time.Time) {
	own := p.byName[who.name]
	own.seats--
	switch {
	case o == Inside:
		p.release(own)
		p.networks.add(own.origin, -1)
		own.origin, own.inside, own.visited = who.origin, true, true
		p.networks.add(own.origin, 1)
	case o == Right && takeover:
		own.claimed = now
	}
	p.giveBack(who.name, own)
}

// left takes note that the session of a name has ended.
func (p *places) left(name uint64, how Departure, now time.Time) {
	own := p.byName[name]
	if own == nil || !own.inside {
		return
	}
	own.inside = false
	if how == Silent || how == TakenOver && !own.claimed.IsZero() && now.Sub(own.claimed) <= claimLasts {
		p.held++
		p.hold(name, own, now.Add(p.keep), now)
		own.extended = false
	}
	p.giveBack(name, own)
}

func (p *places) hold(name uint64, own *place, until, now time.Time) {
	own.until = until
	p.ends.add(until, name, now)
}

// release ends a hold, if there is one.
func (p *places) release(own *place) {
	if !own.until.IsZero() {
		own.until = time.Time{}
		p.held--
	}
}

// extend has a hold last until a player who is known, and who finds no room in the queue, has been told to come back:
// once, or a player who does not come would keep it for ever.
func (p *places) extend(who pair, until, now time.Time) {
	own := p.byName[who.name]
	if own != nil && !own.until.IsZero() && !own.extended && own.until.Before(until) {
		own.extended = true
		p.hold(who.name, own, until, now)
	}
}

// giveBack frees a place that neither a session nor an open seat has, and that is not held.
func (p *places) giveBack(name uint64, own *place) {
	if own.seats == 0 && !own.inside && own.until.IsZero() {
		delete(p.byName, name)
		p.networks.add(own.origin, -1)
		if own.visited {
			p.freed++
		}
	}
}

// expire ends the holds whose time is over.
func (p *places) expire(now time.Time) {
	for end, ok := p.ends.next(now); ok; end, ok = p.ends.next(now) {
		if own := p.byName[end.key]; own != nil && own.until.Equal(end.at) { // else it was extended, or came back
			p.release(own)
			p.giveBack(end.key, own)
		}
	}
}
