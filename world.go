package rushgate

import "time"

const (
	// TickRate is how often the world is stepped, in Hz.
	TickRate = 60
	// TickInterval is the time between two steps.
	TickInterval = time.Second / TickRate
)

// World is a game. One goroutine, the tick's, owns it: no two methods ever run at the same time, so a World needs no
// locks. Methods must not do I/O, block, or keep references to what they are given. A method that panics costs the
// step or the player it was working on, and is logged and counted; the tick goes on.
type World interface {
	// Enter puts a player into the world. A character with an empty Zone is new and still has to be given a place
	// and its first numbers. An error (or panic) keeps the player out, and is reported to them as [InternalError].
	Enter(c Character) error
	// Leave takes a player out. The realm has asked for the player's last [World.Character] before.
	Leave(id PlayerID)
	// Apply hands over what a player wants to do. Of several intents between two steps the last one counts.
	Apply(id PlayerID, in Intent)
	// Step advances the world by [TickInterval]. tick counts from 1, goes on where a [Checkpointer] was moved to, and
	// leaves numbers out after a move that came to nothing. The events are those of this step; the slice may be reused
	// by the next step.
	Step(tick uint64) []Event
	// Character returns a copy of a player's present state that shares no memory with the world's own, and false
	// if the player is not inside.
	Character(id PlayerID) (Character, bool)
	// View appends everything that players can see to dst, every player inside included, in an order that changes
	// little from step to step, and returns the extended slice. It is asked for after most steps and must not
	// allocate besides.
	View(dst []Entity) []Entity
}

// Entity is something in the world as players see it: a player, a monster, whatever the world has.
type Entity struct {
	// ID is the world's own numbering, never 0; that of a player is the [PlayerID]. It is what [Intent].Target names.
	ID uint64
	// Name is shown beside the entity, at most [MaxEntityName] bytes; what is longer is cut.
	Name string
	// Zone is the world's own number for the part of the world: entities see only those of their own zone.
	Zone uint16
	// Kind and Flags are the world's own: what it is, and how it is.
	Kind, Flags uint8
	// Level is shown beside the entity.
	Level uint16
	// X and Y are the position in the zone, within ±2^24 units; players see it rounded to 1/64 unit.
	X, Y float64
	// HP and MaxHP are hit points; zero or less HP means dead.
	HP, MaxHP int32
	// XP and Deaths are shown to the player only whose entity it is. Of their own Level and Deaths players see
	// the numbers, as far as they are saved: see [Numbers].
	XP     int64
	Deaths int32
}

// MaxEntityName is the greatest length of [Entity].Name in bytes that players see.
const MaxEntityName = 64

// Intent is what a player wants to do, until the next intent replaces it.
type Intent struct {
	// MoveX and MoveY are the direction of movement. The length is the share of the full speed, at most 1; a world
	// must bear any value, NaN and infinity included.
	MoveX, MoveY float32
	// Action is what to do besides moving; the numbers are the world's own, 0 means nothing.
	Action uint8
	// Target is what to do it to, in the world's own numbering of what it contains; 0 lets the world choose.
	Target uint64
}

// EventKind says what befell a player.
type EventKind uint8

// The kinds of [Event].
const (
	EventDeath EventKind = iota + 1
	EventLevelUp
)

// Event is a change that a player must never lose. It is saved at once, and the player is told of it only when the
// store has it.
type Event struct {
	Player PlayerID
	Kind   EventKind
}
