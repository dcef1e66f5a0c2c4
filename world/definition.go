package world

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
)

// ErrInvalidDefinition is wrapped by the errors of [ParseDefinition].
var ErrInvalidDefinition = errors.New("invalid world definition")

// MaxDefinitionLen is the greatest length of a definition in bytes.
const MaxDefinitionLen = 1 << 20

//go:embed default.json
var defaultJSON []byte

// Definition is everything about a world that a designer would tune. It is immutable, comes from [ParseDefinition] or
// [Default], and may be shared by many worlds and goroutines. The JSON form is shown by default.json beside this file;
// its fields are those of the types below, all units and ranges are in check.go.
type Definition struct {
	definitionSpec
	start     int            // index of the start zone
	zoneIndex map[string]int // only ever looked up, never iterated
	items     map[string]*itemSpec
	cell      float64 // size of a grid cell: the largest radius that a step asks for
	print     [sha256.Size]byte

	// The player's intervals, in steps.
	strike, regen, respawn uint64
}

// definitionSpec is the JSON form of a definition.
type definitionSpec struct {
	StartZone string        `json:"start_zone"` // where new characters begin
	Player    playerSpec    `json:"player"`
	Items     []itemSpec    `json:"items"`
	Monsters  []monsterSpec `json:"monsters"`
	Zones     []zoneSpec    `json:"zones"`
}

// playerSpec holds what all players have in common.
type playerSpec struct {
	Speed            float64     `json:"speed"` // units per second
	Reach            float64     `json:"reach"` // units
	AttackIntervalMS int64       `json:"attack_interval_ms"`
	RegenHP          int         `json:"regen_hp"`          // gained every
	RegenIntervalMS  int64       `json:"regen_interval_ms"` // counted anew from every hit taken
	RespawnMS        int64       `json:"respawn_ms"`
	InventorySlots   int         `json:"inventory_slots"`
	Levels           []levelSpec `json:"levels"` // the first is level 1, the last the highest there is
}

// levelSpec describes one level.
type levelSpec struct {
	XP     int64 `json:"xp"` // lifetime XP from which on a character has this level
	HP     int   `json:"hp"` // greatest number of hit points
	Damage int   `json:"damage"`
}

// itemSpec describes one item. The bonuses count while it is equipped.
type itemSpec struct {
	ID       string `json:"id"`
	MaxStack int    `json:"max_stack"`
	Attack   int    `json:"attack"`
	Defense  int    `json:"defense"`
}

// monsterSpec describes one kind of monster.
type monsterSpec struct {
	ID               string     `json:"id"`
	HP               int        `json:"hp"`
	Damage           int        `json:"damage"`
	Defense          int        `json:"defense"`
	Speed            float64    `json:"speed"`        // units per second; 0 stands still
	Reach            float64    `json:"reach"`        // units
	AggroRadius      float64    `json:"aggro_radius"` // units; 0 only strikes back
	LeashRadius      float64    `json:"leash_radius"` // how far from where it spawned it pursues
	AttackIntervalMS int64      `json:"attack_interval_ms"`
	RespawnMS        int64      `json:"respawn_ms"`
	XP               int64      `json:"xp"` // for its killer
	Loot             []lootSpec `json:"loot"`

	strike, respawn uint64 // steps
	shown           uint8  // [rushgate.Entity].Kind
}

// lootSpec is something a monster may leave to its killer.
type lootSpec struct {
	Item   string  `json:"item"`
	Count  int     `json:"count"`
	Chance float64 `json:"chance"`

	item *itemSpec
}

// zoneSpec describes one zone, a rectangle from 0, 0 to Width, Height.
type zoneSpec struct {
	ID       string       `json:"id"`
	Width    float64      `json:"width"`
	Height   float64      `json:"height"`
	Spawn    spawnSpec    `json:"spawn"`
	Portals  []portalSpec `json:"portals"`
	Monsters []groupSpec  `json:"monsters"`
}

// spawnSpec is where the dead and the new appear: at a point, or spread over a circle around it.
type spawnSpec struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Radius float64 `json:"radius"`
}

// portalSpec is a circle that takes a player who walks into it to a point of another zone, or of the same.
type portalSpec struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Radius float64 `json:"radius"`
	Zone   string  `json:"zone"`
	ToX    float64 `json:"to_x"`
	ToY    float64 `json:"to_y"`

	zone int
}

// groupSpec is a number of monsters of one kind that spawn within a circle.
type groupSpec struct {
	Kind   string  `json:"kind"`
	Count  int     `json:"count"`
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Radius float64 `json:"radius"`

	kind *monsterSpec
}

// ParseDefinition reads a definition of at most [MaxDefinitionLen] bytes of JSON. It refuses unknown fields and any
// value outside its range; the error wraps [ErrInvalidDefinition] and names each offending value by its path in the
// document (such as zones[2].portals[0].radius) with the range that is allowed, up to a few of them.
func ParseDefinition(b []byte) (*Definition, error) {
	if len(b) > MaxDefinitionLen {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrInvalidDefinition, MaxDefinitionLen)
	}
	var d Definition
	if err := decodeStrict(b, &d.definitionSpec); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidDefinition, err)
	}
	var c checker
	c.definition(&d)
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrInvalidDefinition, strings.Join(c.problems, "; "))
	}
	d.compile()
	return &d, nil
}

// Default returns the definition that comes with this package: a small world of four zones.
func Default() *Definition { return defaultDefinition() }

var defaultDefinition = sync.OnceValue(func() *Definition {
	d, err := ParseDefinition(defaultJSON)
	if err != nil {
		panic(err) // embedded and tested
	}
	return d
})

// compile works out what follows from a definition that has been checked.
func (d *Definition) compile() {
	p := &d.Player
	d.strike, d.regen, d.respawn = ticks(p.AttackIntervalMS), ticks(p.RegenIntervalMS), ticks(p.RespawnMS)
	d.start = d.zoneIndex[d.StartZone]
	d.print = d.fingerprint()
	d.cell = p.Reach
	kinds := make(map[string]*monsterSpec, len(d.Monsters))
	for i := range d.Monsters {
		m := &d.Monsters[i]
		kinds[m.ID] = m
		m.strike, m.respawn = ticks(m.AttackIntervalMS), ticks(m.RespawnMS)
		m.shown = uint8(min(int(KindMonster)+i, math.MaxUint8))
		d.cell = max(d.cell, m.AggroRadius)
		for j := range m.Loot {
			m.Loot[j].item = d.items[m.Loot[j].Item]
		}
	}
	for i := range d.Zones {
		z := &d.Zones[i]
		for j := range z.Portals {
			z.Portals[j].zone = d.zoneIndex[z.Portals[j].Zone]
		}
		for j := range z.Monsters {
			z.Monsters[j].kind = kinds[z.Monsters[j].Kind]
		}
	}
}

// bonus is what equipment adds to attack and defence. Items the definition does not know add nothing.
func (d *Definition) bonus(equipment []string) (attack, defense int) {
	for _, id := range equipment {
		if item, ok := d.items[id]; ok {
			attack += item.Attack
			defense += item.Defense
		}
	}
	return attack, defense
}
