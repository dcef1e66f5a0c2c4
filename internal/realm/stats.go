package realm

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
)

// overrunLogInterval keeps a world that always overruns from filling the log.
const overrunLogInterval = 10 * time.Second

// stats counts what the tick does.
type stats struct {
	ticks, late, skipped, panics, overruns, inboxFull   atomic.Int64
	intents, malformed, attached                        atomic.Int64
	opened, closed, timedOut, evicted, takenOver, moved atomic.Int64
	numbersLeftOut                                      atomic.Int64
	lateness, duration                                  latency.Histogram
	cpu                                                 atomic.Int64 // ns
	talk                                                talkCounts

	lastOverrunLog time.Time // owned by the tick
}

// init allocates the histograms now: the tick is not to.
func (s *stats) init() {
	s.lateness.Init()
	s.duration.Init()
}

func (s *stats) recordLateness(d time.Duration) {
	if d >= rushgate.TickInterval {
		s.late.Add(1)
	}
	s.lateness.Record(d)
}

func (s *stats) recordTick(d time.Duration, log *tickLog) {
	s.ticks.Add(1)
	s.duration.Record(d)
	if d <= rushgate.TickInterval {
		return
	}
	s.overruns.Add(1)
	if now := time.Now(); now.Sub(s.lastOverrunLog) >= overrunLogInterval {
		s.lastOverrunLog = now
		log.log(slog.LevelWarn, "tick overran its interval", "took", d, "interval", rushgate.TickInterval, "overruns",
			s.overruns.Load())
	}
}

// Stats is a snapshot of what the realm measures.
type Stats struct {
	Ticks    int64 `json:"ticks"`    // steps made
	Late     int64 `json:"late"`     // steps begun an interval late or more
	Skipped  int64 `json:"skipped"`  // steps given up because too many were due at once
	Panics   int64 `json:"panics"`   // calls of the world that panicked
	Overruns int64 `json:"overruns"` // steps that took longer than their interval
	Players  int   `json:"players"`  // inside now

	SessionsOpened   int64 `json:"sessions_opened"`
	SessionsClosed   int64 `json:"sessions_closed"`
	SessionsTimedOut int64 `json:"sessions_timed_out"` // closed for lack of calls
	SessionsEvicted  int64 `json:"sessions_evicted"`   // given up because the lease was lost
	// SessionsTakenOver counts those closed because the player has come again, here or at another node.
	SessionsTakenOver int64 `json:"sessions_taken_over"`
	// SessionsMoved counts those that go on at another node, to which their clients have gone.
	SessionsMoved int64 `json:"sessions_moved"`
	InboxFull     int64 `json:"inbox_full"`     // calls refused
	Inbox         int   `json:"inbox"`          // messages and calls waiting for the tick
	InboxCapacity int   `json:"inbox_capacity"` // how many of both can

	Connected     int   `json:"connected"`      // players with a realtime connection now
	Intents       int64 `json:"intents"`        // received
	Malformed     int64 `json:"malformed"`      // messages of players that made no sense
	SnapshotRate  int   `json:"snapshot_rate"`  // per player and second, as configured
	Snapshots     int64 `json:"snapshots"`      // sent
	SnapshotBytes int64 `json:"snapshot_bytes"` // in them, before encryption and framing
	// ticks that sent none because the snapshots before were still under way
	SnapshotsSkipped int64 `json:"snapshots_skipped"`

	MessagesHeard   int64 `json:"messages_heard"`   // of players, by the world
	MessagesRefused int64 `json:"messages_refused"` // of players who say too much; reliable ones come again
	MessagesSaid    int64 `json:"messages_said"`    // by the world, to one player each
	MessagesResent  int64 `json:"messages_resent"`  // that were not acknowledged in time
	MessagesLost    int64 `json:"messages_lost"`    // of the world, for players who do not take them, or are not there

	Saves       int64 `json:"saves"`        // characters written
	SaveRetries int64 `json:"save_retries"` // batches that failed and were tried again
	Unsaved     int   `json:"unsaved"`      // characters waiting to be written now
	// NumbersLeftOut counts those of characters that no store takes, each time that a character was to be saved.
	NumbersLeftOut int64 `json:"numbers_left_out"`

	Lateness latency.Summary `json:"lateness"` // of the beginning of steps
	Duration latency.Summary `json:"duration"` // of steps
	Save     latency.Summary `json:"save"`     // of batches of saves
	Snapshot latency.Summary `json:"snapshot"` // of making and sending the snapshots of a tick
}

// CPUTime returns the CPU time that the steps have taken since the start, without what other goroutines do for them. It
// may be called from any goroutine.
func (r *Realm) CPUTime() time.Duration { return time.Duration(r.stats.cpu.Load()) }

// Stats returns a snapshot of what the realm measures.
func (r *Realm) Stats() Stats {
	s := &r.stats
	out := Stats{
		Ticks: s.ticks.Load(), Late: s.late.Load(), Skipped: s.skipped.Load(), Panics: s.panics.Load(),
		Overruns: s.overruns.Load(), Players: r.Players(),
		SessionsOpened: s.opened.Load(), SessionsClosed: s.closed.Load(),
		SessionsTimedOut: s.timedOut.Load(), SessionsEvicted: s.evicted.Load(),
		SessionsTakenOver: s.takenOver.Load(), SessionsMoved: s.moved.Load(),
		InboxFull: s.inboxFull.Load(),
		Saves:     r.saver.saves.Load(), SaveRetries: r.saver.retries.Load(), Unsaved: r.saver.waiting(),
		NumbersLeftOut: s.numbersLeftOut.Load(),
		Lateness:       s.lateness.Detailed(), Duration: s.duration.Detailed(), Save: r.saver.duration.Summary(),
		SnapshotRate: r.cfg.SnapshotRate, Intents: s.intents.Load(), Malformed: s.malformed.Load(),
	}
	out.Inbox, out.InboxCapacity = len(r.inbox)+len(r.calls), cap(r.inbox)+cap(r.calls)
	out.SnapshotBytes = r.snapshots.bytes.Load()
	out.Connected = int(s.attached.Load())
	if r.cfg.Channel != nil {
		out.Connected += r.cfg.Channel.Stats().Clients
	}
	out.Snapshots, out.SnapshotsSkipped = r.snapshots.sent.Load(), r.snapshots.skipped.Load()
	out.Snapshot = r.snapshots.duration.Summary()
	out.MessagesHeard, out.MessagesRefused = s.talk.heard.Load(), s.talk.refused.Load()
	out.MessagesSaid, out.MessagesResent, out.MessagesLost = s.talk.said.Load(), s.talk.resent.Load(), s.talk.lost.Load()
	return out
}
