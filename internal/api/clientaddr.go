package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddr returns the address that a request counts against: the peer's, or, when the peer is a trusted proxy, the
// rightmost address in X-Forwarded-For that is not one. What stands further left was written by whoever sent it.
func (h *handler) clientAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // not a TCP peer; all of these share one address
		return netip.IPv6Unspecified()
	}
	addr := peer.Addr().Unmap()
	if !h.trusted(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			return addr // the nearest hop that can be trusted to exist
		}
		addr = a.Unmap()
		if !h.trusted(addr) {
			return addr
		}
	}
	return addr
}

// parseHop reads an address with or without a port, as different proxies write it.
func parseHop(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), nil
	}
	return netip.ParseAddr(strings.Trim(s, "[]"))
}

func (h *handler) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(h.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
