package server

import "github.com/rushgate/rushgate/internal/metric"

// udpMetrics has what the realtime channel measures.
func (s *Server) udpMetrics(out metric.Scrape) {
	stats := s.channel.server.Stats()
	out.Gauge("rushgate_udp_clients", "Players connected over UDP.", float64(stats.Clients))
	out.Gauge("rushgate_udp_pending_clients", "Clients challenged but not yet connected.", float64(stats.Pending))
	out.Counter("rushgate_udp_received_packets_total", "Datagrams received, ignored ones included.",
		float64(stats.PacketsReceived))
	out.Counter("rushgate_udp_received_bytes_total", "UDP payload received.", float64(stats.BytesReceived))
	out.Counter("rushgate_udp_sent_packets_total", "Datagrams that the network took.", float64(stats.PacketsSent))
	out.Counter("rushgate_udp_sent_bytes_total", "UDP payload handed to the network.", float64(stats.BytesSent))
	out.Counter("rushgate_udp_unsent_packets_total", "Datagrams that the network refused.", float64(stats.PacketsNotSent))
	out.Counter("rushgate_udp_read_errors_total", "Reads of the socket that failed.", float64(stats.ReadErrors))
	out.Counter("rushgate_udp_handshakes_total", "Connection requests answered with a challenge.",
		float64(stats.Handshakes))
	out.Counter("rushgate_udp_denied_total", "Requests and responses denied for lack of room.", float64(stats.Denied))
	out.Counter("rushgate_udp_connects_total", "Clients connected.", float64(stats.Connects))
	const disconnects, disconnectsHelp = "rushgate_udp_disconnects_total", "Clients disconnected, by cause."
	out.Counter(disconnects, disconnectsHelp, float64(stats.Timeouts), "cause", "timeout")
	out.Counter(disconnects, disconnectsHelp, float64(stats.Left), "cause", "left")
	out.Counter(disconnects, disconnectsHelp, float64(stats.Kicked), "cause", "kicked")
	out.Counter(disconnects, disconnectsHelp, float64(stats.Replaced), "cause", "replaced")
	i := stats.Ignored
	for _, ignored := range []struct {
		cause string
		count uint64
	}{
		{"malformed", i.Malformed}, {"wrong_version", i.WrongVersion}, {"wrong_protocol", i.WrongProtocol},
		{"expired", i.Expired}, {"undecryptable", i.Undecryptable}, {"wrong_address", i.WrongAddress},
		{"already_connected", i.AlreadyConnected}, {"reused_token", i.ReusedToken},
		{"too_many_tokens", i.TooManyTokens}, {"history_full", i.HistoryFull}, {"replayed", i.Replayed},
		{"unknown_sender", i.UnknownSender}, {"not_connected", i.NotConnected},
	} {
		out.Counter("rushgate_udp_ignored_packets_total",
			"Datagrams that were not acted on, by the first check that they failed.",
			float64(ignored.count), "cause", ignored.cause)
	}
}
