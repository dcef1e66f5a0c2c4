package providers

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/steam"
)

// outcome is what came of the wish to have a provider vouch for a player.
type outcome int

const (
	proven        outcome = iota
	refused               // what the player has shown is not good
	away                  // the provider does not answer, or not as it should
	misconfigured         // what the operator has configured is not what the provider has
	failed                // the node could not go on: the store was away, or the client
	outcomes
)

// String returns the name, for metrics.
func (o outcome) String() string {
	return [...]string{"proven", "refused", "away", "misconfigured", "failed"}[o]
}

// tally counts outcomes.
type tally struct {
	of     [outcomes]atomic.Int64
	failed atomic.Int64 // when it was the provider's fault, or that of what is configured, last: in Unix time, 0 for never
}

func (t *tally) count(o outcome, now time.Time) {
	t.of[o].Add(1)
	if o == away || o == misconfigured {
		t.failed.Store(now.Unix())
	}
}

// outcomeOf returns what an error says came of it.
func outcomeOf(err error) outcome {
	var e *identity.Error
	switch {
	case err == nil:
		return proven
	case !errors.As(err, &e):
		return failed
	case e.Whose == identity.Player:
		return refused
	case e.Whose == identity.Node:
		return misconfigured
	default:
		return away
	}
}

// Metrics writes what came of asking providers.
func (p *Providers) Metrics(s metric.Scrape) {
	p.changing.Lock()
	all := make(map[string]*tally, len(p.tallies))
	for name, t := range p.tallies {
		all[name] = t
	}
	p.changing.Unlock()
	for name, t := range all {
		for o := range outcomes {
			s.Counter("rushgate_identity_proofs_total", "Wishes to have a provider vouch for a player.",
				float64(t.of[o].Load()), "provider", name, "outcome", o.String())
		}
	}
	for _, source := range *p.sources.Load() {
		s.Gauge("rushgate_identity_in_flight", "Players about whom a provider is asked.",
			float64(source.inHand.Load()), "provider", source.Name)
	}
}

// Figures are what came of asking a provider, since the start.
type Figures struct {
	Description
	Proven, Refused, Away, Misconfigured int64
	// Left says that it is left alone at the moment, because it has failed.
	Left bool
	// FailedAt is when it was away, or not as it is configured, the last time, to the second; the zero time for never.
	FailedAt time.Time
}

// Figures returns those of the providers that there are, by name.
func (p *Providers) Figures() []Figures {
	sources := *p.sources.Load()
	all := make([]Figures, len(sources))
	for i, s := range sources {
		targets := []string{s.Name}
		switch s.Kind {
		case Steam:
			targets = []string{steam.PagesTarget, steam.TicketsTarget}
		case Game: // which is not called
			targets = nil
		}
		of := &s.tally.of
		all[i] = Figures{
			Description: s.Description, Proven: of[proven].Load(), Refused: of[refused].Load(), Away: of[away].Load(),
			Misconfigured: of[misconfigured].Load(), Left: p.cfg.Calls.Left(targets...),
		}
		if at := s.tally.failed.Load(); at > 0 {
			all[i].FailedAt = time.Unix(at, 0)
		}
	}
	return all
}

// tellEvery is how often the log hears that a provider is away, or is not configured as it should be: clients decide
// how often it is asked.
const tellEvery = time.Minute

// told remembers what the log was told when.
type told struct {
	mu   sync.Mutex
	last map[[2]string]time.Time // by provider, and by what is wrong; there are few
}

// note tells the log of what is the operator's or the provider's fault.
func (t *told) note(logger *slog.Logger, now time.Time, err error) {
	var e *identity.Error
	if !errors.As(err, &e) || e.Whose == identity.Player || errors.Is(err, context.Canceled) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = make(map[[2]string]time.Time)
	}
	key := [2]string{e.Provider, e.Whose.String()}
	if last, ok := t.last[key]; ok && now.Sub(last) < tellEvery {
		return
	}
	t.last[key] = now
	if e.Whose == identity.Node {
		logger.Error("a provider of identities does not take what is configured: correct its client id, secret, key or "+
			"issuer (docs/identities.md), or have the node call it where it is", "provider", e.Provider, "error", e.Err)
		return
	}
	logger.Warn("a provider of identities could not be asked; its players are told to come back, others notice nothing",
		"provider", e.Provider, "error", e.Err, "after", e.After)
}
