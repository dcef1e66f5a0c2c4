package auth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// freezeLook is how often a pool that is to stand still looks whether all have been answered.
const freezeLook = 5 * time.Millisecond

// gate is what requests go through before they knock at the door.
type gate struct {
	mu     sync.Mutex
	shut   chan struct{} // nil: open; closed when it is open again
	inside int           // requests that have gone through, and whose callers still wait
}

// enter waits until the gate is open, and counts a request, until exit. The error is [rushgate.RequestExpired] if ctx
// ends before.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		shut := g.shut
		if shut == nil {
			g.inside++
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-shut:
		case <-ctx.Done():
			return rushgate.RequestExpired
		}
	}
}

func (g *gate) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
}

func (g *gate) empty() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside == 0
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// Freeze lets no further request knock at the door: those that come wait. It returns when all that came before have
// been answered. If ctx ends first, the pool goes on as if it had not been asked, and Freeze returns the context's
// error. Otherwise [Pool.Thaw] has to follow, or [Pool.Drain] or [Pool.Stop], by which those that wait hear
// [rushgate.ServerBusy].
func (p *Pool) Freeze(ctx context.Context) error {
	p.gate.close()
	look := time.NewTicker(freezeLook)
	defer look.Stop()
	// A caller may have given up whose request is still being worked on.
	for !p.gate.empty() || !p.cfg.Door.Empty() {
		select {
		case <-look.C:
		case <-ctx.Done():
			p.gate.open()
			return fmt.Errorf("auth: waiting for logins to be answered: %w", ctx.Err())
		}
	}
	return nil
}

// Thaw ends what [Pool.Freeze] began: those that wait go on. It is idempotent.
func (p *Pool) Thaw() { p.gate.open() }
