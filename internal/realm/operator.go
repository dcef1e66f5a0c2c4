package realm

import (
	"context"

	"github.com/rushgate/rushgate"
)

// Transport is the way of a player's realtime connection.
type Transport int

// The transports.
const (
	// NotConnected is for a player without a realtime connection.
	NotConnected Transport = iota
	// OverChannel is for one over [Config.Channel].
	OverChannel
	// Attached is for one that came by way of [Realm.Attach].
	Attached
)

// Presence is what an operator may see of a player inside.
type Presence struct {
	// Character is the player's present state, with the level and deaths that the store has.
	Character rushgate.Character
	// Transport is that of the player's realtime connection.
	Transport Transport
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

func (s *session) transport() Transport {
	l := s.link.Load()
	if l == nil {
		return NotConnected
	}
	if _, ok := l.conn.(peerConnection); ok {
		return OverChannel
	}
	return Attached
}
