package account

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// deleteInterval is how often a node looks for accounts that are to be deleted, chance added; deletePause is after how
	// long it goes on if there are more of them than deleteBatch.
	deleteInterval = 10 * time.Second
	deletePause    = time.Second
	deleteBatch    = 16
	// deleteHold is for how long an account that is looked at is left to the node, and when one is looked at again whose
	// player has to leave first. All looks of a batch together take at most deleteTimeout.
	deleteHold    = time.Minute
	deleteTimeout = 45 * time.Second
)

// Deleter deletes accounts when the time has come that their players have asked for. Several nodes may do it on one
// store. Its methods may be called from many goroutines.
type Deleter struct {
	ledger *Ledger
	steady func() bool
	logger *slog.Logger
	nudged chan struct{} // holds one: there is something to do at once

	deleted, failed atomic.Int64
	failing         bool // the log has heard of it; of the one goroutine that deletes
	doubting        bool // the same for the time of day

	mu      sync.Mutex
	end     context.CancelFunc // nil while it does not run
	running sync.WaitGroup
}

// NewDeleter returns one that does not run yet. While steady, which may be nil, says that the time of day is not to be
// trusted, no account is deleted: one whose time has come is only late.
func NewDeleter(ledger *Ledger, steady func() bool, logger *slog.Logger) *Deleter {
	if steady == nil {
		steady = func() bool { return true }
	}
	return &Deleter{ledger: ledger, steady: steady, logger: logger, nudged: make(chan struct{}, 1)}
}

// Start has accounts deleted, until Stop. It is idempotent, and may be called again after that.
func (d *Deleter) Start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.end != nil {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	d.end = end
	d.running.Go(func() { d.run(ctx) })
}

// Stop returns when nothing is being deleted any more. What was under way is done later, here or on another node. It is
// idempotent.
func (d *Deleter) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.end != nil {
		d.end()
		d.running.Wait()
		d.end = nil
	}
}

// Nudge has what is due looked for at once.
func (d *Deleter) Nudge() {
	select {
	case d.nudged <- struct{}{}:
	default: // it is known already
	}
}

// Figures returns how many accounts were deleted, and how many looks have failed, since the start.
func (d *Deleter) Figures() (deleted, failed int64) { return d.deleted.Load(), d.failed.Load() }

func (d *Deleter) run(ctx context.Context) {
	wait := time.NewTimer(rand.N(deleteInterval))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.nudged:
		case <-wait.C:
		}
		next := deleteInterval + rand.N(deleteInterval/2)
		if d.once(ctx) == deleteBatch {
			next = deletePause
		}
		wait.Reset(next)
	}
}

// once looks at a batch of accounts, and returns how many it was.
func (d *Deleter) once(ctx context.Context) int {
	if d.doubts() {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	tasks, err := d.ledger.store.TakeTasks(ctx, DeletionTask, deleteBatch, deleteHold)
	d.tell(ctx, err)
	var done []rushgate.Task
	for _, t := range tasks {
		if ctx.Err() != nil {
			break
		}
		look, err := d.ledger.LookAt(ctx, t)
		d.tell(ctx, err)
		switch {
		case err != nil: // it is looked at again when the hold is over
		case look == Deleted:
			d.deleted.Add(1)
			d.logger.Info("an account was deleted, as its player has asked for", "player", t.ID)
			done = append(done, t)
		case look == Kept:
			done = append(done, t)
		}
	}
	if len(done) > 0 {
		d.tell(ctx, d.ledger.store.DropTasks(ctx, done)) // else they are found to be done once more
	}
	return len(tasks)
}

// doubts reports whether the time of day is not to be trusted, and tells the log when that begins.
func (d *Deleter) doubts() bool {
	before := d.doubting
	if d.doubting = !d.steady(); d.doubting && !before {
		d.logger.Warn("no account is deleted for a day, because the clock was set")
	}
	return d.doubting
}

// tell counts what has failed, and tells the log of the first of several in a row.
func (d *Deleter) tell(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		d.failed.Add(1)
		if !d.failing {
			d.logger.Warn("accounts that are to be deleted have to wait", "error", err)
		}
	}
	d.failing = err != nil
}
