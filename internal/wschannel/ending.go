package wschannel

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/realm"
)

// The close codes that are Rushgate's own, in the range that RFC 6455 section 7.4.2 leaves to applications: a proxy on
// the way closes with others, and a client can tell the two apart.
const (
	// CodeRefused: a message that no client should send.
	CodeRefused websocket.StatusCode = 4400
	// CodeNoSession: the first message named no session that goes on. Log in again.
	CodeNoSession websocket.StatusCode = 4401
	// CodeGreetingTimeout: the first message did not come within [GreetingTimeout].
	CodeGreetingTimeout websocket.StatusCode = 4408
	// CodeReplaced: the session has a newer connection.
	CodeReplaced websocket.StatusCode = 4409
	// CodeSessionEnded: the session is over. Log in again.
	CodeSessionEnded websocket.StatusCode = 4410
	// CodeStopping: the node is going down; the reason says when to come back, "retry in N ms". Whether the session goes
	// on is told then.
	CodeStopping websocket.StatusCode = 4411
	// CodeElsewhere: another node has the session; the reason is where players reach that, host:port.
	CodeElsewhere websocket.StatusCode = 4421
	// CodeBusy: the session cannot go on here yet; the reason says when to come back, "retry in N ms".
	CodeBusy websocket.StatusCode = 4503
	// CodeRateLimited: the session has connected too often; the reason says when to come back, "retry in N ms".
	CodeRateLimited websocket.StatusCode = 4429
)

// ending is why a connection ends. It is an error so that it can be a context's cause.
type ending struct {
	cause  cause
	code   websocket.StatusCode // 0 if the client cannot be told
	reason string
}

func (e *ending) Error() string { return "wschannel: connection ended: " + e.reason }

var (
	noSession    = &ending{causeNoSession, CodeNoSession, "no such session"}
	late         = &ending{causeLate, CodeGreetingTimeout, "the first message came too late"}
	replaced     = &ending{causeReplaced, CodeReplaced, "replaced by a newer connection"}
	sessionEnded = &ending{causeSessionEnded, CodeSessionEnded, "the session has ended"}
	badGreeting  = &ending{causeRefused, CodeRefused,
		`the first message must be text, {"session_token":"..."}`}
	moved = &ending{causeStopping, websocket.StatusServiceRestart,
		"the node is replaced by a new one, which knows the session"}
	textMessage = &ending{causeRefused, CodeRefused, "only binary messages after the first"}
	tooLarge    = &ending{causeTooLarge, CodeRefused, "message too large"}
	internal    = &ending{causeInternal, websocket.StatusInternalError, "something went wrong"}

	left   = &ending{cause: causeLeft, reason: "closed by the client"}
	silent = &ending{cause: causeSilent, reason: "nothing came from the client"}
	slow   = &ending{cause: causeSlow, reason: "the client took too long to take a message"}
	lost   = &ending{cause: causeLost, reason: "the network failed"}
)

// refused is the ending of a connection that the realm would not attach.
func refused(err error) *ending {
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	switch {
	case errors.Is(err, rushgate.BadCredentials):
		return noSession
	case ok && refusal.Reason == rushgate.RateLimited:
		return &ending{causeRateLimited, CodeRateLimited, retryIn(refusal.RetryAfter)}
	case ok && refusal.Reason == rushgate.ServerBusy:
		return &ending{causeBusy, CodeBusy, retryIn(refusal.RetryAfter)}
	case ok && refusal.Reason == rushgate.WrongZone && len(refusal.Address) <= maxReason:
		return &ending{causeElsewhere, CodeElsewhere, refusal.Address}
	case ok && refusal.Reason == rushgate.AccountDisabled:
		return noSession // which is what the next login says, and until when
	default:
		return internal
	}
}

// maxReason is the greatest length of a close frame's reason in bytes (RFC 6455 section 5.5).
const maxReason = 123

// retryIn is the reason that tells a client when to come back.
func retryIn(wait time.Duration) string {
	return fmt.Sprintf("retry in %d ms", int64(math.Ceil(float64(wait)/float64(time.Millisecond))))
}

// stopping is the ending of a connection to a node that goes down. Each player has a time of its own to come back.
func (c *Channel) stopping() *ending {
	if c.later == nil {
		return &ending{causeStopping, CodeStopping, "the node is going down"}
	}
	return &ending{causeStopping, CodeStopping, retryIn(c.later())}
}

// disconnected is the ending of a connection that the realm wants to end.
func disconnected(why realm.Cause) *ending {
	switch why {
	case realm.Replaced:
		return replaced
	case realm.Moved:
		return moved
	default:
		return sessionEnded
	}
}

// unreadable is the ending of a connection from which reading has failed; timeout is what a deadline means.
func unreadable(err error, timeout *ending) *ending {
	switch {
	case websocket.CloseStatus(err) != -1:
		return left
	case errors.Is(err, errTooLong):
		return tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timeout
	default:
		return lost
	}
}

// unwritable is the ending of a connection to which writing has failed.
func unwritable(err error) *ending {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return slow
	}
	return lost
}
