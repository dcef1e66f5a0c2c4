package server

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/oidc"
	"github.com/rushgate/rushgate/internal/outbound"
	"github.com/rushgate/rushgate/internal/providers"
)

const (
	// issuerWait bounds how long the names of issuers are looked up.
	issuerWait = 5 * time.Second
	// backPath is where the node takes browsers that come back from a provider, which it calls as what follows.
	backPath = "/play/back/"
)

// lookup returns the addresses of a name, as [net.Resolver.LookupNetIP] does.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// outbound says how providers are called.
func (c Config) outbound() outbound.Config { return outbound.Config{Allow: c.ProviderNetworks} }

// reachIssuers returns an error for providers that are called by an address at which the node calls nobody.
func (c Config) reachIssuers(all []oidc.Settings) error {
	var errs []error
	for _, p := range all {
		host, plain := issuerHost(p.Issuer)
		if at := written(host); len(at) > 0 && !c.reachesOne(at, plain) {
			errs = append(errs, wrong("ProviderNetworks", "provider %s is at %s, inside a network in which the node calls "+
				"nobody unless it is told to: allow %s", p.Name, host, prefixOf(at[0])))
		}
	}
	return errors.Join(errs...)
}

// reachesOne reports whether one of several addresses is called, in the clear if plain.
func (c Config) reachesOne(all []netip.Addr, plain bool) bool {
	calls := c.outbound()
	return slices.ContainsFunc(all, func(a netip.Addr) bool { return calls.Reaches(a, plain) })
}

// issuerHost returns the host in the URL of an issuer, and whether that is called without TLS.
func issuerHost(issuer string) (host string, plain bool) {
	u, err := url.Parse(issuer)
	if err != nil { // which [oidc.Load] has seen to
		return "", false
	}
	return u.Hostname(), u.Scheme == "http"
}

// written returns the addresses of a host that need not be looked up; none for other names.
func written(host string) []netip.Addr {
	if host == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}
	}
	return nil
}

// prefixOf returns the network with an address alone.
func prefixOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}

// findIssuers looks the names of issuers up, and tells the log of those that lead to no address that is called. It does
// not wait for that, which ends with the node. Names may lead elsewhere later: what counts is checked with each call.
func (v *vouchers) findIssuers(c Config, all []oidc.Settings, look lookup) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.life.Err() != nil {
		return
	}
	v.looking.Go(func() {
		ctx, cancel := context.WithTimeout(v.life, issuerWait)
		defer cancel()
		for _, p := range all {
			c.warnOfIssuer(ctx, &p, look)
		}
	})
}

// warnOfIssuer looks the name of a provider's issuer up, unless that is an address.
func (c Config) warnOfIssuer(ctx context.Context, p *oidc.Settings, look lookup) {
	host, plain := issuerHost(p.Issuer)
	if host == "" || len(written(host)) > 0 {
		return
	}
	found, err := look(ctx, "ip", host)
	if err != nil || len(found) == 0 || c.reachesOne(found, plain) {
		return // a name that is not found now is perhaps found when a player comes
	}
	c.Logger.Warn("a provider of identities is inside a network in which the node calls nobody: its players are told to "+
		"come back, for as long as --provider-networks does not have the address",
		"provider", p.Name, "host", host, "address", found[0].Unmap().String())
}

// warnOfReturns tells the log of addresses to which providers send browsers back, and at which the node does not take
// them: of another provider, or of nothing that the node has there. A page of the game's own may be there, or a program
// on the player's machine, so that this is no error.
func (c Config) warnOfReturns(openID []oidc.Settings, all []providers.Description) {
	returns := make(map[string]string, len(openID)+1)
	for _, p := range openID {
		returns[p.Name] = p.Redirect
	}
	if c.SteamReturn != "" {
		returns[providers.SteamName] = c.SteamReturn
	}
	for name, to := range returns {
		u, err := url.Parse(to)
		if err != nil || strings.HasSuffix(u.Path, backPath+name) {
			continue
		}
		_, page, ours := strings.Cut(u.Path, backPath)
		another := ours && slices.ContainsFunc(all, func(d providers.Description) bool { return d.Name == page })
		switch {
		case another:
			c.Logger.Warn("a provider sends browsers back to where another one's are taken: its players do not come in",
				"provider", name, "to", to, "page of", page)
		case !ours && isProgram(u):
		default:
			c.Logger.Warn("a provider sends browsers back to an address that is not this node's for it: its players come in "+
				"only if a page of the game's own takes them there", "provider", name, "to", to, "of this node", backPath+name)
		}
	}
}

// isProgram reports whether browsers are sent to the player's own machine, where a game takes them.
func isProgram(u *url.URL) bool {
	at := written(u.Hostname())
	return len(at) > 0 && at[0].IsLoopback()
}
