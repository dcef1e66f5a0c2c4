// Package flood knocks at a node in an open loop: so many logins a second, each over a connection of its own, from an
// address of its own, whether the ones before have been answered or not. That is what a launch day looks like from the
// door, and what an attack looks like. No client of a knock waits, comes back or plays; those who do are the players of
// package run.
//
// Knocks over plain HTTP are made by one goroutine with raw sockets and epoll, which takes a fraction of what net/http
// takes for each: a generator that costs more than the server it measures measures itself. Knocks over TLS have a
// goroutine each and crypto/tls.
package flood

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Bounds of [Config].
const (
	MaxPerSecond = 200_000
	MaxKnocks    = 10_000_000
	MaxPatience  = time.Minute
)

// Config says how to knock.
type Config struct {
	// Target is where the node listens: an IPv4 address.
	Target netip.AddrPort
	// Sources are the IPv4 addresses that knocks come from, in turn. The system must deliver them here, as it does all of
	// 127.0.0.0/8, and they must have ports for a minute's knocks: a connection that is over holds its port for so long.
	Sources netip.Prefix
	// PerSecond is how many clients knock a second, above 0 and up to [MaxPerSecond].
	PerSecond float64
	// Length is for how long new ones come. No more than [MaxKnocks] may be due in it.
	Length time.Duration
	// Warm is how long after the beginning [Result.Counted] begins, less than Length.
	Warm time.Duration
	// Patience is how long a client waits for its answer, up to [MaxPatience].
	Patience time.Duration
	// MaxOpen is how many connections may be open at once, 1 or more. A knock that finds no room is not made, and counted
	// as such.
	MaxOpen int
	// TLS has the knocks speak TLS. Nil for plain HTTP.
	TLS *tls.Config
	// Request appends the whole request of the n-th client, from 0 on, to dst. Asked twice for one n it has to append the
	// same. It must not keep dst, and must be safe for use by many goroutines with TLS.
	Request func(dst []byte, n int) []byte
}

var (
	// ErrUnsupported is the error where there are no sockets of the kind that is needed.
	ErrUnsupported = errors.New("a flood can be made on Linux only")
	// ErrSources is wrapped by errors that are about [Config.Sources].
	ErrSources = errors.New("source addresses of the knocks")
	// errConfig is wrapped by all other errors about a [Config].
	errConfig = errors.New("settings of the flood")
)

// New returns a flood that has not begun, or an error that says what is wrong with cfg on this system.
func New(cfg Config) (*Flood, error) {
	switch due := cfg.PerSecond * cfg.Length.Seconds(); {
	case !supported:
		return nil, fmt.Errorf("flood: %w", ErrUnsupported)
	case !cfg.Target.Addr().Unmap().Is4() || cfg.Target.Port() == 0:
		return nil, fmt.Errorf("flood: %w: %v is not an IPv4 address with a port", errConfig, cfg.Target)
	case !(cfg.PerSecond > 0 && cfg.PerSecond <= MaxPerSecond):
		return nil, fmt.Errorf("flood: %w: %v knocks per second are not above 0 and up to %d", errConfig, cfg.PerSecond,
			MaxPerSecond)
	case cfg.Length <= 0 || cfg.Warm < 0 || cfg.Warm >= cfg.Length:
		return nil, fmt.Errorf("flood: %w: a length of %v with %v to warm up", errConfig, cfg.Length, cfg.Warm)
	case due > MaxKnocks:
		return nil, fmt.Errorf("flood: %w: %.0f knocks would be due, and %d are the most", errConfig, due, MaxKnocks)
	case cfg.Patience <= 0 || cfg.Patience > MaxPatience:
		return nil, fmt.Errorf("flood: %w: a patience of %v is not above 0 and up to %v", errConfig, cfg.Patience,
			MaxPatience)
	case cfg.MaxOpen < 1 || cfg.Request == nil:
		return nil, fmt.Errorf("flood: %w: no connection may be open, or there is no request", errConfig)
	}
	cfg.Target = netip.AddrPortFrom(cfg.Target.Addr().Unmap(), cfg.Target.Port())
	if err := checkSources(&cfg); err != nil {
		return nil, fmt.Errorf("flood: %w: %w", ErrSources, err)
	}
	return &Flood{cfg: cfg, hopeless: hopeless, kinds: make(map[kind]*answers, maxKinds+1)}, nil
}

// Run knocks from now on, until all clients have had an answer or lost their patience. When ctx ends it closes what is
// open and returns soon. It may be called once; [Flood.Counts] and [Flood.Result] may be called meanwhile. The error is
// that of the system, without which ctx has ended or the flood is over.
func (f *Flood) Run(ctx context.Context) error {
	f.start(time.Now())
	defer context.AfterFunc(ctx, func() { f.stop(time.Now()) })()
	if f.cfg.TLS != nil {
		f.knockTLS(ctx)
		return nil
	}
	if err := f.knock(ctx); err != nil {
		return fmt.Errorf("flood: %w", err)
	}
	return nil
}

// due returns when the n-th client is to come, from the beginning.
func (c *Config) due(n int) time.Duration {
	return time.Duration(float64(n) / c.PerSecond * float64(time.Second))
}

const (
	// late is the delay from which a knock counts as late.
	late = 100 * time.Millisecond
	// hopeless is the delay from which a knock is not made at all: a generator that cannot keep up makes as many as it
	// can, in time, rather than all of them ever later.
	hopeless = 250 * time.Millisecond
)
