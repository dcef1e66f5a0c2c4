package run

import (
	"context"
	"errors"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// storm is the scenario ReconnectStorm after the players have come in.
type storm struct {
	standing context.Context // ends when the players' connections break off
	breakOff context.CancelFunc
	coming   context.Context // ends when no player is to come back any more
	endAll   context.CancelFunc
}

// prepareStorm makes what players in any scenario look at. The result ends it.
func (r *run) prepareStorm(ctx context.Context) (end func()) {
	s := &r.storm
	s.standing, s.breakOff = context.WithCancel(context.WithoutCancel(ctx))
	s.coming, s.endAll = context.WithCancel(ctx)
	r.tally.storm.begins, r.tally.storm.over = make(chan struct{}), make(chan struct{})
	return func() {
		s.breakOff()
		s.endAll()
	}
}

// connection returns what lasts as long as the player's connections, which break off once at most.
func (p *player) connection() context.Context {
	if p.returning {
		return context.WithoutCancel(p.run.storm.standing)
	}
	return p.run.storm.standing
}

// comeBackPause is the mean time that a player takes to try once more after the client has given up.
const comeBackPause = time.Second

// comeBack tries to get in again after the session was lost, once in a storm. It returns nil if the player stays out.
func (p *player) comeBack() (*client.Session, *walk) {
	number, since, ok := p.run.tally.lost(p.returning)
	if !ok {
		return nil, nil
	}
	p.since, p.returning, p.mayBeIn, p.answered, p.impatient = since, true, true, false, false
	p.began = time.Now()
	ctx := p.run.storm.coming
	session := p.seekAgain(ctx)
	p.place.leave(session != nil, p.since, p.began, time.Now())
	p.run.tally.returned(number, session != nil)
	if session == nil || !p.run.cfg.Play {
		return session, nil
	}
	return session, p.enter(ctx, session)
}

// seekAgain goes on trying until the player's time is over.
func (p *player) seekAgain(ctx context.Context) *client.Session {
	ctx, cancel := context.WithDeadline(ctx, p.since.Add(p.run.cfg.Timeout))
	defer cancel()
	if p.ask != askGuest {
		p.ask = askLogin
	}
	for {
		session, err := p.try(ctx, time.Time{})
		if err == nil {
			return session
		}
		again := errors.Is(err, client.ErrNoAnswer) || errors.Is(err, rushgate.ServerBusy) ||
			errors.Is(err, rushgate.RequestExpired)
		if !again || !sleep(ctx, time.Duration((0.5+p.run.cfg.random())*float64(comeBackPause))) {
			return nil
		}
	}
}

// rage has everybody dropped when they have been inside for a while, or waits for the server to do it, and returns when
// they are back.
func (r *run) rage(ctx context.Context, rep *report.Report, probe *probe) {
	r.tally.beginPhase(report.PhaseStay, time.Now())
	if r.tally.snapshot().inside == 0 {
		return
	}
	if r.awaitDrop(ctx) {
		r.awaitReturn(ctx)
	}
	rep.Interrupted = ctx.Err() != nil
	r.calm()
	rep.Storm = r.tally.stormReport(probe)
	if note := r.tally.stormNote(rep.Storm); !rep.Interrupted {
		rep.Note(note)
	}
}

// calm ends the storm: who is on the way back gives up, and who is lost from now on stays out.
func (r *run) calm() {
	r.tally.mu.Lock()
	r.tally.storm.raging = false
	r.tally.mu.Unlock()
	r.storm.endAll()
	r.tally.storm.way.Wait()
}

// detection is how long it takes at most until a player knows that the session is lost: the silence after which a
// realtime connection is given up and the life of a session.
const detection = 60 * time.Second

// awaitDrop returns when the players were dropped, and the phase of their return has begun: where the clients do it,
// before the first of them can have an answer that belongs to it. It reports false if that did not happen.
func (r *run) awaitDrop(ctx context.Context) bool {
	byServer := r.cfg.DropBy == DropByServer
	if byServer {
		r.tally.rage(time.Time{})
	}
	timer := time.NewTimer(r.cfg.Duration)
	defer timer.Stop()
	select {
	case <-r.tally.storm.begins:
		r.tally.beginPhase(report.PhaseReturn, time.Now())
		return true
	case <-timer.C:
		if byServer {
			return false
		}
		now := time.Now()
		r.tally.rage(now)
		r.tally.beginPhase(report.PhaseReturn, now)
		r.storm.breakOff()
		return true
	case <-ctx.Done():
		return false
	}
}

// awaitReturn returns when all who were dropped are back, or have no time left.
func (r *run) awaitReturn(ctx context.Context) {
	noMore, limit := time.NewTimer(detection), time.NewTimer(detection+r.cfg.Timeout)
	defer noMore.Stop()
	defer limit.Stop()
	for {
		select {
		case <-noMore.C:
			r.tally.noMoreLosses()
		case <-r.tally.storm.over:
			return
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
