package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/report"
)

const (
	calibratedAtOnce = 100 // players at first: some for each worker of a server, and fewer than it lets wait
	calibratedMost   = 800
	calibrationWarm  = 2 * time.Second
	calibrationTime  = 10 * time.Second
	calibrationGrace = 10 * time.Second // for those who are at the door when the time is over
	calibrationWait  = time.Minute      // for the line to be empty again
	// calibrationGain is how many times as many get in, when twice as many knock, at a server that was not saturated.
	calibrationGain = 1.1
	// calibrationBlock is the distance between the accounts at which runs begin. Clean finds them if its gap is longer.
	calibrationBlock = 1000
)

// calibrationPrefix begins the names of the accounts that are only there to measure the capacity.
func calibrationPrefix(prefix string) string { return prefix + "-cal" }

// calibration measures how many players per second the server lets in when it always has some waiting.
type calibration struct {
	run  *run
	next atomic.Int64 // account
	busy atomic.Bool  // a player was told to come back

	mu              sync.Mutex
	visits, refused int
	example         error // why a player was refused
}

// calibrate returns how many players per second the server lets in: as many as when twice as many at a time make no
// difference, or some are told to come back. It begins with so many at a time and has no more than most. Notes in the
// report say what is wrong with the figure.
func (r *run) calibrate(ctx context.Context, rep *report.Report, atOnce, most int) float64 {
	c := calibration{run: r}
	c.begin(ctx)
	best, saturated := 0.0, false
	for n := atOnce; n <= most && !saturated && ctx.Err() == nil; n *= 2 {
		rate := c.measure(ctx, n)
		saturated = c.busy.Load() || rate <= calibrationGain*best
		best = max(best, rate)
	}
	if !saturated {
		rep.Note(fmt.Sprintf(
			"the server could let in more than the measured capacity of %.1f per second: with %d players at a time it was not"+
				" saturated; tell the capacity if you know it", best, most))
	}
	if c.refused > 0 {
		rep.Note(fmt.Sprintf("the measured capacity may be too low: %d of %d registrations were refused: %v", c.refused,
			c.visits, c.example))
	}
	return best
}

// begin finds accounts that no run before has registered.
func (c *calibration) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, calibrationTime)
	defer cancel()
	for i := 0; i < MaxClients && ctx.Err() == nil; i += calibrationBlock {
		_, err := c.run.visit(ctx, i, account(calibrationPrefix(c.run.cfg.Prefix), i), nil)
		c.next.Store(int64(i) + 1)
		if !errors.Is(err, rushgate.UsernameTaken) {
			return
		}
	}
}

// measure returns how many players per second get in when there are always so many at the door.
func (c *calibration) measure(ctx context.Context, atOnce int) float64 {
	from := time.Now().Add(calibrationWarm)
	to := from.Add(calibrationTime)
	ctx, cancel := context.WithDeadline(ctx, to.Add(calibrationGrace))
	defer cancel()
	var in atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(to) {
				i := int(c.next.Add(1)) - 1
				at, err := c.run.visit(ctx, i, account(calibrationPrefix(c.run.cfg.Prefix), i), c.onAnswer)
				if !at.IsZero() && !at.Before(from) && at.Before(to) {
					in.Add(1)
				}
				sleep(ctx, c.judge(ctx, at, err))
			}
		})
	}
	wg.Wait()
	return float64(in.Load()) / calibrationTime.Seconds()
}

func (c *calibration) onAnswer(a client.Answer) {
	if a.Reason == rushgate.ServerBusy {
		c.busy.Store(true)
	}
}

// judge counts a visit, and returns how long to pause after it.
func (c *calibration) judge(ctx context.Context, admitted time.Time, err error) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visits++
	if !admitted.IsZero() || ctx.Err() != nil {
		return 0
	}
	if errors.Is(err, rushgate.ServerBusy) { // after all retries: it is saturated, and that is all right
		return time.Second
	}
	c.refused++
	if c.example == nil {
		c.example = err
	}
	if errors.Is(err, rushgate.UsernameTaken) {
		return 0
	}
	pause := time.Second
	if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok {
		pause = max(pause, refusal.RetryAfter)
	}
	return pause
}
