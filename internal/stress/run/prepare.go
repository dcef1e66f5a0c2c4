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

const preparedAtOnce = 32

// prepare does what has to be done before the players come. It returns false if ctx ended before.
func (r *run) prepare(ctx context.Context, rep *report.Report, progress *progress) bool {
	cfg := &r.cfg
	capacity := cfg.Capacity
	if takesCapacity(cfg.Scenario) && capacity == 0 {
		progress.stage("measuring how many players per second the server lets in", nil)
		capacity = r.calibrate(ctx, rep, calibratedAtOnce, calibratedMost)
		awaitEmptyLine(ctx, cfg, calibrationWait) // some of those who were told to come back may have a place in it
		if ctx.Err() != nil {
			return false
		}
		if capacity == 0 {
			rep.Note("the server let nobody in when its capacity was measured, which is taken as 1 per second")
			capacity = 1
		}
	}
	if n := cfg.expectedClients(capacity); n > MaxClients {
		rep.Note(fmt.Sprintf("%.0f players would come, and this tool makes no more than %d: the rest stays at home", n,
			MaxClients))
	}
	if takesCapacity(cfg.Scenario) {
		rep.Capacity = capacity
	}
	r.plan = newPlan(cfg, capacity, cfg.random)
	rep.Clients = len(r.plan.arrivals)
	switch {
	case cfg.Mode == report.Opaque:
		r.prepareOpaque(ctx, rep, progress)
	case r.plan.prepared > 0:
		r.register(ctx, r.plan.prepared, func(i int) string { return account(cfg.Prefix, i) }, rep, progress)
	}
	if cfg.Scenario == report.KnockFlood {
		rep.Rate = cfg.playersRate(capacity)
		r.prepareFlood(ctx, capacity, rep, progress)
	}
	return ctx.Err() == nil
}

// prepareFlood makes ready the flood of a server of known capacity. If there cannot be one, the report says why.
func (r *run) prepareFlood(ctx context.Context, capacity float64, rep *report.Report, progress *progress) {
	f, err := r.newFlooding(ctx, capacity)
	if err != nil {
		rep.Note(fmt.Sprintf("there was no flood: %v", err))
		return
	}
	r.flood = f
	if r.cfg.Knocks.Mode == report.Login {
		r.register(ctx, knockAccounts, func(i int) string { return knockAccount(r.cfg.Prefix, i) }, rep, progress)
	}
}

// register registers the first n accounts of some names, those that exist already excepted.
func (r *run) register(ctx context.Context, n int, name func(i int) string, rep *report.Report, progress *progress) {
	var next, done, failed atomic.Int64
	progress.stage("registering the accounts that players will log in to",
		func() float64 { return float64(done.Load()) / float64(n) })
	var wg sync.WaitGroup
	var example error
	var once sync.Once
	for range min(preparedAtOnce, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				_, err := r.visit(ctx, i, name(i), nil)
				if err != nil && !errors.Is(err, rushgate.UsernameTaken) && ctx.Err() == nil {
					failed.Add(1)
					once.Do(func() { example = err })
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		rep.Note(fmt.Sprintf("%d of %d accounts could not be registered before the run: %v", failed.Load(), n, example))
	}
}

// visit registers an account and logs out. It waits as long as the server asks for, and returns when the account was
// in, if it was. When ctx ends it returns within logoutTimeInterrupted: it leaves no player inside if it can.
func (r *run) visit(ctx context.Context, i int, name string, onAnswer func(client.Answer)) (in time.Time, err error) {
	line, c := r.newClient(i, onAnswer)
	defer line.CloseIdleConnections()
	session, err := c.Register(ctx, name, r.cfg.Password)
	if err != nil {
		return in, err
	}
	in = time.Now()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeInterrupted)
	defer cancel()
	return in, session.Logout(limited)
}
