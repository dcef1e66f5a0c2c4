package realm

import (
	"context"
	"time"

	"github.com/rushgate/rushgate"
)

// message is something a player's connection wants of the tick.
type message struct {
	session *session
	kind    messageKind
	link    *link              // for messageIntent
	reply   chan<- queryAnswer // holds one; for messageQuery
	done    func(error)        // for messageLogout
}

type messageKind uint8

const (
	messageIntent messageKind = iota
	messageQuery
	messageLogout
)

type queryAnswer struct {
	character rushgate.Character
	err       error
}

// queriesAtOnce is how many calls of one player may wait.
const queriesAtOnce = 8

var errInboxFull = &rushgate.Refusal{Reason: rushgate.ServerBusy, Cause: ErrInboxFull}

// authenticate finds the session of a token and keeps it alive.
func (r *Realm) authenticate(token string) (*session, error) {
	s, ok := r.tokens.get(token)
	if !ok {
		return nil, rushgate.BadCredentials
	}
	s.touch(time.Now())
	return s, nil
}

// post hands a call to the tick; it never waits. One player's calls take up queriesAtOnce places at most.
func (r *Realm) post(m message) error {
	if m.session.queries.Add(1) <= queriesAtOnce {
		select {
		case r.calls <- m:
			return nil
		default:
		}
	}
	m.session.queries.Add(-1)
	r.stats.inboxFull.Add(1)
	return errInboxFull
}

// Character returns the present state of the player of a session, and when that session ends unless another call
// comes. Level and deaths are those that the store has: what a player has been told is never lost. The error is
// [rushgate.BadCredentials] for a token without a session, [rushgate.ServerBusy] when the inbox is full, or ctx's.
func (r *Realm) Character(ctx context.Context, token string) (rushgate.Character, time.Time, error) {
	s, err := r.authenticate(token)
	if err != nil {
		return rushgate.Character{}, time.Time{}, err
	}
	character, err := r.query(ctx, s)
	if err != nil {
		return rushgate.Character{}, time.Time{}, err
	}
	return character, r.expiry(s), nil
}

// query asks the tick for a session's character.
func (r *Realm) query(ctx context.Context, s *session) (rushgate.Character, error) {
	if err := r.gate.pass(ctx); err != nil {
		return rushgate.Character{}, err
	}
	reply := make(chan queryAnswer, 1)
	if err := r.post(message{session: s, kind: messageQuery, reply: reply}); err != nil {
		return rushgate.Character{}, err
	}
	select {
	case a := <-reply:
		return a.character, a.err
	case <-r.stopped:
		return rushgate.Character{}, rushgate.ServerBusy
	case <-ctx.Done():
		return rushgate.Character{}, ctx.Err()
	}
}

// Logout ends the session of a token and returns when the character is saved and the lease released. Errors are as
// for [Realm.Character]; with ctx's the logout goes on.
func (r *Realm) Logout(ctx context.Context, token string) error {
	s, err := r.authenticate(token)
	if err != nil {
		return err
	}
	return r.logout(ctx, s)
}

// logout has the tick end a session, and waits until the character is saved.
func (r *Realm) logout(ctx context.Context, s *session) error {
	if err := r.gate.pass(ctx); err != nil {
		return err
	}
	done := make(chan error, 1)
	if err := r.post(message{session: s, kind: messageLogout, done: func(err error) { done <- err }}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-r.stopped:
		return rushgate.ServerBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handleMessages works off the calls, and then in turn the inbox and what players say, together at most as many
// messages as one tick may. Calls come first: they are few, and the caller waits for the answer.
func (r *Realm) handleMessages() {
	for i := range r.cfg.MessagesPerTick {
		select {
		case m := <-r.calls:
			r.handle(m)
			continue
		default:
		}
		if i%2 == 0 && !r.handleNext() && !r.hearNext() || i%2 == 1 && !r.hearNext() && !r.handleNext() {
			return
		}
	}
}

// handleNext works off a message of the inbox, if there is one.
func (r *Realm) handleNext() bool {
	select {
	case m := <-r.inbox:
		r.handle(m)
		return true
	default:
		return false
	}
}

func (r *Realm) handle(m message) {
	s := m.session
	if m.kind != messageIntent {
		s.queries.Add(-1)
	}
	switch m.kind {
	case messageIntent:
		in := m.link.intents.take()
		m.link.ack, m.link.applied = in.Ack, in.Seq
		if s.state == stateInside && m.link.present() {
			r.world.apply(s.player, in.Intent)
		}
	case messageQuery:
		m.reply <- r.answerQuery(s)
	case messageLogout:
		switch s.state {
		case stateInside:
			r.leave(s, Left, m.done)
		case stateLeaving:
			s.onSaved = append(s.onSaved, m.done)
		case stateEnded:
			m.done(nil)
		}
	}
}

func (r *Realm) answerQuery(s *session) queryAnswer {
	if s.state != stateInside {
		return queryAnswer{err: rushgate.BadCredentials}
	}
	c, ok := r.world.character(s.player)
	if !ok {
		return queryAnswer{err: rushgate.InternalError}
	}
	c = s.complete(c, time.Now())
	for name, told := range map[string]int64{rushgate.NumberLevel: s.told.level, rushgate.NumberDeaths: s.told.deaths} {
		if _, counted := c.Numbers[name]; counted || told != 0 {
			c.Numbers[name] = told
		}
	}
	return queryAnswer{character: c}
}
