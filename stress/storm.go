package stress

import (
	"context"
	"errors"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/latency"
)

// storm is the scenario ReconnectStorm after the players have come in.
type storm struct {
	dropBy DropBy
	drop   chan struct{} // closed when the players are to drop their connections
}

// on reports whether players who lose their session come back.
func (s *storm) on() bool {
	select {
	case <-s.drop:
		return true
	default:
		return s.dropBy == DropByServer
	}
}

// stormCounts are kept by the tally, under its lock.
type stormCounts struct {
	expected   int // players who are to be dropped; 0: not known yet
	lost       int // of those
	back       []time.Time
	notBack    int
	firstLost  time.Time
	begins     chan struct{} // closed when somebody is lost
	over       chan struct{} // closed when all have been lost, and are back or have no time left
	overClosed bool
}

// dropped returns what tells a player that the connection is to be dropped: once is enough.
func (p *player) dropped() <-chan struct{} {
	if p.returning {
		return nil
	}
	return p.run.storm.drop
}

// comeBackPause is the mean time that a player takes to try once more after the client has given up.
const comeBackPause = time.Second

// comeBack tries to get in again after the session was lost, once in a storm. It returns nil if the player stays out.
func (p *player) comeBack(ctx context.Context) (*client.Session, *walk) {
	if !p.run.storm.on() || p.returning {
		p.run.tally.sessionLost()
		return nil, nil
	}
	p.since, p.returning, p.cameAgain, p.answered, p.impatient = time.Now(), true, true, false, false
	p.run.tally.lost(p.since)
	session := p.seekAgain(ctx)
	now := time.Now()
	p.run.tally.returned(session != nil, now, now.Sub(p.since))
	if session == nil || !p.run.cfg.Play {
		return session, nil
	}
	return session, p.enter(ctx, session)
}

// seekAgain goes on trying until the player's time is over.
func (p *player) seekAgain(ctx context.Context) *client.Session {
	ctx, cancel := context.WithDeadline(ctx, p.since.Add(p.run.cfg.Timeout))
	defer cancel()
	p.ask = askLogin
	for {
		session, err := p.try(ctx, time.Time{})
		if err == nil {
			return session
		}
		again := errors.Is(err, client.ErrNoAnswer) || errors.Is(err, rushgate.ServerBusy) || errors.Is(err, rushgate.RequestExpired)
		if !again || !sleep(ctx, time.Duration((0.5+p.run.cfg.random())*float64(comeBackPause))) {
			return nil
		}
	}
}

// lost counts a player who is on the way back.
func (t *tally) lost(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	if s.lost == 0 {
		s.firstLost = now
		close(s.begins)
	}
	s.lost++
	t.counts.inside--
	t.counts.knocking++
}

// returned counts a player who is back, or will not be.
func (t *tally) returned(back bool, now time.Time, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	t.counts.knocking--
	if back {
		s.back = append(s.back, now)
		t.counts.inside++
		if t.phase != nil {
			t.phase.success.Record(after)
		}
		t.interval.success.Record(after)
	} else {
		s.notBack++
	}
	s.check()
}

// expect says how many players are to be lost.
func (t *tally) expect() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.storm.expected = t.counts.inside + t.storm.lost
	t.storm.check()
}

func (s *stormCounts) check() {
	if !s.overClosed && s.expected > 0 && len(s.back)+s.notBack >= s.expected {
		s.overClosed = true
		close(s.over)
	}
}

// rage has everybody dropped when they have been inside for a while, or waits for the server to do it, and returns when
// they are back.
func (r *run) rage(ctx context.Context, rep *Report, probe *probe) {
	r.tally.beginPhase(phaseStay, time.Now())
	r.tally.expect()
	if r.tally.snapshot().inside == 0 {
		return
	}
	rep.Storm = new(StormReport)
	dropped, ok := r.awaitDrop(ctx)
	rep.Interrupted = ctx.Err() != nil
	if !ok {
		if !rep.Interrupted {
			rep.note("the server dropped nobody while the run waited for it")
		}
		return
	}
	r.tally.beginPhase(phaseReturn, time.Now())
	limit := time.NewTimer(r.cfg.Timeout + detection)
	defer limit.Stop()
	select {
	case <-r.tally.storm.over:
	case <-limit.C:
	case <-ctx.Done():
		rep.Interrupted = true
	}
	r.tally.fillStorm(rep.Storm, dropped, probe)
}

// detection is how long it takes at most until a player knows that the session is lost: the silence after which a realtime
// connection is given up and the life of a session.
const detection = 60 * time.Second

// awaitDrop returns when the players were dropped. It reports false if that did not happen.
func (r *run) awaitDrop(ctx context.Context) (time.Time, bool) {
	timer := time.NewTimer(r.cfg.Duration)
	defer timer.Stop()
	select {
	case <-r.tally.storm.begins:
		return time.Now(), true
	case <-timer.C:
		if r.cfg.DropBy == DropByServer {
			return time.Time{}, false
		}
		now := time.Now()
		close(r.storm.drop)
		return now, true
	case <-ctx.Done():
		return time.Time{}, false
	}
}

// fillStorm puts what was counted into the report. The players were dropped at that time, or a little before: what the
// probe saw of the server then is more precise.
func (t *tally) fillStorm(rep *StormReport, dropped time.Time, probe *probe) {
	down, up := probe.outage()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	if !s.firstLost.IsZero() && s.firstLost.Before(dropped) {
		dropped = s.firstLost
	}
	if !down.IsZero() && down.Before(dropped) {
		dropped = down
	}
	rep.Dropped, rep.Back, rep.NotBack = s.lost, len(s.back), s.lost-len(s.back)
	rep.DropAt = dropped.Sub(t.began).Seconds()
	var returns latency.Histogram
	last := dropped
	for _, at := range s.back {
		returns.Record(at.Sub(dropped))
		if at.After(last) {
			last = at
		}
	}
	rep.Return, rep.LastBack = returns.Detailed(), last.Sub(dropped).Seconds()
	if !up.IsZero() {
		rep.DownSeconds = up.Sub(down).Seconds()
		rep.LastBackSinceUp = max(0, last.Sub(up).Seconds())
	}
}
