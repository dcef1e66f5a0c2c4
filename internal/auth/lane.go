package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
)

const (
	// LaneBatchMax is the most requests with tokens that are served at once. A store works on a batch without a pause, and
	// on one core the tick waits for that: 256 at once are a tenth faster, and make it three times as late.
	LaneBatchMax = 64
	// laneRounds is how often a request is served whose account others change at the same time.
	laneRounds = 4
	// laneYield is after how many requests others are let run, above all the tick.
	laneYield = 16
	// refusalStep is what the time until a client hears that its token is not good is a multiple of, but for chance of up
	// to as much: the system's timers are late by what they began with. How long a store takes to look for a name tells
	// whether it has it, by microseconds, of which this leaves nothing to measure.
	refusalStep = 5 * time.Millisecond
	// passwordShare is the part of the time that passwords keep while they wait, one in so many.
	passwordShare = 4
)

// workLane is the worker of the lane of requests with tokens. It has a goroutine of its own, so that none of them waits
// for a batch of hashes to end, which yields to it every tenth of a millisecond; and it rests after each batch for as
// long that passwords which wait keep their share.
func (p *Pool) workLane() { p.workBeside(p.lane, door.Resumes, LaneBatchMax, p.serveLane) }

// workBeside serves what comes into a lane beside that of passwords, in batches.
func (p *Pool) workBeside(lane *Queue[*pending], at door.Lane, most int, serve func([]*pending) int) {
	for {
		if lane.Len() == 0 {
			p.cfg.Door.Idle(at)
		}
		batch, err := lane.PopBatch(p.stopping, most)
		if err != nil {
			return
		}
		start := time.Now()
		p.cfg.Door.Served(at, serve(batch))
		if rest := p.rest(time.Since(start)); rest > 0 {
			p.sleep(rest)
		}
	}
}

// rest returns for how long the lane rests after a batch that took a time.
func (p *Pool) rest(took time.Duration) time.Duration {
	if p.queue.Len() == 0 {
		return 0
	}
	return took / (passwordShare - 1)
}

// sleep waits, unless the pool stops.
func (p *Pool) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.stopping.Done():
	}
}

// serveLane takes a batch of the lane to its answers, and returns how many were served.
func (p *Pool) serveLane(batch []*pending) int {
	m := &p.metrics.resumes
	for _, r := range batch {
		r.seat.Take()
	}
	jobs := p.jobsOf(batch)
	if len(jobs) == 0 {
		return 0
	}
	m.countBatch(len(jobs))
	// What happens to a request in here is the same once more if a part of it panics: it starts with the account.
	p.run("resume", jobs, p.serveTokens, m.duration.Record)
	for _, j := range jobs {
		switch {
		case j.answered.Load():
		case errors.Is(j.refusal, rushgate.BadCredentials):
			p.failInStep(j, refusalStep)
		case j.refusal != nil:
			p.fail(j, j.refusal)
		}
	}
	return len(jobs)
}

// failInStep answers a job whose token is not good in a moment that does not depend on how long that took to find out,
// see refusalStep.
func (p *Pool) failInStep(j *job, step time.Duration) {
	took := time.Since(j.enqueued)
	p.telling.Add(1)
	time.AfterFunc(took.Truncate(step)+step-took+rand.N(step), func() {
		defer p.telling.Done()
		p.fail(j, j.refusal)
	})
}

// serveTokens loads the accounts of a batch in one call of the store, and carries out what their tokens are good for in
// one, or two if there is a token that was used twice. Those whose account has changed meanwhile are served again.
func (p *Pool) serveTokens(jobs []*job) {
	ctx, cancel := storeContext()
	defer cancel()
	defer p.unclaim(jobs)
	left := jobs
	for range laneRounds {
		if left = p.serveOnce(ctx, left); len(left) == 0 {
			return
		}
	}
	for _, j := range left {
		j.refuseFor(p.busy(door.UnderWay, nil))
	}
}

// serveOnce is one round, and returns the jobs whose account has changed meanwhile.
func (p *Pool) serveOnce(ctx context.Context, jobs []*job) (again []*job) {
	if err := p.nameOwners(ctx, jobs); err != nil {
		p.storeFailed(jobs, "names", err)
		return nil
	}
	accounts, err := p.accounts(ctx, jobs)
	if err != nil {
		p.storeFailed(jobs, "load", err)
		return nil
	}
	var admitted, changed, founding []*job
	for i, j := range jobs {
		if i%laneYield == laneYield-1 {
			runtime.Gosched()
		}
		loaded := accounts[j.Username]
		if other := accounts[j.Imported]; j.Kind.finishes() && (other.Err != nil || other.ID != 0) {
			loaded = other
		}
		if loaded.Err != nil {
			j.refuseFor(fmt.Errorf("auth: load: %w", loaded.Err))
			continue
		}
		if j.answered.Load() {
			continue
		}
		j.account = loaded.Account
		p.judgeToken(ctx, j)
		switch {
		case j.admission.Attempt != "":
			admitted = append(admitted, j)
		case j.change.Name != "":
			changed = append(changed, j)
		case j.identity.founds:
			founding = append(founding, j)
		case j.again:
			again = append(again, j)
		}
	}
	founded, unfit := p.found(ctx, founding)
	again = append(again, unfit...)
	again = append(again, p.change(ctx, changed)...)
	return append(again, p.goOn(ctx, append(admitted, founded...))...)
}

// accounts loads the accounts of jobs by name, each once.
func (p *Pool) accounts(ctx context.Context, jobs []*job) (map[string]rushgate.LoadedAccount, error) {
	names := make([]string, 0, len(jobs))
	accounts := make(map[string]rushgate.LoadedAccount, len(jobs))
	for _, j := range jobs {
		for _, name := range []string{j.Username, j.Imported} {
			if _, ok := accounts[name]; !ok && name != "" {
				accounts[name] = rushgate.LoadedAccount{}
				names = append(names, name)
			}
		}
	}
	loaded, err := p.loadAccounts(ctx, names)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		accounts[name] = loaded[i]
	}
	return accounts, nil
}

// goOn admits those whose tokens allow it, and returns those whose account has changed meanwhile.
func (p *Pool) goOn(ctx context.Context, jobs []*job) (again []*job) {
	open := jobs[:0]
	for _, j := range jobs {
		if j.ctx.Err() != nil { // nothing has been done for it yet
			p.expire(j.pending)
			continue
		}
		open = append(open, j)
	}
	if len(open) == 0 {
		return nil
	}
	results, err := p.admitAll(ctx, open)
	if err != nil {
		p.unsettled.note(open)
		for _, j := range open {
			j.identity.unsure = true
		}
		p.storeFailed(open, "commit", err)
		return nil
	}
	var unseated []rushgate.Admitted
	for i, j := range open {
		switch r := results[i]; {
		case errors.Is(r.Err, rushgate.ErrAccountChanged):
			again = append(again, j)
		case j.identity.founds && errors.Is(r.Err, rushgate.UsernameTaken):
			j.identity.tries++
			again = append(again, j)
		case r.Err != nil:
			p.refuseAdmission(j, r)
		case p.seats(j, r):
			if j.identity.founds {
				p.founded(j)
			}
			p.conclude(j, r)
		case !r.Resumed: // else the lease may be that of a session which is inside
			unseated = append(unseated, r)
		}
	}
	p.letGo(p.cfg.Grace, unseated...)
	return again
}

// seats gives a job a place in the world that goes on with a session. It reports false if there is none: the job is
// refused, and its session is to be parked again.
func (p *Pool) seats(j *job, r rushgate.Admitted) bool {
	// A session that has no attempt is not let in, see conclude.
	return j.Kind != Continue || r.Attempt == "" || p.seatsProven(j)
}

// seatsProven is seats for a job of which the store has said that there is such a session.
func (p *Pool) seatsProven(j *job) bool {
	j.proved = true
	err := p.barred(j)
	if err == nil {
		err = j.seat.Sit(j.proven())
	}
	if err != nil {
		j.refuseFor(err)
		return false
	}
	return true
}

// refuseAdmission notes why a store does not admit a job of the lane.
func (p *Pool) refuseAdmission(j *job, r rushgate.Admitted) {
	if j.refusal != nil { // it was not asked to move, see insist
		return
	}
	j.proved = !errors.Is(r.Err, rushgate.BadCredentials) // for the store has found the session
	switch elsewhere := errors.Is(r.Err, rushgate.AlreadyLoggedIn); {
	case errors.Is(r.Err, rushgate.ErrConcurrentAttempt): // of a registration
		j.refuseFor(p.busy(door.UnderWay, nil))
	case j.Kind != Continue:
		j.refuseFor(p.takingOver(j, r.Err))
	case elsewhere && j.admission.Takeover:
		j.refuseFor(p.busy(door.UnderWay, nil))
	case elsewhere:
		j.refuseFor(p.there(r.Holder))
	case errors.Is(r.Err, rushgate.BadCredentials):
		j.refuse(r.Err)
	default:
		j.refuseFor(r.Err)
	}
}

// change carries out changes of accounts, in one call of the store, and returns the jobs whose account has changed
// meanwhile.
func (p *Pool) change(ctx context.Context, jobs []*job) (again []*job) {
	if len(jobs) == 0 {
		return nil
	}
	errs, err := p.update(ctx, jobs)
	if err != nil {
		p.storeFailed(jobs, "change", err)
		return nil
	}
	for i, j := range jobs {
		switch err := errs[i]; {
		case errors.Is(err, rushgate.ErrAccountChanged):
			again = append(again, j)
		case err != nil && (j.usesUp() || !errors.Is(err, rushgate.BadCredentials)): // else the device is gone all the same
			j.refuseFor(fmt.Errorf("auth: change: %w", err))
		case j.usesUp(): // and is told its place with the answers to the batch
		case j.Kind == Forget:
			p.forgot(j)
		default:
			p.metrics.resumes.reuses.Add(1)
			p.cfg.Logger.Warn("a resume token was used twice: the device is forgotten, and its session ended",
				"player", j.account.ID)
		}
	}
	return again
}

// update makes the changes of jobs, in one call of the store, and returns what has come of each.
func (p *Pool) update(ctx context.Context, jobs []*job) ([]error, error) {
	changes := make([]rushgate.AccountChange, len(jobs))
	for i, j := range jobs {
		changes[i] = j.change
	}
	errs, err := p.cfg.Store.UpdateAccounts(ctx, changes)
	if err == nil && len(errs) != len(jobs) {
		err = fmt.Errorf("%d results for %d changes", len(errs), len(jobs))
	}
	return errs, err
}

// forgot answers a job whose device is forgotten.
func (p *Pool) forgot(j *job) {
	if j.claim() {
		t := p.metrics.of(j.Kind)
		t.processed.Add(1)
		t.success.Add(1)
		p.close(j, door.Right)
		j.reply(Welcome{}, nil)
	}
}
