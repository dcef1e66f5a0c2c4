package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/password"
)

const (
	// BatchMax is the most requests a worker takes at once.
	BatchMax = 16
	// DefaultWorkers, DefaultQueueDepth and DefaultMaxAge are what [Config] falls back to.
	DefaultWorkers    = 4
	DefaultQueueDepth = 200
	DefaultMaxAge     = 25 * time.Second
	// MaxWorkers is the most workers a pool can have.
	MaxWorkers = 32

	// logInterval is how often the summary line is logged, if anything changed.
	logInterval = 10 * time.Second
	// storeTimeout bounds one call to the store, so that a store that hangs cannot hold a worker for good.
	storeTimeout = 10 * time.Second
	// idReserve is how many player ids are reserved at a time.
	idReserve = 1000
	// fullRetry is when to ask again for a place in a world that is full, plus up to as much again, so that those who
	// wait do not come together.
	fullRetry = 10 * time.Second
	// closedRetry is when to ask again at a node that is going down, plus up to as much again.
	closedRetry = 5 * time.Second
	// storeRetry is when to ask again when the store has failed, plus up to as much again.
	storeRetry = time.Second
	// concurrentRetry is when to repeat an attempt that another request is completing.
	concurrentRetry = time.Second
	// takeoverRetry is when to ask whether the session that is being taken over has ended.
	takeoverRetry = time.Second
)

// Config says how a [Pool] works and what it works with.
type Config struct {
	// Workers is the number of workers, 1 to [MaxWorkers]; 0 means [DefaultWorkers].
	Workers int
	// QueueDepth bounds the queue; 0 means unbounded. (The default of a node is [DefaultQueueDepth].)
	QueueDepth int
	// MaxAge is how long a request may wait in the queue; 0 means [DefaultMaxAge].
	MaxAge time.Duration
	// Store, Hasher and Limiter are required.
	Store   rushgate.Store
	Hasher  *password.Hasher
	Limiter *Limiter
	// HashTime is how long a hash takes in a full batch on one core; the first estimate of the pool's capacity comes
	// from it. 0 means to measure it now.
	HashTime time.Duration
	// Instance claims the session leases.
	Instance rushgate.Instance
	// Enter takes an admitted player into the world and has its Reply called. It must not block. Required.
	Enter func(rushgate.Arrival)
	// Full reports that the world has no room: newcomers are then told to come back, and cost no hash. Optional.
	Full func() bool
	// Policy is asked about every request before anything else, and refuses with an error, which should carry a reason.
	// Optional. It must be safe for concurrent use and must not block.
	Policy func(Request) error
	// Zones tells of a zone whether it is served by another node, and where players reach that (host:port). They are sent
	// there with [rushgate.WrongZone] once they have proved who they are, without a session here. Optional: nil means
	// that all zones are served here. It must be safe for concurrent use and must not block.
	Zones func(zone string) (address string, elsewhere bool)
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Workers == 0 {
		c.Workers = DefaultWorkers
	}
	if c.MaxAge == 0 {
		c.MaxAge = DefaultMaxAge
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Full == nil {
		c.Full = func() bool { return false }
	}
	if c.Zones == nil {
		c.Zones = func(string) (string, bool) { return "", false }
	}
	if c.HashTime == 0 {
		c.HashTime = max(c.Hasher.Measure(BatchMax), 1)
	}
	return c
}

// Pool is a bounded queue of requests and the workers that serve it. All methods may be called from many goroutines.
type Pool struct {
	cfg     Config
	queue   *Queue[*pending]
	clock   *retryClock
	rate    *drainRate
	ids     *idBlock
	metrics metrics
	batch   int          // the most requests a worker takes at once
	inHand  atomic.Int64 // requests that workers have taken and not yet answered

	startOnce sync.Once
	stopping  context.Context // ends when workers are to stop after the batch in hand
	stop      context.CancelFunc
	hurrying  context.Context // ends when even the batch in hand is to be given up, at the latest with the workers
	hurry     context.CancelFunc
	workers   sync.WaitGroup
	logging   sync.WaitGroup
}

// NewPool returns a pool that has yet to be started. Requests may be submitted before.
func NewPool(cfg Config) (*Pool, error) {
	if cfg.Store == nil || cfg.Hasher == nil || cfg.Limiter == nil || cfg.Enter == nil {
		return nil, errors.New("auth: a pool needs Store, Hasher, Limiter and Enter")
	}
	if cfg.Workers < 0 || cfg.Workers > MaxWorkers || cfg.QueueDepth < 0 || cfg.MaxAge < 0 {
		return nil, fmt.Errorf("auth: %d workers, queue depth %d, max age %v: out of range", cfg.Workers, cfg.QueueDepth, cfg.MaxAge)
	}
	cfg = cfg.withDefaults()
	parallel := min(cfg.Workers, runtime.GOMAXPROCS(0))
	p := &Pool{
		cfg:   cfg,
		queue: NewQueue[*pending](cfg.QueueDepth),
		clock: newRetryClock(),
		rate:  newDrainRate(float64(parallel) / cfg.HashTime.Seconds()),
		// A batch is answered as a whole: with hashes that take seconds, a full one would outlast MaxAge by itself.
		batch: min(max(int(cfg.MaxAge/4/cfg.HashTime), 1), BatchMax),
	}
	p.ids = newIDBlock(func(ctx context.Context) (rushgate.PlayerID, error) { return cfg.Store.ReserveIDs(ctx, idReserve) })
	p.stopping, p.stop = context.WithCancel(context.Background())
	p.hurrying, p.hurry = context.WithCancel(context.Background())
	return p, nil
}

// Start starts the workers. It is idempotent; starting a stopped pool does nothing.
func (p *Pool) Start() {
	p.startOnce.Do(func() {
		for range p.cfg.Workers {
			p.workers.Go(p.work)
		}
		p.logging.Go(p.logSummaries)
	})
}

// Drain refuses new requests with [rushgate.ServerBusy], lets the workers finish what is queued, and returns when the
// workers have ended. If ctx ends first, whoever is not yet hashed is answered [rushgate.ServerBusy] too, also in the
// batches in hand, and Drain returns the context's error; only calls of the store that are under way are waited for.
func (p *Pool) Drain(ctx context.Context) error {
	p.queue.Close()
	p.startOnce.Do(func() {}) // a pool that never ran has nobody to drain it
	finished := make(chan struct{})
	go func() { p.workers.Wait(); close(finished) }()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = ctx.Err()
		p.hurry()
	}
	p.Stop()
	<-finished
	return err
}

// Stop ends the workers after the batch in hand, answers everything still queued with [rushgate.ServerBusy], and
// returns when no goroutine of the pool is left. It is idempotent and may be called on a pool that was never started.
func (p *Pool) Stop() {
	p.queue.Close()
	p.startOnce.Do(func() {})
	p.stop()
	p.workers.Wait()
	p.hurry()
	p.logging.Wait()
	for _, r := range p.queue.Drain() {
		p.turnAway(r)
	}
}

// Submit asks to let a player in and waits for the answer. The error, if any, carries a [rushgate.Reason]: refusals
// for [rushgate.ServerBusy] and [rushgate.RateLimited] come at once and are a [rushgate.Refusal] that says when to come
// back. When ctx ends the request is given up, [rushgate.RequestExpired].
func (p *Pool) Submit(ctx context.Context, r Request) (rushgate.Session, error) {
	if err := p.askPolicy(r); err != nil {
		return rushgate.Session{}, err
	}
	o := OriginOf(r.Addr)
	if d := p.cfg.Limiter.LockedFor(o); d > 0 {
		p.metrics.rateLimited.Add(1)
		return rushgate.Session{}, &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: d}
	}
	if p.cfg.Full() {
		p.metrics.rejectedBusy.Add(1)
		return rushgate.Session{}, &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: fullRetry + rand.N(fullRetry)}
	}
	req := &pending{Request: r, origin: o, ctx: ctx, enqueued: time.Now(), maxAge: p.cfg.MaxAge, answer: make(chan answer, 1)}
	if !p.worthQueueing(o, req.enqueued) || !p.queue.TryPush(req) {
		p.metrics.rejectedBusy.Add(1)
		return rushgate.Session{}, p.busy(o)
	}
	p.metrics.queued.Add(1)
	p.clock.Admit(o)
	select {
	case a := <-req.answer:
		return a.session, a.err
	case <-ctx.Done():
		return rushgate.Session{}, rushgate.RequestExpired
	}
}

// Busy reports whether a newcomer would be told to come back later.
func (p *Pool) Busy() bool { return p.cfg.Full() || !p.worthQueueing(Origin{}, time.Now()) }

// worthQueueing reports whether a request should be queued at all. One that would be stale before its turn should not.
// And while clients who were refused earlier are on their way back to the moments they were promised, half of the
// queue is theirs: newcomers who happen to knock in between must not take their places.
func (p *Pool) worthQueueing(o Origin, now time.Time) bool {
	depth, limit := p.queue.Len(), p.queue.Cap()
	if p.queue.IsClosed() || limit > 0 && depth >= limit || p.predictedWait(depth) > p.cfg.MaxAge {
		return false
	}
	return limit == 0 || depth < limit/2 || !p.clock.Promised(o, now)
}

// predictedWait is how long a request that finds depth others in the queue may have to wait for its answer: for those,
// for the batches in hand, and for its own.
func (p *Pool) predictedWait(depth int) time.Duration {
	ahead := depth + int(p.inHand.Load()) + p.batch
	return time.Duration(float64(ahead) / p.rate.PerSecond() * float64(time.Second))
}

// busy is the refusal for an origin that finds no place. The first moment to promise is when half of the queue will
// have been worked off, so that returns that come in bunches still find room. A pool that is going down promises no
// moment: whoever comes back finds another process.
func (p *Pool) busy(o Origin) error {
	if p.queue.IsClosed() {
		return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: closedRetry + rand.N(closedRetry)}
	}
	wait := p.clock.Refuse(o, time.Now(), p.rate.PerSecond(), p.backlog())
	return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: wait}
}

// backlog is how many requests have to be worked off until the first moment to promise.
func (p *Pool) backlog() int { return max(1, p.queue.Len()-p.queue.Cap()/2) }

// work is one worker.
func (p *Pool) work() {
	for {
		if p.queue.Len() == 0 {
			p.rate.Idle()
		}
		batch, err := p.queue.PopBatch(p.stopping, p.batch)
		if err != nil {
			return
		}
		p.inHand.Add(int64(len(batch)))
		hashed := p.process(batch)
		p.inHand.Add(-int64(len(batch)))
		if hashed > 0 { // what expired or needed no hash says nothing about capacity
			p.rate.Done(hashed, time.Now())
		}
	}
}

func (p *Pool) logSummaries() {
	tick := time.NewTicker(logInterval)
	defer tick.Stop()
	last := p.Stats().summaryLine()
	for {
		select {
		case <-tick.C:
			if line := p.Stats().summaryLine(); line != last {
				p.cfg.Logger.Info(line)
				last = line
			}
		case <-p.hurrying.Done():
			return
		}
	}
}
