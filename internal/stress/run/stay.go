package run

import (
	"context"
	"errors"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// A session ends after 30 s of silence, so one lost call must not be the end of it.
const (
	keepAlive        = 10 * time.Second // between two calls, give or take a quarter
	keepAliveTimeout = 10 * time.Second
)

// end is how a player's time inside came to its end.
type end int

const (
	leaving end = iota
	lost        // the server has ended the session, or the connection was dropped
)

// inside keeps the player inside, in the world if w is not nil, until they are to leave or the session is lost.
func (p *player) inside(s *client.Session, w *walk) end {
	ctx, cancel := p.run.staying, context.CancelFunc(func() {})
	if stay := p.run.cfg.Stay; stay > 0 {
		ctx, cancel = context.WithTimeout(ctx, stay)
	}
	defer cancel()
	if w != nil {
		return w.stay(ctx)
	}
	return p.stay(ctx, s)
}

// stay keeps the session open by calling now and then.
func (p *player) stay(ctx context.Context, s *client.Session) end {
	timer := time.NewTimer(time.Duration(p.run.cfg.random() * float64(keepAlive)))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-p.connection().Done():
			p.line.CloseIdleConnections()
			return lost
		case <-ctx.Done():
			return leaving
		}
		switch err := p.keepAlive(s); {
		case errors.Is(err, rushgate.BadCredentials):
			return lost
		case err != nil && p.connection().Err() == nil:
			p.run.tally.keepAliveFailed()
		}
		timer.Reset(time.Duration((0.75 + p.run.cfg.random()/2) * float64(keepAlive)))
	}
}

// keepAlive makes a call. It goes on when the stay ends: to cancel it would cost the connection, and the logout a new
// one.
func (p *player) keepAlive(s *client.Session) error {
	ctx, cancel := context.WithTimeout(p.connection(), keepAliveTimeout)
	defer cancel()
	_, err := s.Me(ctx)
	return err
}
