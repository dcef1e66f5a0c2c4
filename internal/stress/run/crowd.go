package run

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// crowdSource is the number of who comes from the address of the crowd: that of no player, and not an observer's.
const crowdSource = observers + 2

// crowdPrefix begins the names of the accounts of the crowd, alonePrefix those of the players of the run without it.
func crowdPrefix(prefix string) string { return prefix + "-crowd" }
func alonePrefix(prefix string) string { return prefix + "-alone" }

// takesCrowd reports whether there may be a crowd in a scenario.
func takesCrowd(s report.Scenario) bool {
	return s == report.Burst || s == report.Ramp || s == report.Poisson || s == report.LaunchDay
}

// crowd is what becomes of the clients of Config.Crowd.
type crowd struct {
	in, refused atomic.Int64
	wg          sync.WaitGroup
	disperse    context.CancelFunc // nil: there is none
}

// runTwice makes the run without its crowd, and then with it. The report is that of the second run.
func runTwice(ctx context.Context, cfg Config) (*report.Report, error) {
	alone := cfg
	alone.Crowd = 0
	if cfg.Mode == report.Register {
		alone.Prefix = alonePrefix(cfg.Prefix)
	}
	if cfg.Progress != nil {
		fmt.Fprintln(cfg.Progress, "[STRESS] first without the crowd")
	}
	first, err := runOnce(ctx, alone)
	if err != nil || first.Interrupted {
		return first, err
	}
	cfg.Capacity, cfg.alone = first.Capacity, first
	if cfg.Progress != nil {
		fmt.Fprintln(cfg.Progress, "[STRESS] now beside the crowd")
	}
	awaitEmptyLine(ctx, &cfg, cfg.Timeout)
	return runOnce(ctx, cfg)
}

// awaitEmptyLine waits until no player is in the line of the server, if it has one, and not for longer than most.
func awaitEmptyLine(ctx context.Context, cfg *Config, most time.Duration) {
	if cfg.Adapter.Kind != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	n, _ := newNetwork(cfg)
	via := n.transport(observers)
	defer via.CloseIdleConnections()
	for {
		d, err := fetchDocument(ctx, via, cfg.Target)
		if err != nil || d.Waiting == 0 || !sleep(ctx, time.Second) {
			return
		}
	}
}

// beginCrowd has the clients of the crowd come from now on, evenly among the players.
func (r *run) beginCrowd(ctx context.Context, begin time.Time) {
	n, players := r.cfg.Crowd, r.plan.arrivals
	if n == 0 || len(players) == 0 {
		return
	}
	c := &r.crowd
	ctx, c.disperse = context.WithCancel(ctx)
	c.wg.Go(func() {
		for i := range n {
			due := players[int(int64(i)*int64(len(players))/int64(n))].due
			if !sleep(ctx, time.Until(begin.Add(due))) {
				return
			}
			c.wg.Go(func() { r.push(ctx, i) })
		}
	})
}

// endCrowd has those go who still wait, and returns when they have.
func (r *run) endCrowd() {
	if r.crowd.disperse != nil {
		r.crowd.disperse()
		r.crowd.wg.Wait()
	}
}

// push is the life of a client of the crowd: it waits in the line as a good client does, and leaves as soon as it is
// in.
func (r *run) push(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	l, transport := r.network.line(crowdSource)
	defer l.CloseIdleConnections()
	p := r.newPlace(crowdSource, l, transport)
	p.crowd = true
	c := r.clientOver(p, p.attemptID, func(a client.Answer) {
		r.tally.failedToConnect(a.Err)
		if (a.Reason != "" || a.Err != nil) && !r.cfg.KeepAlive {
			l.CloseIdleConnections()
		}
	})
	began := time.Now()
	session, err := p.enter(ctx, func(ctx context.Context) (*client.Session, error) {
		return c.Register(ctx, account(crowdPrefix(r.cfg.Prefix), i), r.cfg.Password)
	})
	p.leave(err == nil, began, began, time.Now())
	switch {
	case err == nil:
		r.crowd.in.Add(1)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeInterrupted)
		defer cancel()
		_ = session.Logout(limited) // else the session ends by itself
	case ctx.Err() == nil:
		r.crowd.refused.Add(1)
	}
}

// fillLine puts what the line of the server did into the report, whose other figures are filled.
func (r *run) fillLine(rep *report.Report) {
	l := r.lineTally.report()
	if l == nil {
		if r.cfg.Crowd > 0 {
			rep.Note("no player had a place in the line, so that the crowd shows nothing")
		}
		return
	}
	if a := &r.access; a.plays {
		l.Asked, l.Shared = either(len(a.udp) > 0, "udp", "http"), a.shared != nil
	}
	if first := r.cfg.alone; first != nil {
		l.Crowd = &report.Crowd{
			Clients: r.cfg.Crowd, In: int(r.crowd.in.Load()), Refused: int(r.crowd.refused.Load()),
			MedianAlone: first.Success.P50, MedianBeside: rep.Success.P50,
			Ratio: share(rep.Success.P50, first.Success.P50),
		}
		switch {
		case first.OK < first.Clients:
			rep.Note(fmt.Sprintf("without the crowd %d of %d players got in", first.OK, first.Clients))
		case first.Line == nil || first.Line.Placed < first.Clients/2:
			rep.Note("without the crowd most players did not have to wait, so that the ratio says little: have more of them" +
				" come than the server can let in")
		}
	}
	l.Derive()
	rep.Line = l
}
