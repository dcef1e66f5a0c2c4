package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/operator"
)

const (
	// operatorInterval is how often a node looks whether the operators have changed.
	operatorInterval = time.Second
	// operatorTimeout ends an attempt.
	operatorTimeout = 2 * time.Second
)

// staff keeps what a node knows of its operators in step with the store.
type staff struct {
	roll   *operator.Roll
	logger *slog.Logger

	failing bool // of the one goroutine that looks
	end     context.CancelFunc
	running sync.WaitGroup
}

func newStaff(store rushgate.Fleet, logger *slog.Logger) *staff {
	return &staff{roll: operator.NewRoll(store), logger: logger, end: func() {}}
}

// begin looks for the first time.
func (s *staff) begin(ctx context.Context) { s.once(ctx) }

// start goes on looking, until stop.
func (s *staff) start() {
	var ctx context.Context
	ctx, s.end = context.WithCancel(context.Background())
	s.running.Go(func() { every(operatorInterval, ctx.Done(), func(time.Time) { s.once(ctx) }) })
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
