// Package outbound calls other people's servers over HTTP, so that what they do costs a node no more than it is ready
// to give: so many calls at once to each of them and to all, for so long, with answers of such a size; none inside the
// operator's own network, wherever a name or a redirect leads; and none for a while to a server that keeps failing.
// Each [Target] is one of those servers. A target that is slow or down takes nothing from the others, or from anything
// else.
//
// Nothing here may run on the tick, or in a worker's batch: a call may take seconds.
package outbound

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how much calls may take. The zero value of each number is its default.
type Config struct {
	Most int // calls at once, to all targets; 64
	// PerTarget are the calls at once to each; 16. Four targets that hang leave no room for a fifth until they are left
	// alone.
	PerTarget int
	Timeout   time.Duration // for one request and its answer; a redirect is another one. 5s
	Wait      time.Duration // for room to call; as many as can call may wait. 1s
	Size      int64         // of an answer's body, unpacked, in bytes; 256 KiB
	// Allow are addresses of the operator's network that may be called, and by plain HTTP too.
	Allow []netip.Prefix
	// Failures in a row after which a target is left alone, 5; for FirstRest at first, 1s, and up to LongestRest, 30s.
	Failures               int
	FirstRest, LongestRest time.Duration

	// Transport, for tests, takes the place of the network and of all that is checked about addresses.
	Transport http.RoundTripper
}

func (c Config) withDefaults() Config {
	c.Most, c.PerTarget, c.Failures = cmp.Or(c.Most, 64), cmp.Or(c.PerTarget, 16), cmp.Or(c.Failures, 5)
	c.Timeout, c.Wait = cmp.Or(c.Timeout, 5*time.Second), cmp.Or(c.Wait, time.Second)
	c.FirstRest, c.LongestRest = cmp.Or(c.FirstRest, time.Second), cmp.Or(c.LongestRest, 30*time.Second)
	c.Size = cmp.Or(c.Size, 256<<10)
	return c
}

// Calls makes them. It is safe for concurrent use.
type Calls struct {
	cfg           Config
	secure, plain http.RoundTripper
	room          chan struct{}

	mu      sync.Mutex
	targets []*Target
}

// New returns calls that share a budget, and connections.
func New(cfg Config) *Calls {
	cfg = cfg.withDefaults()
	c := &Calls{cfg: cfg, room: make(chan struct{}, cfg.Most), secure: cfg.Transport, plain: cfg.Transport}
	if cfg.Transport == nil {
		c.secure, c.plain = c.transport(c.checkSecure), c.transport(c.checkPlain)
	}
	return c
}

// transport returns one whose connections are checked when they are made, and kept for the next call. It uses no proxy
// of the environment: that would be what is checked in place of the server behind it.
func (c *Calls) transport(check control) *http.Transport {
	dialer := &net.Dialer{Timeout: c.cfg.Timeout, ControlContext: check}
	return &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: c.cfg.Timeout,
		MaxIdleConns: c.cfg.Most, MaxIdleConnsPerHost: c.cfg.PerTarget, MaxConnsPerHost: c.cfg.PerTarget,
		IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
	}
}

// Close ends the connections that are idle. Calls that are under way end by themselves, in time.
func (c *Calls) Close() {
	for _, t := range []http.RoundTripper{c.secure, c.plain} {
		if t, ok := t.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
}

// Target returns what calls one server, or several that stand and fall together, under a name for logs and metrics: for
// each name there is one, with its circuit, also when what it is for has been configured anew.
func (c *Calls) Target(name string) *Target {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		if t.name == name {
			return t
		}
	}
	t := &Target{calls: c, name: name, room: make(chan struct{}, c.cfg.PerTarget)}
	t.circuit.limit, t.circuit.first, t.circuit.longest = c.cfg.Failures, c.cfg.FirstRest, c.cfg.LongestRest
	c.targets = append(c.targets, t)
	return t
}

// Left reports whether any of some servers is left alone at the moment, because it has failed.
func (c *Calls) Left(names ...string) bool {
	c.mu.Lock()
	targets := c.targets
	c.mu.Unlock()
	return slices.ContainsFunc(targets, func(t *Target) bool {
		return slices.Contains(names, t.name) && t.circuit.isOpen()
	})
}

// Target is a server that is called. It is safe for concurrent use.
type Target struct {
	calls   *Calls
	name    string
	room    chan struct{}
	waiting atomic.Int64
	circuit circuit

	made, failed, refusedOpen, refusedFull atomic.Int64 // since the start
}

// enter waits for room, and asks the circuit. What it returns says how the call ended.
func (t *Target) enter(ctx context.Context) (leave func(verdict, time.Duration), err error) {
	if after, open := t.circuit.open(time.Now()); open {
		t.refusedOpen.Add(1)
		return nil, t.errorf(after, ErrOpen)
	}
	if err := t.take(ctx); err != nil {
		return nil, err
	}
	try, after, ok := t.circuit.enter(time.Now())
	if !ok {
		t.free()
		t.refusedOpen.Add(1)
		return nil, t.errorf(after, ErrOpen)
	}
	t.made.Add(1)
	return func(v verdict, hint time.Duration) {
		if v == bad {
			t.failed.Add(1)
		}
		t.circuit.leave(time.Now(), try, v, hint)
		t.free()
	}, nil
}

// take waits for room at the target, and then among all calls.
func (t *Target) take(ctx context.Context) error {
	if t.waiting.Add(1) > int64(2*cap(t.room)) { // those that call count for a moment, too
		t.waiting.Add(-1)
		t.refusedFull.Add(1)
		return t.errorf(0, ErrFull)
	}
	defer t.waiting.Add(-1)
	patience := time.NewTimer(t.calls.cfg.Wait)
	defer patience.Stop()
	for i, room := range []chan struct{}{t.room, t.calls.room} {
		var err error
		select {
		case room <- struct{}{}:
			continue
		case <-patience.C:
			t.refusedFull.Add(1)
			err = t.errorf(0, ErrFull)
		case <-ctx.Done():
			err = ctx.Err()
		}
		if i == 1 {
			<-t.room
		}
		return err
	}
	return nil
}

func (t *Target) free() {
	<-t.calls.room
	<-t.room
}
