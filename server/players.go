package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/admin"
)

// The errors of [Server.End] for a player whose session has not ended with it.
var (
	// ErrNotInside is wrapped by the error for a player who is inside at no node.
	ErrNotInside = errors.New("server: the player is not inside")
	// ErrElsewhere is wrapped by the error for a player who is inside at another node. That node has been asked to end the
	// session, and does so within seconds, if it runs.
	ErrElsewhere = errors.New("server: the player is inside at another node, which has been asked to end the session")
)

// Player is a player inside, as [Server.Players] lists them.
type Player struct {
	ID   rushgate.PlayerID
	Name string // of the account, in canonical form
	// Since is when the player came in, to the session that runs.
	Since time.Time
	// Zone is where the player is, in the world's own words.
	Zone string
	// Origin is the network that the player comes from, as the door counts it: an address of IPv4, or a /64 of IPv6. It is
	// the zero prefix for a player whose origin is not known: one whose session is just about to begin or to end.
	Origin netip.Prefix
	// Device stands for what the player's client has said of its device, as operators see it and can ban it: hexadecimal
	// digits; empty if it has said nothing.
	Device string
	// Transport is how the player is connected for play: "udp", "websocket", or "none" for one without a realtime
	// connection.
	Transport string
	// RoundTrip is how long the way to the player and back took last; 0 if that is not known, which is so over UDP, and
	// for the first seconds of a WebSocket.
	RoundTrip time.Duration
}

// Players returns the players who are inside this node, in no order. It costs the tick nothing that players could
// notice, but takes a step of it (1/60 s) for every 100 of them, so do not ask more often than every few seconds. Who
// comes or goes meanwhile may be missing. The error is ctx's, or wraps [rushgate.ServerBusy] when the node stops. It
// may be called from any goroutine, but not from a method of the World, for which it would wait.
func (s *Server) Players(ctx context.Context) ([]Player, error) {
	inside, err := s.realm.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("server: listing the players: %w", err)
	}
	names := make([]string, len(inside))
	for i := range inside {
		names[i] = inside[i].Name
	}
	from := s.door.Whence(names)
	out := make([]Player, len(inside))
	for i, p := range inside {
		out[i] = Player{
			ID: p.Player, Name: p.Name, Since: p.Since.Round(0), Zone: p.Zone, Origin: from[i].Origin,
			Device: from[i].Device.String(), Transport: p.Transport,
			RoundTrip: p.RoundTrip,
		}
	}
	return out, nil
}

// End ends the session of a player by name, as a logout would, and returns when the character is saved; a client that
// is connected is told that the session is over. The player may log in again at once: what keeps a player out is a ban,
// by "rushgate account disable" or the Policy. The name is taken as a player would type it.
//
// The error wraps [ErrNotInside] or [ErrElsewhere] for a player who is not inside here, [rushgate.ErrInvalidUsername]
// for what can be no name, [rushgate.BadCredentials] for one without an account, [rushgate.ErrUnavailable] while the
// store does not answer, and otherwise ctx's: then the end goes on. It may be called from any goroutine, but not from a
// method of the World, for which it would wait.
func (s *Server) End(ctx context.Context, name string) error {
	switch ended, err := s.desk.endSession(ctx, name); {
	case err != nil:
		return fmt.Errorf("server: ending the session of a player: %w", err)
	case ended == admin.EndingElsewhere:
		return ErrElsewhere
	case ended == admin.NotInside:
		return ErrNotInside
	}
	return nil
}

// Character returns the present state of the player whose session token it is, as GET /v1/me does, and keeps the
// session alive: it is how a [Config].Handler knows who asks. The error wraps [rushgate.BadCredentials] for a token
// without a session here, [rushgate.ServerBusy] when the tick has too much to do, or is ctx's. It may be called from
// any goroutine, but not from a method of the World, for which it would wait.
func (s *Server) Character(ctx context.Context, sessionToken string) (rushgate.Character, error) {
	c, _, err := s.realm.Character(ctx, sessionToken)
	if err != nil {
		return rushgate.Character{}, fmt.Errorf("server: character of a session: %w", err)
	}
	return c, nil
}

// guests lists the players inside for the operator.
func (d *desk) guests(ctx context.Context) ([]admin.Guest, error) {
	players, err := d.Players(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]admin.Guest, len(players))
	for i, p := range players {
		out[i] = admin.Guest(p)
	}
	return out, nil
}
