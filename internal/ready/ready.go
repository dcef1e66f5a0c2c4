// Package ready says whether a node can let players in: it takes writes, and it is not draining. Both listeners, the
// public status and the operator's page ask the same probe, so that they cannot contradict one another.
package ready

import (
	"context"
	"net/http"
	"time"
)

const (
	// pingTimeout is how long the store may take to answer a probe.
	pingTimeout = time.Second
	// pingEvery is how long an answer of the store holds: however many probes come, it is asked once in this time.
	pingEvery = time.Second
)

// State is whether a node can let players in, in a line for a load balancer's log.
type State string

// The states. Where several others hold it is the first of them.
const (
	Ready    State = "ok"
	Draining State = "draining"
	NoWrites State = "the store takes no writes"
	// NoCertificate is of a node that waits for its first certificate, without which no player gets through to it.
	NoCertificate State = "no certificate yet"
)

// Probe finds out whether a node can let players in. Its methods may be called from many goroutines; each takes a
// second at most.
type Probe struct {
	draining  func() bool
	ping      func(context.Context) error
	certified func() bool // nil: nothing has to be

	turn chan struct{} // holds one while a caller asks the store or looks at what it has answered
	// Both belong to the caller that has the turn.
	asked    time.Time // when the last answer came
	answered bool
}

// New returns a probe of a node. draining reports that the node is on its way down; ping returns nil if the store takes
// a write, and heeds its context. Both are called from many goroutines, ping by one at a time.
func New(draining func() bool, ping func(context.Context) error) *Probe {
	return &Probe{draining: draining, ping: ping, turn: make(chan struct{}, 1)}
}

// Certified has the node count as ready only while certified reports true. It has to be called before the probe is in
// use; certified is called from many goroutines.
func (p *Probe) Certified(certified func() bool) { p.certified = certified }

// State returns how the node is now, the store at most a second ago. When ctx ends before that is known it is
// [NoWrites].
func (p *Probe) State(ctx context.Context) State {
	switch {
	case p.draining():
		return Draining
	case !p.TakesWrites(ctx):
		return NoWrites
	case p.certified != nil && !p.certified():
		return NoCertificate
	default:
		return Ready
	}
}

// TakesWrites reports whether the store has taken a write within the last second. It asks the store unless it was asked
// within that time; a caller that comes while another asks waits for the same answer.
func (p *Probe) TakesWrites(ctx context.Context) bool {
	timeout := time.NewTimer(pingTimeout)
	defer timeout.Stop()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-timeout.C:
		return false
	case <-ctx.Done():
		return false
	}
	if !p.asked.IsZero() && time.Since(p.asked) < pingEvery {
		return p.answered
	}
	// Not the caller's context: that a prober goes away says nothing about the store.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	p.answered = p.ping(ctx) == nil
	p.asked = time.Now()
	return p.answered
}

// ServeHTTP answers 200, or 503, with the state in a line.
func (p *Probe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	state := p.State(r.Context())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if state != Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	w.Write([]byte(string(state) + "\n"))
}
