package server

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/operator"
)

const (
	// operatorInterval is how often a node looks whether the operators have changed.
	operatorInterval = time.Second
	// operatorTimeout ends an attempt.
	operatorTimeout = 2 * time.Second
	// trimDelay is how long after its start a node looks for the first time, and by chance up to as much again: nodes that
	// are started together do not look at the same time, then or later.
	trimDelay = 30 * time.Second
	// trimInterval is how often a node looks whether there is something in the audit log that is too old.
	trimInterval = time.Hour
	// trimTimeout ends an attempt.
	trimTimeout = time.Minute
)

// staff keeps what a node knows of its operators in step with the store, and what they have done for as long as it is
// to be kept.
type staff struct {
	roll   *operator.Roll
	log    *audit.Log
	keep   time.Duration
	steady func() bool // the time of day is good enough to take out what is too old
	logger *slog.Logger

	failing bool // of the one goroutine that looks
	end     context.CancelFunc
	running sync.WaitGroup
}

func newStaff(store rushgate.Store, keep time.Duration, steady func() bool, logger *slog.Logger) *staff {
	return &staff{
		roll: operator.NewRoll(store), log: audit.NewLog(store), keep: keep, steady: steady, logger: logger, end: func() {},
	}
}

// begin looks for the first time.
func (s *staff) begin(ctx context.Context) { s.once(ctx) }

// start goes on looking, until stop.
func (s *staff) start() {
	var ctx context.Context
	ctx, s.end = context.WithCancel(context.Background())
	s.running.Go(func() { every(operatorInterval, ctx.Done(), func(time.Time) { s.once(ctx) }) })
	s.running.Go(func() { s.trimOften(ctx) })
}

// stop ends it. It is idempotent.
func (s *staff) stop() {
	s.end()
	s.running.Wait()
}

// once looks. What goes wrong is told to the log, once for as long as it lasts.
func (s *staff) once(ctx context.Context) {
	inner, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	err := s.roll.Refresh(inner)
	if ctx.Err() != nil || (err != nil) == s.failing {
		return
	}
	s.failing = err != nil
	if s.failing {
		s.logger.Warn("the operators cannot be read; those that were known before stay", "error", err)
	} else {
		s.logger.Info("the operators can be read again")
	}
}

// trimOften trims soon, and then again and again.
func (s *staff) trimOften(ctx context.Context) {
	soon := time.NewTimer(trimDelay + rand.N(trimDelay))
	defer soon.Stop()
	select {
	case <-ctx.Done():
		return
	case <-soon.C:
	}
	s.trim(ctx)
	every(trimInterval, ctx.Done(), func(time.Time) { s.trim(ctx) })
}

// trim takes what is too old out of the audit log. Nodes that do it at the same time do it once.
func (s *staff) trim(ctx context.Context) {
	if !s.steady() {
		return
	}
	inner, cancel := context.WithTimeout(ctx, trimTimeout)
	defer cancel()
	removed, err := s.log.Trim(inner, s.keep)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.logger.Warn("the audit log could not be trimmed; the next try is in an hour", "error", err)
	case removed > 0:
		s.logger.Info("old entries were taken out of the audit log", "entries", removed)
	}
}
