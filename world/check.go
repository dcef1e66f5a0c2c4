package world

import (
	"cmp"
	"fmt"
)

// Bounds of a definition, so that no file can ask for an absurd amount of memory or time.
const (
	maxZones        = 64
	maxPortals      = 16  // per zone
	maxGroups       = 256 // per zone
	maxGroup        = 1000
	maxMonsters     = 20_000 // in all zones together
	maxMonsterKinds = 256
	maxLoot         = 16 // per kind
	maxItems        = 1024
	maxLevels       = 200
	maxIDLen        = 64

	minZoneSide  = 16     // units
	maxZoneSide  = 65_536 // units
	maxRadius    = 1024   // units
	maxAggro     = 256    // units
	maxReach     = 64     // units
	maxSpeed     = 60     // units per second: one unit per step, the smallest portal's radius, so none is jumped over
	maxPoints    = 1_000_000
	maxReward    = 1_000_000_000
	maxLevelXP   = 1 << 53
	maxInterval  = 60_000     // ms
	maxRespawnMS = 86_400_000 // ms: a day
	minInterval  = 1          // ms; every time is rounded up to whole steps
)

// maxProblems is how many problems one error lists.
const maxProblems = 8

// checker collects what is wrong with a definition.
type checker struct {
	problems []string
}

func (c *checker) failf(path, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, path+": "+fmt.Sprintf(format, args...))
	}
}

// within requires lo <= v <= hi.
func within[T cmp.Ordered](c *checker, path string, v, lo, hi T) {
	if v < lo || v > hi {
		c.failf(path, "%v is outside %v..%v", v, lo, hi)
	}
}

// count requires lo <= n <= hi elements, and reports whether there are no more than that.
func (c *checker) count(path string, n, lo, hi int) bool {
	if n < lo || n > hi {
		c.failf(path, "%d elements are outside %d..%d", n, lo, hi)
	}
	return n <= hi
}

// validID reports whether s can name something: 1 to 64 of the characters a-z, 0-9, '.', '_' and '-'.
func validID(s string) bool {
	if s == "" || len(s) > maxIDLen {
		return false
	}
	for _, r := range []byte(s) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

// id requires a valid id that is not in use, as the caller has looked up.
func (c *checker) id(path, id string, inUse bool) {
	if !validID(id) {
		c.failf(path, "%.64q is not 1..%d of the characters a-z 0-9 . _ -", id, maxIDLen)
	} else if inUse {
		c.failf(path, "%q is used twice", id)
	}
}

// definition checks d and fills its indices.
func (c *checker) definition(d *Definition) {
	c.player(&d.Player)
	c.items(d)
	kinds := c.monsters(d)
	c.zones(d, kinds)
}

func (c *checker) player(p *playerSpec) {
	within(c, "player.speed", p.Speed, 0.1, maxSpeed)
	within(c, "player.reach", p.Reach, 0.1, maxReach)
	within(c, "player.attack_interval_ms", p.AttackIntervalMS, minInterval, maxInterval)
	within(c, "player.regen_hp", p.RegenHP, 0, maxPoints)
	within(c, "player.regen_interval_ms", p.RegenIntervalMS, minInterval, maxInterval)
	within(c, "player.respawn_ms", p.RespawnMS, minInterval, maxRespawnMS)
	within(c, "player.inventory_slots", p.InventorySlots, 0, maxStacks)
	if !c.count("player.levels", len(p.Levels), 1, maxLevels) {
		return
	}
	for i, l := range p.Levels {
		path := fmt.Sprintf("player.levels[%d]", i)
		lo, hi := int64(0), int64(0) // level 1 is everyone's
		if i > 0 {
			lo, hi = p.Levels[i-1].XP+1, maxLevelXP
		}
		within(c, path+".xp", l.XP, lo, hi)
		within(c, path+".hp", l.HP, 1, maxPoints)
		within(c, path+".damage", l.Damage, 1, maxPoints)
	}
}

func (c *checker) items(d *Definition) {
	d.items = make(map[string]*itemSpec)
	if !c.count("items", len(d.Items), 0, maxItems) {
		return
	}
	for i := range d.Items {
		item := &d.Items[i]
		path := fmt.Sprintf("items[%d]", i)
		c.id(path+".id", item.ID, d.items[item.ID] != nil)
		within(c, path+".max_stack", item.MaxStack, 1, maxCount)
		within(c, path+".attack", item.Attack, 0, maxPoints)
		within(c, path+".defense", item.Defense, 0, maxPoints)
		d.items[item.ID] = item
	}
}

// monsters checks the kinds of monsters and returns the set of their ids.
func (c *checker) monsters(d *Definition) map[string]bool {
	kinds := make(map[string]bool)
	if !c.count("monsters", len(d.Monsters), 0, maxMonsterKinds) {
		return kinds
	}
	for i := range d.Monsters {
		m := &d.Monsters[i]
		path := fmt.Sprintf("monsters[%d]", i)
		c.id(path+".id", m.ID, kinds[m.ID])
		kinds[m.ID] = true
		within(c, path+".hp", m.HP, 1, maxPoints)
		within(c, path+".damage", m.Damage, 1, maxPoints)
		within(c, path+".defense", m.Defense, 0, maxPoints)
		within(c, path+".speed", m.Speed, 0, maxSpeed)
		within(c, path+".reach", m.Reach, 0.1, maxReach)
		within(c, path+".aggro_radius", m.AggroRadius, 0, maxAggro)
		within(c, path+".leash_radius", m.LeashRadius, max(m.AggroRadius, 1), maxRadius)
		within(c, path+".attack_interval_ms", m.AttackIntervalMS, minInterval, maxInterval)
		within(c, path+".respawn_ms", m.RespawnMS, minInterval, maxRespawnMS)
		within(c, path+".xp", m.XP, 0, maxReward)
		c.loot(path, m.Loot, d.items)
	}
	return kinds
}

func (c *checker) loot(path string, loot []lootSpec, items map[string]*itemSpec) {
	if !c.count(path+".loot", len(loot), 0, maxLoot) {
		return
	}
	for i, l := range loot {
		path := fmt.Sprintf("%s.loot[%d]", path, i)
		if items[l.Item] == nil {
			c.failf(path+".item", "%.64q is not among the items", l.Item)
		}
		within(c, path+".count", l.Count, 1, maxCount)
		within(c, path+".chance", l.Chance, 0, 1)
	}
}

func (c *checker) zones(d *Definition, kinds map[string]bool) {
	d.zoneIndex = make(map[string]int)
	if !c.count("zones", len(d.Zones), 1, maxZones) {
		return
	}
	for i := range d.Zones {
		z := &d.Zones[i]
		path := fmt.Sprintf("zones[%d]", i)
		_, inUse := d.zoneIndex[z.ID]
		c.id(path+".id", z.ID, inUse)
		d.zoneIndex[z.ID] = i
		within(c, path+".width", z.Width, minZoneSide, maxZoneSide)
		within(c, path+".height", z.Height, minZoneSide, maxZoneSide)
		c.count(path+".portals", len(z.Portals), 0, maxPortals)
	}
	if _, ok := d.zoneIndex[d.StartZone]; !ok {
		c.failf("start_zone", "%.64q is not among the zones", d.StartZone)
	}
	total := 0
	for i := range d.Zones {
		z := &d.Zones[i]
		path := fmt.Sprintf("zones[%d]", i)
		c.spawn(path+".spawn", z)
		c.portals(path, d, z)
		total += c.groups(path, z, kinds)
	}
	within(c, "zones: monsters in all", total, 0, maxMonsters)
}

// spawn requires a circle all of which is fit to land in.
func (c *checker) spawn(path string, z *zoneSpec) {
	s := &z.Spawn
	within(c, path+".radius", s.Radius, 0, maxRadius)
	within(c, path+".x", s.X, s.Radius, z.Width-s.Radius)
	within(c, path+".y", s.Y, s.Radius, z.Height-s.Radius)
	for i := range z.Portals {
		p := &z.Portals[i]
		if reach := p.Radius + s.Radius; distance2(s.X, s.Y, p.X, p.Y) <= float64(reach*reach) {
			c.failf(path+".x", "%v, %v lies in a portal of zone %q", s.X, s.Y, z.ID)
			return
		}
	}
}

// landing requires a point of the zone that lies in no portal: a player who appears there must be able to stay.
func (c *checker) landing(pathX, pathY string, z *zoneSpec, x, y float64) {
	within(c, pathX, x, 0, z.Width)
	within(c, pathY, y, 0, z.Height)
	if z.portalAt(x, y) != nil {
		c.failf(pathX, "%v, %v lies in a portal of zone %q", x, y, z.ID)
	}
}

func (c *checker) portals(path string, d *Definition, z *zoneSpec) {
	for i, p := range z.Portals[:min(len(z.Portals), maxPortals)] {
		path := fmt.Sprintf("%s.portals[%d]", path, i)
		within(c, path+".x", p.X, 0, z.Width)
		within(c, path+".y", p.Y, 0, z.Height)
		within(c, path+".radius", p.Radius, 1, maxRadius)
		to, ok := d.zoneIndex[p.Zone]
		if !ok {
			c.failf(path+".zone", "%.64q is not among the zones", p.Zone)
			continue
		}
		c.landing(path+".to_x", path+".to_y", &d.Zones[to], p.ToX, p.ToY)
	}
}

// groups checks a zone's monsters and returns how many there are.
func (c *checker) groups(path string, z *zoneSpec, kinds map[string]bool) (total int) {
	if !c.count(path+".monsters", len(z.Monsters), 0, maxGroups) {
		return 0
	}
	for i, g := range z.Monsters {
		path := fmt.Sprintf("%s.monsters[%d]", path, i)
		if !kinds[g.Kind] {
			c.failf(path+".kind", "%.64q is not among the kinds of monsters", g.Kind)
		}
		within(c, path+".count", g.Count, 1, maxGroup)
		within(c, path+".x", g.X, 0, z.Width)
		within(c, path+".y", g.Y, 0, z.Height)
		within(c, path+".radius", g.Radius, 0, maxRadius)
		total += min(max(g.Count, 0), maxGroup)
	}
	return total
}
