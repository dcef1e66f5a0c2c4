package server

import (
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/realm"
)

// worldMetrics has what the realm measures.
func (s *Server) worldMetrics(out admin.Scrape) {
	stats := s.realm.Stats()
	out.Flag("rushgate_draining", "Whether the node is going down.", s.draining.Load())
	out.Gauge("rushgate_players", "Players inside.", float64(stats.Players))
	out.Gauge("rushgate_players_max", "Players who may be inside at once.", float64(s.cfg.MaxPlayers))
	writeSessions(out, stats)
	writeTick(out, stats)
}

func writeSessions(out admin.Scrape, stats realm.Stats) {
	out.Counter("rushgate_sessions_opened_total", "Players let into the world.", float64(stats.SessionsOpened))
	out.Counter("rushgate_sessions_closed_total", "Players taken out of the world, for whatever reason.",
		float64(stats.SessionsClosed))
	out.Counter("rushgate_sessions_timed_out_total", "Sessions ended by silence.", float64(stats.SessionsTimedOut))
	out.Counter("rushgate_sessions_evicted_total", "Sessions given up because their lease was lost.", float64(stats.SessionsEvicted))
	out.Counter("rushgate_sessions_taken_over_total", "Sessions ended because the player has come again.",
		float64(stats.SessionsTakenOver))
	out.Counter("rushgate_saves_total", "Characters written to the store.", float64(stats.Saves))
	out.Counter("rushgate_save_retries_total", "Batches of saves that failed and were tried again.", float64(stats.SaveRetries))
	out.Gauge("rushgate_unsaved_characters", "Characters waiting to be written.", float64(stats.Unsaved))
}

func writeTick(out admin.Scrape, stats realm.Stats) {
	out.Counter("rushgate_ticks_total", "Steps of the world.", float64(stats.Ticks))
	out.Counter("rushgate_ticks_late_total", "Steps begun an interval late or more.", float64(stats.Late))
	out.Counter("rushgate_ticks_skipped_total", "Steps given up because too many were due at once.", float64(stats.Skipped))
	out.Counter("rushgate_tick_overruns_total", "Steps that took longer than their interval.", float64(stats.Overruns))
	out.Counter("rushgate_world_panics_total", "Calls of the world that panicked.", float64(stats.Panics))
	out.Detailed("rushgate_tick_lateness_seconds", "How long after its time a step began.", tickBounds, stats.Lateness)
	out.Detailed("rushgate_tick_duration_seconds", "Time of a step.", tickBounds, stats.Duration)
	out.Counter("rushgate_inbox_refused_total", "Calls refused because the tick's inbox was full.", float64(stats.InboxFull))
	out.Gauge("rushgate_inbox_length", "Messages and calls waiting for the tick.", float64(stats.Inbox))
	out.Gauge("rushgate_inbox_capacity", "Messages and calls that can wait for the tick.", float64(stats.InboxCapacity))
	out.Counter("rushgate_intents_total", "Intents received.", float64(stats.Intents))
	out.Counter("rushgate_intents_malformed_total", "Messages of players that made no sense.", float64(stats.Malformed))
	out.Counter("rushgate_snapshots_sent_total", "Snapshots sent, one to one player each.", float64(stats.Snapshots))
	out.Counter("rushgate_snapshot_bytes_total", "Size of the snapshots sent, before encryption.", float64(stats.SnapshotBytes))
	out.Counter("rushgate_snapshots_skipped_total", "Steps without snapshots because those before were still under way.",
		float64(stats.SnapshotsSkipped))
	out.Total("rushgate_snapshot_frame_seconds", "Time of making and sending the snapshots of one step.",
		uint64(stats.Snapshot.Count), stats.Snapshot.Sum/1000)
}

// udpMetrics has what the realtime channel measures.
func (s *Server) udpMetrics(out admin.Scrape) {
	stats := s.channel.server.Stats()
	out.Gauge("rushgate_udp_clients", "Players connected over UDP.", float64(stats.Clients))
	out.Gauge("rushgate_udp_pending_clients", "Clients challenged but not yet connected.", float64(stats.Pending))
	out.Counter("rushgate_udp_received_packets_total", "Datagrams received, ignored ones included.", float64(stats.PacketsReceived))
	out.Counter("rushgate_udp_received_bytes_total", "UDP payload received.", float64(stats.BytesReceived))
	out.Counter("rushgate_udp_sent_packets_total", "Datagrams that the network took.", float64(stats.PacketsSent))
	out.Counter("rushgate_udp_sent_bytes_total", "UDP payload handed to the network.", float64(stats.BytesSent))
	out.Counter("rushgate_udp_unsent_packets_total", "Datagrams that the network refused.", float64(stats.PacketsNotSent))
	out.Counter("rushgate_udp_read_errors_total", "Reads of the socket that failed.", float64(stats.ReadErrors))
	out.Counter("rushgate_udp_handshakes_total", "Connection requests answered with a challenge.", float64(stats.Handshakes))
	out.Counter("rushgate_udp_denied_total", "Requests and responses denied for lack of room.", float64(stats.Denied))
	out.Counter("rushgate_udp_connects_total", "Clients connected.", float64(stats.Connects))
	const disconnects, disconnectsHelp = "rushgate_udp_disconnects_total", "Clients disconnected, by cause."
	out.Counter(disconnects, disconnectsHelp, float64(stats.Timeouts), "cause", "timeout")
	out.Counter(disconnects, disconnectsHelp, float64(stats.Left), "cause", "left")
	out.Counter(disconnects, disconnectsHelp, float64(stats.Kicked), "cause", "kicked")
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
		out.Counter("rushgate_udp_ignored_packets_total", "Datagrams that were not acted on, by the first check that they failed.",
			float64(ignored.count), "cause", ignored.cause)
	}
}
