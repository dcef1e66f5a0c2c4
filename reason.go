package rushgate

import (
	"errors"
	"time"
)

// Reason says, in the words of the wire, why a request was refused. A Reason is an error: match it with errors.Is,
// get at it with [ReasonOf].
type Reason string

// The reasons a player can be given. Package api maps each to one HTTP status.
const (
	// ServerBusy: the queue is full, the predicted wait is too long, or the node is draining. Come back later.
	ServerBusy Reason = "server-busy"
	// RateLimited: too many failures came from this address.
	RateLimited Reason = "rate-limited"
	// BadCredentials: unknown user, wrong password, or no valid session token; deliberately not told apart.
	BadCredentials Reason = "bad-credentials"
	// SecondFactor: the password is right, and the account asks for a code besides, or the one that came is wrong. Only a
	// player who has proved the password is told.
	SecondFactor Reason = "second-factor"
	// UsernameTaken: an account of that name exists, or of one that can be taken for it.
	UsernameTaken Reason = "username-taken"
	// AlreadyLoggedIn: the account has a live session, here or on another node.
	AlreadyLoggedIn Reason = "already-logged-in"
	// MissingCredentials: fields are absent or malformed.
	MissingCredentials Reason = "missing-credentials"
	// RequestExpired: the request waited too long in the queue, or its caller went away.
	RequestExpired Reason = "request-expired"
	// WrongZone: the character's zone is served by another node, whose address comes with the refusal.
	WrongZone Reason = "wrong-zone"
	// AccountDisabled: the account is disabled; until when and why come with the refusal. Only a player who has proved to
	// own the account is told.
	AccountDisabled Reason = "account-disabled"
	// InternalError: anything else. Details are in the log only.
	InternalError Reason = "internal-error"
)

// Error returns the reason as it stands on the wire.
func (r Reason) Error() string { return string(r) }

// Refusal is a [Reason] with when and where to ask again and, for the log only, what caused it.
type Refusal struct {
	// Reason is what the player is told.
	Reason Reason
	// RetryAfter is how long to wait before asking again; zero if waiting does not help.
	RetryAfter time.Duration
	// Address is where to go instead, as host:port; empty except with [WrongZone].
	Address string
	// Until is when the account is enabled again, [Forever] for never; zero except with [AccountDisabled].
	Until time.Time
	// Text is what the operator wants the player to be told; empty except with [AccountDisabled], or a Mode.
	Text string
	// AppealURL is where the player can say that this is wrong, https://; empty except with [AccountDisabled].
	AppealURL string
	// Mode is set, with [ServerBusy] only, if the operator lets in nobody, or only some players: [ModeOpen] and the empty
	// Mode stand for a door that is open.
	Mode Mode
	// OpensAt is when the operator means to open, with a Mode; zero if that is not said.
	OpensAt time.Time
	// Place is the player's in the line before the door; the zero value is none. It comes with [ServerBusy] only.
	Place Place
	// Work is what the player's client has to find before it is given a place in the line; the zero value is nothing. It
	// comes with [ServerBusy] only, and in place of a Place.
	Work Work
	// Cause goes to the log and never to the player; it may be nil.
	Cause error
}

// Place is one in the line of those for whom there was no room: the one before the door, or the world's.
type Place struct {
	// Number is how many have to be let in up to and including this player, about; from 1.
	Number int
	// Low and High are between which the player will be let in, in nine cases of ten.
	Low, High time.Duration
	// PollAfter is when to ask again: all who wait together then ask no more often than the server can answer.
	PollAfter time.Duration
	// Turn is the place by the line's clock, to be compared with what GET /v1/line says.
	Turn time.Time
	// Ticket is what keeps the place for the client, which sends it with the next try, and keeps it until it is given
	// another. It is empty if the client has a good one, or asked for none: such a client is known by its address and the
	// account's name.
	Ticket string
	// Lost is what became of the ticket that the client has sent, if it was not honoured: "expired", "used" or "unknown";
	// else it is empty.
	Lost string
	// Proof is set with a Ticket of the world's line: the player has proved to own the account, and waits for a seat. With
	// both, and without the password, the client comes in when it is its turn. It is a secret.
	Proof string
}

// Work is a proof of work that a client is asked for: 8 bytes such that the SHA-256 of the Salt, of the first 16 bytes
// of the SHA-256 of the client's line_secret, and of these 8 bytes begins with Bits zero bits.
type Work struct {
	// Bits says how much work it is: two to the power of Bits hashes on average.
	Bits int
	// Salt changes every minute; a proof is good for another minute.
	Salt [8]byte
}

// Error returns the reason, followed by the cause if there is one. It is meant for logs.
func (r *Refusal) Error() string {
	if r.Cause == nil {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Cause.Error()
}

// Unwrap makes both the reason and the cause visible to errors.Is and errors.As.
func (r *Refusal) Unwrap() []error {
	if r.Cause == nil {
		return []error{r.Reason}
	}
	return []error{r.Reason, r.Cause}
}

// ReasonOf returns the reason within err: [InternalError] if err carries none, and the empty Reason if err is nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	var r Reason
	if errors.As(err, &r) {
		return r
	}
	return InternalError
}
