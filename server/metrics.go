package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/internal/metric"
)

// newMetrics returns what the node exports to Prometheus. Each part of the node has a collector of its own, which reads
// that part's figures once per scrape; docs/metrics.md has a section for each.
func (s *Server) newMetrics() (*prometheus.Registry, error) {
	parts := []prometheus.Collector{
		metric.Collector(s.pool.Metrics), metric.Collector(s.doorMetrics), metric.Collector(s.realm.Metrics),
		metric.Collector(s.browsers.Metrics), metric.Collector(s.storeMetrics), metric.Collector(s.circuitMetrics),
		metric.Collector(s.upkeep.metrics), metric.Collector(s.backlogMetrics), metric.Collector(s.access.Metrics),
		metric.Collector(s.sweeper.metrics),
		metric.Collector(s.accountMetrics),
		metric.Collector(func(out metric.Scrape) {
			out.Flag("rushgate_draining", "Whether the node is going down.", s.draining.Load())
			lost := uint64(0)
			if s.cfg.LogLinesLost != nil {
				lost = s.cfg.LogLinesLost()
			}
			out.Counter("rushgate_log_lines_lost_total", "Lines of the log that standard error did not take.", float64(lost))
		}),
	}
	if s.outbox != nil {
		parts = append(parts, metric.Collector(s.outbox.Metrics))
	}
	if s.vouchers != nil {
		parts = append(parts, metric.Collector(s.vouchers.Metrics), metric.Collector(s.vouchers.calls.Metrics))
	}
	if s.opaque != nil {
		parts = append(parts, metric.Collector(s.opaqueMetrics))
	}
	if s.channel != nil {
		parts = append(parts, metric.Collector(s.udpMetrics), metric.Collector(s.channel.knockMetrics))
	}
	if s.doorman != nil {
		parts = append(parts, metric.Collector(s.doorman.Metrics))
	}
	if cpuclock.Known {
		parts = append(parts, metric.Collector(s.cpuMetrics))
	}
	return admin.NewRegistry(parts...)
}

// storeMetrics has what the node has measured of the store's calls.
func (s *Server) storeMetrics(out metric.Scrape) {
	for _, op := range s.measured.Operations(metric.CallBounds) {
		out.Durations("rushgate_store_call_seconds", "Time of a call to the store.",
			metric.CallBounds, op.Calls, "operation", op.Name)
		out.Counter("rushgate_store_errors_total", "Calls to the store that failed.",
			float64(op.Errors), "operation", op.Name)
	}
	leases := s.measured.Leases()
	out.Gauge("rushgate_leases_held", "Players whose session lease this node holds.", float64(leases.Held))
	out.Counter("rushgate_leases_lost_total", "Session leases that somebody else had claimed.", float64(leases.Lost))
}

// accountMetrics has what becomes of accounts between logins.
func (s *Server) accountMetrics(out metric.Scrape) {
	deleted, failed := s.deleter.Figures()
	out.Counter("rushgate_accounts_deleted_total", "Accounts deleted because their players have asked for it.",
		float64(deleted))
	out.Counter("rushgate_guests_deleted_total", "Guests deleted who did not come back.", float64(s.deleter.Guests()))
	d := s.diary.Figures()
	out.Counter("rushgate_accounts_events_written_total", "Events written to the histories of accounts.",
		float64(d.Written))
	out.Counter("rushgate_accounts_events_dropped_total", "Events that are in no history: too many waited.",
		float64(d.Dropped))
	out.Gauge("rushgate_accounts_events_waiting", "Events that are still to be written.", float64(d.Waiting))
	out.Counter("rushgate_accounts_delete_failures_total", "Looks at accounts that are to be deleted which have failed.",
		float64(failed))
}

// circuitMetrics are all zero for a store that is not reached over a network.
func (s *Server) circuitMetrics(out metric.Scrape) {
	var health rushgate.Health
	if s.health != nil {
		health = s.health()
	}
	out.Flag("rushgate_store_circuit_open", "Whether calls are refused because the store does not answer.", health.Open)
	out.Counter("rushgate_store_circuit_openings_total", "Times that the circuit has opened.", float64(health.Openings))
	out.Gauge("rushgate_store_circuit_failures", "Calls in a row that found no store.", float64(health.Failures))
	out.Gauge("rushgate_store_warnings", "Settings of the store by which it may lose what it acknowledges.",
		float64(len(health.Warnings)))
	out.Gauge("rushgate_store_log_bytes", "Bytes of SQLite's write-ahead log.", float64(health.LogBytes))
	out.Gauge("rushgate_store_standings_pending", "Players whose leaderboards are behind.", float64(health.Pending))
}
