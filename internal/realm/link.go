package realm

import (
	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

// link is a session's realtime connection.
type link struct {
	transport Transport
	conn      Connection
	session   *session
	intents   intentSlot

	// Owned by the tick.
	ack     uint32 // the newest snapshot that the player has
	applied uint32 // the newest intent that the world has

	// Owned by the snapshotter.
	rate  uint64       // snapshots per second
	self  int32        // the player's entity in the last view, as a hint
	ring  []sent       // the snapshots of the last protocol.MaxBase ticks
	alive protocol.Own // as of the last snapshot without a death that the store did not have

	// neighbours is what the player sees, nearest first, as of the tick looked, when they were at x, y.
	neighbours []known
	looked     uint32
	x, y       int32
}

// sent is a snapshot as the player has it, if it arrived: the entities of a frame that it told of, in its order.
type sent struct {
	tick     uint32
	frame    *frame
	entities []int32
}

// known is an entity and where it was in the last frame.
type known struct {
	id uint64
	at int32
}

func newLink(over Transport, conn Connection, s *session, rate int) *link {
	return &link{
		transport: over, conn: conn, session: s, rate: uint64(rate), self: none,
		ring: make([]sent, protocol.MaxBase*rate/rushgate.TickRate+2),
	}
}

// sentAt returns the snapshot of a tick if the one of tick now can be a delta against it, or nil.
func (l *link) sentAt(tick, now uint32) *sent {
	if age := now - tick; tick == 0 || age == 0 || age > protocol.MaxBase {
		return nil
	}
	if s := l.place(tick); s.tick == tick && s.frame != nil && s.frame.tick == tick {
		return s
	}
	return nil
}

// begin records that a snapshot of a frame is being made.
func (l *link) begin(f *frame) *sent {
	s := l.place(f.tick)
	s.tick, s.frame, s.entities = f.tick, f, s.entities[:0]
	return s
}

// place is where in the ring the snapshot of a tick stands: the player's snapshots have consecutive places, and the
// ring is long enough for those of MaxBase ticks.
func (l *link) place(tick uint32) *sent {
	return &l.ring[snapshotsUntil(uint64(tick)+l.session.arrival, l.rate)%uint64(len(l.ring))]
}

// snapshotsUntil is how many snapshots a player gets in so many ticks.
func snapshotsUntil(tick, rate uint64) uint64 { return tick * rate / rushgate.TickRate }
