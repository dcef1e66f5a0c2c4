// Package stress sends a rush of players to a Rushgate server and measures what becomes of them.
//
// [Run] starts every player as a real [client.Client] with a connection of its own and, when the target is on
// loopback, a source address of its own, so that the server's per-address protections see what they would see in the
// wild. Players who got in keep their session open until the last one has an outcome, or play for a while if
// [Config.Play] is set, and then log out. While they come in, a probe polls the target's /healthz on a fixed schedule.
// The [Report] holds the outcomes and latencies, what the players saw of the world, and what the server's own metrics say
// about the same time.
package stress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// Scenario is how the players arrive.
type Scenario string

// The scenarios.
const (
	Burst Scenario = "burst" // all at once
	Ramp  Scenario = "ramp"  // evenly, Config.Rate a second

	// Poisson has them come independently of each other and of the server, Config.Rate a second on average for
	// Config.Length.
	Poisson Scenario = "poisson"
	// LaunchDay is Poisson with a rate that grows for Config.RampUp to Config.Peak times the capacity of the server, stays
	// there for Config.Length and falls for Config.Decay. Config.GiveUpShare of the players do not wait in patience.
	LaunchDay Scenario = "launch-day"
	// ReconnectStorm drops all players at once when they are inside, or waits until the server does, and has them return.
	ReconnectStorm Scenario = "reconnect-storm"
	// Mixed is Poisson with players who register, log in, have forgotten their password or are no players at all, in the
	// shares of Config.Mix.
	Mixed Scenario = "mixed"
)

// Mode is what the players ask for.
type Mode string

// The modes.
const (
	Register Mode = "register"
	Login    Mode = "login" // of the accounts that a run in mode Register with the same Prefix and Password has made
)

// Bounds and defaults of [Config].
const (
	MaxClients      = 100_000
	MaxRate         = 100_000 // clients per second
	DefaultPrefix   = "stress"
	DefaultPassword = "stress-test-password" // no secret: stress accounts belong on test servers
	DefaultTimeout  = 120 * time.Second
	DefaultPlay     = 60 * time.Second // Config.Duration with Config.Play
)

// Config says what to do to which server. The zero value of each field but Target and Clients selects its default.
type Config struct {
	// Target is the base URL of the server. Required.
	Target string
	// Admin is the base URL of the server's admin listener, whose /metrics.json goes into the report. Default: none.
	Admin string
	// Scenario is Burst, the default, or Ramp.
	Scenario Scenario
	// Mode is Register, the default, or Login.
	Mode Mode
	// Clients is the number of players, 1 to [MaxClients]. Required.
	Clients int
	// Rate is how many players start per second in scenario Ramp, above 0 and up to [MaxRate]. Zero in scenario
	// Burst.
	Rate float64
	// Prefix begins the account names, which are Prefix-000001 and so on. Default [DefaultPrefix].
	Prefix string
	// Password is that of all accounts. Default [DefaultPassword].
	Password string
	// MaxRetries is that of [client.Options]: zero means [client.DefaultMaxRetries], negative none.
	MaxRetries int
	// Timeout is how long a player goes on trying, all retries together. Default [DefaultTimeout].
	Timeout time.Duration
	// Play has each player who got in connect to the world by UDP, walk about in it and check what it shows, rather
	// than only keep the session open.
	Play bool
	// Duration is how long everybody stays once the last one has an outcome and, with Play, is connected. Default
	// [DefaultPlay] with Play, otherwise none: the players leave at once.
	Duration time.Duration
	// InsecureTLS accepts any certificate of Target and Admin.
	InsecureTLS bool
	// RootCAs, if set, are the only certificate authorities trusted.
	RootCAs *x509.CertPool
	// Progress receives the state of the run while it goes on: every 5 s, or repainted in place several times a
	// second if Terminal is set. Errors in writing it are ignored. Default: none.
	Progress io.Writer
	Terminal bool

	dial    dialFunc       // in place of net.Dialer, for tests
	dialUDP dialUDPFunc    // likewise
	random  func() float64 // in [0,1), for the players' backoff, keep-alives and walks; nil: math/rand/v2
}

type (
	dialFunc    func(ctx context.Context, network, address string) (net.Conn, error)
	dialUDPFunc func(ctx context.Context, server netip.AddrPort) (net.Conn, error)
)

// withDefaults returns the configuration with its defaults filled in, or an error that names the field at fault.
func (cfg Config) withDefaults() (Config, error) {
	setDefault(&cfg.Scenario, Burst)
	setDefault(&cfg.Mode, Register)
	setDefault(&cfg.Prefix, DefaultPrefix)
	setDefault(&cfg.Password, DefaultPassword)
	setDefault(&cfg.Timeout, DefaultTimeout)
	if cfg.Play {
		setDefault(&cfg.Duration, DefaultPlay)
	}
	if _, err := client.New(cfg.Target, client.Options{}); err != nil {
		return cfg, invalid("Target", err)
	}
	if cfg.Admin != "" {
		if _, err := client.New(cfg.Admin, client.Options{}); err != nil {
			return cfg, invalid("Admin", err)
		}
	}
	if _, err := rushgate.ParsePassword(cfg.Password); err != nil {
		return cfg, invalid("Password", err)
	}
	// The error of ParseUsername speaks of the whole name: prefix, '-' and six digits.
	if name, err := rushgate.ParseUsername(account(cfg.Prefix, 0)); err != nil {
		return cfg, invalid("Prefix", err)
	} else if name != account(cfg.Prefix, 0) {
		return cfg, invalid("Prefix", errors.New("not in canonical form (lower case)"))
	}
	switch {
	case cfg.Scenario != Burst && cfg.Scenario != Ramp:
		return cfg, invalid("Scenario", fmt.Errorf("%q is neither %q nor %q", cfg.Scenario, Burst, Ramp))
	case cfg.Mode != Register && cfg.Mode != Login:
		return cfg, invalid("Mode", fmt.Errorf("%q is neither %q nor %q", cfg.Mode, Register, Login))
	case cfg.Clients < 1 || cfg.Clients > MaxClients:
		return cfg, invalid("Clients", fmt.Errorf("%d is not within 1 to %d", cfg.Clients, MaxClients))
	case cfg.Scenario == Ramp && !(cfg.Rate > 0 && cfg.Rate <= MaxRate):
		return cfg, invalid("Rate", fmt.Errorf("%v is not above 0 and up to %d per second", cfg.Rate, MaxRate))
	case cfg.Scenario == Burst && cfg.Rate != 0:
		return cfg, invalid("Rate", fmt.Errorf("only scenario %q has one", Ramp))
	case cfg.Timeout < 0:
		return cfg, invalid("Timeout", fmt.Errorf("%v is negative", cfg.Timeout))
	case cfg.Duration < 0:
		return cfg, invalid("Duration", fmt.Errorf("%v is negative", cfg.Duration))
	}
	return cfg, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func invalid(field string, err error) error { return fmt.Errorf("stress: %s: %w", field, err) }

// account returns the name of player i, who counts from 0.
func account(prefix string, i int) string { return fmt.Sprintf("%s-%06d", prefix, i+1) }

// source returns the loopback address of player i: 127.1.0.1 to 127.1.0.254, 127.1.1.1 and so on.
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
		return false, "all players share one source address: spreading them takes an IPv4 loopback target"
	}
	// Linux routes all of 127.0.0.0/8; other systems need each address configured.
	probe, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: source(0).AsSlice()})
	if err != nil {
		return false, "all players share one source address: " + err.Error()
	}
	_ = probe.Close() // it was never used
	return true, ""
}

// transport returns a transport with a single connection, made small since there is one per player. i chooses the
// source address if spread is set.
func (cfg *Config) transport(i int, spread bool) *http.Transport {
	dial := cfg.dial
	if dial == nil {
		d := &net.Dialer{Timeout: client.DefaultTryTimeout, KeepAlive: -1}
		if spread {
			d.LocalAddr = &net.TCPAddr{IP: source(i).AsSlice()}
		}
		dial = d.DialContext
	}
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{RootCAs: cfg.RootCAs, InsecureSkipVerify: cfg.InsecureTLS},
		TLSHandshakeTimeout:    client.DefaultTryTimeout,
		DisableCompression:     true,
		MaxConnsPerHost:        1,
		MaxResponseHeaderBytes: 16 << 10,
		ReadBufferSize:         1 << 10,
		WriteBufferSize:        1 << 10,
		Protocols:              &http1,
	}
}

// realtimeDial returns how player i makes sockets to the world, nil for the default.
func (cfg *Config) realtimeDial(i int, spread bool) dialUDPFunc {
	if cfg.dialUDP != nil || !spread {
		return cfg.dialUDP
	}
	return func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
		var d net.Dialer
		if server.Addr().IsLoopback() && server.Addr().Is4() { // from a loopback address nothing else can be reached
			d.LocalAddr = &net.UDPAddr{IP: source(i).AsSlice()}
		}
		return d.DialContext(ctx, "udp", server.String())
	}
}
