// Package realm runs the world: a loop that steps it 60 times a second on one goroutine, the sessions of the players
// inside, and the saver that writes their characters back.
//
// The tick does no I/O and takes no lock that anyone holds across I/O. Whatever comes from outside waits for it in
// memory: arrivals from the auth workers, messages from players, outcomes from the saver. Whatever it wants written
// it hands to the saver as a copy.
package realm

import (
	"cmp"
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
	"github.com/rushgate/rushgate/internal/awake"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/netcode"
)

const (
	// DefaultSessionTimeout is how long a session lasts without an authenticated call.
	DefaultSessionTimeout = 30 * time.Second
	// DefaultSaveInterval is how often a character that has changed is saved.
	DefaultSaveInterval = 30 * time.Second
	// DefaultMessagesPerTick is how many messages from players one tick handles; the rest wait for the next.
	DefaultMessagesPerTick = 2000

	// DefaultMaxPlayers is how many players may be inside at once.
	DefaultMaxPlayers = 10_000
	// DefaultSnapshotRate is how many snapshots a player gets per second, MaxSnapshotRate the most there can be.
	DefaultSnapshotRate = 20
	MaxSnapshotRate     = rushgate.TickRate
	// MaxSnapshotWorkers is the most goroutines that make snapshots.
	MaxSnapshotWorkers = 64
	// DefaultViewRadius is how far players see, in the world's units.
	DefaultViewRadius = 64

	// inboxTicks is how many ticks' worth of messages the inbox holds.
	inboxTicks = 4
	// maxCatchUp is how many steps are made up for at once when the loop is late; beyond that, time is lost.
	maxCatchUp = 5
	// maxViewRadius keeps the squares of distances within what the search for neighbours can hold.
	maxViewRadius = 1<<14 - 1
)

// ErrInboxFull is the cause of a [rushgate.ServerBusy] for a call that found no room.
var ErrInboxFull = errors.New("realm: inbox full")

// Store is what a realm needs of a [rushgate.Store].
type Store interface {
	rushgate.Leases
	rushgate.Characters
}

// Config says what a [Realm] runs and how.
type Config struct {
	// World is owned by the realm from now on. Required.
	World rushgate.World
	// Store is where characters are saved and leases refreshed. Required.
	Store Store
	// Instance holds the leases.
	Instance rushgate.Instance
	// MaxPlayers is how many players may be inside at once; 0 means [DefaultMaxPlayers]. It is the door's to see to that;
	// an arrival beyond it is turned away.
	MaxPlayers int
	// Left, if not nil, is told the name of each player whose session has ended. It is called on the tick, so it must not
	// block.
	Left func(name string, how Departure)
	// SessionTimeout ends sessions without a call for so long; 0 means [DefaultSessionTimeout].
	SessionTimeout time.Duration
	// SaveInterval is the time between saves of a character that keeps changing; 0 means [DefaultSaveInterval].
	SaveInterval time.Duration
	// MessagesPerTick caps the messages handled per tick; 0 means [DefaultMessagesPerTick].
	MessagesPerTick int
	// Channel is where players connect for realtime play over UDP; nil means nowhere. The realm starts and stops it.
	// Connections of other transports come by way of [Realm.Attach].
	Channel *netcode.Server
	// SnapshotRate is how many snapshots a player gets per second, 1 to [MaxSnapshotRate]; 0 means
	// [DefaultSnapshotRate].
	SnapshotRate int
	// SnapshotWorkers is how many goroutines make and send snapshots, 1 to [MaxSnapshotWorkers]; 0 means one per core.
	SnapshotWorkers int
	// ViewRadius is how far players see, in the world's units; 0 means [DefaultViewRadius].
	ViewRadius float64
	// RetryAfter returns what a player is told who has to wait for at least so long; nil means just that.
	RetryAfter func(least time.Duration) time.Duration
	// Clock knows when the process stood still, which is no silence of the players. Nil: never.
	Clock *awake.Clock
	// Logger defaults to slog.Default.
	Logger *slog.Logger
	// State, if not nil, is what [Realm.State] has returned for a realm that this one goes on in place of, with a World
	// that is new, the same Instance, and a Channel with that realm's connections. Nothing is asked of the Store before
	// [Realm.Start]. The error of [New] wraps [ErrBadState], and the World is then not to be used any further.
	State []byte
}

// withDefaults fills in what is zero and checks the rest.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.World == nil || cfg.Store == nil {
		return cfg, errors.New("realm: a realm needs World and Store")
	}
	if cfg.MaxPlayers < 0 || cfg.SessionTimeout < 0 || cfg.SaveInterval < 0 || cfg.MessagesPerTick < 0 {
		return cfg, fmt.Errorf("realm: %d players, session timeout %v, save interval %v, %d messages per tick: out of range",
			cfg.MaxPlayers, cfg.SessionTimeout, cfg.SaveInterval, cfg.MessagesPerTick)
	}
	if cfg.SnapshotRate < 0 || cfg.SnapshotRate > MaxSnapshotRate || cfg.SnapshotWorkers < 0 ||
		cfg.SnapshotWorkers > MaxSnapshotWorkers || !(cfg.ViewRadius >= 0 && cfg.ViewRadius <= maxViewRadius) {
		return cfg, fmt.Errorf("realm: %d snapshots per second, %d snapshot workers, view radius %v: out of range",
			cfg.SnapshotRate, cfg.SnapshotWorkers, cfg.ViewRadius)
	}
	cfg.MaxPlayers = cmp.Or(cfg.MaxPlayers, DefaultMaxPlayers)
	cfg.SessionTimeout = cmp.Or(cfg.SessionTimeout, DefaultSessionTimeout)
	cfg.SaveInterval = cmp.Or(cfg.SaveInterval, DefaultSaveInterval)
	cfg.MessagesPerTick = cmp.Or(cfg.MessagesPerTick, DefaultMessagesPerTick)
	cfg.SnapshotRate = cmp.Or(cfg.SnapshotRate, DefaultSnapshotRate)
	cfg.SnapshotWorkers = cmp.Or(cfg.SnapshotWorkers, min(runtime.GOMAXPROCS(0), MaxSnapshotWorkers))
	cfg.ViewRadius = cmp.Or(cfg.ViewRadius, DefaultViewRadius)
	if cfg.RetryAfter == nil {
		cfg.RetryAfter = func(least time.Duration) time.Duration { return least }
	}
	if cfg.Left == nil {
		cfg.Left = func(string, Departure) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg, nil
}

// Departure is how a session has ended.
type Departure int

// The ways in which sessions end.
const (
	// Left: by logout, by the operator, or because the player's lease is another's.
	Left Departure = iota
	// Silent: nothing was heard of the player for [Config].SessionTimeout.
	Silent
	// TakenOver: the player was asked for, here or on another node.
	TakenOver
	// MovedAway: the player's client has gone to another node, where the session goes on.
	MovedAway
	// Stopped: the realm stops. The session goes on where its client turns to.
	Stopped
)

// goesOn reports whether a session that ends so here can go on elsewhere.
func (d Departure) goesOn() bool { return d == MovedAway || d == Stopped }

// Realm is a running world. Its methods may be called from many goroutines, but for [Realm.Tick].
type Realm struct {
	cfg   Config
	world guardedWorld
	saver *saver
	stats stats
	log   *tickLog
	// toldNumbers are the names of which the log has told that no store takes them. Of the tick.
	toldNumbers map[string]bool

	gate      gate
	frost     frost
	asides    chan func() // for the tick, between two steps
	arrivals  mailbox[rushgate.Arrival]
	inbox     chan message // intents
	calls     chan message // everything else
	talkers   mailbox[*session]
	tokens    sessionTable[string]
	byPlayer  sessionTable[rushgate.PlayerID]
	snapshots *snapshotter

	// Owned by the tick.
	tick        uint64
	arrived     uint64                         // sessions opened
	players     map[rushgate.PlayerID]*session // inside, leaving, or remembered after the end
	inside      []*session
	arriving    []rushgate.Arrival // reused
	outcomes    []outcome          // reused
	asked       []rushgate.Wanted  // reused
	talking     []*session         // who have said something, those from nextTalker on not heard yet
	nextTalker  int
	spoken      []rushgate.Message // reused
	nextScan    time.Time
	nextRefresh time.Time
	orphans     orphans

	newPulse    func(time.Duration) *pulse // nil in tests with a clock of their own
	insideCount atomic.Int64
	tickets     atomic.Uint64 // the last one given out
	startOnce   sync.Once
	started     atomic.Bool
	stopOnce    sync.Once
	stopErr     error
	quit        chan struct{}  // closed when the tick is to end
	stopped     chan struct{}  // closed when the tick will answer no message any more
	loops       sync.WaitGroup // the tick, the saver with its watch, the log
	senders     sync.WaitGroup // the snapshotter
	// background ends when the saver and the log are to stop.
	background     context.Context
	stopBackground context.CancelFunc
}

// New returns a realm that has yet to be started.
func New(cfg Config) (*Realm, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Realm{
		cfg:       cfg,
		saver:     newSaver(cfg.Store, cfg.Instance, cfg.SessionTimeout, cfg.Logger),
		inbox:     make(chan message, inboxTicks*cfg.MessagesPerTick),
		calls:     make(chan message, inboxTicks*cfg.MessagesPerTick),
		tokens:    newSessionTable[string](),
		byPlayer:  newSessionTable[rushgate.PlayerID](),
		snapshots: newSnapshotter(cfg.SnapshotWorkers, cfg.ViewRadius),
		players:   make(map[rushgate.PlayerID]*session),
		orphans:   make(orphans),
		asides:    make(chan func()),
		newPulse:  newPulse,
		quit:      make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	// Not from 1: a connect token that the run before gave out must not fit a session of this one.
	r.tickets.Store(rand.Uint64N(1 << 62))
	r.stats.init()
	r.log, r.toldNumbers = newTickLog(cfg.Logger), make(map[string]bool)
	r.world = guardedWorld{world: cfg.World, stats: &r.stats, log: r.log}
	r.world.messenger, _ = cfg.World.(rushgate.Messenger)
	r.background, r.stopBackground = context.WithCancel(context.Background())
	if cfg.State != nil {
		if err := r.restore(cfg.State); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadState, err)
		}
	}
	return r, nil
}

// Start starts the tick and the saver. It is idempotent; starting a stopped realm does nothing.
func (r *Realm) Start() {
	r.startOnce.Do(func() {
		r.started.Store(true)
		r.loops.Go(r.loop)
		r.loops.Go(func() { r.saver.run(r.background) })
		r.loops.Go(func() { r.saver.watch(r.background) })
		r.loops.Go(func() { r.log.run(r.background) })
		r.senders.Go(r.snapshots.run)
		if r.cfg.Channel != nil {
			r.cfg.Channel.Start(&channelHandler{Realm: r, datagrams: &datagrams{r.cfg.Channel}})
		}
	})
}

// Stop ends the tick, takes every player out of the world, saves them and parks their sessions, which go on for
// [Config].SessionTimeout with the next run of the node, or on another one. It returns when all
// that is done and no goroutine of the realm is left, or, when ctx ends first, with an error that tells how many
// characters were not saved. It is idempotent and may be called on a realm that was never started.
func (r *Realm) Stop(ctx context.Context) error {
	r.Thaw()
	r.stopOnce.Do(func() {
		r.startOnce.Do(func() {})
		close(r.quit)
		r.stopBackground()
		defer context.AfterFunc(ctx, r.saver.giveUp)()
		r.loops.Wait()
		// From here on this goroutine owns what the tick owned.
		r.snapshots.close()
		r.senders.Wait()
		r.integrate(r.arrivals.close(), time.Now()) // admitted, so let in, if only to be saved at once
		for len(r.inside) > 0 {
			r.leave(r.inside[0], Stopped, nil)
		}
		if r.cfg.Channel != nil {
			r.cfg.Channel.Stop()
		}
		r.stopErr = r.saver.finish(ctx)
		r.integrate(nil, time.Now())
		close(r.stopped)
		r.log.flush()
	})
	return r.stopErr
}

// loop ticks at [rushgate.TickRate] until the realm is stopped. Steps missed by less than [maxCatchUp] are made up
// for; beyond that they are counted as skipped.
func (r *Realm) loop() {
	due := time.Now().Add(rushgate.TickInterval)
	clock := newClock(rushgate.TickInterval, r.newPulse)
	defer clock.stop()
	for clock.wait(due, r.quit) {
		select {
		case f := <-r.asides:
			f()
			select {
			case <-r.quit:
				return
			default:
			}
			// If that took long, the steps that were due meanwhile are not missed: the world stood still.
			if missed := time.Since(due) / rushgate.TickInterval; missed > 0 {
				due = due.Add((missed + 1) * rushgate.TickInterval)
				continue
			}
		default:
		}
		now := time.Now()
		r.stats.recordLateness(now.Sub(due))
		if behind := int(now.Sub(due) / rushgate.TickInterval); behind > maxCatchUp {
			r.stats.skipped.Add(int64(behind - maxCatchUp))
			due = due.Add(time.Duration(behind-maxCatchUp) * rushgate.TickInterval)
		}
		watch := cpuclock.Start()
		r.Tick()
		r.stats.cpu.Add(int64(watch.Elapsed()))
		due = due.Add(rushgate.TickInterval)
	}
}

// Players returns the number of players inside.
func (r *Realm) Players() int { return int(r.insideCount.Load()) }

// Enter hands over an admitted player, who is inside with the next tick. It never blocks.
func (r *Realm) Enter(a rushgate.Arrival) {
	if !r.arrivals.put(a) { // stopped: the lease stays with this node, which takes it over when it runs again
		a.Reply(rushgate.Session{}, rushgate.ServerBusy)
	}
}
