package account

import (
	"context"
	"encoding/json"
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

// Deleter deletes accounts when the time has come that their players have asked for, and those of guests who do not
// come back. Several nodes may do it on one store. Its methods may be called from many goroutines.
type Deleter struct {
	ledger *Ledger
	steady func() bool
	logger *slog.Logger
	nudged chan struct{} // holds one: there is something to do at once

	keep time.Duration // of guests; 0: they are not looked at

	deleted, failed, guests atomic.Int64
	planned                 bool // the look at the guests; of the one goroutine that deletes
	failing                 bool // the log has heard of it; of the one goroutine that deletes
	doubting                bool // the same for the time of day

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

// KeepGuests has the accounts of guests deleted that were not used for a time, up to half as long again. It is to be
// called before Start. Nodes that keep none leave them to others.
func (d *Deleter) KeepGuests(keep time.Duration) { d.keep = keep }

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

// Guests returns how many guests were deleted since the start.
func (d *Deleter) Guests() int64 { return d.guests.Load() }

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
		if d.lookAtGuests(ctx) {
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

// lookAtGuests has the next part of the look through the guests taken, if it is due, and reports whether there is more.
func (d *Deleter) lookAtGuests(ctx context.Context) (more bool) {
	if d.keep == 0 || d.doubts() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	if !d.planned {
		err := d.ledger.planGuests(ctx)
		d.tell(ctx, err)
		if d.planned = err == nil; err != nil {
			return false
		}
	}
	tasks, err := d.ledger.store.TakeTasks(ctx, GuestTask, 1, deleteHold)
	d.tell(ctx, err)
	for _, t := range tasks {
		var look GuestLook
		_ = json.Unmarshal(t.Data, &look) // else it begins anew
		seen, err := d.ledger.LookAtGuests(ctx, look, d.keep)
		d.tell(ctx, err)
		if seen.Deleted > 0 {
			d.guests.Add(int64(seen.Deleted))
			d.logger.Info("guests were deleted who have not come back", "guests", seen.Deleted)
		}
		wait := min(max(d.keep/GuestMark, shortLook), longLook)
		if more = seen.Cursor != ""; more {
			wait = 0
		}
		if err != nil { // and it begins anew: the cursor may be what is wrong
			seen.Cursor, wait, more = "", shortLook, false
		}
		d.tell(ctx, d.ledger.goOnWithGuests(ctx, t, GuestLook{seen.Cursor}, wait))
	}
	return more
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
