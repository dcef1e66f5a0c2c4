package redis

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// breakAfter is how many calls in a row must fail before further ones are refused at once. It is more than one
	// because a single lost connection, as in a failover, is no outage.
	breakAfter = 3
	// trialEvery is how often one call is let through, behind a write, to see whether the server is back.
	trialEvery = 500 * time.Millisecond
)

// breaker refuses calls at once while the server does not answer, so that players are not kept waiting for nothing and
// a server that comes back is not met by everything that has piled up.
type breaker struct {
	log *slog.Logger

	mu       sync.Mutex
	failures int // in a row
	open     bool
	openings uint64
	tried    time.Time // when it opened, or the last trial ended
	trying   bool
}

// allow reports whether a call may be made, and whether it is a trial; a nil error obliges the caller to report both
// that and the outcome to done.
func (b *breaker) allow() (trial bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return false, nil
	}
	if b.trying || time.Since(b.tried) < trialEvery {
		return false, fmt.Errorf("redis: %w: not answering for now", rushgate.ErrUnavailable)
	}
	b.trying = true
	return true, nil
}

// outcome is how a call has ended, seen from the server.
type outcome int

const (
	answered  outcome = iota
	failed            // the server was not there
	abandoned         // the caller has gone: nothing is known
)

// done takes how a call has ended; cause says why it has failed.
func (b *breaker) done(trial bool, o outcome, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if trial {
		b.trying, b.tried = false, time.Now()
	}
	switch o {
	case answered:
		if b.open {
			b.log.Info("redis answers again")
		}
		b.open, b.failures = false, 0
	case failed:
		b.failures++
		if !b.open && b.failures >= breakAfter {
			b.open, b.tried = true, time.Now()
			b.openings++
			b.log.Warn("redis does not answer; refusing calls until it does", "failures", b.failures,
				"because", cause)
		}
	case abandoned:
	}
}

// Health implements [rushgate.HealthReporter].
func (s *Store) Health() rushgate.Health {
	s.warningsMu.Lock()
	warnings := slices.Clone(s.warnings)
	s.warningsMu.Unlock()
	s.breaker.mu.Lock()
	defer s.breaker.mu.Unlock()
	return rushgate.Health{
		Open:     s.breaker.open,
		Failures: s.breaker.failures,
		Openings: s.breaker.openings,
		Pending:  s.standings.pending(),
		Warnings: warnings,
	}
}
