package realm

import (
	"context"

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
