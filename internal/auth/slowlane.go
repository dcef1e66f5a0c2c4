package auth

import (
	"time"

	"github.com/rushgate/rushgate/internal/door"
)

// putAside hands the jobs whose hash takes long, such as bcrypt and argon2id of another system, to the slow lane, which
// has a worker and a bound of its own: in a worker's batch they would hold up all others, and the estimate of the pace
// would be that of another system's hashes. Those for which it has no room are told to come back.
func (p *Pool) putAside(jobs []*job) {
	for _, j := range jobs {
		if j.answered.Load() {
			continue
		}
		if err := j.seat.Slow(); err != nil {
			p.fail(j, err)
			continue
		}
		p.slow.TryPush(j) // which is closed only when the workers, who alone push, have ended
	}
}

// workSlowly is the worker of the slow lane. It ends when the lane is closed and empty, or after the job in hand when
// the pool stops.
func (p *Pool) workSlowly() {
	for {
		if p.slow.Len() == 0 {
			p.cfg.Door.Idle(door.Slow)
		}
		jobs, err := p.slow.PopBatch(p.stopping, 1)
		if err != nil {
			return
		}
		p.serveSlowly(jobs)
	}
}

func (p *Pool) serveSlowly(jobs []*job) {
	if jobs[0].stale() {
		p.expire(jobs[0].pending)
		return
	}
	ignored := func(time.Duration) {} // the histograms are those of batches
	p.run("derive", jobs, p.derive, ignored)
	if jobs[0].Kind.isErrand() {
		p.run("settle", jobs, p.settle, ignored)
	} else {
		p.run("commit", jobs, p.commit, ignored)
	}
	if jobs[0].hashed {
		p.cfg.Door.Served(door.Slow, 1)
	}
}
