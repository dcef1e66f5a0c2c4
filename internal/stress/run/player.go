package run

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	guest  client.Guest // of mode Guest
	line   *line
	place  *place

	// Of the one goroutine that plays:
	since     time.Time // when the player was due, or lost the session
	began     time.Time // when the player first knocked since then
	impatient bool
	hurried   bool // the try under way may be given up before the player's time is over
	mayBeIn   bool // what the player asked for when here before may have been done without an answer
	returning bool // after losing the session
	tries     int
	answered  bool            // a whole answer has come
	puzzled   bool            // a try ended without an answer that makes sense
	told      rushgate.Reason // by the last try that was not cut short, if that was to come back; otherwise empty
}

func (r *run) newPlayer(i int, a arrival) *player {
	p := &player{
		run: r, number: i, ask: a.ask, name: account(r.cfg.Prefix, a.account),
		impatient: r.cfg.GiveUpShare > 0 && r.cfg.random() < r.cfg.GiveUpShare,
	}
	if p.ask == askGuest {
		p.guest = client.NewGuest()
	}
	var transport http.RoundTripper
	p.line, transport = r.network.line(i)
	if way, ok := transport.(*opaqueWay); ok {
		way.prepare(r.cfg.Password)
	}
	p.place = r.newPlace(i, p.line, transport)
	p.place.onWord = p.onWord
	p.client = r.clientOver(p.place, p.place.attemptID, p.onAnswer)
	return p
}

func (r *run) newClient(i int, onAnswer func(client.Answer)) (*line, *client.Client) {
	l, transport := r.network.line(i)
	return l, r.clientOver(transport, nil, onAnswer)
}

func (r *run) clientOver(transport http.RoundTripper, attemptID func() string,
	onAnswer func(client.Answer)) *client.Client {
	c, err := client.New(r.cfg.Target, client.Options{
		Transport: transport, MaxRetries: r.cfg.MaxRetries, Rand: r.cfg.random, OnAnswer: onAnswer,
		AttemptID: attemptID, TryTimeout: r.cfg.TryTimeout,
		NoLine: true, // the player waits there, who measures it
	})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	return c
}

// play is the life of a player who was due at that time.
func (p *player) play(ctx context.Context, due time.Time) {
	defer p.line.CloseIdleConnections()
	p.since, p.began = due, time.Now()
	p.run.tally.start(time.Since(due))
	session, welcome := p.knock(ctx)
	var w *walk
	if welcome && p.run.cfg.Play {
		w = p.enter(ctx, session)
	}
	p.run.knocking.Done()
	if session != nil && !welcome {
		p.logOut(session) // it was not to be; the report says so
		return
	}
	for session != nil {
		if p.inside(session, w) == leaving {
			p.leave(session)
			return
		}
		if session, w = p.comeBack(); session == nil {
			return
		}
	}
}

// knock registers or logs in. It returns nil if the player was not let in, and a session that is not welcome if the
// player should not have been.
func (p *player) knock(ctx context.Context) (session *client.Session, welcome bool) {
	session, err := p.seek(ctx)
	now := time.Now()
	o := p.outcome(ctx, err)
	p.place.leave(o == in, p.since, p.began, now)
	if o == in {
		p.run.tally.admitted(p.tries, now, now.Sub(p.since))
		return session, true
	}
	p.run.tally.turnedAway(o, err)
	return session, false
}

// seek tries to get in until the player's time is over, with breaks for those who lose patience.
func (p *player) seek(ctx context.Context) (*client.Session, error) {
	ctx, cancel := context.WithDeadline(ctx, p.since.Add(p.run.cfg.Timeout))
	defer cancel()
	begin := p.since
	for {
		session, err := p.try(ctx, begin.Add(p.run.cfg.GiveUpAfter))
		if !p.hurried || !errors.Is(err, context.DeadlineExceeded) {
			return session, err
		}
		if ctx.Err() != nil {
			return nil, endOf(ctx, err)
		}
		// The client has given up at once if it was told to wait for longer. The player behind it finds out in time.
		if !sleep(ctx, time.Until(begin.Add(p.run.cfg.GiveUpAfter))) {
			return nil, endOf(ctx, err)
		}
		p.run.tally.gaveUp()
		p.place.visit.away = p.place.visit.placed
		if !sleep(ctx, time.Duration((0.5+p.run.cfg.random())*float64(p.run.cfg.GiveUpAfter))) {
			return nil, endOf(ctx, err)
		}
		p.mayBeIn, begin = p.puzzled, time.Now()
	}
}

// endOf returns that ctx has ended after what happened last, which may hold the last answer.
func endOf(ctx context.Context, last error) error { return fmt.Errorf("%w after: %w", ctx.Err(), last) }

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
	if p.ask == askMalformed {
		return nil, p.sendNonsense(ctx)
	}
	return p.place.enter(ctx, p.call)
}

// call has the client make one call.
func (p *player) call(ctx context.Context) (*client.Session, error) {
	cfg := &p.run.cfg
	switch {
	case p.ask == askGuest:
		return p.client.Guest(ctx, p.guest)
	case p.ask == askWrongPassword:
		return p.client.Login(ctx, p.name, wrongPassword(cfg.Password))
	case p.ask == askLogin && !p.mayBeIn:
		return p.client.Login(ctx, p.name, cfg.Password)
	case p.ask == askLogin:
		return p.client.Takeover(ctx, p.name, cfg.Password)
	}
	session, err := p.client.Register(ctx, p.name, cfg.Password)
	if p.mayBeIn && errors.Is(err, rushgate.UsernameTaken) { // by the player, who hung up too soon to know
		p.ask, p.place.attempt = askLogin, ""
		return p.client.Takeover(ctx, p.name, cfg.Password)
	}
	return session, err
}

// sleep pauses for d and reports whether ctx has left it the time.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// brief is how long a try may be without an answer when the player hangs up, and not count as silence.
const brief = 5 * time.Second

// onAnswer is the client's hook after each try.
func (p *player) onAnswer(a client.Answer) {
	if !p.returning {
		p.tries++
	}
	if (a.Reason != "" || a.Err != nil) && !p.run.cfg.KeepAlive {
		p.line.CloseIdleConnections()
	}
	p.puzzled = p.puzzled || a.Err != nil
	first := a.Status != 0 && !p.answered
	p.answered = p.answered || first
	switch {
	case a.Reason == rushgate.ServerBusy || a.Reason == rushgate.RequestExpired:
		p.told = a.Reason
	// not cut short, or after long silence
	case !errors.Is(a.Err, context.DeadlineExceeded) || p.hurried && a.Latency > brief:
		p.told = ""
	}
	p.run.tally.answer(a, answersOf(a, p.hurried || p.answered), first, p.returning, time.Since(p.since))
}

// onWord is the hook for what the line says other than by an answer to the client.
func (p *player) onWord(wait bool) {
	if wait {
		p.told = rushgate.ServerBusy
	}
	if !p.answered {
		p.answered = true
		p.run.tally.heard(p.returning, time.Since(p.since))
	}
}

// leave logs the player out who was inside.
func (p *player) leave(s *client.Session) { p.run.tally.loggedOut(p.logOut(s)) }

// logOut reports whether that worked. When the time for logouts is up, it returns.
func (p *player) logOut(s *client.Session) bool {
	ctx, cancel := context.WithTimeout(p.run.ending, logoutTime)
	defer cancel()
	select {
	case p.run.exits <- struct{}{}:
		defer func() { <-p.run.exits }()
	case <-ctx.Done():
		return false
	}
	return s.Logout(ctx) == nil
}
