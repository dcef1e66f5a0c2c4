package run

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// outcome says how a player who came ended up.
type outcome int

const (
	interrupted outcome = iota
	in
	busy
	rateLimited
	expired
	refused // for another reason
	timedOut
	dropped
	rejected  // as they should be: a wrong password, or no sense at all
	wronglyIn // although they should not be
)

// outcome classifies what became of the player's visit. ctx is that of the run.
func (p *player) outcome(ctx context.Context, err error) outcome {
	switch p.ask {
	case askWrongPassword:
		if errors.Is(err, rushgate.BadCredentials) {
			return rejected
		}
	case askMalformed:
		if errors.Is(err, errRejected) {
			return rejected
		}
	default:
		if err == nil {
			return in
		}
	}
	if err == nil || errors.Is(err, errAccepted) {
		return wronglyIn
	}
	o := outcomeOf(ctx, err)
	if o == timedOut && p.told != "" {
		// Their time ended in the middle of a try. Until then they had not been left waiting in silence.
		return outcomeOf(ctx, &rushgate.Refusal{Reason: p.told})
	}
	return o
}

// outcomeOf classifies the error of a registration or login. ctx is that of the run.
//
// A player whose last word from the server was "busy" counts as busy even if it was the time limit that ruled out
// another try: the server did not leave them waiting in silence.
func outcomeOf(ctx context.Context, err error) outcome {
	refusal, _ := errors.AsType[*rushgate.Refusal](err)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return interrupted
	case errors.Is(err, rushgate.RequestExpired): // before busy: the client's error for spent retries matches that too
		return expired
	case errors.Is(err, rushgate.ServerBusy):
		return busy
	case errors.Is(err, rushgate.RateLimited):
		return rateLimited
	case refusal != nil, errors.Is(err, client.ErrBadAnswer):
		return refused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, client.ErrTryTimeout):
		return timedOut
	}
	return dropped
}
