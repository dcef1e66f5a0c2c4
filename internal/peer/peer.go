// Package peer says whose address a request counts against: that of the other end of its connection, unless that is a
// proxy which the operator trusts. Then it is the address that the proxy gives, in X-Forwarded-For or by the PROXY
// protocol. What a client can write into either itself is never believed.
package peer

import (
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// wideBits is the number of host bits of the largest network that may be nothing but proxies: 16 addresses.
const wideBits = 4

// Proxies are the proxies that a node trusts. Its methods may be called from many goroutines.
type Proxies struct {
	trusted []netip.Prefix
	logger  *slog.Logger

	// What is wrong with a proxy is wrong with each of its requests, so each is said once. A stranger with a public
	// address may be a player behind a proxy of their own; that must not keep a proxy next door from being named.
	privateStranger, publicStranger, silent, chain sync.Once
	headerless, unwanted                           sync.Once // of the PROXY protocol
}

// NewProxies returns the proxies in some networks. logger hears, once each, of what keeps players from being told
// apart; and at once of networks so wide that there must be more than proxies in them.
func NewProxies(trusted []netip.Prefix, logger *slog.Logger) *Proxies {
	p := &Proxies{trusted: slices.Clone(trusted), logger: logger}
	wide := slices.DeleteFunc(slices.Clone(trusted), func(n netip.Prefix) bool {
		return n.Addr().BitLen()-n.Bits() <= wideBits
	})
	if len(wide) > 0 {
		logger.Warn("--trusted-proxies has networks in which there may be more than proxies: every machine in them can "+
			"pretend that its requests come from any address, and so guess passwords without limit or have others locked out; "+
			"name each proxy by its address", "networks", wide)
	}
	return p
}

// Trusts reports whether an address is that of a trusted proxy.
func (p *Proxies) Trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(n netip.Prefix) bool { return n.Contains(a) })
}

// Passed reports whether a request has come through a trusted proxy, which may have taken TLS off it.
func (p *Proxies) Passed(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && p.Trusts(remote.Addr().Unmap().WithZone("")) || proxied(r.Context())
}

// names reports whether an address is trusted by itself, and not only as one of a network.
func (p *Proxies) names(a netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(n netip.Prefix) bool { return n.IsSingleIP() && n.Addr() == a })
}

// Client returns the address that a request counts against. A trusted peer is believed in the last address of
// X-Forwarded-For, which it has added. What stands before that was written by the machine at that address, so it is
// believed only if that is a trusted proxy too, and by its own address: in a network there may be players.
func (p *Proxies) Client(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // not a TCP peer; all of these share one address
		return netip.IPv6Unspecified()
	}
	addr := remote.Addr().Unmap().WithZone("")
	if !p.Trusts(addr) {
		p.warnOfStranger(r, addr)
		return addr
	}
	if unnamed(r.Context()) {
		return addr // the proxy speaks for itself, and has added nothing to the request
	}
	if len(r.Header.Values("X-Forwarded-For")) == 0 {
		p.warnOfSilence(r, addr)
		return addr
	}
	for hop := range hopsBackward(r.Header.Values("X-Forwarded-For")) {
		a, err := parseHop(hop)
		if err != nil {
			return addr // the nearest hop that can be trusted to exist
		}
		addr = a.Unmap().WithZone("")
		if !p.names(addr) {
			p.warnOfChain(addr)
			return addr
		}
	}
	return addr
}

// Secure reports whether a trusted peer says that a request came to it over TLS, in X-Forwarded-Proto. Of several words
// the last counts, which the peer has added.
func (p *Proxies) Secure(r *http.Request) bool {
	if !p.Passed(r) {
		return false
	}
	for hop := range hopsBackward(r.Header.Values("X-Forwarded-Proto")) {
		return strings.EqualFold(hop, "https")
	}
	return false
}

// hopsBackward returns the elements of X-Forwarded-For from the last to the first.
func hopsBackward(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, rest := range slices.Backward(lines) {
			for more := true; more; {
				comma := strings.LastIndexByte(rest, ',')
				if !yield(strings.TrimSpace(rest[comma+1:])) {
					return
				}
				more = comma >= 0
				rest = rest[:max(comma, 0)]
			}
		}
	}
}

// parseHop reads an address with or without a port, as different proxies write it.
func parseHop(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), nil
	}
	return netip.ParseAddr(strings.Trim(s, "[]"))
}

// forwardingHeaders are those in which proxies name their clients. Only the first is read.
var forwardingHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"}

// forwardingHeader returns the name of such a header in a request, or "".
func forwardingHeader(h http.Header) string {
	i := slices.IndexFunc(forwardingHeaders, func(name string) bool { return len(h[name]) > 0 })
	if i < 0 {
		return ""
	}
	return forwardingHeaders[i]
}

func (p *Proxies) warnOfStranger(r *http.Request, addr netip.Addr) {
	header := forwardingHeader(r.Header)
	if header == "" || proxied(r.Context()) { // of a client that a trusted proxy has named
		return
	}
	once := &p.publicStranger
	if addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() {
		once = &p.privateStranger
	}
	once.Do(func() {
		p.logger.Warn("a peer that is not trusted sends a forwarding header, which is not believed; if it is a proxy of "+
			"yours, name its address with --trusted-proxies: until then all its players count as one address",
			"peer", addr, "header", header)
	})
}

func (p *Proxies) warnOfSilence(r *http.Request, addr netip.Addr) {
	p.silent.Do(func() {
		p.logger.Warn("a proxy in --trusted-proxies sends a login without X-Forwarded-For: all its players count as one "+
			"address; let it set that header, or both sides use --proxy-protocol",
			"proxy", addr, "instead", forwardingHeader(r.Header))
	})
}

func (p *Proxies) warnOfChain(addr netip.Addr) {
	if !p.Trusts(addr) {
		return
	}
	p.chain.Do(func() {
		p.logger.Warn("X-Forwarded-For ends with an address in a trusted network, which may be a player's: it counts, and "+
			"what stands before it is not believed; if it is a proxy, name its address with --trusted-proxies", "address", addr)
	})
}

// addrOf returns the address of a TCP peer, or the zero Addr.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
