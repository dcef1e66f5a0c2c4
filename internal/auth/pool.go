package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/awake"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/password"
)

const (
	// BatchMax is the most requests a worker takes at once.
	BatchMax = 16
	// DefaultWorkers and DefaultMaxAge are what [Config] falls back to.
	DefaultWorkers = 4
	DefaultMaxAge  = 25 * time.Second
	// DefaultQueueDepth is how many requests may wait at a node's door.
	DefaultQueueDepth = 200
	// MaxWorkers is the most workers a pool can have.
	MaxWorkers = 32

	// logInterval is how often the summary line is logged, if anything changed.
	logInterval = 10 * time.Second
	// storeTimeout bounds one call to the store, so that a store that hangs cannot hold a worker for good.
	storeTimeout = 10 * time.Second
	// idReserve is how many player ids are reserved at a time.
	idReserve = 1000
)

// Config says how a [Pool] works and what it works with.
type Config struct {
	// Workers is the number of workers, 1 to [MaxWorkers]; 0 means [DefaultWorkers].
	Workers int
	// MaxAge is how long a request may wait in the queue; 0 means [DefaultMaxAge].
	MaxAge time.Duration
	// Store, Hasher and Door are required. The door knows the queue's bound and MaxAge, see [Capacity].
	Store  rushgate.Store
	Hasher *password.Hasher
	Door   *door.Door
	// HashTime is how long a hash takes in a full batch on one core. 0 means to measure it now.
	HashTime time.Duration
	// Instance claims the session leases.
	Instance rushgate.Instance
	// Enter takes an admitted player into the world and has its Reply called. It must not block. Required.
	Enter func(rushgate.Arrival)
	// Policy is asked about every request before anything else, and refuses with an error, which should carry a reason.
	// An [Identity] has no name then; when an account is to be made for one it is asked again, with the name. Optional. It
	// must be safe for concurrent use and must not block.
	Policy func(Request) error
	// Zones tells of a zone whether it is served by another node, and where players reach that (host:port). They are sent
	// there with [rushgate.WrongZone] once they have proved who they are, without a session here. Optional: nil means
	// that all zones are served here. It must be safe for concurrent use and must not block.
	Zones func(zone string) (address string, elsewhere bool)
	// Remember is for how long a device is remembered that is not used; 0: none is.
	Remember time.Duration
	// Grace is for how long a session can go on after the node that had it is gone; 0: it cannot.
	Grace time.Duration
	// Holder tells of an instance that holds a player what is known of it. Optional: nil means nothing. It must be safe
	// for concurrent use and must not block.
	Holder func(rushgate.Instance) Holder
	// Errands does what errands are for whose passwords are right, all of a batch at once, and returns what became of
	// each: nil, [rushgate.ErrAccountChanged] for an account that is not what was proved any more, or another error. An
	// error of the whole is the store's fault. Optional: nil means that there are no errands. It must be safe for
	// concurrent use.
	Errands func(context.Context, []Proved) ([]error, error)
	// Leave ends the session of a player inside, and returns when that can open another one. Optional, for
	// [Pool.Reenter].
	Leave func(context.Context, rushgate.PlayerID) error
	// Passkeys judges the passkeys that players show. Optional: nil means that none can be.
	Passkeys *passkey.Party
	// GuestMark is by how much what the account of a guest says of the last visit may be late; 0: it is not noted.
	GuestMark time.Duration
	// Access has the bans of ranges and devices. Optional: nil means that there are none.
	Access *access.Keeper
	// Opaque answers what begins and finishes by OPAQUE. Optional: nil means that it is switched off.
	Opaque *opaque.Server
	// SignedIn is told of a player who has come in by a login, a registration, a device or a passkey, on the goroutine of
	// the caller of the pool. Optional. It must be safe for concurrent use and must not block.
	SignedIn func(SignIn)
	// Clock knows when the process stood still, which makes no request older. Nil: never.
	Clock *awake.Clock
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
	if c.Zones == nil {
		c.Zones = func(string) (string, bool) { return "", false }
	}
	if c.Holder == nil {
		c.Holder = func(rushgate.Instance) Holder { return Holder{} }
	}
	if c.HashTime == 0 {
		c.HashTime = max(c.Hasher.Measure(BatchMax), 1)
	}
	return c
}

// Capacity returns what a door has to know of a pool: how many requests a worker takes at once, and how many of them
// the workers can be expected to serve in a second, if a hash takes so long in a full batch on one core.
func Capacity(workers int, maxAge, hashTime time.Duration) (batch int, perSecond float64) {
	hashTime = max(hashTime, 1)
	// A batch is answered as a whole: with hashes that take seconds, a full one would outlast maxAge by itself.
	batch = min(max(int(maxAge/4/hashTime), 1), BatchMax)
	return batch, float64(min(workers, runtime.GOMAXPROCS(0))) / hashTime.Seconds()
}

// Pool is a queue of requests in the order of their turns, which a [door.Door] bounds, and the workers that serve it.
// All methods may be called from many goroutines.
type Pool struct {
	cfg     Config
	queue   *Queue[*pending]
	lane    *Queue[*pending] // of requests with tokens
	errands *Queue[*pending]
	// beginnings are of requests that begin by OPAQUE
	beginnings *Queue[*pending]
	slow       *Queue[*job] // the slow lane
	ids        *idBlock
	metrics    metrics
	gate       gate
	unsettled  unsettled
	doubts     linked.Doubts
	batch      int // the most requests a worker takes at once
	// takingErrands is held by a worker from the time that it asks the door for errands until it has taken them.
	takingErrands sync.Mutex

	startOnce sync.Once
	stopping  context.Context // ends when workers are to stop after the batch in hand
	stop      context.CancelFunc
	hurrying  context.Context // ends when even the batch in hand is to be given up, at the latest with the workers
	hurry     context.CancelFunc
	workers   sync.WaitGroup
	telling   sync.WaitGroup // refusals that are told in a moment
	slowLane  sync.WaitGroup
	logging   sync.WaitGroup
}

// NewPool returns a pool that has yet to be started. Requests may be submitted before.
func NewPool(cfg Config) (*Pool, error) {
	if cfg.Store == nil || cfg.Hasher == nil || cfg.Door == nil || cfg.Enter == nil {
		return nil, errors.New("auth: a pool needs Store, Hasher, Door and Enter")
	}
	if cfg.Workers < 0 || cfg.Workers > MaxWorkers || cfg.MaxAge < 0 {
		return nil, fmt.Errorf("auth: %d workers, max age %v: out of range", cfg.Workers, cfg.MaxAge)
	}
	cfg = cfg.withDefaults()
	p := &Pool{cfg: cfg, queue: NewQueue((*pending).turn), lane: NewQueue[*pending](nil), slow: NewQueue[*job](nil)}
	p.errands, p.beginnings = NewQueue[*pending](nil), NewQueue[*pending](nil)
	p.batch, _ = Capacity(cfg.Workers, cfg.MaxAge, cfg.HashTime)
	p.ids = newIDBlock(func(ctx context.Context) (rushgate.PlayerID, error) {
		return cfg.Store.ReserveIDs(ctx, idReserve)
	})
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
		p.workers.Go(p.workLane)
		if p.cfg.Opaque != nil {
			for range min(p.cfg.Workers, runtime.GOMAXPROCS(0)) {
				p.workers.Go(p.workBeginnings)
			}
		}
		p.slowLane.Go(p.workSlowly)
		p.logging.Go(p.logSummaries)
	})
}

// Drain closes the door, lets the workers finish what is queued, and returns when the workers have ended. If ctx ends
// first, the requests that are not yet hashed are answered [rushgate.ServerBusy] too, also in the batches in hand, and
// Drain returns the context's error; only calls of the store that are under way are waited for.
func (p *Pool) Drain(ctx context.Context) error {
	p.shut()
	finished := make(chan struct{})
	go func() { p.wait(); close(finished) }()
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
	p.shut()
	p.stop()
	p.wait()
	p.hurry()
	p.logging.Wait()
	for _, q := range []*Queue[*pending]{p.queue, p.lane, p.errands, p.beginnings} {
		for _, r := range q.Drain() {
			p.turnAway(r)
		}
	}
	for _, j := range p.slow.Drain() {
		p.turnAway(j.pending)
	}
}

// shut lets no further request into the queue, and has a pool that never ran never run.
func (p *Pool) shut() {
	p.cfg.Door.Close()
	p.queue.Close()
	p.lane.Close()
	p.errands.Close()
	p.beginnings.Close()
	p.startOnce.Do(func() {})
	p.gate.open() // the door refuses those that wait for it
}

// wait returns when the workers have ended: first those that bring work to the slow lane, then its own.
func (p *Pool) wait() {
	p.workers.Wait()
	p.telling.Wait()
	p.slow.Close()
	p.slowLane.Wait()
}

// Submit asks to let a player in and waits for the answer. The error, if any, carries a [rushgate.Reason]: refusals for
// [rushgate.ServerBusy] and [rushgate.RateLimited] are a [rushgate.Refusal] that says when to come back, and those of
// the door come at once. When ctx ends the request is given up, [rushgate.RequestExpired].
func (p *Pool) Submit(ctx context.Context, r Request) (Welcome, error) {
	if err := p.gate.enter(ctx); err != nil {
		return Welcome{}, err
	}
	defer p.gate.exit()
	if err := p.askPolicy(r); err != nil {
		return Welcome{}, err
	}
	if err := p.mayRegister(&r); err != nil {
		return Welcome{}, err
	}
	seat, err := p.cfg.Door.Knock(r.knock())
	if err != nil {
		p.countRefusal(r.Kind, err)
		return Welcome{}, err
	}
	return p.await(&pending{Request: r, seat: seat, ctx: ctx}, p.queue)
}

// await queues a request that has a seat, and waits for the answer.
func (p *Pool) await(req *pending, queue *Queue[*pending]) (Welcome, error) {
	req.enqueued, req.maxAge, req.clock, req.answer = time.Now(), p.cfg.MaxAge, p.cfg.Clock, make(chan answer, 1)
	if !queue.TryPush(req) { // closed a moment after the door let it in
		p.turnAway(req)
	} else {
		p.metrics.of(req.Kind).queued.Add(1)
	}
	select {
	case a := <-req.answer:
		if a.err == nil {
			p.signedIn(req)
		}
		return a.welcome, a.err
	case <-req.ctx.Done():
		return Welcome{}, rushgate.RequestExpired
	}
}

func (p *Pool) countRefusal(k Kind, err error) {
	t := p.metrics.of(k)
	switch {
	case errors.Is(err, rushgate.RateLimited):
		t.rateLimited.Add(1)
	case errors.Is(err, rushgate.BadCredentials): // of an Enter
		t.refused.Add(1)
	default:
		t.rejectedBusy.Add(1)
	}
}

// work is one worker.
func (p *Pool) work() {
	for {
		batch, err := p.next()
		if err != nil {
			return
		}
		for _, r := range batch {
			r.seat.Take()
		}
		p.cfg.Door.Served(door.Fast, p.process(batch))
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
