package realm

import (
	"context"
	"sync"

	"github.com/rushgate/rushgate"
)

// gate is what calls of players go through: while the realm stands still, and what they change would be lost, they wait
// in front of it.
type gate struct {
	mu   sync.RWMutex  // held by those that go through, for as long as they change something
	shut chan struct{} // nil: open; closed when it is open again, or never will be
	left bool          // it never will be
}

// pass waits until the gate is open. The error is [rushgate.ServerBusy] if it never will be, or ctx's.
func (g *gate) pass(ctx context.Context) error {
	release, err := g.hold(ctx)
	if err == nil {
		release()
	}
	return err
}

// hold is pass, and then keeps the gate from being shut until release is called, which must be soon.
func (g *gate) hold(ctx context.Context) (release func(), err error) {
	for {
		g.mu.RLock()
		shut, left := g.shut, g.left
		switch {
		case left:
			g.mu.RUnlock()
			return nil, rushgate.ServerBusy
		case shut == nil:
			return g.mu.RUnlock, nil
		}
		g.mu.RUnlock()
		select {
		case <-shut:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// close shuts the gate, and returns when none is going through.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

// open lets those that wait go on, or, if left, turns them and all to come away.
func (g *gate) open(left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = g.left || left
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}
