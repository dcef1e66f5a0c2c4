package door

import "net/netip"

// shareOfFree is how many times as many places as are free an origin may hold in the queue (the dynamic threshold of
// Choudhury and Hahne, 1998). One origin alone so fills two thirds of the queue, two of them two fifths each, and an
// origin that holds none finds room however many others there are.
const shareOfFree = 2

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
		if r.networks[g.network] >= shareOfFree*g.times*max(limit-r.taken, 0) {
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
