package world

import "github.com/rushgate/rushgate"

// lookInterval is how many steps pass between two looks of a monster without a target. They are spread evenly over
// the monsters; 6 steps (100 ms) go unnoticed by players and make a world of idle monsters cheap.
const lookInterval = 6

// monster is one monster. Its number is its index in [World.monsters] with [MonsterBit] set. Times are counts of steps.
type monster struct {
	kind         *monsterSpec
	group        *groupSpec
	zone         int32
	x, y         float64
	homeX, homeY float64
	hp           int
	target       int32             // slot of a player, or none
	targetID     rushgate.PlayerID // tells whether the slot still is the player's
	strikeAt     uint64
	respawnAt    uint64 // while dead
}

func (m *monster) alive() bool { return m.hp > 0 }

// populate creates all monsters of the definition.
func (w *World) populate() {
	for i := range w.zones {
		groups := w.zones[i].spec.Monsters
		for j := range groups {
			for range groups[j].Count {
				w.monsterNodes = append(w.monsterNodes, gridNode{})
				w.monsters = append(w.monsters, monster{kind: groups[j].kind, group: &groups[j], zone: int32(i)})
				w.spawn(int32(len(w.monsters) - 1))
			}
		}
	}
}

// spawn brings a dead monster to life somewhere in its group's circle.
func (w *World) spawn(i int32) {
	m := &w.monsters[i]
	z := &w.zones[m.zone]
	u, v := w.inDisc()
	g := m.group
	m.homeX, m.homeY = z.spec.clamp(g.X+float64(u*g.Radius), g.Y+float64(v*g.Radius))
	m.x, m.y = m.homeX, m.homeY
	m.hp = m.kind.HP
	m.target = none
	z.monsters.insert(i, m.x, m.y)
}

// inDisc returns a random point of the unit disc, by rejection: sines and cosines may differ between architectures.
func (w *World) inDisc() (u, v float64) {
	for {
		u, v = float64(2*w.rng.Float64())-1, float64(2*w.rng.Float64())-1
		if distance2(0, 0, u, v) <= 1 {
			return u, v
		}
	}
}

func (w *World) stepMonster(i int32) {
	m := &w.monsters[i]
	if !m.alive() {
		if w.now >= m.respawnAt {
			w.spawn(i)
		}
		return
	}
	if m.target == none && (w.now+uint64(i))%lookInterval == 0 {
		w.look(m)
	}
	p := w.quarry(m)
	if p == nil {
		m.target = none
		w.goHome(i)
		return
	}
	if distance2(m.x, m.y, p.x, p.y) > float64(m.kind.Reach*m.kind.Reach) {
		w.pursue(i, p.x, p.y)
	} else if w.now >= m.strikeAt {
		w.strikePlayer(m)
	}
}

// look makes the nearest player within the aggro radius the monster's target.
func (w *World) look(m *monster) {
	if m.kind.AggroRadius == 0 {
		return
	}
	if slot, ok := w.zones[m.zone].players.nearest(m.x, m.y, m.kind.AggroRadius); ok {
		m.target, m.targetID = slot, w.players[slot].id
	}
}

// quarry returns the monster's target, or nil if it has none that is alive, in the zone and within the leash. A leash
// on the target rather than on the monster keeps the monster from dancing at the end of it.
func (w *World) quarry(m *monster) *player {
	if m.target == none {
		return nil
	}
	p := &w.players[m.target]
	if p.id != m.targetID || p.zone != m.zone || !p.alive() {
		return nil
	}
	if distance2(m.homeX, m.homeY, p.x, p.y) > float64(m.kind.LeashRadius*m.kind.LeashRadius) {
		return nil
	}
	return p
}

// goHome walks a monster back to where it spawned; having arrived it is as good as new.
func (w *World) goHome(i int32) {
	m := &w.monsters[i]
	if m.x == m.homeX && m.y == m.homeY {
		m.hp = m.kind.HP
		return
	}
	w.pursue(i, m.homeX, m.homeY)
}

// pursue moves a monster one step towards a point.
func (w *World) pursue(i int32, x, y float64) {
	m := &w.monsters[i]
	z := &w.zones[m.zone]
	m.x, m.y = z.spec.clamp(toward(m.x, m.y, x, y, m.kind.Speed/rushgate.TickRate))
	z.monsters.move(i, m.x, m.y)
}
