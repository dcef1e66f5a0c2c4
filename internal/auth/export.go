package auth

import (
	"maps"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/metric"
)

// batchBounds are those of the histogram of batches.
var batchBounds = []int{1, 2, 4, 8, BatchMax}

// Failures are the reasons for which a login can fail once it was queued: each is exported from the start, so that the
// first one shows as an increase.
var Failures = []rushgate.Reason{
	rushgate.ServerBusy, rushgate.BadCredentials, rushgate.UsernameTaken, rushgate.AlreadyLoggedIn,
	rushgate.MissingCredentials, rushgate.WrongZone, rushgate.AccountDisabled, rushgate.InternalError,
}

// Metrics writes what the pool measures.
func (p *Pool) Metrics(out metric.Scrape) {
	stats := p.Stats()
	c := stats.Counters
	p.writeOutcomes(out, c)
	out.Counter("rushgate_auth_queued_total", "Logins and registrations accepted into the queue.", float64(c.Queued))
	out.Counter("rushgate_auth_processed_total", "Logins and registrations taken through all stages.",
		float64(c.Processed))
	out.Counter("rushgate_auth_rehashes_total", "Outdated password hashes replaced.", float64(c.Rehashed))
	out.Gauge("rushgate_auth_queue_length", "Logins and registrations in the queue.", float64(stats.Depth))
	out.Gauge("rushgate_auth_queue_capacity", "Places in the queue; 0 means that it has no bound.",
		float64(stats.Capacity))
	out.Gauge("rushgate_auth_workers", "Workers that take logins from the queue.", float64(stats.Workers))
	out.Gauge("rushgate_auth_hash_seconds", "Time of one hash in a full batch on one core, measured at the start.",
		stats.HashMS/1000)
	out.Sizes("rushgate_auth_batch_size", "Requests per batch.", batchBounds, stats.BatchSize)
	out.Detailed("rushgate_auth_wait_seconds", "Time in the queue.", metric.CallBounds, stats.Wait)
	const stage, stageHelp = "rushgate_auth_stage_seconds", "Time of one batch in a stage."
	out.Detailed(stage, stageHelp, metric.CallBounds, stats.Load, "stage", "load")
	out.Detailed(stage, stageHelp, metric.CallBounds, stats.Derive, "stage", "derive")
	out.Detailed(stage, stageHelp, metric.CallBounds, stats.Commit, "stage", "commit")
}

// writeOutcomes tells how every request has ended.
func (p *Pool) writeOutcomes(out metric.Scrape, c Counters) {
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
	out.Counter(requests, requestsHelp, float64(p.metrics.refused.Load()), "outcome", "refused")
	reasons := make(map[rushgate.Reason]int64, len(Failures))
	for _, reason := range Failures {
		reasons[reason] = 0
	}
	maps.Copy(reasons, c.Fail)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		out.Counter("rushgate_auth_failures_total", "Logins and registrations that failed after they were queued, by reason.",
			float64(reasons[reason]), "reason", string(reason))
	}
}
