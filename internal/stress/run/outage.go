package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// Outage is a command that takes the server away from those who play in scenario [report.ReconnectStorm], and brings it
// back, or another in its place.
type Outage struct {
	// Kind says what the command does, [report.OutageKill] or [report.OutageHandOver]. It decides what the report gives a
	// verdict on.
	Kind string
	// Command is run by the system's shell, with standard error as its output. If it goes on running, as a server does
	// that it starts, it is left running.
	Command string
	// Watch is for how long the players are watched from when the command begins. After that the run goes on until all of
	// them see the world, but no longer than Config.Timeout. Default [DefaultWatch].
	Watch time.Duration
}

// DefaultWatch is the default of [Outage].Watch.
const DefaultWatch = 15 * time.Second

const (
	// freshness is how old the newest snapshot of a player may be who sees the world.
	freshness = 500 * time.Millisecond
	// outageLook is how often it is looked whether all of them do.
	outageLook = 100 * time.Millisecond
	// visitEvery is the time between two logins of others during an outage.
	visitEvery = 100 * time.Millisecond
)

// outage is what an [Outage] is measured by.
type outage struct {
	from atomic.Int64 // when it began, by the clock of the play; far in the future at first

	mu      sync.Mutex
	players []*walk // who played when it began
	counts  report.Outage
	returns latency.Histogram
	gaps    latency.Histogram
	visits  latency.Histogram
}

func (o *outage) init() {
	o.from.Store(math.MaxInt64)
	o.returns.Init()
	o.gaps.Init()
	o.visits.Init()
}

// joins counts a player who plays, unless the outage has begun.
func (o *outage) joins(w *walk) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.from.Load() == math.MaxInt64 {
		o.players = append(o.players, w)
	}
}

// hush is the longest time without a snapshot since an outage began.
type hush struct {
	mu            sync.Mutex
	last          time.Duration // when the newest snapshot came, by the clock of the play
	longest, back time.Duration // back is when it ended, from when the outage began
}

// take counts a snapshot that came at that time, in an outage that began at from.
func (s *hush) take(at, from time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gap := at - s.last; at >= from && gap > s.longest {
		s.longest, s.back = gap, at-from
	}
	s.last = at
}

// sees reports whether the player sees the world at that time.
func (s *hush) sees(now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now-s.last <= freshness
}

// worst returns the longest silence up to now, and how long after the beginning of the outage it was over.
func (s *hush) worst(now time.Duration) (longest, back time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.longest, now-s.last), s.back
}

// suffer has the command of the outage run while the players play, watches them, and returns when all see the world
// again, or have no time left.
func (r *run) suffer(ctx context.Context, rep *report.Report) {
	r.tally.beginPhase(report.PhaseStay, time.Now())
	if r.tally.snapshot().inside == 0 || !sleep(ctx, r.cfg.Duration) {
		rep.Interrupted = ctx.Err() != nil
		return
	}
	visiting, leave := context.WithCancel(ctx)
	var visitors sync.WaitGroup
	visitors.Go(func() { r.callers(visiting) })
	begin := time.Now()
	o := &r.outage
	o.begin(r.play.at(begin), begin.Sub(r.tally.loadBegan()))
	r.tally.rage(begin)
	r.tally.beginPhase(report.PhaseReturn, begin)
	command := r.startCommand(rep)
	r.watch(ctx, begin)
	rep.Interrupted = ctx.Err() != nil
	leave()
	visitors.Wait()
	r.calm()
	rep.Outage = o.report(r.play.at(time.Now()), &r.tally)
	command(rep.Outage)
	rep.Outage.Kind = r.cfg.Outage.Kind
}

// begin notes when an outage begins, by the clock of the play and from the start of the load.
func (o *outage) begin(at, since time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts.Players, o.counts.At = len(o.players), since.Seconds()
	for _, w := range o.players {
		w.connectsBefore = w.rt.Stats().Connects
	}
	o.from.Store(int64(at))
}

// watch returns when the time for it has passed and all see the world, or nothing more can be waited for.
func (r *run) watch(ctx context.Context, begin time.Time) {
	ticker := time.NewTicker(outageLook)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			since := now.Sub(begin)
			if since >= r.cfg.Outage.Watch && (r.outage.clear(r.play.at(now)) || since >= r.cfg.Outage.Watch+r.cfg.Timeout) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// clear reports whether all who play see the world.
func (o *outage) clear(now time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.players {
		if !w.gone.Load() && !w.quiet.sees(now) {
			return false
		}
	}
	return true
}

// startCommand runs the command of the outage. The result tells the report what became of it.
func (r *run) startCommand(rep *report.Report) func(*report.Outage) {
	start := r.cfg.startCommand
	if start == nil {
		start = startShell
	}
	begin := time.Now()
	wait, err := start(r.cfg.Outage.Command)
	if err != nil {
		rep.Note(fmt.Sprintf("the command of the outage could not be run: %v", err))
		return func(o *report.Outage) { o.CommandFailed = true }
	}
	type result struct {
		took time.Duration
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends with the command, which may outlive the run
		err := wait()
		done <- result{time.Since(begin), err}
	}()
	return func(o *report.Outage) {
		select {
		case end := <-done:
			o.CommandSeconds, o.CommandFailed = end.took.Seconds(), end.err != nil
			if end.err != nil {
				rep.Note(fmt.Sprintf("the command of the outage failed: %v", end.err))
			}
		default:
			rep.Note("the command of the outage goes on running")
		}
	}
}

// startShell begins a command line. The result waits for its end.
func startShell(line string) (wait func() error, err error) {
	c := exec.Command("sh", "-c", line)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	ownGroup(c)
	if err := c.Start(); err != nil {
		return nil, err
	}
	return c.Wait, nil
}

// callers has others register, one after the other, until ctx ends, and counts what they lived through. They try once.
func (r *run) callers(ctx context.Context) {
	ticker := time.NewTicker(visitEvery)
	defer ticker.Stop()
	var visitors sync.WaitGroup
	defer visitors.Wait()
	for i := 0; ; i++ {
		visitors.Go(func() { r.callOnce(ctx, i) })
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (r *run) callOnce(ctx context.Context, i int) {
	transport, c := r.newVisitor(i)
	defer transport.CloseIdleConnections()
	start := time.Now()
	session, err := c.Register(ctx, account(visitorPrefix(r.cfg.Prefix), i), r.cfg.Password)
	took := time.Since(start)
	if ctx.Err() != nil && err != nil {
		return // cut short
	}
	o := &r.outage
	o.mu.Lock()
	switch {
	case err == nil:
		o.counts.Logins.In++
		o.visits.Record(took)
	case errors.Is(err, rushgate.ServerBusy) || errors.Is(err, rushgate.RequestExpired):
		o.counts.Logins.Busy++
	default:
		if o.counts.Logins.Failed++; o.counts.Logins.Example == "" {
			o.counts.Logins.Example = err.Error()
		}
	}
	o.mu.Unlock()
	if session != nil {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepAliveTimeout)
		defer cancel()
		_ = session.Logout(end) // else it ends by itself
	}
}

// newVisitor returns the client of one who is not of the run's players.
func (r *run) newVisitor(i int) (*line, *client.Client) {
	l, transport := r.network.line(r.cfg.Clients + i)
	c, err := client.New(r.cfg.Target, client.Options{
		Transport: transport, MaxRetries: -1, Rand: r.cfg.random, NoLine: true,
	})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	return l, c
}

// visitorPrefix begins the names of those who log in during an outage.
func visitorPrefix(prefix string) string { return prefix + "-vis" }

// report says what the players lived through, at that time by the clock of the play.
func (o *outage) report(now time.Duration, t *tally) *report.Outage {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &o.counts
	for _, back := range t.cameBack() {
		c.ByPassword++
		o.returns.Record(back)
		c.LastBack = max(c.LastBack, back.Seconds())
	}
	for _, w := range o.players {
		longest, back := w.quiet.worst(now)
		o.gaps.Record(longest)
		switch {
		case w.gone.Load() || !w.quiet.sees(now): // those of them who logged in again are counted above
			continue
		case w.rt.Stats().Connects > w.connectsBefore:
			c.Reconnected++
		default:
			c.Kept++
		}
		if longest > freshness { // else the player never lost sight of the world
			o.returns.Record(back)
			c.LastBack = max(c.LastBack, back.Seconds())
		}
	}
	c.NotBack = max(0, c.Players-c.Kept-c.Reconnected-c.ByPassword)
	c.Return, c.Gap, c.Logins.Latency = o.returns.Summary(), o.gaps.Summary(), o.visits.Summary()
	out := *c
	return &out
}
