package run

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// Bounds on what comes after the load, so that a run always ends. The second of each pair holds for a run that was
// interrupted: the operator is waiting at a keyboard.
const (
	observeTime, observeTimeInterrupted = 10 * time.Second, 2 * time.Second  // last look at the server
	logoutTime, logoutTimeInterrupted   = 60 * time.Second, 10 * time.Second // all logouts together
	logoutsAtOnce                       = 64
)

// run is one run of the load.
type run struct {
	cfg     Config
	network *network
	plan    plan
	tally   tally
	play    playTally // of Config.Play
	storm   storm     // of ReconnectStorm
	outage  outage    // of Config.Outage
	flood   *flooding // of KnockFlood; nil for none

	access    access    // to the line of the server
	lineTally lineTally // of the players, and all visits
	crowdLine lineTally // what the crowd has asked
	crowd     crowd     // of Config.Crowd

	knocking sync.WaitGroup // players without an outcome, or not yet connected
	players  sync.WaitGroup // goroutines

	staying context.Context // ends when the players inside are to leave
	ending  context.Context // ends when there is no more time for logouts
	exits   chan struct{}   // semaphore of logoutsAtOnce
}

// Run carries out cfg. It returns an error only if cfg is not valid, or takes more files than the process may open,
// which is [ErrTooManyFiles]; whatever happens to the players is in the report.
//
// When ctx is cancelled, the load stops, the players inside log out within 10 s, and the report is marked as
// interrupted. A run otherwise ends when every player has an outcome, cfg.Timeout after the last start at the latest,
// cfg.Duration has passed, and the players inside have logged out, which is bounded too.
func Run(ctx context.Context, cfg Config) (*report.Report, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := cfg.checkMeasurable(); err != nil {
		return nil, err
	}
	if err := cfg.checkFiles(raiseFileLimit); err != nil {
		return nil, err
	}
	if cfg.random == nil {
		cfg.random = rand.Float64
	}
	if cfg.Crowd > 0 {
		return runTwice(ctx, cfg)
	}
	return runOnce(ctx, cfg)
}

// runOnce makes one run. cfg has its defaults and is valid.
func runOnce(ctx context.Context, cfg Config) (*report.Report, error) {
	r := &run{cfg: cfg, exits: make(chan struct{}, logoutsAtOnce)}
	defer r.prepareStorm(ctx)()
	rep := newReport(&cfg)
	network, note := newNetwork(&r.cfg)
	r.network = network
	rep.Note(note)

	if cfg.Scenario == report.KnockFlood { // what is wrong should not be found out after the capacity was measured
		if _, err := r.newFlooding(ctx, cfg.Capacity); err != nil {
			return nil, fmt.Errorf("stress: %w", err)
		}
	}

	look, settle := newObserver(network), newSettling(r)
	defer look.close()
	defer settle.close()

	// What follows the load must also happen when ctx has been cancelled.
	beyond := context.WithoutCancel(ctx)
	staying, dismiss := context.WithCancel(beyond)
	defer dismiss()
	ending, end := context.WithCancel(beyond)
	defer end()
	r.staying, r.ending = staying, ending

	progress := startProgress(r)
	defer progress.stop()
	prepared := r.prepare(ctx, rep, progress)
	if prepared {
		settle.before(ctx, rep, progress)
		prepared = ctx.Err() == nil
	}
	if prepared {
		r.meetLine(ctx, look.target, rep)
		look.before(ctx, rep) // the load, and so after what was to be done for it
		r.play.init(look.snapshotRate())
		r.outage.init()
		r.rush(ctx, look, rep, progress, func() { r.seeOff(ctx, dismiss, end) })
		settle.after(ctx, rep)
	} else {
		rep.Interrupted = true
		r.tally.fill(rep)
	}
	rep.Derive(look.restarted())
	rep.Judge(r.cfg.Limits, r.cfg.Play)
	return rep, nil
}

func newReport(cfg *Config) *report.Report {
	return &report.Report{
		Scenario: cfg.Scenario, Mode: cfg.Mode, Target: cfg.Target, Rate: cfg.Rate, Clients: cfg.Clients,
		Failed: map[string]int{}, InOnTry: []int{}, Notes: []string{}, // never null in JSON
		Phases: []report.Phase{}, Verdicts: []report.Verdict{}, Timeline: report.Timeline{Points: []report.Point{}},
		Kind: string(cfg.Adapter.Kind), KeepAlive: cfg.KeepAlive, Subject: cfg.Subject,
		TryTimeout: cfg.TryTimeout.Seconds(),
	}
}

// rush lets the players loose and fills the report with what became of them.
func (r *run) rush(ctx context.Context, look *observer, rep *report.Report, progress *progress, seeOff func()) {
	rep.Clients = len(r.plan.arrivals)
	rep.Sources = max(1, min(rep.Clients, r.network.sources))
	metronome := startMetronome(time.Now)
	probe := startProbe(ctx, r.network, &r.tally)
	var times *timeline
	throughout := r.cfg.Play && r.cfg.Stay > 0 // the world may never hold all, and is empty in the end
	if throughout {
		r.beginPlay(ctx, look, rep)
	}
	r.startPlayers(ctx, func(begin time.Time) {
		if throughout {
			r.play.open()
		}
		r.tally.begin(begin, r.plan.sections[0].name)
		times = startTimeline(ctx, r, look)
		progress.began(begin)
		r.beginCrowd(ctx, begin)
		if r.flood != nil {
			r.flood.begin(ctx, begin.Add(r.cfg.Knocks.Before))
		}
	})
	r.knocking.Wait()
	r.endCrowd()
	if r.flood != nil {
		r.flood.wg.Wait()
	}
	rep.StartedAt = r.tally.loadBegan()
	rep.Interrupted = r.tally.outcomes() < rep.Clients || r.flood != nil && ctx.Err() != nil
	switch {
	case rep.Interrupted:
		rep.Play = nil
	case r.cfg.Outage.Command != "":
		r.suffer(ctx, rep)
	case r.cfg.Scenario == report.ReconnectStorm:
		r.rage(ctx, rep, probe)
	default:
		r.remain(ctx, look, rep)
	}
	r.tally.close(time.Now())
	rep.Probe = probe.stop(rep.Interrupted)
	times.halt()

	observing, cancel := context.WithTimeout(context.WithoutCancel(ctx),
		either(rep.Interrupted, observeTimeInterrupted, observeTime))
	defer cancel()
	rep.LeftBefore = r.tally.snapshot().out
	look.after(observing, rep)
	seeOff()

	r.tally.fill(rep)
	r.play.fill(rep)
	times.fill(rep)
	r.fillFlood(rep)
	r.fillLine(rep)
	r.network.opaque.fill(rep, r.plan.prepared)
	metronome.end(rep, r.tally.snapshot().unmade)
}

// seeOff has the players leave, and returns when they have or their time for it is up, which is shorter when ctx is
// done.
func (r *run) seeOff(ctx context.Context, dismiss, end context.CancelFunc) {
	limit := time.AfterFunc(logoutTime, end)
	defer limit.Stop()
	hurry := context.AfterFunc(ctx, func() { limit.Reset(logoutTimeInterrupted) })
	defer hurry()
	dismiss()
	r.players.Wait()
}

// remain leaves the players be for as long as they are to stay, and looks at the server before and after if they play.
func (r *run) remain(ctx context.Context, look *observer, rep *report.Report) {
	if r.cfg.Duration == 0 || r.tally.snapshot().ok == 0 {
		rep.Play = nil
		return
	}
	r.tally.beginPhase(report.PhaseStay, time.Now())
	if r.cfg.Play && rep.Play == nil {
		r.beginPlay(ctx, look, rep)
		r.play.open()
	}
	duration := r.cfg.Duration
	if stay := r.cfg.Stay; stay > 0 {
		duration = min(duration, stay) // then the last one has left
	}
	if !sleep(ctx, duration) {
		rep.Interrupted = true
	}
	if r.cfg.Play {
		r.play.shut()
		look.playEnds(context.WithoutCancel(ctx), rep)
	}
}

// beginPlay takes the figures that those of the end of the play are compared with.
func (r *run) beginPlay(ctx context.Context, look *observer, rep *report.Report) {
	rep.Play, r.play.stay = &report.Play{Transport: r.cfg.transport()}, r.cfg.Stay
	look.playBegins(ctx, rep)
}

// startPlayers starts the players when they are due, until ctx is done. It calls begin when the load begins.
func (r *run) startPlayers(ctx context.Context, begin func(time.Time)) {
	if r.cfg.Scenario == report.Burst {
		r.startAtOnce(ctx, begin)
		return
	}
	start := time.Now()
	begin(start)
	timer := time.NewTimer(0)
	defer timer.Stop()
	until := func(at time.Duration) bool {
		timer.Reset(time.Until(start.Add(at)))
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	next := 1 // section
	for i, a := range r.plan.arrivals {
		for ; next < len(r.plan.sections) && r.plan.sections[next].from <= a.due; next++ {
			if !until(r.plan.sections[next].from) {
				return
			}
			r.tally.beginPhase(r.plan.sections[next].name, time.Now())
		}
		if !until(a.due) {
			return
		}
		p := r.newPlayer(i, a)
		r.knocking.Add(1)
		r.players.Go(func() { p.play(ctx, start.Add(a.due)) })
	}
	for ; next < len(r.plan.sections); next++ {
		if !until(r.plan.sections[next].from) {
			return
		}
		r.tally.beginPhase(r.plan.sections[next].name, time.Now())
	}
}

// startAtOnce gets all players ready before the first may knock, so that they come at once and not as fast as they can
// be made.
func (r *run) startAtOnce(ctx context.Context, begin func(time.Time)) {
	var due time.Time
	gate := make(chan struct{})
	for i, a := range r.plan.arrivals {
		p := r.newPlayer(i, a)
		r.knocking.Add(1)
		r.players.Go(func() {
			<-gate
			p.play(ctx, due)
		})
	}
	due = time.Now()
	begin(due)
	close(gate)
}

// either returns yes or no.
func either[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
