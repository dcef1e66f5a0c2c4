package netcode

import "fmt"

// State is what a Client is doing, as the standard names and numbers it: negative states are failures.
type State int8

// The states of a client.
const (
	StateTokenExpired     State = -6 // the token's lifetime passed before a server let the client in
	StateInvalidToken     State = -5 // the token breaks the standard
	StateTimedOut         State = -4 // connected, then silence for the token's timeout
	StateResponseTimedOut State = -3 // the server challenged the client, then did not react to the response
	StateRequestTimedOut  State = -2 // no answer to the connection request
	StateDenied           State = -1 // the server is full
	StateDisconnected     State = 0  // not begun, or ended by the server or by Close
	StateSendingRequest   State = 1  // presenting the token to a server
	StateSendingResponse  State = 2  // returning a server's challenge
	StateConnected        State = 3  // payloads pass both ways
)

// String returns the standard's name of s.
func (s State) String() string {
	switch s {
	case StateTokenExpired:
		return "connect token expired"
	case StateInvalidToken:
		return "invalid connect token"
	case StateTimedOut:
		return "connection timed out"
	case StateResponseTimedOut:
		return "connection response timed out"
	case StateRequestTimedOut:
		return "connection request timed out"
	case StateDenied:
		return "connection denied"
	case StateDisconnected:
		return "disconnected"
	case StateSendingRequest:
		return "sending connection request"
	case StateSendingResponse:
		return "sending connection response"
	case StateConnected:
		return "connected"
	default:
		return fmt.Sprintf("state %d", int8(s))
	}
}

// StateError is wrapped by the errors of Dial, and returned by the methods of a Client, when a connection ended for
// a reason that the standard knows. State is then the client's last: a negative one, or StateDisconnected when the
// server said goodbye or the context of Dial ended. Values are comparable:
//
//	errors.Is(err, netcode.StateError{State: netcode.StateDenied})
type StateError struct{ State State }

// Error returns the name of the state.
func (e StateError) Error() string { return "netcode: " + e.State.String() }
