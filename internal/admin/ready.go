package admin

import (
	"context"
	"net/http"
	"time"
)

const (
	// pingTimeout is how long the store may take to answer a probe.
	pingTimeout = time.Second
	// pingEvery is how long an answer of the store holds: however many probes come, it is asked once in this time.
	pingEvery = time.Second
)

// readiness answers whether players can be let in.
type readiness struct {
	draining func() bool
	ping     func(context.Context) error

	turn chan struct{} // holds one while somebody asks the store or looks at what it has answered
	// Both belong to whoever has the turn.
	asked    time.Time // when the last answer came
	answered bool
}

func newReadiness(draining func() bool, ping func(context.Context) error) *readiness {
	return &readiness{draining: draining, ping: ping, turn: make(chan struct{}, 1)}
}

func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch {
	case r.draining():
		answer(w, http.StatusServiceUnavailable, "draining")
	case !r.storeAnswers(req.Context()):
		answer(w, http.StatusServiceUnavailable, "the store does not answer")
	default:
		answer(w, http.StatusOK, "ready")
	}
}

// storeAnswers asks the store unless it was asked a moment ago. Whoever comes while another asks waits for the same
// answer.
func (r *readiness) storeAnswers(ctx context.Context) bool {
	timeout := time.NewTimer(pingTimeout)
	defer timeout.Stop()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-timeout.C:
		return false
	case <-ctx.Done():
		return false
	}
	if !r.asked.IsZero() && time.Since(r.asked) < pingEvery {
		return r.answered
	}
	// Not the request's context: that a probe goes away says nothing about the store.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	r.answered = r.ping(ctx) == nil
	r.asked = time.Now()
	return r.answered
}
