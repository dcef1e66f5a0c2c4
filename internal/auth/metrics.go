package auth

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/passkey"
)

// metrics counts what the pool does.
type metrics struct {
	tally    // of logins and registrations
	rehashed atomic.Int64

	load, derive, commit, settle latency.Histogram

	errands tally
	factors factorMetrics

	opaque struct {
		begin, finish tally
		duration      latency.Histogram // of a batch that begins
	}

	identities identityMetrics

	passkeys [passkey.Repeated + 1]atomic.Int64 // by verdict

	resumes struct {
		tally    // of requests with tokens
		duration latency.Histogram
		reuses   atomic.Int64
	}
}

// tally counts requests, and what becomes of them.
type tally struct {
	queued, processed, expired, rejectedBusy, rateLimited, refused, success atomic.Int64

	wait latency.Histogram

	mu      sync.Mutex
	fail    map[rushgate.Reason]int64
	batches map[int]int64 // by size
}

// of returns where requests of a kind are counted.
func (m *metrics) of(k Kind) *tally {
	if k.isErrand() || k.finishes() && !k.opensSession() {
		return &m.errands
	}
	if k.begins() {
		return &m.opaque.begin
	}
	if k.finishes() {
		return &m.opaque.finish
	}
	if k.inLane() {
		return &m.resumes.tally
	}
	return &m.tally
}

func (t *tally) countFailure(r rushgate.Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fail == nil {
		t.fail = make(map[rushgate.Reason]int64)
	}
	t.fail[r]++
}

func (t *tally) countBatch(size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.batches == nil {
		t.batches = make(map[int]int64)
	}
	t.batches[size]++
}

// failures returns how many requests have failed for each reason; it is never nil.
func (t *tally) failures() map[rushgate.Reason]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[rushgate.Reason]int64, len(t.fail))
	maps.Copy(all, t.fail)
	return all
}

// sizes returns how many batches there were of each size; it is never nil.
func (t *tally) sizes() map[int]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[int]int64, len(t.batches))
	maps.Copy(all, t.batches)
	return all
}

// Counters are totals since the start.
type Counters struct {
	Queued       int64 `json:"queued"`        // accepted into the queue
	Processed    int64 `json:"processed"`     // taken through the stages to an answer
	Expired      int64 `json:"expired"`       // dropped as stale
	RejectedBusy int64 `json:"rejected_busy"` // refused with server-busy, those that the door turned away included
	RateLimited  int64 `json:"rate_limited"`  // refused with rate-limited, likewise
	Success      int64 `json:"success"`       // let into the world
	Rehashed     int64 `json:"rehashed"`      // outdated hashes replaced
	// Fail counts the other answers by reason.
	Fail map[rushgate.Reason]int64 `json:"fail"`
}

// Stats is a snapshot of everything the pool measures.
type Stats struct {
	Counters Counters `json:"counters"`
	Depth    int      `json:"depth"`    // requests in the queue now
	Capacity int      `json:"capacity"` // 0: unbounded
	Workers  int      `json:"workers"`
	// Wait is the time a request spent in the queue; Load, Derive and Commit are the times of one batch. All are from
	// [latency.Histogram.Detailed].
	Wait   latency.Summary `json:"wait"`
	Load   latency.Summary `json:"load"`
	Derive latency.Summary `json:"derive"`
	Commit latency.Summary `json:"commit"`
	// BatchSize counts batches by their number of requests.
	BatchSize map[int]int64 `json:"batch_size"`
	// HashMS is what a hash takes in a full batch on one core of this machine, in milliseconds, measured at the start.
	HashMS float64 `json:"hash_ms"`
	// Errands are the requests that prove a password and open no session.
	Errands ErrandStats `json:"errands"`
	// Resumes are the requests with tokens, which have a lane of their own.
	Resumes ResumeStats `json:"resumes"`
	// Opaque are the requests by OPAQUE.
	Opaque OpaqueStats `json:"opaque"`
}

// OpaqueStats are the requests that begin by OPAQUE, which have a lane of their own, and those that finish, which share
// that of tokens.
type OpaqueStats struct {
	Begin  OpaqueTally `json:"begin"`
	Finish OpaqueTally `json:"finish"`
	Depth  int         `json:"depth"` // requests in the lane of those who begin that no batch has taken yet
	// BatchSize counts batches that begin by their number of requests, Duration is the time that one took.
	BatchSize map[int]int64   `json:"batch_size"`
	Duration  latency.Summary `json:"duration"`
}

// OpaqueTally counts requests by OPAQUE since the start.
type OpaqueTally struct {
	Queued       int64 `json:"queued"`
	Processed    int64 `json:"processed"`
	Expired      int64 `json:"expired"`
	RejectedBusy int64 `json:"rejected_busy"`
	RateLimited  int64 `json:"rate_limited"`
	Refused      int64 `json:"refused"` // by the policy
	Success      int64 `json:"success"`
	// Fail counts the other answers by reason.
	Fail map[rushgate.Reason]int64 `json:"fail"`
	// Wait is the time a request spent in its lane.
	Wait latency.Summary `json:"wait"`
}

// ErrandStats are the requests that prove a password and open no session: totals since the start, but for Depth.
type ErrandStats struct {
	Queued       int64 `json:"queued"`
	Processed    int64 `json:"processed"`
	Expired      int64 `json:"expired"`
	RejectedBusy int64 `json:"rejected_busy"`
	RateLimited  int64 `json:"rate_limited"`
	Success      int64 `json:"success"`
	Depth        int   `json:"depth"` // errands that no worker has taken yet
	// Fail counts the other answers by reason.
	Fail map[rushgate.Reason]int64 `json:"fail"`
	// Wait is the time an errand waited for a worker, Settle that of a batch in the store.
	Wait   latency.Summary `json:"wait"`
	Settle latency.Summary `json:"settle"`
}

// ResumeStats are the requests with tokens in place of passwords: totals since the start, but for Depth.
type ResumeStats struct {
	Queued       int64 `json:"queued"`
	Processed    int64 `json:"processed"`
	Expired      int64 `json:"expired"`
	RejectedBusy int64 `json:"rejected_busy"`
	RateLimited  int64 `json:"rate_limited"`
	Refused      int64 `json:"refused"` // by the policy
	Success      int64 `json:"success"`
	Reuses       int64 `json:"reuses"` // tokens that two had, for which a device was forgotten
	Depth        int   `json:"depth"`  // requests in the lane now that no batch has taken yet
	// Fail counts the other answers by reason.
	Fail      map[rushgate.Reason]int64 `json:"fail"`
	BatchSize map[int]int64             `json:"batch_size"`
	// Wait is the time a request spent in the lane, Duration that of one batch.
	Wait     latency.Summary `json:"wait"`
	Duration latency.Summary `json:"duration"`
}

// Stats returns a snapshot of everything the pool measures.
func (p *Pool) Stats() Stats {
	m, door := &p.metrics, p.cfg.Door.Stats()
	s := Stats{
		Counters: Counters{
			Queued: m.queued.Load(), Processed: m.processed.Load(), Expired: m.expired.Load(),
			RejectedBusy: m.rejectedBusy.Load() + door.TurnedAway.Busy(),
			RateLimited:  m.rateLimited.Load() + door.TurnedAway.Limited(),
			Success:      m.success.Load(), Rehashed: m.rehashed.Load(),
		},
		Depth: p.queue.Len(), Capacity: door.Capacity, Workers: p.cfg.Workers,
		Wait: m.wait.Detailed(), Load: m.load.Detailed(), Derive: m.derive.Detailed(), Commit: m.commit.Detailed(),
		BatchSize: m.sizes(),
		HashMS:    p.cfg.HashTime.Seconds() * 1000,
		Resumes:   m.resumes.stats(),
	}
	s.Counters.Fail = m.failures()
	s.Resumes.Reuses, s.Resumes.Duration = m.resumes.reuses.Load(), m.resumes.duration.Detailed()
	s.Resumes.Depth = p.lane.Len()
	s.Errands = m.errandStats()
	s.Errands.Depth = p.errands.Len()
	s.Opaque = OpaqueStats{
		Begin: m.opaque.begin.opaqueTally(), Finish: m.opaque.finish.opaqueTally(), Depth: p.beginnings.Len(),
		BatchSize: m.opaque.begin.sizes(), Duration: m.opaque.duration.Detailed(),
	}
	return s
}

// errandStats is what there is to tell of errands.
func (m *metrics) errandStats() ErrandStats {
	t := &m.errands
	return ErrandStats{
		Queued: t.queued.Load(), Processed: t.processed.Load(), Expired: t.expired.Load(),
		RejectedBusy: t.rejectedBusy.Load(), RateLimited: t.rateLimited.Load(), Success: t.success.Load(),
		Fail: t.failures(), Wait: t.wait.Detailed(), Settle: m.settle.Detailed(),
	}
}

// opaqueTally is what there is to tell of requests by OPAQUE.
func (t *tally) opaqueTally() OpaqueTally {
	return OpaqueTally{
		Queued: t.queued.Load(), Processed: t.processed.Load(), Expired: t.expired.Load(),
		RejectedBusy: t.rejectedBusy.Load(), RateLimited: t.rateLimited.Load(), Refused: t.refused.Load(),
		Success: t.success.Load(), Fail: t.failures(), Wait: t.wait.Detailed(),
	}
}

// stats is what there is to tell of requests with tokens.
func (t *tally) stats() ResumeStats {
	return ResumeStats{
		Queued: t.queued.Load(), Processed: t.processed.Load(), Expired: t.expired.Load(),
		RejectedBusy: t.rejectedBusy.Load(), RateLimited: t.rateLimited.Load(), Refused: t.refused.Load(),
		Success: t.success.Load(), Fail: t.failures(), BatchSize: t.sizes(), Wait: t.wait.Detailed(),
	}
}

// summaryLine is what the operator's log shows of the counters.
func (s Stats) summaryLine() string {
	var fail int64
	for _, n := range s.Counters.Fail {
		fail += n
	}
	c := s.Counters
	return fmt.Sprintf("[AUTH] queue=%d queued=%d processed=%d expired=%d busy=%d ok=%d fail=%d",
		s.Depth, c.Queued, c.Processed, c.Expired, c.RejectedBusy, c.Success, fail)
}
