package report

import (
	"bytes"
	"fmt"

	"github.com/rushgate/rushgate/internal/latency"
)

// What [Play.Transport] can be.
const (
	TransportUDP       = "udp"
	TransportWebSocket = "websocket"
)

// Play is what the players saw of the world. The play began when every player had an outcome and, if inside, was
// connected, and lasted for Config.Duration. With Config.Stay, when players leave while others come, it began with the
// load.
type Play struct {
	Seconds float64 `json:"s"` // how long the play lasted
	// Transport is what the players connected over, [TransportUDP] or [TransportWebSocket]; empty in older reports.
	Transport string `json:"transport"`
	// Players is how many connected to the world; ConnectsFailed is how many were inside and could not.
	Players        int `json:"players"`
	ConnectsFailed int `json:"connects_failed"`

	// Snapshots came during the play; Expected is SnapshotRate, which is the server's (20 if it does not say), times
	// the time that players were connected during the play, or could have been had they not failed to connect. Share is
	// Snapshots / Expected.
	SnapshotRate float64 `json:"snapshot_rate"`
	Snapshots    int64   `json:"snapshots"`
	Expected     float64 `json:"snapshots_expected"`
	Share        float64 `json:"snapshots_share"`
	PerSecond    float64 `json:"snapshots_per_s"`
	// Missing are the snapshots that did not come between two that did, time without a connection included: as many as
	// there must have been by the ticks of those two, which at rates that do not divide 60 may be less than there were.
	// Gaps is in how many places.
	Missing      int64           `json:"snapshots_missing"`
	Gaps         int64           `json:"gaps"`
	InterArrival latency.Summary `json:"inter_arrival"` // of a player's snapshots
	// RoundTrip is from a player's turning to the first snapshot of a world that knows of it: both ways through the
	// network, the wait for the next tick and for the next snapshot.
	RoundTrip latency.Summary `json:"round_trip"`

	// What follows counts from each player's first connection on.

	Malformed   int64 `json:"malformed"`   // messages that made no sense
	Implausible int64 `json:"implausible"` // snapshots with the player where they cannot have got to
	Late        int64 `json:"late"`        // snapshots that came after a newer one
	NoBaseline  int64 `json:"no_baseline"` // snapshots relative to one that had not come

	Connects     int64 `json:"connects"`     // connections made, reconnections included
	Reconnects   int64 `json:"reconnects"`   // connections made after one was lost
	TimedOut     int64 `json:"timed_out"`    // connections lost for the server's silence
	Disconnected int64 `json:"disconnected"` // connections that the server ended
	Denied       int64 `json:"denied"`       // attempts to connect that met a full server
	Bytes        int64 `json:"bytes"`        // of messages that came, without what the transport adds

	// Server is null without server metrics from both ends of the play.
	Server *PlayServer `json:"server"`
}

// PlayServer is what the server's own metrics say about the play.
type PlayServer struct {
	Seconds float64 `json:"s"`         // between the two readings
	Cores   float64 `json:"cpu_cores"` // CPU time per second
	RSS     int64   `json:"rss_bytes"` // at the end

	Tick TickCounters `json:"tick"` // of the ticks during the play
	// Lateness and Duration are null if the server does not tell those of an interval.
	Lateness *latency.Summary `json:"tick_lateness"`
	Duration *latency.Summary `json:"tick_duration"`

	Snapshots        int64 `json:"snapshots"`         // sent
	SnapshotsSkipped int64 `json:"snapshots_skipped"` // ticks that sent none for lack of time
}

// write adds the play to the text of a report.
func (r *Play) write(b *bytes.Buffer) {
	over := ""
	if r.Transport == TransportWebSocket {
		over = " over WebSockets"
	}
	fmt.Fprintf(b, "\nplay: %d players%s for %.1f s; %d could not connect\n", r.Players, over, r.Seconds, r.ConnectsFailed)
	fmt.Fprintf(b, "snapshots: %d of %.0f expected (%.2f %%), %.0f/s at %g Hz each; %d missing in %d gaps\n",
		r.Snapshots, r.Expected, 100*r.Share, r.PerSecond, r.SnapshotRate, r.Missing, r.Gaps)
	fmt.Fprintf(b, "messages: %d malformed, %d implausible, %d late, %d without baseline; %.1f MiB\n",
		r.Malformed, r.Implausible, r.Late, r.NoBaseline, float64(r.Bytes)/mib)
	fmt.Fprintf(b, "connections: %d made, %d of them again; %d timed out, %d ended by the server, %d denied\n",
		r.Connects, r.Reconnects, r.TimedOut, r.Disconnected, r.Denied)
	if s := r.Server; s != nil {
		t := s.Tick
		fmt.Fprintf(b, "server during the play: %.2f cores, RSS %.1f MiB", s.Cores, float64(s.RSS)/mib)
		fmt.Fprintf(b, "; ticks: %d, late %d, skipped %d, panics %d, overruns %d", t.Ticks, t.Late, t.Skipped, t.Panics,
			t.Overruns)
		fmt.Fprintf(b, "; snapshots: %d sent, %d skipped\n", s.Snapshots, s.SnapshotsSkipped)
	}
	t := newTable(b)
	summaryRow(t, "inter-arrival", r.InterArrival)
	summaryRow(t, "round trip", r.RoundTrip)
	if s := r.Server; s != nil && s.Lateness != nil {
		summaryRow(t, "tick lateness", *s.Lateness)
	}
	if s := r.Server; s != nil && s.Duration != nil {
		summaryRow(t, "tick duration", *s.Duration)
	}
	_ = t.Flush() // to a bytes.Buffer, which never fails
}
