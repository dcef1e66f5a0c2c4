package outbound

import "github.com/rushgate/rushgate/internal/metric"

// Metrics writes what was called.
func (c *Calls) Metrics(s metric.Scrape) {
	c.mu.Lock()
	targets := c.targets
	c.mu.Unlock()
	for _, t := range targets {
		s.Counter("rushgate_outbound_calls_total", "Requests to other people's servers.",
			float64(t.made.Load()), "target", t.name)
		s.Counter("rushgate_outbound_failures_total", "Requests to other people's servers without a good answer.",
			float64(t.failed.Load()), "target", t.name)
		s.Counter("rushgate_outbound_refused_total", "Requests to other people's servers that were not made.",
			float64(t.refusedOpen.Load()), "target", t.name, "reason", "circuit")
		s.Counter("rushgate_outbound_refused_total", "Requests to other people's servers that were not made.",
			float64(t.refusedFull.Load()), "target", t.name, "reason", "full")
		s.Gauge("rushgate_outbound_in_flight", "Requests to other people's servers that are under way.",
			float64(len(t.room)), "target", t.name)
		open := 0.0
		if t.circuit.isOpen() {
			open = 1
		}
		s.Gauge("rushgate_outbound_circuit_open", "Whether a server is left alone because it has failed.",
			open, "target", t.name)
	}
}
