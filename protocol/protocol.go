// Package protocol is what a client and a node say to each other during play: the client sends intents, the node
// answers with snapshots of what the player can see, and both say what the game has to say besides. Each message is the
// payload of one packet of a transport that may lose, repeat and reorder packets but neither alters nor splits them,
// such as netcode over UDP.
//
// Snapshots are deltas. A client acknowledges the newest snapshot it has decoded in every [Intent]; the [Encoder]
// leaves out what has not changed since, and the [Decoder] of the client puts it back. A lost snapshot therefore costs
// nothing but its own news, and is not sent again. What a game says that must not be lost is sent again until it is
// acknowledged: see [Reliable].
//
// docs/protocol.md describes the bytes for those who write a client in another language, and testdata holds messages
// to test it against.
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. The bytes do not change as long as [Version] does not; the messages in
// testdata hold every later version to it.
package protocol

import (
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

const (
	// Version is the first byte of every message. It changes when an older reader could not make sense of a message.
	Version = 1
	// ID is the default protocol id of the netcode transport, "RUSHGATE" in ASCII.
	ID uint64 = 0x5255534847415445
	// MaxSnapshot is the greatest length of a snapshot in bytes, which is what a netcode payload holds.
	MaxSnapshot = 1200
	// MaxEntities is how many entities a snapshot holds at most.
	MaxEntities = 255
	// Scale is how many steps of a quantised position make one unit.
	Scale = 64
	// MaxBase is how many ticks older than the snapshot a baseline may be.
	MaxBase = 64
)

// maxFixed bounds quantised positions to ±2^24 units.
const maxFixed = 1 << 24 * Scale

// Errors of [ParseIntent] and [Decoder.Decode].
var (
	// ErrMalformed refuses what no [Encoder] or [AppendIntent] writes.
	ErrMalformed = errors.New("malformed message")
	// ErrVersion refuses a message of another [Version].
	ErrVersion = errors.New("unknown protocol version")
	// ErrNoBaseline refuses a snapshot whose baseline the decoder does not hold, because it came too late or the sender
	// took something for acknowledged that was not. The next snapshot may well decode.
	ErrNoBaseline = errors.New("no baseline for the snapshot")
)

// State is one entity as snapshots carry it. States come from [Quantise] or a [Decoder].
type State struct {
	// ID is the entity's number, never 0.
	ID uint64
	// Name is valid UTF-8 of at most [rushgate.MaxEntityName] bytes.
	Name string
	// X and Y are the position in 1/[Scale] units, within ±2^30.
	X, Y int32
	// HP and MaxHP are hit points; MaxHP is never negative.
	HP, MaxHP int32
	// Level is shown beside the entity.
	Level uint16
	// Kind and Flags are the world's own.
	Kind, Flags uint8
}

// Own is the state of the player that a snapshot is for.
type Own struct {
	// Zone is the world's number of the zone that the player and all entities of the snapshot are in.
	Zone uint16
	// X and Y are the position in 1/[Scale] units, within ±2^30.
	X, Y int32
	// HP and MaxHP are hit points; MaxHP is never negative.
	HP, MaxHP int32
	// XP is never negative.
	XP int64
	// Level is the player's.
	Level uint16
	// Deaths counts how often the player has died.
	Deaths uint32
	// Flags are the world's own.
	Flags uint8
}

// Quantise returns the state that stands for an entity: the position as [Fixed] has it, MaxHP at least 0, the name
// without what is not UTF-8 and cut before the rune that would pass [rushgate.MaxEntityName] bytes. It allocates only
// for a name that is not UTF-8.
func Quantise(e *rushgate.Entity) State {
	return State{
		ID:    e.ID,
		Name:  cleanName(e.Name),
		X:     Fixed(e.X),
		Y:     Fixed(e.Y),
		HP:    e.HP,
		MaxHP: max(e.MaxHP, 0),
		Level: e.Level,
		Kind:  e.Kind,
		Flags: e.Flags,
	}
}

func cleanName(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "")
	}
	if len(s) <= rushgate.MaxEntityName {
		return s
	}
	n := rushgate.MaxEntityName
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Fixed returns a position in units rounded to 1/[Scale] unit, clamped to ±2^24 units. NaN becomes 0.
func Fixed(v float64) int32 {
	v = math.RoundToEven(v * Scale)
	switch {
	case v >= maxFixed:
		return maxFixed
	case v <= -maxFixed:
		return -maxFixed
	case math.IsNaN(v):
		return 0
	}
	return int32(v)
}

// Newer reports whether sequence number or tick a comes after b, of which either may have passed 2^32 and started
// again (the serial number arithmetic of RFC 1982). It is false both ways for two that lie exactly 2^31 apart.
func Newer(a, b uint32) bool { return int32(a-b) > 0 }
