package auth

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
)

// metrics counts what the pool does.
type metrics struct {
	queued, processed, expired, rejectedBusy, rateLimited, refused, success, rehashed atomic.Int64

	wait, load, derive, commit latency.Histogram

	mu      sync.Mutex
	fail    map[rushgate.Reason]int64
	batches [BatchMax + 1]int64
}

func (m *metrics) countFailure(r rushgate.Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.fail = make(map[rushgate.Reason]int64)
	}
	m.fail[r]++
}

func (m *metrics) countBatch(size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches[size]++
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
		BatchSize: make(map[int]int64),
		HashMS:    p.cfg.HashTime.Seconds() * 1000,
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Counters.Fail = make(map[rushgate.Reason]int64, len(m.fail)) // never null in JSON
	maps.Copy(s.Counters.Fail, m.fail)
	for size, n := range m.batches {
		if n > 0 {
			s.BatchSize[size] = n
		}
	}
	return s
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
