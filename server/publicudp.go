package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/netcode"
)

const (
	// lookupInterval is how often the names of public addresses are looked up: the system's resolver tells no TTL, and
	// names that are moved for a failover have one of a minute or so.
	lookupInterval = 30 * time.Second
	// lookupTimeout bounds the looking up of all names, once the node runs.
	lookupTimeout = 10 * time.Second
	// formerLasts is for how long an address that is no longer public still counts. Connect tokens that name it last for
	// [ConnectWindow].
	formerLasts = 2 * ConnectWindow
)

// publicAddresses are the addresses at which players reach the realtime channel, as they stand in connect tokens.
type publicAddresses struct {
	hosts  []string // host:port each; none: the socket's own address
	local  netip.AddrPort
	logger *slog.Logger
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// changed tells the realtime channel under which addresses players may come.
	changed func([]netip.AddrPort) error

	current atomic.Pointer[[]netip.AddrPort]

	// What follows belongs to the caller of begin, and then to the goroutine.
	found  map[string][]netip.AddrPort // the last answer for each of hosts
	told   map[string]string           // the error in the log for each of hosts
	former map[netip.AddrPort]time.Time

	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newPublicAddresses(hosts []string, local netip.AddrPort, logger *slog.Logger) *publicAddresses {
	return &publicAddresses{
		hosts: hosts, local: local, logger: logger, lookup: net.DefaultResolver.LookupNetIP,
		found: make(map[string][]netip.AddrPort), told: make(map[string]string),
		former: make(map[netip.AddrPort]time.Time), cancel: func() {},
	}
}

// all returns the addresses, which the caller must not change. It waits for nothing.
func (p *publicAddresses) all() []netip.AddrPort { return *p.current.Load() }

// begin looks up all names for the first time.
func (p *publicAddresses) begin(ctx context.Context) error {
	for _, host := range p.hosts {
		found, err := p.resolve(ctx, host)
		if err != nil {
			return fmt.Errorf("server: %w", &SettingError{"UDPPublic", fmt.Errorf("public UDP address %q: %w", host, err)})
		}
		p.found[host] = found
	}
	all, err := p.combine()
	if err != nil {
		return err
	}
	p.current.Store(&all)
	return nil
}

// start has the names looked up again and again until stop, if there are names.
func (p *publicAddresses) start() {
	if !slices.ContainsFunc(p.hosts, func(h string) bool { _, err := netip.ParseAddrPort(h); return err != nil }) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.running.Go(func() { every(lookupInterval, ctx.Done(), func(time.Time) { p.look(ctx) }) })
}

// stop ends what start has begun, and returns when it has ended.
func (p *publicAddresses) stop() {
	p.cancel()
	p.running.Wait()
}

// look looks up all names. One that is not answered keeps the addresses that it had.
func (p *publicAddresses) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	for _, host := range p.hosts {
		found, err := p.resolve(ctx, host)
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return
		case err == nil:
			p.found[host] = found
			p.say(host, "")
		default:
			p.say(host, err.Error())
		}
	}
	p.renew()
}

// say writes into the log what has become of a name, if that is news.
func (p *publicAddresses) say(host, problem string) {
	before := p.told[host]
	p.told[host] = problem
	switch {
	case problem != "" && before == "":
		p.logger.Warn("a public UDP address cannot be looked up; players are sent to where it was before",
			"name", host, "addresses", p.found[host], "error", problem)
	case problem == "" && before != "":
		p.logger.Info("a public UDP address can be looked up again", "name", host)
	}
}

// renew goes by what was found.
func (p *publicAddresses) renew() {
	next, err := p.combine()
	if err != nil {
		p.say("", err.Error())
		return
	}
	p.say("", "")
	now, before := time.Now(), p.all()
	moved := !sameAddresses(next, before) // names with several addresses are answered in another order each time
	if moved {
		for _, a := range before {
			p.former[a] = now.Add(formerLasts)
		}
	} else {
		next = before
	}
	forgotten := p.forget(now, next)
	if !moved && !forgotten {
		return
	}
	// The channel first: it has to know the addresses before there are tokens that name them.
	accepted := slices.Clone(next)
	for a := range p.former {
		accepted = append(accepted, a)
	}
	if err := p.changed(accepted); err != nil {
		p.logger.Error("the public UDP addresses stay as they were", "error", err)
		return
	}
	p.current.Store(&next)
	if moved {
		p.logger.Info("players are sent to other public UDP addresses from now on", "from", before, "to", next)
	}
}

// forget drops the former addresses whose time is over, and those that are public again.
func (p *publicAddresses) forget(now time.Time, public []netip.AddrPort) (any bool) {
	for a, until := range p.former {
		if !now.Before(until) || slices.Contains(public, a) {
			delete(p.former, a)
			any = true
		}
	}
	return any
}

func sameAddresses(a, b []netip.AddrPort) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x netip.AddrPort) bool { return !slices.Contains(b, x) })
}

// combine returns what stands in connect tokens: the addresses of all hosts, in their order, or, if there are none, the
// socket's own.
func (p *publicAddresses) combine() ([]netip.AddrPort, error) {
	if len(p.hosts) == 0 {
		return []netip.AddrPort{p.local}, nil
	}
	var all []netip.AddrPort
	for _, host := range p.hosts {
		for _, a := range p.found[host] {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	if len(all) > netcode.MaxAddresses {
		return nil, wrong("UDPPublic", "%d public UDP addresses, want at most %d", len(all), netcode.MaxAddresses)
	}
	return all, nil
}

// family returns the network in which the names of a socket's public addresses are looked up: a player who is sent to
// an address of a family that the socket does not speak would wait there in vain.
func family(local netip.Addr) string {
	switch local = local.Unmap(); {
	case local.Is4():
		return "ip4"
	case local.IsUnspecified():
		return "ip" // :: stands for the addresses of both
	default:
		return "ip6"
	}
}

// resolve returns the addresses of a valid host:port.
func (p *publicAddresses) resolve(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(hostPort); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}, nil
	}
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	ips, err := p.lookup(ctx, family(p.local.Addr()), host)
	if err != nil {
		return nil, err
	}
	var found []netip.AddrPort
	for _, ip := range ips {
		if ip = ip.Unmap(); usable(ip) {
			found = append(found, netip.AddrPortFrom(ip, uint16(n)))
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the name has no address that players can reach")
	}
	return found, nil
}
