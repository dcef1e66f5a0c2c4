package stress

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// A session ends after 30 s of silence, so one lost call must not be the end of it.
const (
	keepAlive        = 10 * time.Second // between two calls, give or take a quarter
	keepAliveTimeout = 10 * time.Second
)

// player is one simulated player.
type player struct {
	run       *run
	number    int // from 0
	name      string
	client    *client.Client
	transport *http.Transport

	// Of the one goroutine that plays:
	started  time.Time
	tries    int
	answered bool // a whole answer has come
}

func (r *run) newPlayer(i int) *player {
	p := &player{run: r, number: i, name: account(r.cfg.Prefix, i), transport: r.cfg.transport(i, r.spread)}
	c, err := client.New(r.cfg.Target, client.Options{
		Transport:  p.transport,
		MaxRetries: r.cfg.MaxRetries,
		Rand:       r.cfg.random,
		OnAnswer:   p.onAnswer,
	})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	p.client = c
	return p
}

// play is a player's life. It was due to begin at that time.
func (p *player) play(ctx context.Context, due time.Time) {
	defer p.transport.CloseIdleConnections()
	session := p.knock(ctx, due)
	stay := p.stay
	if session != nil && p.run.cfg.Play {
		if w := p.enter(ctx, session); w != nil {
			stay = w.stay
		}
	}
	p.run.knocking.Done()
	if session != nil && stay(session) {
		p.leave(session)
	}
}

// knock registers or logs in, and returns nil if the player was not let in.
func (p *player) knock(ctx context.Context, due time.Time) *client.Session {
	p.started = time.Now()
	p.run.tally.start(p.started.Sub(due))
	knockCtx, cancel := context.WithTimeout(ctx, p.run.cfg.Timeout)
	defer cancel()
	var session *client.Session
	var err error
	if p.run.cfg.Mode == Register {
		session, err = p.client.Register(knockCtx, p.name, p.run.cfg.Password)
	} else {
		session, err = p.client.Login(knockCtx, p.name, p.run.cfg.Password)
	}
	now := time.Now()
	if err == nil {
		p.run.tally.admitted(p.tries, now, now.Sub(p.started))
		return session
	}
	p.run.tally.turnedAway(outcomeOf(ctx, err), err)
	return nil
}

// onAnswer is the client's hook after each try.
func (p *player) onAnswer(a client.Answer) {
	p.tries = a.Try
	first := a.Status != 0 && !p.answered
	p.answered = p.answered || first
	p.run.tally.answer(a, first, time.Since(p.started))
}

// outcome says how a player who was not let in ended up.
type outcome int

const (
	interrupted outcome = iota
	busy
	rateLimited
	refused // for another reason
	timedOut
	dropped
)

// outcomeOf classifies the error of a registration or login. ctx is that of the run.
//
// A player whose last word from the server was "busy" counts as busy even if it was the time limit that ruled out
// another try: nobody left them waiting in silence.
func outcomeOf(ctx context.Context, err error) outcome {
	refusal, _ := errors.AsType[*rushgate.Refusal](err)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return interrupted
	case errors.Is(err, rushgate.ServerBusy), errors.Is(err, rushgate.RequestExpired):
		return busy
	case errors.Is(err, rushgate.RateLimited):
		return rateLimited
	case refusal != nil, errors.Is(err, client.ErrBadAnswer):
		return refused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, client.ErrTryTimeout):
		return timedOut
	}
	return dropped
}

// stay keeps the session open until the players are to leave, and returns false if the server has ended it before.
func (p *player) stay(s *client.Session) bool {
	timer := time.NewTimer(time.Duration(p.run.cfg.random() * float64(keepAlive)))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-p.run.staying.Done():
			return true
		}
		// Not cancelled when staying ends: that would cost the connection, and the logout a new one.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.run.staying), keepAliveTimeout)
		_, err := s.Me(ctx)
		cancel()
		switch {
		case errors.Is(err, rushgate.BadCredentials):
			p.run.tally.sessionLost()
			return false
		case err != nil:
			p.run.tally.keepAliveFailed()
		}
		timer.Reset(time.Duration((0.75 + p.run.cfg.random()/2) * float64(keepAlive)))
	}
}

// leave logs the player out.
func (p *player) leave(s *client.Session) {
	select {
	case p.run.exits <- struct{}{}:
		defer func() { <-p.run.exits }()
	case <-p.run.leaving.Done():
		p.run.tally.loggedOut(false)
		return
	}
	p.run.tally.loggedOut(s.Logout(p.run.leaving) == nil)
}
