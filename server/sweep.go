package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/realm"
)

const (
	// sweepFor is for how long after a change of the rules the players inside are looked through again and again: those
	// who had passed the door before it come in meanwhile. It is longer than a request can take from there.
	sweepFor = 15 * time.Second
	// sweepEvery is how often.
	sweepEvery = 500 * time.Millisecond
	// sentAtOnce is how many players are sent out at the same time, each of whom is saved.
	sentAtOnce = 64
	// sendTimeout ends the wait for one of them to be saved; the end of the session goes on.
	sendTimeout = 5 * time.Second
)

// sweeper ends the sessions of players inside this node who may be so no longer: for a ban of the range of addresses
// that they come from, or of their device, or for a mode that sends them out. Bans of accounts go by the store, see
// [rushgate.Leases].
type sweeper struct {
	node   *Server
	woken  chan struct{} // holds one
	sent   atomic.Int64
	ending context.Context
	end    context.CancelFunc

	running sync.WaitGroup
}

func newSweeper(s *Server) *sweeper {
	w := &sweeper{node: s, woken: make(chan struct{}, 1)}
	w.ending, w.end = context.WithCancel(context.Background())
	return w
}

// wake has the players inside looked through.
func (w *sweeper) wake(*access.Rules) {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// start goes on until stop.
func (w *sweeper) start() { w.running.Go(w.run) }

// stop is idempotent.
func (w *sweeper) stop() {
	w.end()
	w.running.Wait()
}

func (w *sweeper) run() {
	again := time.NewTicker(sweepEvery)
	defer again.Stop()
	var until time.Time
	for {
		select {
		case <-w.ending.Done():
			return
		case <-w.woken:
			until = time.Now().Add(sweepFor)
		case <-again.C:
			if time.Now().After(until) {
				continue
			}
		}
		w.sweep(w.node.access.Rules())
	}
}

// sweep sends out those whom the rules keep out. It returns when they are saved, or that has taken too long.
func (w *sweeper) sweep(rules *access.Rules) {
	if !rules.KeepsOut() {
		return
	}
	inside := w.node.realm.Names()
	names := make([]string, len(inside))
	for i := range inside {
		names[i] = inside[i].Name
	}
	var group errgroup.Group
	group.SetLimit(sentAtOnce)
	now := time.Now()
	for i, from := range w.node.door.Whence(names) {
		why := "mode"
		if !rules.Out || rules.Lets(names[i]) {
			b := rules.Banned(from.Origin.Addr(), from.Device, names[i], now)
			if b == nil {
				continue
			}
			why = b.Kind()
		}
		group.Go(func() error { w.send(inside[i], why); return nil })
	}
	_ = group.Wait() // nothing fails
}

// send ends the session of a player.
func (w *sweeper) send(p realm.Named, why string) {
	ctx, cancel := context.WithTimeout(w.ending, sendTimeout)
	defer cancel()
	err := w.node.realm.End(ctx, p.Player)
	if rushgate.ReasonOf(err) == rushgate.BadCredentials { // gone
		return
	}
	w.sent.Add(1)
	attrs := []any{"player", p.Player, "for", why}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	w.node.cfg.Logger.Info("a player was sent out", attrs...)
}

func (w *sweeper) metrics(out metric.Scrape) {
	out.Counter("rushgate_access_sent_out_total", "Players inside sent out for a ban of a range or device, or for a mode.",
		float64(w.sent.Load()))
}
