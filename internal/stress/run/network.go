package run

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// network is how a run reaches the server.
type network struct {
	cfg     *Config
	sources int         // how many source addresses the players take turns at; 1: the one that the system chooses
	tls     *tls.Config // shared by all: nothing in it changes
	opaque  *opaqueTally
}

// sharedSource begins the note of a run whose players cannot have addresses of their own, which is no shortage of
// ports.
const sharedSource = "all players share one source address"

// newNetwork also returns a note if players should have source addresses of their own but cannot.
func newNetwork(cfg *Config) (*network, string) {
	n := &network{cfg: cfg, opaque: newOpaqueTally()}
	n.tls = &tls.Config{RootCAs: cfg.RootCAs, InsecureSkipVerify: cfg.InsecureTLS}
	var note string
	n.sources, note = cfg.sources()
	return n, note
}

// sources returns how many source addresses the players take turns at, 1 for the one that the system chooses. If it is
// fewer than there should be, note says why.
func (cfg *Config) sources() (n int, note string) {
	if cfg.Sources == 1 {
		return 1, ""
	}
	spread, note := cfg.canSpread()
	switch {
	case !spread && note == "" && cfg.Sources > 1:
		return 1, sharedSource + ": others are to be had for an IPv4 loopback target only"
	case !spread:
		return 1, note
	case cfg.Sources == 0:
		return MaxClients, ""
	}
	return cfg.Sources, ""
}

// source returns a loopback address by its number: 127.1.0.1 to 127.1.0.254, 127.1.1.1 and so on.
func source(i int) netip.Addr {
	block, host := i/254, i%254+1
	return netip.AddrFrom4([4]byte{127, byte(1 + block/256), byte(block % 256), byte(host)})
}

// canSpread reports whether players can have source addresses of their own; if they should but cannot, note says why.
func (cfg *Config) canSpread() (spread bool, note string) {
	u, err := url.Parse(cfg.Target)
	if err != nil || cfg.dial != nil {
		return false, ""
	}
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.Hostname() == "localhost":
	case err != nil || !ip.IsLoopback():
		return false, ""
	case !ip.Unmap().Is4():
		return false, sharedSource + ": spreading them takes an IPv4 loopback target"
	}
	// Linux routes all of 127.0.0.0/8; other systems need each address configured.
	probe, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: source(0).AsSlice()})
	if err != nil {
		return false, sharedSource + ": " + err.Error()
	}
	_ = probe.Close() // it was never used
	return true, ""
}

// observers is the number of who comes from the source address of those who only look. It is above those of all
// players.
const observers = 10 * MaxClients

// source returns the address that player i, or who only looks, comes from; invalid for the one that the system chooses.
func (n *network) source(i int) netip.Addr {
	switch {
	case n.sources == 1 || i < 0:
		return netip.Addr{}
	case i >= observers:
		return source(i)
	}
	return source(i % n.sources)
}

// dialer returns how player i dials; a negative i has no source address of their own.
func (n *network) dialer(i int) dialFunc {
	if n.cfg.dial != nil {
		return n.cfg.dial
	}
	d := &net.Dialer{Timeout: n.cfg.TryTimeout, KeepAlive: -1}
	if from := n.source(i); from.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	return d.DialContext
}

// line returns the way of player i to the server, and what the client is to use of it.
func (n *network) line(i int) (*line, http.RoundTripper) {
	l := &line{dial: n.dialer(i), tls: n.tls, within: n.cfg.TryTimeout}
	return l, n.adapted(l)
}

// transport returns a transport with one warm connection, for those who are not players, and for WebSockets.
func (n *network) transport(i int) *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		DialContext:            n.dialer(i),
		TLSClientConfig:        n.tls.Clone(),
		TLSHandshakeTimeout:    n.cfg.TryTimeout,
		DisableCompression:     true,
		MaxConnsPerHost:        1,
		MaxResponseHeaderBytes: 16 << 10,
		Protocols:              &http1,
	}
}

// adapted returns a transport for Rushgate's requests over one to the target.
func (n *network) adapted(t http.RoundTripper) http.RoundTripper {
	if n.cfg.Mode == report.Opaque {
		return &opaqueWay{next: t, tally: n.opaque}
	}
	if n.cfg.Adapter.Kind == "" {
		return t
	}
	a, err := adapter.New(n.cfg.Adapter, t)
	if err != nil {
		panic("stress: withDefaults let pass what adapter.New refuses: " + err.Error())
	}
	return a
}

// realtimeDial returns how player i makes sockets to the world, nil for the default.
func (n *network) realtimeDial(i int) dialUDPFunc {
	from := n.source(i)
	if n.cfg.dialUDP != nil || !from.IsValid() {
		return n.cfg.dialUDP
	}
	return func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
		var d net.Dialer
		if server.Addr().IsLoopback() && server.Addr().Is4() { // from a loopback address nothing else can be reached
			d.LocalAddr = &net.UDPAddr{IP: from.AsSlice()}
		}
		return d.DialContext(ctx, "udp", server.String())
	}
}
