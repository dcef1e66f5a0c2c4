package client

import (
	"math"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

// maxSpeed is the speed, in units per second, above which something has not walked but was put elsewhere.
const maxSpeed = 8 * rushgate.TickRate

// View is what the player sees of the world at one tick. It never changes, so goroutines may share it.
type View struct {
	// Tick is the step of the world, of which there are [rushgate.TickRate] a second. It grows from view to view of one
	// connection; after a reconnection it may have begun again.
	Tick uint32
	// ServerTime is Tick as a time: what passes between two views passed in the world between them.
	ServerTime time.Duration
	// ReceivedAt is when the view came, by the local clock.
	ReceivedAt time.Time
	// Self is the player's own entity, without a name. XP and Deaths are told of no other entity.
	Self rushgate.Entity
	// Entities are the others in sight, the nearest first. One that is not among them is no longer in sight. Positions
	// are rounded to 1/64 unit.
	Entities []rushgate.Entity

	intent uint32
}

// newView copies a snapshot.
func newView(s *protocol.Snapshot, player rushgate.PlayerID, now time.Time) *View {
	own := &s.Own
	v := &View{
		Tick: s.Tick, ServerTime: time.Duration(s.Tick) * time.Second / rushgate.TickRate, ReceivedAt: now,
		Self: rushgate.Entity{
			ID: uint64(player), Zone: own.Zone, X: units(own.X), Y: units(own.Y), HP: own.HP, MaxHP: own.MaxHP,
			Level: own.Level, XP: own.XP, Deaths: int32(min(own.Deaths, math.MaxInt32)), Flags: own.Flags,
		},
		Entities: make([]rushgate.Entity, len(s.Entities)),
		intent:   s.Intent,
	}
	for i := range s.Entities {
		e := &s.Entities[i]
		v.Entities[i] = rushgate.Entity{
			ID: e.ID, Name: e.Name, Zone: own.Zone, Kind: e.Kind, Flags: e.Flags, Level: e.Level,
			X: units(e.X), Y: units(e.Y), HP: e.HP, MaxHP: e.MaxHP,
		}
	}
	return v
}

func units(fixed int32) float64 { return float64(fixed) / protocol.Scale }

// Applied reports whether the world had been given the intent of that number, or a newer one, when the view was taken.
// A game that moves the player ahead of the server's word replays on Self the intents that are not applied.
func (v *View) Applied(number uint32) bool { return v.intent != 0 && !protocol.Newer(number, v.intent) }

// Interpolate computes where everything was at a server time between two views, a being the older one. It returns the
// player's own entity and appends the others to dst, usually a slice used before, emptied. What is in sight is what b
// says, and so is everything but positions. An entity that a does not have, and everything when the zone has changed
// or a is nil, is where b has it. A time before a or after b counts as the one or the other.
//
// What was put elsewhere between the views, and did not walk, does not slide there either, but is where b has it: the
// player when the number of Deaths has changed, those who were dead and no longer are, and whatever has moved by more
// than 8 units per tick. At that speed it would cross all that is in sight in about a quarter of a second.
//
// Drawing the world in the past by one interval between views leaves time for the newer of the two to come: at is then
// a.ServerTime plus the time since b.ReceivedAt. A game that keeps some more views can draw further in the past, and
// does not stutter when one is lost.
func Interpolate(dst []rushgate.Entity, a, b *View, at time.Duration) (self rushgate.Entity, others []rushgate.Entity) {
	share := 1.0
	if a != nil && a.Self.Zone == b.Self.Zone && at < b.ServerTime && a.ServerTime < b.ServerTime {
		share = max(0, float64(at-a.ServerTime)/float64(b.ServerTime-a.ServerTime))
	}
	self, others = b.Self, append(dst, b.Entities...)
	if share == 1 {
		return self, others
	}
	reach := maxSpeed * (b.ServerTime - a.ServerTime).Seconds()
	if a.Self.Deaths == b.Self.Deaths {
		between(&self, &a.Self, share, reach)
	}
	moved := others[len(dst):]
	for i := range moved {
		if e := a.find(moved[i].ID, i); e != nil {
			between(&moved[i], e, share, reach)
		}
	}
	return self, others
}

// between moves an entity back on its way from where it was before, if it can have walked, which takes it no further
// than reach.
func between(e, before *rushgate.Entity, share, reach float64) {
	x, y := e.X-before.X, e.Y-before.Y
	if before.HP <= 0 && e.HP > 0 || x*x+y*y > reach*reach {
		return
	}
	e.X = before.X + x*share
	e.Y = before.Y + y*share
}

// find looks for an entity, from where it probably is.
func (v *View) find(id uint64, from int) *rushgate.Entity {
	n := len(v.Entities)
	for i := range n {
		if e := &v.Entities[(from+i)%n]; e.ID == id {
			return e
		}
	}
	return nil
}
