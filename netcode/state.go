package netcode

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrMoved is what Handler.Disconnected is told of the clients of a Server that is stopped after its state was taken:
// their connections are those of another server by now, and they have not been told goodbye.
var ErrMoved = errors.New("netcode: the connection goes on in another server")

// ErrBadState is wrapped by the error of NewServer for a ServerConfig.State that it cannot use.
var ErrBadState = errors.New("netcode: not the state of a server that this one can go on from")

// errNotPaused is for a state that would be out of date at once.
var errNotPaused = errors.New("netcode: the state of a server can be taken only while it is paused")

// ServerState is what Server.State returns, see there. It holds the keys of every connection: a program that
// reads it can be any of the clients, so it is to go by ways as safe as those of a private key, and be forgotten.
//
// Every fmt verb, log/slog and encoding/json print a placeholder for it, as they do for a Key; to write one, convert it
// to []byte.
type ServerState []byte

// String returns a placeholder.
func (ServerState) String() string { return redacted }

// GoString returns a placeholder.
func (ServerState) GoString() string { return redacted }

// Format writes a placeholder whatever the verb is.
func (ServerState) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a placeholder.
func (ServerState) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (ServerState) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Mover is a Handler that is told apart which clients come from ServerConfig.State. A Handler that is none is told of
// them by Connected.
type Mover interface {
	Handler

	// Moved is called in place of Connected for each client that was connected to the server whose state this one goes
	// on from, before all other calls. The Peer has the client id, address, slot and user data that it had there; its
	// Data is nil.
	Moved(p *Peer)
}

// Pause has the server stand still. When it returns, the server's goroutine has handled what it had read, and neither
// reads nor sends nor calls the Handler until Resume; that takes up to 100 ms, and as long as a call of the Handler
// blocks. Datagrams that arrive meanwhile wait in the socket. No time passes for timeouts. A Batch sends all the same:
// its users are to be stopped apart.
//
// A server that has not been started, or has been stopped, stands still already; started while paused, it begins
// paused. Pause is idempotent, and must not be called by the Handler.
func (s *Server) Pause() {}

// Resume ends what Pause began. It is idempotent.
func (s *Server) Resume() {}

// State returns all that another server needs to go on in place of this one, see ServerConfig.State: the connections
// with their keys and sequence numbers, the handshakes under way, and which connect tokens have been used. The server
// must be paused, or State returns an error.
//
// What this server seals afterwards, be it because a Batch is still in use or because it is resumed, it numbers from
// 2^32 further on, which no client minds; so this server and another one that was made of its state never seal two
// packets under one nonce, as long as that one seals fewer than 2^32 for each client. Until Resume is called, the
// connections are taken to be the other server's, and Stop tells the clients nothing.
//
// If both servers are in use one after the other, what the clients send in that time may be replayed to the one that
// did not receive it first.
func (s *Server) State() (ServerState, error) { return nil, errNotPaused }
