package server

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/web"
)

// validate checks a configuration that has its defaults.
func (c Config) validate() error {
	var errs []error
	for _, n := range c.numbers() {
		errs = append(errs, n.check(c.nameOf(n.field)))
	}
	for _, d := range c.durations() {
		errs = append(errs, d.check(c.nameOf(d.field)))
	}
	errs = append(errs, c.validateStore(), c.validateTLS(), c.validateDoor(), c.validateAdmin(), c.validateZones(),
		c.validateMail(), c.validateOpaque(), c.validateProviders())
	if c.RememberFor != Never && c.RememberFor < time.Second {
		errs = append(errs, wrong("RememberFor", "devices are remembered for %v, want 1s or more, or not at all",
			c.RememberFor))
	}
	if c.GuestKeep != 0 && c.GuestKeep < time.Hour {
		errs = append(errs, wrong("GuestKeep", "guests are kept for %v, want 1h or more, or 0 for none", c.GuestKeep))
	}
	if c.DeleteAfter != AtOnce && c.DeleteAfter < time.Second {
		errs = append(errs, wrong("DeleteAfter", "accounts are deleted after %v, want 1s or more, or at once", c.DeleteAfter))
	}
	if c.RenameAfter != AtOnce && c.RenameAfter < time.Second {
		errs = append(errs, wrong("RenameAfter", "accounts are renamed again after %v, want 1s or more, or at once",
			c.RenameAfter))
	}
	if c.RenameHold != AtOnce && c.RenameHold < time.Second {
		errs = append(errs, wrong("RenameHold", "names are held for %v, want 1s or more, or not at all", c.RenameHold))
	}
	return errors.Join(append(errs, c.validatePage(), c.validateUDP(), c.validateHandover(), c.validateAppeal())...)
}

// look returns what of the page is the game's own.
func (c Config) look() web.Look { return web.Look{Title: c.PageTitle, Accent: c.PageAccent} }

// validatePage checks how the page looks.
func (c Config) validatePage() error {
	var errs []error
	if err := web.CheckTitle(c.PageTitle); err != nil {
		errs = append(errs, wrong("PageTitle", "title of the page: %w", err))
	}
	if err := web.CheckAccent(c.PageAccent); err != nil {
		errs = append(errs, wrong("PageAccent", "colour of the page: %w", err))
	}
	return errors.Join(errs...)
}

// validateDoor checks how players knock.
func (c Config) validateDoor() error {
	var errs []error
	if local, err := isLoopback(c.HTTPAddr); err != nil {
		errs = append(errs, wrong("HTTPAddr", "HTTP address: %w", err))
	} else if !local && !c.TLS && !c.InsecureHTTP {
		errs = append(errs, wrong("TLS", "plain HTTP on %s would send passwords in the clear: use TLS, or allow insecure "+
			"HTTP behind a proxy that speaks TLS", c.HTTPAddr))
	}
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		errs = append(errs, wrong("TrustedProxies", "the PROXY protocol is for trusted proxies, of which there are none"))
	}
	if len(c.PasskeyOrigins) > 0 {
		if _, err := passkey.CheckOrigins(c.PasskeyOrigins); err != nil {
			errs = append(errs, wrong("PasskeyOrigins", "origin %w", err))
		}
	}
	for _, origin := range c.Origins {
		if _, err := api.ParseOrigin(origin); err != nil {
			errs = append(errs, wrong("Origins", "origin %q: %w", origin, err))
		}
	}
	return errors.Join(errs...)
}

// maxAppealURL is the greatest length of [Config].AppealURL in bytes.
const maxAppealURL = 200

// validateAppeal checks where players are sent who are banned.
func (c Config) validateAppeal() error {
	if c.AppealURL == "" {
		return nil
	}
	u, err := url.Parse(c.AppealURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(c.AppealURL) > maxAppealURL ||
		u.String() != c.AppealURL {
		return wrong("AppealURL", "the page for appeals is no https:// URL of at most %d bytes", maxAppealURL)
	}
	return nil
}

// validateZones checks where players are sent, to this node and to others.
func (c Config) validateZones() error {
	var errs []error
	for zone, addr := range c.Zones {
		if zone == "" {
			errs = append(errs, wrong("Zones", "the zone served at %s has no name", addr))
		}
		if err := validatePublic(addr); err != nil {
			errs = append(errs, wrong("Zones", "zone %q: address %q: %w", zone, addr, err))
		}
	}
	if c.PublicAddress != "" {
		if err := validatePublic(c.PublicAddress); err != nil {
			errs = append(errs, wrong("PublicAddress", "public address %q: %w", c.PublicAddress, err))
		}
	}
	return errors.Join(errs...)
}

// validateHandover checks whether the node could go on in place of another.
func (c Config) validateHandover() error {
	if !c.Handover {
		return nil
	}
	_, movable := c.World.(rushgate.Checkpointer)
	switch {
	case runtime.GOOS == "windows":
		return wrong("Handover", "a hand-over needs a system that gives sockets to another process, which Windows does not")
	case c.Backend == Memory:
		return wrong("Handover", "a hand-over, but the players are in memory, and end with their process")
	case c.World != nil && !movable:
		return wrong("Handover", "a hand-over, but the World is no rushgate.Checkpointer, so it cannot be moved from one "+
			"process into another")
	}
	return nil
}

// check returns an error that names the setting and its value, or nil.
func (r ranged[T]) check(setting string) error {
	if v := *r.field; v < r.low || v > r.high {
		return wrong(setting, "%s is %v, want %v to %v", r.name, v, r.low, r.high)
	}
	return nil
}

// validateStore checks which store is meant, and that only one is.
func (c Config) validateStore() error {
	if _, err := rushgate.CheckBoards(c.Boards); err != nil {
		return wrong("Boards", "%w", err)
	}
	switch {
	case c.Store != nil && c.Backend != "":
		return wrong("Backend", "there is a store, and the backend %s besides: want one of them", c.Backend)
	case c.Store == nil && c.Backend != SQLite && c.Backend != Redis && c.Backend != Memory:
		return wrong("Backend", "store is %q, want sqlite, redis or memory", c.Backend)
	case c.Backend != Redis && (len(c.RedisURLs) > 0 || c.RedisSentinel != "" || c.RedisPrefix != ""):
		return wrong("Backend", "an address of Redis, but the store is %s", c.storeName())
	case strings.ContainsAny(c.RedisPrefix, "{}"): // which tell a Cluster where a key belongs
		return wrong("RedisPrefix", "prefix %q contains braces", c.RedisPrefix)
	}
	return nil
}

// storeName is what the operator is told of the store.
func (c Config) storeName() string {
	if c.Store != nil {
		return "the embedder's own"
	}
	return string(c.Backend)
}

// validateUDP checks the addresses of the realtime channel, but for names, which the start resolves.
func (c Config) validateUDP() error {
	if c.UDPAddr == NoUDP {
		if len(c.UDPPublic) > 0 {
			return wrong("UDPAddr", "there is a public UDP address, but the realtime channel is off")
		}
		return nil
	}
	addr, err := net.ResolveUDPAddr("udp", c.UDPAddr)
	if err != nil {
		return wrong("UDPAddr", "UDP address: %w", err)
	}
	if local := addr.AddrPort().Addr().Unmap(); len(c.UDPPublic) == 0 && !usable(local) {
		return wrong("UDPPublic", "no player can be sent to the UDP address %s: a public UDP address is needed", c.UDPAddr)
	}
	for _, public := range c.UDPPublic {
		if err := validatePublic(public); err != nil {
			return wrong("UDPPublic", "public UDP address %q: %w", public, err)
		}
	}
	return nil
}

func validatePublic(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("want host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("want a port from 1 to 65535")
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && !usable(ip) {
		return errors.New("want an address or a name that players can reach")
	}
	return nil
}

// usable reports whether an address can stand in a connect token, which has no room for a zone.
func usable(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip.Zone() == ""
}

// isLoopback reports whether a listener on addr can only be reached from this machine.
func isLoopback(addr string) (bool, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return false, err
	}
	return tcp.IP.IsLoopback(), nil
}
