package wschannel

import "sync/atomic"

// Stats is a snapshot of a channel's counters. Open is a current value, everything else counts up from the start. The
// fields are read one after another.
type Stats struct {
	Open   int         `json:"open"`   // connections, those of no player yet included
	Opened uint64      `json:"opened"` // opening handshakes that were completed
	Closed ClosedStats `json:"closed"`

	MessagesReceived  uint64 `json:"messages_received"`
	SnapshotsSent     uint64 `json:"snapshots_sent"`
	SnapshotsReplaced uint64 `json:"snapshots_replaced"` // not sent, because the next one was there before
	BytesReceived     uint64 `json:"bytes_received"`     // frame headers and control frames included, TLS not
	BytesSent         uint64 `json:"bytes_sent"`         // likewise
}

// ClosedStats counts the connections that have ended, by cause.
type ClosedStats struct {
	Left         uint64 `json:"left"`          // closed by the client
	Lost         uint64 `json:"lost"`          // the network failed, or what came was no WebSocket frame
	Silent       uint64 `json:"silent"`        // nothing came for [SilenceTimeout]
	Slow         uint64 `json:"slow"`          // a message was not taken within [WriteTimeout]
	Late         uint64 `json:"late"`          // no first message within [GreetingTimeout]
	NoSession    uint64 `json:"no_session"`    // the first message named none
	RateLimited  uint64 `json:"rate_limited"`  // the session has connected too often
	Busy         uint64 `json:"busy"`          // the session cannot go on here yet
	Elsewhere    uint64 `json:"elsewhere"`     // another node has the session
	Replaced     uint64 `json:"replaced"`      // the session has a newer connection
	SessionEnded uint64 `json:"session_ended"` // logged out, taken over or expired
	Stopping     uint64 `json:"stopping"`      // the node goes down
	Refused      uint64 `json:"refused"`       // text where binary was due, or the reverse, or no greeting
	TooLarge     uint64 `json:"too_large"`     // a message longer than any may be, or in too many fragments
	Internal     uint64 `json:"internal"`
}

// cause is what the end of a connection counts as.
type cause int

const (
	causeLeft cause = iota
	causeLost
	causeSilent
	causeSlow
	causeLate
	causeNoSession
	causeRateLimited
	causeBusy
	causeElsewhere
	causeReplaced
	causeSessionEnded
	causeStopping
	causeRefused
	causeTooLarge
	causeInternal
	causes // how many there are
)

// counters are what Stats is read from.
type counters struct {
	open                             atomic.Int64
	opened                           atomic.Uint64
	messagesReceived                 atomic.Uint64
	snapshotsSent, snapshotsReplaced atomic.Uint64
	bytesReceived, bytesSent         atomic.Uint64
	closed                           [causes]atomic.Uint64
}

// Stats returns the present counters.
func (c *Channel) Stats() Stats {
	s := &c.stats
	closed := func(why cause) uint64 { return s.closed[why].Load() }
	return Stats{
		Open: int(s.open.Load()), Opened: s.opened.Load(), MessagesReceived: s.messagesReceived.Load(),
		SnapshotsSent: s.snapshotsSent.Load(), SnapshotsReplaced: s.snapshotsReplaced.Load(),
		BytesReceived: s.bytesReceived.Load(), BytesSent: s.bytesSent.Load(),
		Closed: ClosedStats{
			Left: closed(causeLeft), Lost: closed(causeLost), Silent: closed(causeSilent), Slow: closed(causeSlow),
			Late: closed(causeLate), NoSession: closed(causeNoSession), RateLimited: closed(causeRateLimited),
			Busy: closed(causeBusy), Elsewhere: closed(causeElsewhere), Replaced: closed(causeReplaced),
			SessionEnded: closed(causeSessionEnded), Stopping: closed(causeStopping),
			Refused: closed(causeRefused), TooLarge: closed(causeTooLarge), Internal: closed(causeInternal),
		},
	}
}
