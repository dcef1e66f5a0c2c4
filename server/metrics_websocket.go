package server

import "github.com/rushgate/rushgate/internal/admin"

// websocketMetrics has what the realtime channel of browsers measures.
func (s *Server) websocketMetrics(out admin.Scrape) {
	stats := s.browsers.Stats()
	out.Gauge("rushgate_websocket_connections", "Browsers connected, those without a session yet included.", float64(stats.Open))
	out.Counter("rushgate_websocket_opened_total", "Opening handshakes completed.", float64(stats.Opened))
	out.Counter("rushgate_websocket_received_messages_total", "Messages received.", float64(stats.MessagesReceived))
	out.Counter("rushgate_websocket_received_bytes_total", "Frames received, without TLS.", float64(stats.BytesReceived))
	out.Counter("rushgate_websocket_sent_bytes_total", "Frames sent, without TLS.", float64(stats.BytesSent))
	out.Counter("rushgate_websocket_snapshots_sent_total", "Snapshots sent to browsers.", float64(stats.SnapshotsSent))
	out.Counter("rushgate_websocket_snapshots_replaced_total", "Snapshots not sent because the next one was there before.",
		float64(stats.SnapshotsReplaced))
	c := stats.Closed
	for _, closed := range []struct {
		cause string
		count uint64
	}{
		{"left", c.Left}, {"lost", c.Lost}, {"silent", c.Silent}, {"slow", c.Slow}, {"late", c.Late},
		{"no_session", c.NoSession}, {"rate_limited", c.RateLimited}, {"replaced", c.Replaced},
		{"session_ended", c.SessionEnded}, {"stopping", c.Stopping}, {"refused", c.Refused},
		{"too_large", c.TooLarge}, {"internal", c.Internal},
	} {
		out.Counter("rushgate_websocket_closed_total", "Connections that have ended, by cause.", float64(closed.count), "cause", closed.cause)
	}
}
