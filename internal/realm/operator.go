package realm

import (
	"context"
	"errors"
	"time"

	"github.com/rushgate/rushgate"
)

// NotConnected stands in place of a transport's name for a player without a realtime connection.
const NotConnected = "none"

// Presence is what an operator may see of a player inside.
type Presence struct {
	// Character is the player's present state, with the level and deaths that the store has.
	Character rushgate.Character
	// Transport is the name of the transport of the player's realtime connection, or [NotConnected].
	Transport string
}

// listedAtOnce is of how many players one step of the tick is asked: a list of all of them takes as many steps as it
// needs, so that none of them is late for it.
const listedAtOnce = 100

// Inside is a player inside, in a list of all.
type Inside struct {
	Player rushgate.PlayerID
	Name   string
	Since  time.Time // when the player came in, to this session
	// Zone is where the player is in the world, in its own words; empty if the world does not know the player.
	Zone string
	// Transport is as in [Presence].
	Transport string
	// RoundTrip is how long a question over the realtime connection was last under way, there and back; 0: not known.
	RoundTrip time.Duration
}

// List returns all players inside, in no order. It is collected over several steps of the tick: those who come or go
// meanwhile may be missing. The error is [rushgate.ServerBusy] for a realm that stops, or ctx's.
func (r *Realm) List(ctx context.Context) ([]Inside, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.quit:
		return nil, rushgate.ServerBusy
	default:
	}
	sessions := r.byPlayer.all()
	out := make([]Inside, 0, len(sessions))
	for len(sessions) > 0 {
		some := sessions[:min(listedAtOnce, len(sessions))]
		sessions = sessions[len(some):]
		listed := make(chan struct{})
		err := r.between(ctx, func() {
			defer close(listed)
			out = r.list(out, some)
		})
		switch {
		case errors.Is(err, errStopped):
			return nil, rushgate.ServerBusy
		case err != nil:
			return nil, err
		}
		<-listed // what the tick has taken on it does at once
	}
	return out, nil
}

// Named is the session of a player inside, as far as the tick need not be asked for it.
type Named struct {
	Player rushgate.PlayerID
	Name   string // of the account, in canonical form
}

// Names returns who is inside, in no order. Who comes or goes meanwhile may be missing.
func (r *Realm) Names() []Named {
	sessions := r.byPlayer.all()
	out := make([]Named, len(sessions))
	for i, s := range sessions {
		out[i] = Named{s.player, s.name}
	}
	return out
}

// list adds to a list those of some sessions that are inside. It is the tick's.
func (r *Realm) list(dst []Inside, sessions []*session) []Inside {
	for _, s := range sessions {
		if s.state != stateInside {
			continue
		}
		c, _ := r.world.character(s.player)
		dst = append(dst, Inside{
			Player: s.player, Name: s.name, Since: s.entered, Zone: c.Zone, Transport: s.transport(), RoundTrip: s.roundTrip(),
		})
	}
	return dst
}

// Find returns what there is to see of a player inside. Unlike a call of the player's own it does not keep the session
// alive. The error is [rushgate.BadCredentials] for who is not inside, [rushgate.ServerBusy] when the inbox is full, or
// ctx's.
func (r *Realm) Find(ctx context.Context, player rushgate.PlayerID) (Presence, error) {
	s, ok := r.byPlayer.get(player)
	if !ok {
		return Presence{}, rushgate.BadCredentials
	}
	character, err := r.query(ctx, s)
	if err != nil {
		return Presence{}, err
	}
	return Presence{Character: character, Transport: s.transport()}, nil
}

// End ends the session of a player inside as a logout would, and returns when the character is saved and the lease
// released. Errors are as for [Realm.Find]; with ctx's the end goes on.
func (r *Realm) End(ctx context.Context, player rushgate.PlayerID) error {
	s, ok := r.byPlayer.get(player)
	if !ok {
		return rushgate.BadCredentials
	}
	return r.logout(ctx, s)
}

func (s *session) transport() string {
	if l := s.link.Load(); l != nil {
		return l.transport.Name()
	}
	return NotConnected
}

// timer is a [Connection] that measures how long it is to the player's end and back.
type timer interface {
	// RoundTrip returns the last measure, 0 if there is none. It may be called from any goroutine.
	RoundTrip() time.Duration
}

func (s *session) roundTrip() time.Duration {
	if l := s.link.Load(); l != nil {
		if t, ok := l.conn.(timer); ok {
			return t.RoundTrip()
		}
	}
	return 0
}
