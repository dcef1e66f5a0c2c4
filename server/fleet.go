package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
)

const (
	// beatInterval is how often a node says that it is there, and hears which others are.
	beatInterval = time.Second
	// beatTimeout ends an attempt.
	beatTimeout = 2 * time.Second
	// goneAfter is how long a node may be silent before it counts as gone.
	goneAfter = 5 * time.Second
	// knownFor is for how long what a node has heard of the others counts: one that is itself cut off from the store
	// cannot say who is gone.
	knownFor = 3 * time.Second
)

// node is what is known of another node.
type node struct {
	address string
	beat    time.Time // when it was last heard, by this node's clock
}

// fleet knows which nodes there are on the same store, and tells them of this one.
type fleet struct {
	store  rushgate.Fleet
	beat   rushgate.NodeBeat
	logger *slog.Logger

	mu    sync.RWMutex
	nodes map[string]node
	heard time.Time // when the store was asked for them; the zero time: it has not answered yet
	since time.Time // from when on this node was heard without a gap

	failing bool // the last beat was not heard; of the one goroutine that beats
	end     context.CancelFunc
	running sync.WaitGroup
}

func newFleet(store rushgate.Fleet, beat rushgate.NodeBeat, logger *slog.Logger) *fleet {
	return &fleet{store: store, beat: beat, logger: logger, end: func() {}}
}

// begin beats for the first time.
func (f *fleet) begin(ctx context.Context) { f.once(ctx) }

// start goes on beating, until stop.
func (f *fleet) start() {
	var ctx context.Context
	ctx, f.end = context.WithCancel(context.Background())
	f.running.Go(func() { every(beatInterval, ctx.Done(), func(time.Time) { f.once(ctx) }) })
}

// stop ends the beats. It is idempotent.
func (f *fleet) stop() {
	f.end()
	f.running.Wait()
}

// once beats. What goes wrong is told to the log, once for as long as it lasts.
func (f *fleet) once(ctx context.Context) {
	asked := time.Now() // how long others have been silent is not known to be less than it was at this time
	inner, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	nodes, err := f.store.Beat(inner, f.beat)
	if ctx.Err() != nil {
		return
	}
	if failing := err != nil; failing != f.failing {
		f.failing = failing
		if failing {
			f.logger.Warn("the store does not hear that this node is there; others may think that it is gone", "error", err)
		} else {
			f.logger.Info("the store hears again that this node is there")
		}
	}
	if err != nil {
		return
	}
	known := make(map[string]node, len(nodes))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range nodes {
		// Of two answers, that counts by which it was heard later: the store's clock may jump, or be another server's by now.
		beat := asked.Add(-n.Silence)
		if before := f.nodes[n.Node].beat; before.After(beat) {
			beat = before
		}
		known[n.Node] = node{n.Address, beat}
	}
	if asked.Sub(f.heard) > knownFor {
		f.since = asked
	}
	f.nodes, f.heard = known, asked
}

// holder says what is known of an instance that holds a player. Nodes are told apart by their id alone: a run that is
// gone leaves its players to the next one of the same node. Nor is one gone that has been silent while this node was
// not heard either: it was the store that was away, or this process that stood still.
func (f *fleet) holder(i rushgate.Instance) auth.Holder {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n, ok := f.nodes[i.Node]
	if !ok || i.Node == f.beat.Node || time.Since(f.heard) > knownFor {
		return auth.Holder{}
	}
	return auth.Holder{Address: n.address, Gone: f.heard.Sub(n.beat) > goneAfter && f.heard.Sub(f.since) > goneAfter}
}
