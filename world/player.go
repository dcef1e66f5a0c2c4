package world

import (
	"math"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

// player is what a step needs of one player; what it rarely touches is in sheet, so that players lie close together
// in memory. Times are counts of steps.
type player struct {
	id        rushgate.PlayerID
	zone      int32
	x, y      float64
	vx, vy    float64 // units per step
	target    uint64
	action    uint8
	hp        int
	level     int
	xp        int64
	attack    int // of the equipment
	defense   int // of the equipment
	strikeAt  uint64
	regenAt   uint64
	respawnAt uint64 // while dead
	sheet     *sheet
}

// sheet is the part of a character that no step has to look at.
type sheet struct {
	name      string
	createdAt time.Time
	deaths    int
	played    time.Duration // before entering
	enteredAt uint64
	data      Data
}

// playtime is the character's total time in the world, to the millisecond.
func (s *sheet) playtime(now uint64) time.Duration {
	session := time.Duration(now-s.enteredAt) * time.Second / rushgate.TickRate
	return (s.played + min(session, math.MaxInt64-s.played)).Truncate(time.Millisecond)
}

func (p *player) alive() bool { return p.hp > 0 }

// newPlayer makes a player of a character whose id, XP and data have been checked, repairing the rest.
func (w *World) newPlayer(c rushgate.Character, d Data) player {
	d.reserve(w.def.Player.InventorySlots)
	p := player{
		id:       c.ID,
		level:    w.def.levelAt(1, c.Numbers[rushgate.NumberXP]),
		xp:       c.Numbers[rushgate.NumberXP],
		strikeAt: w.now + w.def.strike, // or relogging would strike faster than fighting on
		regenAt:  w.now + w.def.regen,
		sheet: &sheet{
			name:      c.Name,
			createdAt: c.CreatedAt,
			deaths:    int(max(c.Numbers[rushgate.NumberDeaths], 0)),
			played:    max(c.Playtime, 0),
			enteredAt: w.now,
			data:      d,
		},
	}
	p.attack, p.defense = w.def.bonus(d.Equipment)
	p.hp = int(min(max(c.Numbers[rushgate.NumberHP], 0), int64(w.maxHP(&p))))
	if c.Zone == "" {
		p.hp = w.maxHP(&p)
	}
	if !p.alive() {
		p.respawnAt = w.now + w.def.respawn
	}
	w.place(&p, c)
	return p
}

// place gives a player the position of a character, or a place at the start zone's spawn if that position is of no
// use.
func (w *World) place(p *player, c rushgate.Character) {
	i, ok := w.def.zoneIndex[c.Zone]
	if !ok || math.IsNaN(c.X) || math.IsNaN(c.Y) {
		if !ok {
			i = w.def.start
		}
		c.X, c.Y = w.def.Zones[i].Spawn.place(p.id)
	}
	p.zone = int32(i)
	p.x, p.y = w.def.Zones[i].clamp(c.X, c.Y)
}

// add gives a player a slot.
func (w *World) add(p player) {
	var slot int32
	if n := len(w.free); n > 0 {
		slot = w.free[n-1]
		w.free = w.free[:n-1]
		w.players[slot] = p
	} else {
		slot = w.grow(p)
	}
	w.slots[p.id] = slot
	if p.alive() {
		w.appear(slot)
	}
}

// grow makes room for one player more, whom it gives the new slot.
func (w *World) grow(p player) int32 {
	w.players = append(w.players, p)
	w.playerNodes = append(w.playerNodes, gridNode{})
	w.events = slices.Grow(w.events[:0], maxEvents*len(w.players))
	return int32(len(w.players) - 1)
}

// appear makes a living player visible to others of the zone.
func (w *World) appear(slot int32) {
	p := &w.players[slot]
	w.zones[p.zone].players.insert(slot, p.x, p.y)
}

func (w *World) stepPlayer(slot int32) {
	p := &w.players[slot]
	if !p.alive() {
		if w.now < p.respawnAt {
			return
		}
		p.x, p.y = w.zones[p.zone].spec.Spawn.place(p.id)
		p.hp = w.maxHP(p)
		w.appear(slot)
	}
	w.regenerate(p)
	w.walk(slot)
	if p.action == ActionAttack && w.now >= p.strikeAt {
		w.strikeMonster(slot)
	}
}

// regenerate heals a player who has not been hurt for a while.
func (w *World) regenerate(p *player) {
	if w.now < p.regenAt {
		return
	}
	p.hp = min(p.hp+w.def.Player.RegenHP, w.maxHP(p))
	p.regenAt = w.now + w.def.regen
}

// walk moves a player, through a portal if there is one.
func (w *World) walk(slot int32) {
	p := &w.players[slot]
	if p.vx == 0 && p.vy == 0 {
		return
	}
	z := &w.zones[p.zone]
	p.x, p.y = z.spec.clamp(p.x+p.vx, p.y+p.vy)
	portal := z.spec.portalAt(p.x, p.y)
	if portal == nil {
		z.players.move(slot, p.x, p.y)
		return
	}
	z.players.remove(slot)
	p.zone, p.x, p.y = int32(portal.zone), portal.ToX, portal.ToY
	w.appear(slot)
}
