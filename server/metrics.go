package server

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/auth"
)

// The bounds of the histograms. They are part of what a node exports: docs/metrics.md lists them, and whoever changes one
// breaks the comparison with what was recorded before.
var (
	// callBounds are for what a player waits for.
	callBounds = []time.Duration{
		100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
		5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
		10 * time.Second, 25 * time.Second,
	}
	// tickBounds are for the tick, whose interval is 16.67 ms.
	tickBounds = []time.Duration{
		50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond,
		2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second,
	}
	batchBounds = []int{1, 2, 4, 8, auth.BatchMax}
)

// newMetrics returns what the node exports to Prometheus. Each part of the node has a collector of its own, which reads
// that part's figures once per scrape; docs/metrics.md has a section for each.
func (s *Server) newMetrics() (*prometheus.Registry, error) {
	parts := []prometheus.Collector{
		admin.Collector(s.authMetrics), admin.Collector(s.doorMetrics), admin.Collector(s.worldMetrics), admin.Collector(s.storeMetrics),
		admin.Collector(s.circuitMetrics), admin.Collector(s.websocketMetrics),
	}
	if s.channel != nil {
		parts = append(parts, admin.Collector(s.udpMetrics))
	}
	return admin.NewRegistry(parts...)
}

// failures are the reasons for which a login can fail once it was queued: each is exported from the start, so that the
// first one shows as an increase.
var failures = []rushgate.Reason{
	rushgate.ServerBusy, rushgate.BadCredentials, rushgate.UsernameTaken, rushgate.AlreadyLoggedIn,
	rushgate.MissingCredentials, rushgate.WrongZone, rushgate.InternalError,
}

func (s *Server) authMetrics(out admin.Scrape) {
	stats := s.pool.Stats()
	c := stats.Counters
	writeOutcomes(out, c)
	out.Counter("rushgate_auth_queued_total", "Logins and registrations accepted into the queue.", float64(c.Queued))
	out.Counter("rushgate_auth_processed_total", "Logins and registrations taken through all stages.", float64(c.Processed))
	out.Counter("rushgate_auth_rehashes_total", "Outdated password hashes replaced.", float64(c.Rehashed))
	out.Gauge("rushgate_auth_queue_length", "Logins and registrations in the queue.", float64(stats.Depth))
	out.Gauge("rushgate_auth_queue_capacity", "Places in the queue; 0 means that it has no bound.", float64(stats.Capacity))
	out.Gauge("rushgate_auth_workers", "Workers that take logins from the queue.", float64(stats.Workers))
	out.Gauge("rushgate_auth_hash_seconds", "Time of one hash in a full batch on one core, measured at the start.",
		stats.HashMS/1000)
	out.Sizes("rushgate_auth_batch_size", "Requests per batch.", batchBounds, stats.BatchSize)
	out.Detailed("rushgate_auth_wait_seconds", "Time in the queue.", callBounds, stats.Wait)
	const stage, stageHelp = "rushgate_auth_stage_seconds", "Time of one batch in a stage."
	out.Detailed(stage, stageHelp, callBounds, stats.Load, "stage", "load")
	out.Detailed(stage, stageHelp, callBounds, stats.Derive, "stage", "derive")
	out.Detailed(stage, stageHelp, callBounds, stats.Commit, "stage", "commit")
}

// writeOutcomes tells how every request has ended.
func writeOutcomes(out admin.Scrape, c auth.Counters) {
	var failed int64
	for _, n := range c.Fail {
		failed += n
	}
	const requests = "rushgate_auth_requests_total"
	const requestsHelp = "Logins and registrations answered, by outcome."
	out.Counter(requests, requestsHelp, float64(c.Success), "outcome", "success")
	out.Counter(requests, requestsHelp, float64(failed), "outcome", "failed")
	out.Counter(requests, requestsHelp, float64(c.Expired), "outcome", "expired")
	out.Counter(requests, requestsHelp, float64(c.RejectedBusy), "outcome", "busy")
	out.Counter(requests, requestsHelp, float64(c.RateLimited), "outcome", "rate_limited")
	out.Counter(requests, requestsHelp, float64(c.Refused), "outcome", "refused")
	reasons := make(map[rushgate.Reason]int64, len(failures))
	for _, reason := range failures {
		reasons[reason] = 0
	}
	maps.Copy(reasons, c.Fail)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		out.Counter("rushgate_auth_failures_total", "Logins and registrations that failed after they were queued, by reason.",
			float64(reasons[reason]), "reason", string(reason))
	}
}

// storeMetrics has what the node has measured of the store's calls.
func (s *Server) storeMetrics(out admin.Scrape) {
	for _, op := range s.measured.Operations(callBounds) {
		out.Durations("rushgate_store_call_seconds", "Time of a call to the store.", callBounds, op.Calls, "operation", op.Name)
		out.Counter("rushgate_store_errors_total", "Calls to the store that failed.", float64(op.Errors), "operation", op.Name)
	}
	leases := s.measured.Leases()
	out.Gauge("rushgate_leases_held", "Players whose session lease this node holds.", float64(leases.Held))
	out.Counter("rushgate_leases_lost_total", "Session leases that somebody else had claimed.", float64(leases.Lost))
}

// circuitMetrics are all zero for a store that is not reached over a network.
func (s *Server) circuitMetrics(out admin.Scrape) {
	var health rushgate.Health
	if s.health != nil {
		health = s.health()
	}
	out.Flag("rushgate_store_circuit_open", "Whether calls are refused because the store does not answer.", health.Open)
	out.Counter("rushgate_store_circuit_openings_total", "Times that the circuit has opened.", float64(health.Openings))
	out.Gauge("rushgate_store_circuit_failures", "Calls in a row that found no store.", float64(health.Failures))
	out.Gauge("rushgate_store_standings_pending", "Players whose leaderboards are behind.", float64(health.Pending))
}
