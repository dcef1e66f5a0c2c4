package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// What an [*Error] wraps.
var (
	// ErrOpen: the target has failed so often that it is left alone for a while. Nothing was sent.
	ErrOpen = errors.New("left alone for a while after failures")
	// ErrFull: as many calls are under way as there may be. Nothing was sent.
	ErrFull = errors.New("too many calls at once")
	// ErrAway: no answer, or not in time.
	ErrAway = errors.New("no answer")
	// ErrStatus: the target answers that it cannot (5xx), or that there are too many calls (429).
	ErrStatus = errors.New("the server says that it cannot answer")
	// ErrGarbage: an answer that is not of the form that was asked for.
	ErrGarbage = errors.New("not an answer of the form that was asked for")
	// ErrTooLarge: an answer with more bytes than it may have.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrForbidden: the address is one that is not called.
	ErrForbidden = errors.New("not an address to call")
	// ErrRedirect: the target leads on where it should not: more often than twice, away from HTTPS, or with a request
	// that has a body or a secret.
	ErrRedirect = errors.New("a redirect that is not followed")
)

// Error is why a call has no answer. It is not [ErrForbidden] or [ErrRedirect]: the target is away, and After is when
// to come back. Its text has no URL in it, and nothing that was sent.
type Error struct {
	Target string
	Err    error         // wraps one of those above
	After  time.Duration // a second or more
}

// Error returns the text.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Target, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func (t *Target) errorf(after time.Duration, kind error) *Error {
	return &Error{Target: t.name, Err: kind, After: max(after, leastRest)}
}

// describe says why there was no answer. What the standard library quotes of an answer, or of a URL, is left out.
func describe(err error) error {
	var (
		dns         *net.DNSError
		op          *net.OpError
		certificate *tls.CertificateVerificationError
		unknown     x509.UnknownAuthorityError
		timeout     interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrTooLarge):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w in time", ErrAway)
	case errors.As(err, &dns):
		return fmt.Errorf("%w: %w", ErrAway, dns)
	case errors.As(err, &certificate):
		return fmt.Errorf("%w: %w", ErrAway, certificate)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %w", ErrAway, unknown)
	case errors.As(err, &op):
		return fmt.Errorf("%w: %w", ErrAway, op)
	default:
		return fmt.Errorf("%w: the connection ended, or what came is not HTTP", ErrAway)
	}
}
