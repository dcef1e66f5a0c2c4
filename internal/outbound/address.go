package outbound

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// control is what a [net.Dialer] asks about each address before it connects: after the name was looked up, so that a
// name which leads elsewhere the second time leads nowhere else.
type control func(ctx context.Context, network, address string, _ syscall.RawConn) error

func (c *Calls) checkSecure(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !c.cfg.Reaches(at.Addr(), false) {
		return fmt.Errorf("%w: %s is inside a network", ErrForbidden, address)
	}
	return nil
}

// checkPlain is for HTTP without TLS, which is for what the operator has allowed.
func (c *Calls) checkPlain(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !c.cfg.Reaches(at.Addr(), true) {
		return fmt.Errorf("%w: %s without TLS", ErrForbidden, address)
	}
	return nil
}

// Reaches reports whether an address is called, in the clear if plain: those of the Internet over TLS alone, and those
// that are allowed.
func (c Config) Reaches(a netip.Addr, plain bool) bool {
	bare := a.Unmap().WithZone("")
	return !plain && public(a) || slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return p.Contains(bare) })
}

// special are the addresses of IPv4 that are no single host of the Internet, by IANA's registry of special-purpose
// addresses.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")

// Of IPv6, only global unicast addresses are called, but for those of protocols and examples in it.
var (
	global   = netip.MustParsePrefix("2000::/3")
	nat64    = netip.MustParsePrefix("64:ff9b::/96") // an address of IPv4 is in its last four bytes
	sixToIV  = netip.MustParsePrefix("2002::/16")    // one is in the four bytes that follow
	special6 = prefixes("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
)

func prefixes(all ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(all))
	for i, p := range all {
		ps[i] = netip.MustParsePrefix(p)
	}
	return ps
}

// public reports whether an address is that of a host on the Internet, whatever form it is written in.
func public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	switch b := a.As16(); {
	case a.Is4():
		return !slices.ContainsFunc(special, within)
	case nat64.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[12:])))
	case sixToIV.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[2:6])))
	default:
		return global.Contains(a) && !slices.ContainsFunc(special6, within)
	}
}
