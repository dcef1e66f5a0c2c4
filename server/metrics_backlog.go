package server

import (
	"log/slog"

	"github.com/rushgate/rushgate/internal/backlog"
	"github.com/rushgate/rushgate/internal/metric"
)

// fewMayWait is how long the queue of connections that wait to be accepted should be able to become: a rush brings
// thousands within the second that a client's system takes until it tries again.
const fewMayWait = 1024

// sayIfFewMayWait tells the operator when that queue is short.
func sayIfFewMayWait(log *slog.Logger, q backlog.Queue) {
	if q.Limit < fewMayWait {
		log.Warn("few connections can wait to be accepted: in a rush the kernel drops the others, whose clients hear "+
			"nothing for a second or more; raise the limit and start the node again",
			"limit", q.Limit, "set", "net.core.somaxconn=4096")
	}
}

// backlogMetrics has the queue of connections that wait to be accepted, on systems that tell.
func (s *Server) backlogMetrics(out metric.Scrape) {
	if q, ok := backlog.Of(s.knocks); ok {
		out.Gauge("rushgate_accept_queue_length", "Connections to the players' listener that wait to be accepted.",
			float64(q.Length))
		out.Gauge("rushgate_accept_queue_limit", "How many connections can wait to be accepted.", float64(q.Limit))
	}
	if lost, ok := backlog.Lost(); ok {
		out.Counter("rushgate_accept_queue_overflows_total",
			"Connections for which an accept queue had no room, of all listeners in the network namespace.", lost.Overflows)
		out.Counter("rushgate_accept_queue_drops_total",
			"Attempts at a connection that were dropped, of all listeners in the network namespace.", lost.Drops)
	}
}
