package providers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/identity"
)

const (
	// MaxShown is how many bytes a client may show to a [Prover].
	MaxShown = 4 << 10

	proversAtOnce = 16
	proverWait    = time.Second // for room
	proverTime    = 5 * time.Second
)

// Prover says who a player is who shows something, at most [MaxShown] bytes. Of the identity, the issuer is not for it
// to say. An error with a [rushgate.Reason] is the player's, who hears [rushgate.BadCredentials]; of
// [rushgate.ServerBusy] and [rushgate.RateLimited] the player hears when to come back; any other goes to the log, and
// to the player as that the provider is away.
type Prover func(ctx context.Context, shown []byte) (identity.Identity, error)

// ProverIssuer returns the issuer of the identities of a prover.
func ProverIssuer(name string) string { return "game:" + name }

// prover asks a Prover within bounds: so many times at once, and no longer than it may take. One that does not end when
// its context does keeps its room until it ends.
type prover struct {
	name   string
	ask    Prover
	room   chan struct{}
	logger *slog.Logger
}

func newProver(name string, ask Prover, logger *slog.Logger) *prover {
	return &prover{name: name, ask: ask, room: make(chan struct{}, proversAtOnce), logger: logger}
}

// said is what a Prover has said.
type said struct {
	id  identity.Identity
	err error
}

func (p *prover) prove(ctx context.Context, h *Handed) (identity.Identity, error) {
	patience := time.NewTimer(proverWait)
	defer patience.Stop()
	select {
	case p.room <- struct{}{}:
	case <-patience.C:
		return identity.Identity{}, identity.Fail(p.name, identity.Provider, identity.ErrFull)
	case <-ctx.Done():
		return identity.Identity{}, ctx.Err()
	}
	inner, cancel := context.WithTimeout(ctx, proverTime)
	defer cancel()
	answer := make(chan said, 1)
	go func() {
		defer func() { <-p.room }()
		answer <- p.call(inner, h.Shown)
	}()
	select {
	case a := <-answer:
		return p.judge(inner, a)
	case <-inner.Done():
		if ctx.Err() != nil {
			return identity.Identity{}, ctx.Err()
		}
		return identity.Identity{}, identity.Fail(p.name, identity.Provider, fmt.Errorf("%w in time", identity.ErrAway))
	}
}

// call calls the Prover. A panic of it is an error.
func (p *prover) call(ctx context.Context, shown []byte) (a said) {
	defer func() {
		if v := recover(); v != nil {
			p.logger.Error("a prover panicked", "provider", p.name, "type", fmt.Sprintf("%T", v), "stack",
				string(debug.Stack()))
			a = said{err: identity.Fail(p.name, identity.Provider, identity.ErrAway)}
		}
	}()
	id, err := p.ask(ctx, shown)
	return said{id, err}
}

// judge returns whom a Prover has named, or whose its error is.
func (p *prover) judge(ctx context.Context, a said) (identity.Identity, error) {
	var (
		own     *identity.Error
		reason  rushgate.Reason
		refusal *rushgate.Refusal
	)
	switch {
	case a.err == nil:
		a.id.Issuer = ProverIssuer(p.name)
		return a.id, nil
	case errors.As(a.err, &own):
		return identity.Identity{}, own
	case ctx.Err() != nil:
		return identity.Identity{}, identity.Fail(p.name, identity.Provider, fmt.Errorf("%w in time", identity.ErrAway))
	case !errors.As(a.err, &reason):
		return identity.Identity{}, identity.Fail(p.name, identity.Provider, fmt.Errorf("%w: %w", identity.ErrAway, a.err))
	case reason == rushgate.ServerBusy, reason == rushgate.RateLimited:
		fail := identity.Fail(p.name, identity.Provider, identity.ErrAway)
		if errors.As(a.err, &refusal) {
			fail.After = max(refusal.RetryAfter, fail.After)
		}
		return identity.Identity{}, fail
	default:
		return identity.Identity{}, identity.Fail(p.name, identity.Player, identity.ErrRefused)
	}
}
