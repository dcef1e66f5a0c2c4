package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate/internal/outbound"
)

// Fail returns an error about a proof of a provider, which the operator has given a name.
func Fail(provider string, whose Whose, kind error) *Error {
	e := &Error{Provider: provider, Whose: whose, Err: kind}
	if whose == Provider {
		e.After = time.Second
	}
	return e
}

// FailCall returns the error for a call that has no answer: the provider's, unless it may not be called at all.
func FailCall(provider string, call *outbound.Error) *Error {
	whose, kind := Provider, ErrAway
	switch {
	case errors.Is(call, outbound.ErrForbidden):
		whose, kind = Node, ErrConfig
	case errors.Is(call, outbound.ErrGarbage), errors.Is(call, outbound.ErrTooLarge),
		errors.Is(call, outbound.ErrRedirect):
		kind = ErrGarbage
	}
	e := Fail(provider, whose, fmt.Errorf("%w: %w", kind, call.Err))
	if whose == Provider {
		e.After = call.After
	}
	return e
}

// First asks whether a proof is shown for the first time. The error is an [*Error] if it is not, or if the node has no
// room to remember it, or else that of once.
func (once Once) First(ctx context.Context, provider, proof string, until time.Time) error {
	switch first, err := once(ctx, provider+" "+proof, until); {
	case errors.Is(err, ErrFull):
		return Fail(provider, Provider, ErrFull)
	case err != nil:
		return err
	case !first:
		return Fail(provider, Player, ErrUsed)
	}
	return nil
}
