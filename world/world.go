// Package world is the reference [rushgate.World]: zones joined by portals, monsters that hunt, melee, experience and
// levels, death and respawn. Everything a designer would tune stands in a [Definition].
//
// A World is deterministic: the same definition, seed and sequence of calls lead to the same states. No map is
// iterated, all randomness comes from one seeded generator, and products that enter a sum are rounded explicitly
// (float64(a*b)+c), because compilers for some architectures would otherwise fuse the two operations and round once.
//
// # Entities
//
// Players and monsters share one numbering, that of [rushgate.Intent].Target. A player's number is the PlayerID; a
// monster's has the top bit, [MonsterBit], set. A monster keeps its number when it respawns. Portals are entities, too,
// with the next bit, [PortalBit], set, so that players see where they are.
//
// # A step
//
// First every player respawns, regenerates, moves and strikes, then every monster respawns, looks for a target,
// pursues and strikes, each in an order that depends on nothing but the calls so far. Positions are in units, speeds
// in units per second, distances are measured from centre to centre.
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. [Data] that a version has written is read by every later one. The
// numbers of default.json are the balance of a game, and change whenever it plays better for it.
package world

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rushgate/rushgate"
)

// MonsterBit is set in the number of every monster and of no player.
const MonsterBit uint64 = 1 << 63

// The values of [rushgate.Intent].Action; all others do nothing.
const (
	// ActionNone is to do nothing besides moving.
	ActionNone uint8 = 0
	// ActionAttack strikes the monster Target if it is in reach, or the nearest in reach if Target is 0, as often as
	// the attack interval allows.
	ActionAttack uint8 = 1
)

// Errors of [World.Enter].
var (
	// ErrAlreadyInside refuses a player who is inside.
	ErrAlreadyInside = errors.New("player is already inside")
	// ErrInvalidCharacter refuses a character that cannot be repaired without taking something from the player.
	ErrInvalidCharacter = errors.New("invalid character")
)

// World is the reference implementation of [rushgate.World]. One goroutine at a time may use it. Step never
// allocates; Enter makes all the room that a player may need. The number of players is for the caller to bound.
type World struct {
	def      *Definition
	source   *rand.PCG
	rng      *rand.Rand // on source
	now      uint64     // steps so far
	zones    []zone
	monsters []monster
	players  []player // by slot; a free slot has id 0
	free     []int32  // free slots, last freed first used
	slots    map[rushgate.PlayerID]int32
	events   []rushgate.Event
	portals  []rushgate.Entity // as players see them
	// What the zones' grids share, by slot and by index of the monster.
	playerNodes, monsterNodes gridNodes
}

// maxEvents is how many events one player can have in one step: one level-up and one death.
const maxEvents = 2

var _ rushgate.World = (*World)(nil)

// New returns a world with all its monsters in place and no players. def comes from [ParseDefinition] or [Default];
// worlds may share one. seed decides where monsters stand and what they drop.
func New(def *Definition, seed uint64) *World {
	source := rand.NewPCG(seed, 0)
	w := &World{
		def:    def,
		source: source,
		rng:    rand.New(source),
		zones:  make([]zone, len(def.Zones)),
		slots:  make(map[rushgate.PlayerID]int32),

		portals: portalEntities(def),
	}
	for i := range w.zones {
		w.zones[i] = newZone(&def.Zones[i], def.cell, &w.playerNodes, &w.monsterNodes)
	}
	w.populate()
	return w
}

// Enter puts a player into the world.
//
// An empty Zone means a new character, who starts at the spawn of the definition's start zone with full hit points: at
// the point itself, or where there is a radius, at a place around it that follows from the id. What the present
// definition no longer allows is repaired: an unknown zone becomes a place around the start zone's spawn point, a
// position outside its zone the nearest inside, hit points above the maximum the maximum. Level is derived from XP. Who
// enters dead respawns after the usual delay.
//
// The error wraps [ErrAlreadyInside], or [ErrInvalidCharacter] for an ID of zero or with [MonsterBit] or [PortalBit],
// negative XP, or Data this package cannot read whole: such a player stays out rather than lose what Data holds.
func (w *World) Enter(c rushgate.Character) error {
	if c.ID == 0 || uint64(c.ID)&(MonsterBit|PortalBit) != 0 {
		return fmt.Errorf("%w: id %d", ErrInvalidCharacter, c.ID)
	}
	if _, ok := w.slots[c.ID]; ok {
		return fmt.Errorf("%w: id %d", ErrAlreadyInside, c.ID)
	}
	if xp := c.Numbers[rushgate.NumberXP]; xp < 0 {
		return fmt.Errorf("%w: %d XP", ErrInvalidCharacter, xp)
	}
	d, err := parseData(c.Data)
	if err != nil {
		return fmt.Errorf("%w: data: %w", ErrInvalidCharacter, err)
	}
	w.add(w.newPlayer(c, d))
	return nil
}

// Leave takes a player out. It does nothing if the player is not inside.
func (w *World) Leave(id rushgate.PlayerID) {
	slot, ok := w.slots[id]
	if !ok {
		return
	}
	p := &w.players[slot]
	if p.alive() {
		w.zones[p.zone].players.remove(slot)
	}
	*p = player{}
	delete(w.slots, id)
	w.free = append(w.free, slot)
}

// Apply replaces what a player wants to do; the intent then lasts, through death and portals, until the next. It does
// nothing if the player is not inside. A direction longer than 1 is shortened to 1, one that is not finite counts as
// standing still, and an unknown action as [ActionNone].
func (w *World) Apply(id rushgate.PlayerID, in rushgate.Intent) {
	slot, ok := w.slots[id]
	if !ok {
		return
	}
	p := &w.players[slot]
	p.vx, p.vy = velocity(in.MoveX, in.MoveY, w.def.Player.Speed/rushgate.TickRate)
	p.action, p.target = in.Action, in.Target
}

// Step advances the world by [rushgate.TickInterval]. The world counts its steps itself, so tick has no influence: a
// tick that was skipped or repeated cannot make time jump. The slice of events is reused by the next step.
func (w *World) Step(uint64) []rushgate.Event {
	w.now++
	w.events = w.events[:0]
	for i := range w.players {
		if w.players[i].id != 0 {
			w.stepPlayer(int32(i))
		}
	}
	for i := range w.monsters {
		w.stepMonster(int32(i))
	}
	return w.events
}

// Character returns a copy of a player's present state that shares no memory with the world's own, and false if the
// player is not inside.
func (w *World) Character(id rushgate.PlayerID) (rushgate.Character, bool) {
	slot, ok := w.slots[id]
	if !ok {
		return rushgate.Character{}, false
	}
	p := &w.players[slot]
	return rushgate.Character{
		ID:        p.id,
		Name:      p.sheet.name,
		Zone:      w.zones[p.zone].spec.ID,
		X:         p.x,
		Y:         p.y,
		Numbers:   numbers(p.hp, p.xp, p.level, p.sheet.deaths),
		Playtime:  p.sheet.playtime(w.now),
		CreatedAt: p.sheet.createdAt,
		Data:      p.sheet.data.Encode(),
	}, true
}

// numbers are what the world counts for a player.
func numbers(hp int, xp int64, level, deaths int) rushgate.Numbers {
	return rushgate.Numbers{
		rushgate.NumberHP: int64(hp), rushgate.NumberXP: xp, rushgate.NumberLevel: int64(level),
		rushgate.NumberDeaths: int64(deaths),
	}
}

// ticks is how many steps a time lasts, rounded up, at least one.
func ticks(ms int64) uint64 {
	const second = int64(time.Second / time.Millisecond)
	return uint64(max(1, (ms*rushgate.TickRate+second-1)/second))
}
