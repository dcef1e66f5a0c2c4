package wschannel

import "github.com/rushgate/rushgate/internal/metric"

// Metrics writes what the channel measures.
func (c *Channel) Metrics(out metric.Scrape) {
	stats := c.Stats()
	out.Gauge("rushgate_websocket_connections", "Browsers connected, those without a session yet included.",
		float64(stats.Open))
	out.Counter("rushgate_websocket_opened_total", "Opening handshakes completed.", float64(stats.Opened))
	out.Counter("rushgate_websocket_received_messages_total", "Messages received.", float64(stats.MessagesReceived))
	out.Counter("rushgate_websocket_received_bytes_total", "Frames received, without TLS.", float64(stats.BytesReceived))
	out.Counter("rushgate_websocket_sent_bytes_total", "Frames sent, without TLS.", float64(stats.BytesSent))
	out.Counter("rushgate_websocket_snapshots_sent_total", "Snapshots sent to browsers.", float64(stats.SnapshotsSent))
	out.Counter("rushgate_websocket_snapshots_replaced_total", "Snapshots not sent because the next one was there before.",
		float64(stats.SnapshotsReplaced))
	ended := stats.Closed
	for _, closed := range []struct {
		cause string
		count uint64
	}{
		{"left", ended.Left}, {"lost", ended.Lost}, {"silent", ended.Silent}, {"slow", ended.Slow}, {"late", ended.Late},
		{"no_session", ended.NoSession}, {"rate_limited", ended.RateLimited}, {"busy", ended.Busy},
		{"elsewhere", ended.Elsewhere}, {"replaced", ended.Replaced},
		{"session_ended", ended.SessionEnded}, {"stopping", ended.Stopping}, {"refused", ended.Refused},
		{"too_large", ended.TooLarge}, {"internal", ended.Internal},
	} {
		out.Counter("rushgate_websocket_closed_total", "Connections that have ended, by cause.", float64(closed.count),
			"cause", closed.cause)
	}
}
