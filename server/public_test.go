package server

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Names are looked up in the families that the socket speaks.
func TestFamily(t *testing.T) {
	for local, want := range map[string]string{
		"127.0.0.1": "ip4", "192.0.2.1": "ip4", "::ffff:192.0.2.1": "ip4", "0.0.0.0": "ip4",
		"::1": "ip6", "2001:db8::1": "ip6", "::": "ip",
	} {
		if got := family(netip.MustParseAddr(local)); got != want {
			t.Errorf("%s: %s, want %s", local, got, want)
		}
	}
}

func TestNameWithoutAddress(t *testing.T) {
	p := newPublicAddresses([]string{"no..name:1"}, netip.MustParseAddrPort("127.0.0.1:1"), slog.New(slog.DiscardHandler))
	if err := p.begin(t.Context()); err == nil {
		t.Errorf("what is no name leads to %v", p.all())
	}
}

// resolver answers what a test says.
type resolver struct {
	mu      sync.Mutex
	answers map[string][]netip.Addr // a name that is not there is not found
	asked   int
}

func (r *resolver) set(name string, addrs ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(addrs) == 0 {
		delete(r.answers, name)
		return
	}
	r.answers[name] = nil
	for _, a := range addrs {
		r.answers[name] = append(r.answers[name], netip.MustParseAddr(a))
	}
}

func (r *resolver) lookup(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if a, ok := r.answers[host]; ok {
		return slices.Clone(a), nil
	}
	return nil, errors.New("no such host")
}

// lines is a log as lines of text.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// Names among the public addresses are looked up again while the node runs: players are sent where a name leads now,
// and those on their way to where it led before still get in. A resolver that does not answer changes nothing.
func TestPublicUDPNamesAreLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns, log := &resolver{answers: make(map[string][]netip.Addr)}, &lines{}
		dns.set("a.example", "192.0.2.1", "192.0.2.2")
		p := newPublicAddresses([]string{"a.example:40000", "198.51.100.9:7"}, netip.MustParseAddrPort("0.0.0.0:40000"),
			slog.New(slog.NewTextHandler(log, nil)))
		p.lookup = dns.lookup
		var accepted []netip.AddrPort
		p.changed = func(all []netip.AddrPort) error { accepted = all; return nil }
		if err := p.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.start()
		defer p.stop()
		look := func() { time.Sleep(lookupInterval); synctest.Wait() }
		want := func(when string, all ...string) {
			t.Helper()
			var want []netip.AddrPort
			for _, a := range all {
				want = append(want, netip.MustParseAddrPort(a))
			}
			if got := p.all(); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		old := netip.MustParseAddrPort("192.0.2.1:40000")
		want("at the start", "192.0.2.1:40000", "192.0.2.2:40000", "198.51.100.9:7")

		dns.set("a.example", "192.0.2.2", "192.0.2.1")
		look()
		want("in another order", "192.0.2.1:40000", "192.0.2.2:40000", "198.51.100.9:7")
		if log.count("\n") != 0 {
			t.Errorf("another order is told: %s", log.b.String())
		}

		dns.set("a.example", "192.0.2.3")
		look()
		want("moved", "192.0.2.3:40000", "198.51.100.9:7")
		if !slices.Contains(accepted, old) || !slices.Contains(accepted, netip.MustParseAddrPort("192.0.2.3:40000")) {
			t.Errorf("once the name has moved, players may come to %v", accepted)
		}
		if log.count("other public UDP addresses") != 1 {
			t.Errorf("the move is not told once:\n%s", log.b.String())
		}

		dns.set("a.example")
		for range 5 {
			look()
		}
		want("not found", "192.0.2.3:40000", "198.51.100.9:7")
		if log.count("cannot be looked up") != 1 {
			t.Errorf("a name that is not found is not told once:\n%s", log.b.String())
		}
		if slices.Contains(accepted, old) {
			t.Errorf("long after the move, players may still come to %v", accepted)
		}

		dns.set("a.example", "0.0.0.0", "192.0.2.4")
		look()
		want("found again", "192.0.2.4:40000", "198.51.100.9:7")

		var many []string
		for i := range 40 {
			many = append(many, netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}).String())
		}
		dns.set("a.example", many...)
		look()
		want("more than a token holds", "192.0.2.4:40000", "198.51.100.9:7")
	})
}

// Addresses need no resolver, and the login path never asks it.
func TestPublicUDPAddressesAreNotLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &resolver{answers: map[string][]netip.Addr{"a.example": {netip.MustParseAddr("192.0.2.1")}}}
		for _, hosts := range [][]string{nil, {"192.0.2.1:1", "[2001:db8::1]:2"}, {"a.example:1"}} {
			dns.asked = 0
			p := newPublicAddresses(hosts, netip.MustParseAddrPort("[::]:1"), slog.New(slog.DiscardHandler))
			p.lookup, p.changed = dns.lookup, func([]netip.AddrPort) error { return nil }
			if err := p.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			first := dns.asked
			for range 1000 {
				p.all()
			}
			if dns.asked != first {
				t.Errorf("%v: reading the addresses has asked the resolver", hosts)
			}
			p.start()
			time.Sleep(10*lookupInterval + time.Second)
			p.stop()
			if names := first > 0; names != (dns.asked > first) {
				t.Errorf("%v: looked up %d times at the start, and %d times later", hosts, first, dns.asked-first)
			}
			before := dns.asked
			time.Sleep(10 * lookupInterval)
			if dns.asked != before {
				t.Errorf("%v: looked up after the end", hosts)
			}
		}
	})
}
