package world

import (
	"math"

	"github.com/rushgate/rushgate"
)

// The values of [rushgate.Entity].Kind.
const (
	// KindPlayer marks a player.
	KindPlayer uint8 = 1
	// KindMonster marks a monster of the definition's first kind. The others follow in the definition's order; from
	// the 254th on kinds share the value 255, and only the name tells them apart.
	KindMonster uint8 = 2
	// KindPortal marks a portal. Its Name is the zone that it leads to, its Level its radius in units, rounded up.
	KindPortal uint8 = 0
)

// PortalBit is set in the number of every portal, which has no [MonsterBit], and of no player.
const PortalBit uint64 = 1 << 62

// The bits of [rushgate.Entity].Flags.
const (
	// FlagFighting is set for a player who holds [ActionAttack], whether or not anything is in reach, and for a
	// monster that pursues or strikes a player. The dead do not fight.
	FlagFighting uint8 = 1 << 0
	// FlagDead is set for a player who waits to respawn.
	FlagDead uint8 = 1 << 1
)

// View appends everything that players can see to dst and returns the extended slice: all players, the dead with HP 0,
// then all living monsters, then all portals. Zone is the index of the zone in the definition. A monster is named by
// the id of its kind and has level 0. A portal has one hit point, and never loses it.
//
// The order is that of the slots players were given when they entered, then that of the definition, so two views
// differ only by who came and went. View allocates nothing if dst has the room, and leaves the world as it is.
func (w *World) View(dst []rushgate.Entity) []rushgate.Entity {
	for i := range w.players {
		if p := &w.players[i]; p.id != 0 {
			dst = append(dst, w.playerEntity(p))
		}
	}
	for i := range w.monsters {
		if m := &w.monsters[i]; m.alive() {
			dst = append(dst, m.entity(i))
		}
	}
	return append(dst, w.portals...)
}

// portalEntities are what players see of all portals, which are always the same.
func portalEntities(def *Definition) (all []rushgate.Entity) {
	for i := range def.Zones {
		for _, p := range def.Zones[i].Portals {
			all = append(all, rushgate.Entity{
				ID: uint64(len(all)) | PortalBit, Name: p.Zone, Zone: uint16(i), Kind: KindPortal,
				Level: uint16(math.Ceil(p.Radius)), X: p.X, Y: p.Y, HP: 1, MaxHP: 1,
			})
		}
	}
	return all
}

func (w *World) playerEntity(p *player) rushgate.Entity {
	e := rushgate.Entity{
		ID:     uint64(p.id),
		Name:   p.sheet.name,
		Zone:   uint16(p.zone),
		Kind:   KindPlayer,
		Level:  uint16(p.level),
		X:      p.x,
		Y:      p.y,
		HP:     int32(p.hp), // at most maxPoints, as below
		MaxHP:  int32(w.maxHP(p)),
		XP:     p.xp,
		Deaths: int32(min(p.sheet.deaths, math.MaxInt32)),
	}
	switch {
	case !p.alive():
		e.Flags = FlagDead
	case p.action == ActionAttack:
		e.Flags = FlagFighting
	}
	return e
}

// entity is what players see of the monster with index i.
func (m *monster) entity(i int) rushgate.Entity {
	e := rushgate.Entity{
		ID:    uint64(i) | MonsterBit,
		Name:  m.kind.ID,
		Zone:  uint16(m.zone),
		Kind:  m.kind.shown,
		X:     m.x,
		Y:     m.y,
		HP:    int32(m.hp),
		MaxHP: int32(m.kind.HP),
	}
	if m.target != none {
		e.Flags = FlagFighting
	}
	return e
}
