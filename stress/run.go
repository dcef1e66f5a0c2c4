package stress

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Bounds on what comes after the load, so that a run always ends. The second of each pair holds for a run that was
// interrupted: somebody is waiting at a keyboard.
const (
	observeTime, observeTimeInterrupted = 10 * time.Second, 2 * time.Second  // last look at the server
	logoutTime, logoutTimeInterrupted   = 60 * time.Second, 10 * time.Second // all logouts together
	logoutsAtOnce                       = 64
)

// run is one run of the load.
type run struct {
	cfg    Config
	spread bool // players have source addresses of their own
	tally  tally
	play   playTally // of Config.Play

	knocking sync.WaitGroup // players without an outcome, or not yet connected
	players  sync.WaitGroup // goroutines

	staying context.Context // ends when the players inside are to leave
	leaving context.Context // bounds the logouts; set before staying ends
	exits   chan struct{}   // semaphore of logoutsAtOnce
}

// Run carries out cfg. It returns an error only if cfg is not valid, or takes more files than the process may open, which
// is [ErrTooManyFiles]; whatever happens to the players is in the report.
//
// When ctx is cancelled, the load stops, the players inside log out within 10 s, and the report is marked as
// interrupted. A run otherwise ends when every player has an outcome, cfg.Timeout after the last start at the latest,
// cfg.Duration has passed, and the players inside have logged out, which is bounded too.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := cfg.checkFiles(); err != nil {
		return nil, err
	}
	if cfg.random == nil {
		cfg.random = rand.Float64
	}
	r := &run{cfg: cfg, exits: make(chan struct{}, logoutsAtOnce)}
	rep := newReport(&cfg)
	spread, note := cfg.canSpread()
	r.spread = spread
	rep.note(note)

	look := newObserver(&cfg, spread)
	defer look.close()
	look.before(ctx, rep)
	r.play.init(look.snapshotRate())

	// What follows the load must also happen when ctx has been cancelled.
	beyond := context.WithoutCancel(ctx)
	staying, dismiss := context.WithCancel(beyond)
	defer dismiss()
	r.staying = staying

	progress := startProgress(r)
	probe := startProbe(ctx, &cfg, spread)
	rep.StartedAt = r.startPlayers(ctx)
	r.knocking.Wait()
	rep.Interrupted = r.tally.outcomes() < cfg.Clients
	rep.Probe = probe.stop(rep.Interrupted)
	if !rep.Interrupted {
		r.remain(ctx, look, rep)
	}

	observing, cancel := context.WithTimeout(beyond, pick(rep.Interrupted, observeTimeInterrupted, observeTime))
	defer cancel()
	look.after(observing, rep)

	r.seeOff(ctx, dismiss)
	progress.stop()

	r.tally.fill(rep)
	r.play.fill(rep)
	rep.derive()
	return rep, nil
}

// seeOff has the players leave, and returns when they have or their time for it is up, which is shorter when ctx is done.
func (r *run) seeOff(ctx context.Context, dismiss context.CancelFunc) {
	leaving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.leaving = leaving
	limit := time.AfterFunc(logoutTime, cancel)
	defer limit.Stop()
	hurry := context.AfterFunc(ctx, func() { limit.Reset(logoutTimeInterrupted) })
	defer hurry()
	dismiss()
	r.players.Wait()
}

// remain leaves the players be for as long as they are to stay, and looks at the server before and after if they play.
func (r *run) remain(ctx context.Context, look *observer, rep *Report) {
	if r.cfg.Duration == 0 || r.tally.snapshot().ok == 0 {
		return
	}
	if r.cfg.Play {
		rep.Play = new(PlayReport)
		look.playBegins(ctx, rep)
		r.play.open()
	}
	timer := time.NewTimer(r.cfg.Duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		rep.Interrupted = true
	}
	if r.cfg.Play {
		r.play.shut()
		look.playEnds(context.WithoutCancel(ctx), rep)
	}
}

// startPlayers starts the players on schedule, until ctx is done. It returns when the schedule began.
func (r *run) startPlayers(ctx context.Context) time.Time {
	if r.cfg.Scenario == Burst {
		return r.startAtOnce(ctx)
	}
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range r.cfg.Clients {
		due := begin.Add(time.Duration(float64(i) / r.cfg.Rate * float64(time.Second)))
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
			p := r.newPlayer(i)
			r.knocking.Add(1)
			r.players.Go(func() { p.play(ctx, due) })
		case <-ctx.Done():
			return begin
		}
	}
	return begin
}

// startAtOnce gets all players ready before the first may knock, so that they come at once and not as fast as they can
// be made.
func (r *run) startAtOnce(ctx context.Context) time.Time {
	var due time.Time
	gate := make(chan struct{})
	for i := range r.cfg.Clients {
		p := r.newPlayer(i)
		r.knocking.Add(1)
		r.players.Go(func() {
			<-gate
			p.play(ctx, due)
		})
	}
	due = time.Now()
	close(gate)
	return due
}
