package world

import (
	"math"

	"github.com/rushgate/rushgate"
)

// damage is what a hit takes off: attack less defence, but always something.
func damage(attack, defense int) int { return max(1, attack-defense) }

// strikeMonster lets a player hit the intent's target. Only a hit starts the attack interval.
func (w *World) strikeMonster(slot int32) {
	p := &w.players[slot]
	i := w.victim(p)
	if i == none {
		return
	}
	p.strikeAt = w.now + w.def.strike
	m := &w.monsters[i]
	m.hp -= damage(w.def.Player.Levels[p.level-1].Damage+p.attack, m.kind.Defense)
	if m.alive() {
		if m.target == none {
			m.target, m.targetID = slot, p.id
		}
		return
	}
	w.zones[m.zone].monsters.remove(i)
	m.respawnAt = w.now + m.kind.respawn
	w.reward(p, m.kind)
}

// victim returns the index of the monster that a player's attack hits, or none.
func (w *World) victim(p *player) int32 {
	reach := w.def.Player.Reach
	if p.target == 0 {
		i, _ := w.zones[p.zone].monsters.nearest(p.x, p.y, reach)
		return i
	}
	i := p.target &^ MonsterBit
	if p.target&MonsterBit == 0 || i >= uint64(len(w.monsters)) {
		return none
	}
	m := &w.monsters[i]
	if m.zone != p.zone || !m.alive() || distance2(p.x, p.y, m.x, m.y) > float64(reach*reach) {
		return none
	}
	return int32(i)
}

// strikePlayer lets a monster hit its target.
func (w *World) strikePlayer(m *monster) {
	p := &w.players[m.target]
	m.strikeAt = w.now + m.kind.strike
	p.hp -= damage(m.kind.Damage, p.defense)
	p.regenAt = w.now + w.def.regen
	if !p.alive() {
		w.die(m.target)
	}
}

// die turns a player without hit points into one who waits to respawn.
func (w *World) die(slot int32) {
	p := &w.players[slot]
	w.zones[p.zone].players.remove(slot)
	p.hp = 0
	p.respawnAt = w.now + w.def.respawn
	if p.sheet.deaths < math.MaxInt {
		p.sheet.deaths++
	}
	w.events = append(w.events, rushgate.Event{Player: p.id, Kind: rushgate.EventDeath})
}
