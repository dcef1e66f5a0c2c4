package stress

import (
	"context"
	"errors"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// player is one simulated player.
type player struct {
	run    *run
	number int // from 0, in the order of coming
	ask    ask
	name   string
	client *client.Client
	line   *line

	// Of the one goroutine that plays:
	since     time.Time // when the player was due, or lost the session
	impatient bool
	hurried   bool // the try under way may be given up before the player's time is over
	cameAgain bool // after giving up or losing the session
	returning bool // after losing the session
	tries     int
	answered  bool            // a whole answer has come
	told      rushgate.Reason // the last one; empty if it was none
}

func (r *run) newPlayer(i int, a arrival) *player {
	p := &player{
		run: r, number: i, ask: a.ask, name: account(r.cfg.Prefix, a.account),
		impatient: r.cfg.GiveUpShare > 0 && r.cfg.random() < r.cfg.GiveUpShare,
	}
	p.line, p.client = r.newClient(i, p.onAnswer)
	return p
}

func (r *run) newClient(i int, onAnswer func(client.Answer)) (*line, *client.Client) {
	l, transport := r.network.line(i)
	c, err := client.New(r.cfg.Target, client.Options{
		Transport: transport, MaxRetries: r.cfg.MaxRetries, Rand: r.cfg.random, OnAnswer: onAnswer,
	})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	return l, c
}

// play is the life of a player who was due at that time.
func (p *player) play(ctx context.Context, due time.Time) {
	defer p.line.CloseIdleConnections()
	p.since = due
	p.run.tally.start(time.Since(due))
	session := p.knock(ctx)
	var w *walk
	if session != nil && p.run.cfg.Play {
		w = p.enter(ctx, session)
	}
	p.run.knocking.Done()
	for session != nil {
		if p.inside(session, w) == leaving {
			p.leave(session)
			return
		}
		if session, w = p.comeBack(ctx); session == nil {
			return
		}
	}
}

// knock registers or logs in, and returns nil if the player was not let in or should not have been.
func (p *player) knock(ctx context.Context) *client.Session {
	session, err := p.seek(ctx)
	now := time.Now()
	o := p.outcome(ctx, err)
	if o == in {
		p.run.tally.admitted(p.tries, now, now.Sub(p.since))
		return session
	}
	p.run.tally.turnedAway(o, err)
	if session != nil {
		_ = session.Logout(p.run.staying) // it was not to be; the report says so
	}
	return nil
}

// seek tries to get in until the player's time is over, with breaks for those who lose patience.
func (p *player) seek(ctx context.Context) (*client.Session, error) {
	ctx, cancel := context.WithDeadline(ctx, p.since.Add(p.run.cfg.Timeout))
	defer cancel()
	begin := p.since
	for {
		session, err := p.try(ctx, begin.Add(p.run.cfg.GiveUpAfter))
		if !p.hurried || !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return session, err
		}
		// The client has given up at once if it was told to wait for longer. The player behind it finds out in time.
		if !sleep(ctx, time.Until(begin.Add(p.run.cfg.GiveUpAfter))) {
			return nil, err
		}
		p.run.tally.gaveUp()
		if !sleep(ctx, time.Duration((0.5+p.run.cfg.random())*float64(p.run.cfg.GiveUpAfter))) {
			return nil, err // which may hold the last answer
		}
		p.cameAgain, begin = true, time.Now()
	}
}

// try has the client try until its retries are used up, ctx ends or, if the player is impatient, patience does.
func (p *player) try(ctx context.Context, patience time.Time) (*client.Session, error) {
	if end, ok := ctx.Deadline(); p.impatient && ok && patience.Before(end) {
		p.hurried = true
		limited, cancel := context.WithDeadline(ctx, patience)
		defer cancel()
		ctx = limited
	} else {
		p.hurried = false
	}
	cfg := &p.run.cfg
	switch {
	case p.ask == askWrongPassword:
		return p.client.Login(ctx, p.name, wrongPassword(cfg.Password))
	case p.ask == askMalformed:
		return nil, p.sendNonsense(ctx)
	case p.ask == askLogin && !p.cameAgain:
		return p.client.Login(ctx, p.name, cfg.Password)
	case p.ask == askLogin:
		return p.client.Takeover(ctx, p.name, cfg.Password)
	}
	session, err := p.client.Register(ctx, p.name, cfg.Password)
	if p.cameAgain && errors.Is(err, rushgate.UsernameTaken) { // by the player, who hung up too soon to know
		return p.client.Takeover(ctx, p.name, cfg.Password)
	}
	return session, err
}

// sleep pauses for d and reports whether ctx has left it the time.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// onAnswer is the client's hook after each try.
func (p *player) onAnswer(a client.Answer) {
	if !p.returning {
		p.tries++
	}
	if a.Reason != "" && !p.run.cfg.KeepAlive {
		p.line.CloseIdleConnections()
	}
	first := a.Status != 0 && !p.answered
	p.answered = p.answered || first
	if a.Status != 0 {
		p.told = a.Reason
	}
	p.run.tally.answer(a, answersOf(a, p.hurried || p.answered), first, p.returning, time.Since(p.since))
}

// leave logs the player out.
func (p *player) leave(s *client.Session) {
	ctx, cancel := context.WithTimeout(p.run.ending, logoutTime)
	defer cancel()
	select {
	case p.run.exits <- struct{}{}:
		defer func() { <-p.run.exits }()
	case <-ctx.Done():
		p.run.tally.loggedOut(false)
		return
	}
	p.run.tally.loggedOut(s.Logout(ctx) == nil)
}
