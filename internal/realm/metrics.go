package realm

import "github.com/rushgate/rushgate/internal/metric"

// Metrics writes what the realm measures.
func (r *Realm) Metrics(out metric.Scrape) {
	stats := r.Stats()
	out.Gauge("rushgate_players", "Players inside.", float64(stats.Players))
	out.Gauge("rushgate_players_max", "Players who may be inside at once.", float64(r.cfg.MaxPlayers))
	writeSessions(out, stats)
	writeTick(out, stats)
}

func writeSessions(out metric.Scrape, stats Stats) {
	out.Counter("rushgate_sessions_opened_total", "Players let into the world.", float64(stats.SessionsOpened))
	out.Counter("rushgate_sessions_closed_total", "Players taken out of the world, for whatever reason.",
		float64(stats.SessionsClosed))
	out.Counter("rushgate_sessions_timed_out_total", "Sessions ended by silence.", float64(stats.SessionsTimedOut))
	out.Counter("rushgate_sessions_evicted_total", "Sessions given up because their lease was lost.",
		float64(stats.SessionsEvicted))
	out.Counter("rushgate_sessions_taken_over_total", "Sessions ended because the player has come again.",
		float64(stats.SessionsTakenOver))
	out.Counter("rushgate_sessions_moved_total", "Sessions that go on at another node.", float64(stats.SessionsMoved))
	out.Counter("rushgate_saves_total", "Characters written to the store.", float64(stats.Saves))
	out.Counter("rushgate_save_retries_total", "Batches of saves that failed and were tried again.",
		float64(stats.SaveRetries))
	out.Counter("rushgate_numbers_left_out_total", "Numbers of characters left out of a save that no store would take.",
		float64(stats.NumbersLeftOut))
	out.Gauge("rushgate_unsaved_characters", "Characters waiting to be written.", float64(stats.Unsaved))
}

func writeTick(out metric.Scrape, stats Stats) {
	out.Counter("rushgate_ticks_total", "Steps of the world.", float64(stats.Ticks))
	out.Counter("rushgate_ticks_late_total", "Steps begun an interval late or more.", float64(stats.Late))
	out.Counter("rushgate_ticks_skipped_total", "Steps given up because too many were due at once.",
		float64(stats.Skipped))
	out.Counter("rushgate_tick_overruns_total", "Steps that took longer than their interval.", float64(stats.Overruns))
	out.Counter("rushgate_world_panics_total", "Calls of the world that panicked.", float64(stats.Panics))
	out.Detailed("rushgate_tick_lateness_seconds", "How long after its time a step began.", metric.TickBounds,
		stats.Lateness)
	out.Detailed("rushgate_tick_duration_seconds", "Time of a step.", metric.TickBounds, stats.Duration)
	out.Counter("rushgate_inbox_refused_total", "Calls refused because the tick's inbox was full.",
		float64(stats.InboxFull))
	out.Gauge("rushgate_inbox_length", "Messages and calls waiting for the tick.", float64(stats.Inbox))
	out.Gauge("rushgate_inbox_capacity", "Messages and calls that can wait for the tick.", float64(stats.InboxCapacity))
	out.Counter("rushgate_intents_total", "Intents received.", float64(stats.Intents))
	out.Counter("rushgate_intents_malformed_total", "Messages of players that made no sense.", float64(stats.Malformed))
	out.Counter("rushgate_snapshots_sent_total", "Snapshots sent, one to one player each.", float64(stats.Snapshots))
	out.Counter("rushgate_snapshot_bytes_total", "Size of the snapshots sent, before encryption.",
		float64(stats.SnapshotBytes))
	out.Counter("rushgate_snapshots_skipped_total", "Steps without snapshots because those before were still under way.",
		float64(stats.SnapshotsSkipped))
	writeMessages(out, stats)
	out.Total("rushgate_snapshot_frame_seconds", "Time of making and sending the snapshots of one step.",
		uint64(stats.Snapshot.Count), stats.Snapshot.Sum/1000)
}

func writeMessages(out metric.Scrape, stats Stats) {
	out.Counter("rushgate_messages_heard_total", "Messages of players that the world has heard.",
		float64(stats.MessagesHeard))
	out.Counter("rushgate_messages_refused_total", "Messages of players who said too much, or to a world without ears.",
		float64(stats.MessagesRefused))
	out.Counter("rushgate_messages_said_total", "Messages of the world, one to one player each.",
		float64(stats.MessagesSaid))
	out.Counter("rushgate_messages_resent_total", "Reliable messages of the world that were sent again.",
		float64(stats.MessagesResent))
	out.Counter("rushgate_messages_lost_total", "Messages of the world that were given up, or said to players not inside.",
		float64(stats.MessagesLost))
}
