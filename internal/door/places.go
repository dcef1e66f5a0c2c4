package door

import (
	"net/netip"
	"time"
)

const (
	// SeatHold is how long the seat of a player whose session has ended by silence, or for a takeover, is kept for the
	// player's return.
	SeatHold = 30 * time.Second
	// DefaultOriginShare is the share of the seats, in percent, that one origin may hold.
	DefaultOriginShare = 50
	// leastShare is what an origin may hold in any case: a small world is often one household's.
	leastShare = 16
	// claimLasts is how long a takeover that was asked for here is remembered.
	claimLasts = 10 * time.Second
)

// places are the seats in the world. A seat belongs to a name: it is taken with the first knock of that name, so that
// no more are hashed than find room, and the player who has it comes back to it however full the world is.
type places struct {
	limit    int
	share    int // of one origin
	byName   map[uint64]*place
	networks map[netip.Prefix]int
	held     []hold // in the order of their end
}

// place is one name's.
type place struct {
	origin  netip.Prefix
	seats   int       // open, for this name
	inside  bool      // a session has it
	until   time.Time // held for a return; the zero time if not
	claimed time.Time // when a takeover was last asked for
}

type hold struct {
	name  uint64
	until time.Time
}

func newPlaces(limit, percent int) places {
	share := limit
	if percent < 100 {
		share = max(int(int64(limit)*int64(percent)/100), leastShare)
	}
	return places{
		limit: limit, share: share, byName: make(map[uint64]*place), networks: make(map[netip.Prefix]int),
	}
}

// take takes a seat for a name, and reports false if the world, or the share of the origin, has none left.
func (p *places) take(who pair, takeover bool, now time.Time) bool {
	p.expire(now)
	own := p.byName[who.name]
	if own == nil {
		if len(p.byName) >= p.limit || !p.shared(who.origin) {
			return false
		}
		own = &place{origin: who.origin}
		p.byName[who.name] = own
		p.count(who.origin, 1)
	}
	own.seats++
	if takeover {
		own.claimed = now
	}
	return true
}

func (p *places) shared(o netip.Prefix) bool {
	for _, g := range groupsOf(o) {
		if p.networks[g.network] >= p.share*g.times {
			return false
		}
	}
	return true
}

func (p *places) count(o netip.Prefix, n int) {
	for _, g := range groupsOf(o) {
		if p.networks[g.network] += n; p.networks[g.network] <= 0 {
			delete(p.networks, g.network)
		}
	}
}

// close ends a seat; inside tells that a session has it now.
func (p *places) close(who pair, inside bool, now time.Time) {
	own := p.byName[who.name]
	own.seats--
	if inside {
		p.count(own.origin, -1)
		own.origin, own.inside, own.until = who.origin, true, time.Time{}
		p.count(own.origin, 1)
	}
	p.giveBack(who.name, own, now)
}

// left takes note that the session of a name has ended.
func (p *places) left(name uint64, how Departure, now time.Time) {
	own := p.byName[name]
	if own == nil || !own.inside {
		return
	}
	own.inside = false
	if how == Silent || how == TakenOver && !own.claimed.IsZero() && now.Sub(own.claimed) <= claimLasts {
		own.until = now.Add(SeatHold)
		p.held = append(p.held, hold{name, own.until})
	}
	p.giveBack(name, own, now)
}

// giveBack frees a place that neither a session nor an open seat has, and that is not held.
func (p *places) giveBack(name uint64, own *place, now time.Time) {
	if own.seats == 0 && !own.inside && !now.Before(own.until) {
		delete(p.byName, name)
		p.count(own.origin, -1)
	}
}

// expire ends the holds whose time is over.
func (p *places) expire(now time.Time) {
	for len(p.held) > 0 && !now.Before(p.held[0].until) {
		h := p.held[0]
		p.held = p.held[1:]
		if own := p.byName[h.name]; own != nil && own.until.Equal(h.until) {
			p.giveBack(h.name, own, now)
		}
	}
	if len(p.held) == 0 {
		p.held = nil // give the passed ones' memory back
	}
}
