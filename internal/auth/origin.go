package auth

import "net/netip"

// Origin is the unit by which clients are told apart: an IPv4 address, or the /64 network of an IPv6 address, since
// whoever has one address of such a network has all of them (RFC 6177).
type Origin struct{ addr netip.Addr }

// OriginOf returns the origin of an address. IPv4 addresses in IPv6 clothing count as IPv4; zones are dropped.
func OriginOf(addr netip.Addr) Origin {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	return Origin{addr}
}
