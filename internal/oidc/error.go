package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// The errors of libraries quote what a provider has answered, and URLs. Nothing of them is passed on but what is known
// to have no secret in it.

// fail returns an error that is somebody's.
func (p *Provider) fail(whose identity.Whose, kind error) *identity.Error {
	return identity.Fail(p.Name, whose, kind)
}

// failed returns the error of a call, as its caller gets it.
func (p *Provider) failed(ctx context.Context, err error) error {
	var (
		mine  *identity.Error
		call  *outbound.Error
		early *outbound.Early
	)
	switch {
	case errors.As(err, &mine):
		return mine
	case errors.As(err, &call):
		return identity.FailCall(p.Name, call)
	case errors.As(err, &early):
		e := p.fail(identity.Provider, fmt.Errorf("%w: %w", identity.ErrAway, early))
		e.After = max(early.After, time.Second)
		return e
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, identity.ErrConfig):
		return p.fail(identity.Node, err)
	default:
		return p.fail(identity.Provider, identity.ErrGarbage)
	}
}

// discoveryError returns what a failed discovery says, without what was answered.
func discoveryError(err error) error {
	var (
		call     *outbound.Error
		mismatch *gooidc.IssuerMismatchError
	)
	switch {
	case errors.As(err, &call):
		return call
	case errors.As(err, &mismatch):
		return fmt.Errorf("%w: the provider at the issuer's address calls itself another one", identity.ErrConfig)
	default:
		return identity.ErrGarbage
	}
}

// exchangeError returns what it says that a provider did not take a code.
func (p *Provider) exchangeError(ctx context.Context, err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return p.failed(ctx, err)
	}
	if refused.ErrorCode != "" || refused.Response == nil {
		return p.refusal(refused.ErrorCode)
	}
	switch status := refused.Response.StatusCode; status { // Twitch has no codes
	case http.StatusBadRequest:
		return p.fail(identity.Player, fmt.Errorf("%w (%d)", identity.ErrRefused, status))
	case http.StatusUnauthorized, http.StatusForbidden:
		return p.fail(identity.Node, fmt.Errorf("%w (%d)", identity.ErrConfig, status))
	default:
		return p.fail(identity.Provider, fmt.Errorf("%w (%d)", identity.ErrGarbage, status))
	}
}

// refusal returns the error for a code of RFC 6749, sections 4.1.2.1 and 5.2, or of OpenID Connect Core 1.0, section
// 3.1.2.6. Only those that are known are quoted.
func (p *Provider) refusal(code string) error {
	switch code {
	case "invalid_grant": // it is wrong, too old, or was used before
		return p.fail(identity.Player, fmt.Errorf("%w (%s)", identity.ErrRefused, code))
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
		"user_cancelled_authorize": // the last is Apple's
		return p.fail(identity.Player, fmt.Errorf("%w (%s)", identity.ErrDenied, code))
	case "server_error", "temporarily_unavailable":
		return p.fail(identity.Provider, fmt.Errorf("%w (%s)", identity.ErrAway, code))
	case "invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_grant_type",
		"unsupported_response_type":
		return p.fail(identity.Node, fmt.Errorf("%w (%s)", identity.ErrConfig, code))
	default:
		return p.fail(identity.Provider, identity.ErrGarbage)
	}
}
