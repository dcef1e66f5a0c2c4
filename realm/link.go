package realm

import (
	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

// link is a session's realtime connection.
type link struct {
	peer    *netcode.Peer
	player  rushgate.PlayerID
	session *session
	intents intentSlot

	// Owned by the tick.
	ack     uint32 // the newest snapshot that the player has
	applied uint32 // the newest intent that the world has

	// Owned by the snapshotter.
	self int32  // the player's entity in the last view, as a hint
	ring []sent // the snapshots of the last protocol.MaxBase ticks, reused in turn
	next int
}

// sent is a snapshot as the player has it, if it arrived: the entities of a frame that it told of, in its order.
type sent struct {
	tick     uint32
	frame    *frame
	entities []int32
}

func newLink(peer *netcode.Peer, s *session, rate int) *link {
	return &link{
		peer: peer, player: s.player, session: s, self: none,
		ring: make([]sent, protocol.MaxBase*rate/rushgate.TickRate+1),
	}
}

// sentAt returns the snapshot of a tick if the one of tick now can be a delta against it, or nil.
func (l *link) sentAt(tick, now uint32) *sent {
	if age := now - tick; tick == 0 || age == 0 || age > protocol.MaxBase {
		return nil
	}
	for i := range l.ring {
		if s := &l.ring[i]; s.tick == tick && s.frame != nil && s.frame.tick == tick {
			return s
		}
	}
	return nil
}

// begin records that a snapshot of a frame is being made.
func (l *link) begin(f *frame) *sent {
	s := &l.ring[l.next]
	l.next = (l.next + 1) % len(l.ring)
	s.tick, s.frame, s.entities = f.tick, f, s.entities[:0]
	return s
}
