package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

const (
	// tokenReserve is what has to be left of a connect token's life for a connection to be tried with it.
	tokenReserve = 5 * time.Second
	// maxReconnectPause bounds the pauses between attempts to connect again: a session without a word from its player
	// lasts half a minute.
	maxReconnectPause = 5 * time.Second
	// hungPause is how long after a request that got no answer the next one comes while nothing answers by UDP either:
	// twice as long after each, up to maxHungPause.
	hungPause    = 15 * time.Second
	maxHungPause = time.Minute
	// leastLook and look are within which time after a try that found no server the client first asks by UDP whether it is
	// back: a time in which a server can let a crowd in. Each time after that it takes twice as long, up to
	// maxReconnectPause.
	leastLook = 250 * time.Millisecond
	look      = time.Second
	// sessionLife is how long a server keeps a silent session by default, maxSessionLife at most.
	sessionLife    = 30 * time.Second
	maxSessionLife = time.Hour
	// lostAfter is how long attempts go on without any answer, beyond the time that the session lasts: a server that
	// stands still keeps its sessions, since that time counts against no player.
	lostAfter = 5 * time.Minute
)

// EventKind says what happened to a realtime connection.
type EventKind uint8

// The kinds of [Event].
const (
	// EventConnected: the connection stands, for the first time or again; or another one stands in its place.
	EventConnected EventKind = iota + 1
	// EventDenied: an attempt to connect again found the server full.
	EventDenied
	// EventRefused: an attempt to connect again was answered with a refusal that passes, a [*rushgate.Refusal] such as
	// [rushgate.ServerBusy] or [rushgate.RateLimited].
	EventRefused
	// EventTimedOut: nothing came from the server for as long as the connect token says, or for 10 s over a WebSocket,
	// or an attempt to connect again got no answer, or none that a Rushgate server gives.
	EventTimedOut
	// EventDisconnected: the server ended the connection, or the socket broke.
	EventDisconnected
	// EventReconnecting: after Event.Delay comes another attempt.
	EventReconnecting
	// EventEnded: it is over. It is the last event.
	EventEnded
	// EventSilent: nothing has come from the server for a second. The client asks for another connection, beside the one
	// it has: EventConnected tells when that is there, and EventRecovered that the old one has come to life before.
	EventSilent
	// EventResumed: the session was over, and the player has come back without a password, on a device that is remembered
	// ([Options].Remember): the [Session] goes on as another one.
	EventResumed
	// EventRecovered: something has come over a connection that was silent, and goes on.
	EventRecovered
)

// String returns the kind in words.
func (k EventKind) String() string {
	switch k {
	case EventConnected:
		return "connected"
	case EventDenied:
		return "denied"
	case EventRefused:
		return "refused"
	case EventTimedOut:
		return "timed out"
	case EventDisconnected:
		return "disconnected"
	case EventReconnecting:
		return "reconnecting"
	case EventEnded:
		return "ended"
	case EventSilent:
		return "silent"
	case EventRecovered:
		return "recovered"
	case EventResumed:
		return "resumed"
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// Event is something that happened to a realtime connection.
type Event struct {
	Kind EventKind
	// At is when.
	At time.Time
	// Err is the cause; nil for EventConnected, and for EventEnded after Close. With EventEnded it matches
	// [ErrSessionEnded] if the session is over: the player has to log in again; and [ErrReplaced] if the player is
	// connected elsewhere.
	Err error
	// Delay is the pause that EventReconnecting begins.
	Delay time.Duration
	// Lost says that the connection is over that there was, and not an attempt at another one, which may be made beside
	// it.
	Lost bool
	// WebSocket says of EventConnected that the connection is over a WebSocket.
	WebSocket bool
}

// Events tells what happens to the connection, for a game that wants to show it. It need not be read: of events that
// the game does not take the last few are kept. The channel is closed after EventEnded.
func (rt *Realtime) Events() <-chan Event { return rt.events }

func (rt *Realtime) emit(e Event) {
	rt.emitting.Lock() // those who search and those who read have something to tell
	defer rt.emitting.Unlock()
	e.At = time.Now()
	replace(rt.events, e)
}

// kindOf returns the event that tells of an error.
func kindOf(err error) EventKind {
	_, refused := errors.AsType[*rushgate.Refusal](err)
	state, ok := errors.AsType[netcode.StateError](err)
	switch {
	case ok && state.State == netcode.StateDenied:
		return EventDenied
	case ok && state.State == netcode.StateDisconnected:
		return EventDisconnected
	case !ok && refused:
		return EventRefused
	}
	return EventTimedOut // or no answer over HTTP
}

// seek makes the next connection, beside the current one or after it was lost. It returns an error when there is no use
// in going on: ctx has ended, the session has, or nothing has answered for long.
func (rt *Realtime) seek(ctx context.Context, s *search) (connection, error) {
	select {
	case rt.seeking <- struct{}{}: // one that was given up may not have ended yet
		defer func() { <-rt.seeking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := rt.session.client
	c.stale.Store(true) // what broke this connection may have broken those that are kept for HTTP
	answered := time.Now()
	p := pause{asked: s.wait}
	for ; ; p.try++ {
		alive, err := rt.await(ctx, s, &p)
		if err != nil {
			return nil, err
		}
		s.committed.Store(false)
		conn, err := rt.connectAnew(ctx, &s.approach, alive)
		if errors.Is(err, ErrSessionEnded) && rt.session.mayComeBack() {
			conn, err = rt.comeBack(ctx, &s.approach, err)
		}
		switch {
		case err == nil:
			return conn, nil
		case ctx.Err() != nil, hopeless(err):
			return nil, err
		}
		rt.emit(Event{Kind: kindOf(err), Err: err})
		refusal, _ := errors.AsType[*rushgate.Refusal](err)
		if p.asked = 0; refusal != nil {
			p.asked = rt.patience(refusal.RetryAfter)
		}
		if errors.Is(err, ErrTryTimeout) {
			p.hung++
		} else {
			p.hung = 0
		}
		p.away = p.hung == 0 && errors.Is(err, ErrNoAnswer)
		if _, renewed := errors.AsType[netcode.StateError](err); renewed || refusal != nil {
			answered = time.Now()
		}
		if lost := rt.begun.Add(time.Duration(rt.lost.Load())); lost.After(answered) {
			answered = lost
		}
		if enough := rt.session.grant.silentLife() + lostAfter; time.Since(answered) > enough {
			return nil, fmt.Errorf("%w (nothing better within %v)", err, enough)
		}
	}
}

// comeBack opens another session in place of one that is over, and connects.
func (rt *Realtime) comeBack(ctx context.Context, a *approach, over error) (connection, error) {
	token, err := rt.session.comeBack(ctx)
	switch {
	case errors.Is(err, ErrNoResume), errors.Is(err, rushgate.BadCredentials):
		return nil, over
	case errors.Is(err, rushgate.AlreadyLoggedIn): // elsewhere, and stays there
		return nil, fmt.Errorf("%w: %w", over, err)
	case err != nil:
		return nil, err
	}
	rt.emit(Event{Kind: EventResumed})
	if token == nil || rt.opts.WebSocket {
		return rt.connectAnew(ctx, a, true)
	}
	return rt.dialOrFallBack(ctx, a, token)
}

// pause is what the next pause of a search goes by.
type pause struct {
	try   int
	asked time.Duration // what the server asks for
	hung  int           // so many tries got no answer over HTTP, and waited for it in vain
	away  bool          // the last try found no server, and learned so at once
	looks int           // so often it was asked by UDP whether there is one again
	at    time.Time     // when the last try began
}

// over reports whether enough time has passed since a try that hung.
func (p *pause) over() bool {
	return p.hung == 0 || time.Since(p.at) >= min(hungPause<<min(p.hung-1, 8), maxHungPause)
}

// nextLook returns how long after the last one, or after a try, it is time to ask by UDP whether the server is back.
func (p *pause) nextLook(c *Client) time.Duration {
	return min((leastLook+c.random(look))<<min(p.looks, 8), maxReconnectPause)
}

// await pauses before a try, and reports whether UDP is known to be alive then. What the server asks for is waited for.
//
// A node that stands still is to find as few requests as may be when it goes on: each waits for it in a queue, and
// counts. So where there is a connection still, which may come to life, the first pause is a short one, in which the
// server is asked by UDP, and for nothing else if it answers within probePatience; and after a request that hung the
// next comes when UDP is alive, or hungPause after the one before; where UDP is known to be dead, sooner.
//
// Of a server that is not there, since its machine says so, UDP tells cheaply when it is back: the pause is over then.
func (rt *Realtime) await(ctx context.Context, s *search, p *pause) (alive bool, err error) {
	c := rt.session.client
	if s.beside && p.try == 0 {
		if err := sleep(ctx, leastSpread+c.random(spread)); err != nil {
			return false, err
		}
		sign := rt.probe(ctx)
		p.at = time.Now()
		if sign != refused || rt.roads.fallen { // a firewall that refuses UDP knows nothing of the server
			return sign == answered, rt.yield(ctx, s, sign)
		}
		p.try, p.away = 1, true
	}
	for ; ; p.try++ {
		d := max(min(c.jitter(p.try), maxReconnectPause), p.asked)
		rt.emit(Event{Kind: EventReconnecting, Delay: d})
		sign, err := rt.rest(ctx, p, d)
		switch {
		case err != nil:
			return false, err
		case sign == refused && p.away && !rt.roads.fallen && time.Since(p.at) < maxReconnectPause:
		case sign == answered, p.over(), rt.roads.fallen, len(rt.roads.addresses) == 0:
			p.at = time.Now()
			return sign == answered, rt.yield(ctx, s, sign)
		}
	}
}

// yield gives a connection that there was time to bring a snapshot, now that the server has given a sign of life. If it
// does, that ends ctx.
func (rt *Realtime) yield(ctx context.Context, s *search, sign sign) error {
	if sign != answered || !s.beside {
		return ctx.Err()
	}
	return sleep(ctx, leastSpread)
}

// rest sleeps, and returns what the server then says by UDP if there is need to ask. It returns sooner when a server
// that was away is there again.
func (rt *Realtime) rest(ctx context.Context, p *pause, d time.Duration) (sign, error) {
	c := rt.session.client
	if !p.away || rt.roads.fallen || len(rt.roads.addresses) == 0 {
		if err := sleep(ctx, d); err != nil || p.hung == 0 && !rt.roads.fallen {
			return silent, err
		}
		return rt.probe(ctx), ctx.Err()
	}
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if err := sleep(ctx, min(left, p.nextLook(c))); err != nil {
			return silent, err
		}
		p.looks++
		if sign := rt.probe(ctx); sign == answered || !time.Now().Before(end) || ctx.Err() != nil {
			return sign, ctx.Err()
		}
	}
}

// patience returns how much of the pause that a server asks for can be granted. One that would outlast the session is
// cut short, at random so that players who were lost together do not come back together, and with time for the try to
// be answered. When no such time is left, there is nothing to lose by waiting.
func (rt *Realtime) patience(asked time.Duration) time.Duration {
	left := rt.session.untilLapse() - renewTimeout
	if left <= 0 {
		return min(asked, rt.session.grant.silentLife())
	}
	return min(asked, left/2+rt.session.client.random(left/2))
}

// hopeless reports whether trying again cannot help.
func hopeless(err error) bool {
	if errors.Is(err, ErrNoChannel) || errors.Is(err, ErrReplaced) || errors.Is(err, netcode.ErrInvalidToken) {
		return true
	}
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	if !ok {
		return false
	}
	switch refusal.Reason {
	case rushgate.ServerBusy, rushgate.RequestExpired, rushgate.RateLimited, rushgate.InternalError:
		return false
	case rushgate.WrongZone: // else it has been followed
		return refusal.Address == ""
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
