package world

import (
	"math"

	"github.com/rushgate/rushgate"
)

// maxHP is a player's greatest number of hit points.
func (w *World) maxHP(p *player) int { return w.def.Player.Levels[p.level-1].HP }

// levelAt is the level that an amount of XP stands for, given that it is at least level.
func (d *Definition) levelAt(level int, xp int64) int {
	for level < len(d.Player.Levels) && xp >= d.Player.Levels[level].XP {
		level++
	}
	return level
}

// reward gives the killer of a monster its XP and loot. XP goes on counting at the highest level.
func (w *World) reward(p *player, kind *monsterSpec) {
	p.xp += min(kind.XP, math.MaxInt64-p.xp)
	for i := range kind.Loot {
		l := &kind.Loot[i]
		if w.rng.Float64() < l.Chance {
			p.sheet.data.add(l.item, l.Count, w.def.Player.InventorySlots)
		}
	}
	level := w.def.levelAt(p.level, p.xp)
	if level == p.level {
		return
	}
	p.level = level
	p.hp = w.maxHP(p)
	w.events = append(w.events, rushgate.Event{Player: p.id, Kind: rushgate.EventLevelUp})
}
