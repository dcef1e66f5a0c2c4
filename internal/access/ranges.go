package access

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"
	"time"
)

// ranges finds the bans of the networks that an address is in. Networks contain each other or have nothing in common,
// so that they cut all addresses into at most twice as many pieces as there are networks, one after the other, and one
// more; within each piece the same bans count.
type ranges struct {
	bans   []*Ban
	pieces []piece // by their beginning
}

// piece begins at an address, as 16 bytes, and ends where the next one begins.
type piece struct {
	at   address
	bans []*Ban
}

// address is one of IPv6, or of IPv4 in the clothing of IPv6.
type address struct{ hi, lo uint64 }

func addressOf(a netip.Addr) address {
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a address) before(b address) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a address) compare(b address) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

// next returns the address after one, and false after the last.
func (a address) next() (address, bool) {
	if a.lo++; a.lo == 0 {
		a.hi++
	}
	return a, a != address{}
}

// hosts returns how many bits of an address tell those of a network apart.
func hosts(p netip.Prefix) int { return p.Addr().BitLen() - p.Bits() }

// last returns the last address of a network.
func last(p netip.Prefix) address {
	a, host := addressOf(p.Addr()), hosts(p)
	switch {
	case host >= 64:
		a.lo = ^uint64(0)
		a.hi |= 1<<(host-64) - 1
	default:
		a.lo |= 1<<host - 1
	}
	return a
}

// add adds a ban. build is to be called after the last.
func (r *ranges) add(b *Ban) { r.bans = append(r.bans, b) }

// build makes the pieces.
func (r *ranges) build() {
	slices.SortFunc(r.bans, func(a, b *Ban) int { // of two that begin together the wider one first
		order := addressOf(a.Range.Addr()).compare(addressOf(b.Range.Addr()))
		return cmp.Or(order, cmp.Compare(hosts(b.Range), hosts(a.Range)))
	})
	var within []*Ban
	leave := func(until *address) { // ends the networks that end before an address; nil: all
		for n := len(within); n > 0; n = len(within) {
			end := last(within[n-1].Range)
			if until != nil && !end.before(*until) {
				return
			}
			within = within[:n-1]
			if at, more := end.next(); more {
				r.begin(at, within)
			}
		}
	}
	for _, b := range r.bans {
		at := addressOf(b.Range.Addr())
		leave(&at)
		within = append(within, b)
		r.begin(at, within)
	}
	leave(nil)
}

// begin begins a piece, in place of one that begins at the same address.
func (r *ranges) begin(at address, bans []*Ban) {
	if n := len(r.pieces); n > 0 && r.pieces[n-1].at == at {
		r.pieces = r.pieces[:n-1]
	}
	r.pieces = append(r.pieces, piece{at, slices.Clone(bans)})
}

// find returns a ban of a network that an address is in, in force at a time for the account of a name; nil if there is
// none.
func (r *ranges) find(addr netip.Addr, name string, now time.Time) *Ban {
	if len(r.pieces) == 0 || !addr.IsValid() {
		return nil
	}
	a := addressOf(addr)
	i := sort.Search(len(r.pieces), func(i int) bool { return a.before(r.pieces[i].at) })
	if i == 0 {
		return nil
	}
	for _, b := range r.pieces[i-1].bans {
		if b.concerns(name, now) {
			return b
		}
	}
	return nil
}
