package door

import "net/netip"

// shareOfFree is how many times as many places as are free an origin may hold in the queue (the dynamic threshold of
// Choudhury and Hahne, 1998). One origin alone so fills two thirds of the queue, two of them two fifths each, and an
// origin that holds none finds room however many others there are.
const shareOfFree = 2

// modest is how many places any origin may have, and partOfOthers which part of what all others have an origin may have
// beyond that: where there are others, one that comes with many is to wait in the line, which serves origins by turns.
const (
	modest       = 20
	partOfOthers = 4
)

// slowRoom is how many requests may be in the slow lane.
const slowRoom = 32

// room is that of the queue or of the slow lane: how many requests are in it, and whose.
type room struct {
	limit    int // 0: none
	taken    int
	networks tally
}

func newRoom(limit int) room { return room{limit: limit, networks: make(tally)} }

// shared reports whether the share of an origin, or of a network that it is in, has room for one more of limit places.
func (r *room) shared(o netip.Prefix, limit int) bool {
	for _, g := range groupsOf(o) {
		own := r.networks[g.network]
		others := r.taken - own
		switch {
		case own >= shareOfFree*g.times*max(limit-r.taken, 0):
			return false
		case others > 0 && own >= g.times*max(modest, others/partOfOthers):
			return false
		}
	}
	return true
}

// add counts n more requests of an origin.
func (r *room) add(o netip.Prefix, n int) {
	r.taken += n
	r.networks.add(o, n)
}
