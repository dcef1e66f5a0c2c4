package auth

import (
	"maps"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/metric"
)

// batchBounds are those of the histogram of batches.
var batchBounds = []int{1, 2, 4, 8, BatchMax}

// laneBounds are those of the histogram of batches of the lane.
var laneBounds = []int{1, 4, 16, 32, LaneBatchMax}

// Failures are the reasons for which a login can fail once it was queued: each is exported from the start, so that the
// first one shows as an increase.
var Failures = []rushgate.Reason{
	rushgate.ServerBusy, rushgate.BadCredentials, rushgate.SecondFactor, rushgate.UsernameTaken, rushgate.AlreadyLoggedIn,
	rushgate.MissingCredentials, rushgate.WrongZone, rushgate.AccountDisabled, rushgate.InternalError,
}

// Metrics writes what the pool measures.
func (p *Pool) Metrics(out metric.Scrape) {
	stats := p.Stats()
	c := stats.Counters
	p.writeOutcomes(out, c)
	p.writeResumes(out, &stats.Resumes)
	writeErrands(out, &stats.Errands)
	if p.cfg.Opaque != nil {
		writeOpaque(out, &stats.Opaque)
	}
	p.metrics.factors.write(out)
	p.writePasskeys(out)
	p.metrics.identities.write(out)
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

// writeResumes tells of requests with tokens.
func (p *Pool) writeResumes(out metric.Scrape, r *ResumeStats) {
	var failed int64
	for _, n := range r.Fail {
		failed += n
	}
	const requests, help = "rushgate_resume_requests_total", "Requests with tokens answered, by outcome."
	for _, o := range []struct {
		outcome string
		n       int64
	}{
		{"success", r.Success}, {"failed", failed}, {"expired", r.Expired}, {"busy", r.RejectedBusy},
		{"rate_limited", r.RateLimited}, {"refused", r.Refused},
	} {
		out.Counter(requests, help, float64(o.n), "outcome", o.outcome)
	}
	writeReasons(out, "rushgate_resume_failures_total", "Requests with tokens that failed in their lane, by reason.",
		r.Fail)
	out.Counter("rushgate_resume_reuses_total", "Resume tokens used twice, for which a device was forgotten.",
		float64(r.Reuses))
	out.Sizes("rushgate_resume_batch_size", "Requests with tokens per batch.", laneBounds, r.BatchSize)
	out.Detailed("rushgate_resume_wait_seconds", "Time of a request with a token in its lane.", metric.CallBounds, r.Wait)
	out.Detailed("rushgate_resume_batch_seconds", "Time of one batch of requests with tokens.", metric.CallBounds,
		r.Duration)
}

// writeErrands tells of requests that prove a password and open no session.
func writeErrands(out metric.Scrape, e *ErrandStats) {
	var failed int64
	for _, n := range e.Fail {
		failed += n
	}
	const requests, help = "rushgate_errands_requests_total", "Errands answered, by outcome."
	for _, o := range []struct {
		outcome string
		n       int64
	}{
		{"success", e.Success}, {"failed", failed}, {"expired", e.Expired}, {"busy", e.RejectedBusy},
		{"rate_limited", e.RateLimited},
	} {
		out.Counter(requests, help, float64(o.n), "outcome", o.outcome)
	}
	writeReasons(out, "rushgate_errands_failures_total", "Errands that failed after they were queued, by reason.", e.Fail)
	out.Gauge("rushgate_errands_queue_length", "Errands that wait for a worker.", float64(e.Depth))
	out.Detailed("rushgate_errands_wait_seconds", "Time of an errand in its queue.", metric.CallBounds, e.Wait)
	out.Detailed("rushgate_errands_settle_seconds", "Time of one batch of errands in the store.", metric.CallBounds,
		e.Settle)
}

// writeOpaque tells of requests by OPAQUE.
func writeOpaque(out metric.Scrape, s *OpaqueStats) {
	const requests, help = "rushgate_opaque_requests_total", "Requests by OPAQUE answered, by step and outcome."
	for step, t := range map[string]*OpaqueTally{"begin": &s.Begin, "finish": &s.Finish} {
		var failed int64
		for _, n := range t.Fail {
			failed += n
		}
		for _, o := range []struct {
			outcome string
			n       int64
		}{
			{"success", t.Success}, {"failed", failed}, {"expired", t.Expired}, {"busy", t.RejectedBusy},
			{"rate_limited", t.RateLimited}, {"refused", t.Refused},
		} {
			out.Counter(requests, help, float64(o.n), "step", step, "outcome", o.outcome)
		}
		out.Detailed("rushgate_opaque_wait_seconds", "Time of a request by OPAQUE in its lane.", metric.CallBounds, t.Wait,
			"step", step)
	}
	writeReasons(out, "rushgate_opaque_failures_total", "Requests that finish by OPAQUE and failed, by reason.",
		s.Finish.Fail)
	out.Sizes("rushgate_opaque_batch_size", "Requests that begin by OPAQUE per batch.", batchBounds, s.BatchSize)
	out.Detailed("rushgate_opaque_batch_seconds", "Time of one batch of requests that begin by OPAQUE.",
		metric.CallBounds, s.Duration)
}

// writeReasons counts failures by reason, those of [Failures] from the start.
func writeReasons(out metric.Scrape, name, help string, fail map[rushgate.Reason]int64) {
	reasons := make(map[rushgate.Reason]int64, len(Failures))
	for _, reason := range Failures {
		reasons[reason] = 0
	}
	maps.Copy(reasons, fail)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		out.Counter(name, help, float64(reasons[reason]), "reason", string(reason))
	}
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
	writeReasons(out, "rushgate_auth_failures_total",
		"Logins and registrations that failed after they were queued, by reason.", c.Fail)
}
