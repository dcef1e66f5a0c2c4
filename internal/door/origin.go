package door

import "net/netip"

// OriginOf returns the origin of an address: the unit by which clients are told apart, an IPv4 address or the /64
// network of an IPv6 address, since a client that has one address of such a network has all of them (RFC 6177). IPv4
// addresses in IPv6 clothing count as IPv4; zones are dropped.
func OriginOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil { // the zero Addr: all clients whose address is unknown are one origin
		return netip.Prefix{}
	}
	return p
}

// group is a network whose origins count together, with a budget that is so many times that of one origin.
type group struct {
	network netip.Prefix
	times   int
}

// tally counts something by network.
type tally map[netip.Prefix]int

// add counts n more for an origin, and for the networks that it is in.
func (t tally) add(o netip.Prefix, n int) {
	for _, g := range groupsOf(o) {
		if t[g.network] += n; t[g.network] <= 0 {
			delete(t, g.network)
		}
	}
}

// maxGroups is how many groups an origin belongs to at most, itself included.
const maxGroups = 3

// groupsOf returns the networks that an origin counts for, itself first. One customer of an IPv6 provider is commonly
// given a /56 or a /48 (RFC 6177, RIPE-690), and so has 256 or 65,536 origins to choose from.
func groupsOf(o netip.Prefix) []group {
	groups := make([]group, 1, maxGroups)
	groups[0] = group{o, 1}
	if o.IsValid() && o.Addr().Is6() {
		for _, wider := range []struct{ bits, times int }{{56, 2}, {48, 4}} {
			if p, err := o.Addr().Prefix(wider.bits); err == nil {
				groups = append(groups, group{p, wider.times})
			}
		}
	}
	return groups
}
