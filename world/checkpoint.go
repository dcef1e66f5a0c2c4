package world

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
)

// ErrBadCheckpoint is wrapped by the errors of [World.Restore].
var ErrBadCheckpoint = errors.New("not a checkpoint of a world")

var _ rushgate.Checkpointer = (*World)(nil)

const (
	checkpointVersion = 1
	// leastPlayer, leastMonster and leastID are of how many bytes each player, monster and id in a checkpoint is at least.
	leastPlayer, leastMonster, leastID = 50, 37, 1
	maxNameLen                         = 1 << 10
)

// checkpoint is what is kept of a world. Whatever follows from the definition is not in it.
type checkpoint struct {
	definition [sha256.Size]byte // of the one that it was played by
	zones      []string          // ids of its zones, by their index
	speed      float64           // of its players, in units per second
	now        uint64
	rng        []byte
	players    []savedPlayer
	free       []int32 // slots
	monsters   []savedMonster
}

// savedPlayer is what is kept of the player in a slot.
type savedPlayer struct {
	slot int32
	player
	sheet sheet
	data  []byte
}

// savedMonster is what is kept of a monster.
type savedMonster struct {
	x, y, homeX, homeY  float64
	hp                  int
	target              int32
	targetID            rushgate.PlayerID
	strikeAt, respawnAt uint64
}

// Checkpoint appends the state of the world to dst and returns the extended slice: about 300 bytes for each player and
// 50 for each monster. It never fails.
func (w *World) Checkpoint(dst []byte) ([]byte, error) {
	c := w.save()
	return packed.Append(dst, c.describe), nil
}

// Restore puts a world that [New] has made into the state of a checkpoint. Played by the same definition, it goes on
// step for step as the other one would have. With another definition monsters begin anew, and players go on as if they
// had entered anew ([World.Enter] says what is repaired), each with the intent that they had. The error wraps
// [ErrBadCheckpoint].
func (w *World) Restore(state []byte) error {
	var c checkpoint
	err := packed.Parse(state, c.describe)
	if err == nil {
		err = w.restore(&c)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadCheckpoint, err)
	}
	return nil
}

// fingerprint tells definitions apart by what is in them, however they were written.
func (d *definitionSpec) fingerprint() [sha256.Size]byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return sha256.Sum256(b)
}

func (w *World) save() *checkpoint {
	c := &checkpoint{definition: w.def.print, speed: w.def.Player.Speed, now: w.now, free: w.free}
	c.rng, _ = w.source.MarshalBinary() // which cannot fail
	for i := range w.zones {
		c.zones = append(c.zones, w.zones[i].spec.ID)
	}
	c.players = make([]savedPlayer, 0, len(w.slots))
	for i := range w.players {
		if p := &w.players[i]; p.id != 0 {
			c.players = append(c.players, savedPlayer{int32(i), *p, *p.sheet, p.sheet.data.Encode()})
		}
	}
	c.monsters = make([]savedMonster, len(w.monsters))
	for i := range w.monsters {
		m := &w.monsters[i]
		c.monsters[i] = savedMonster{
			m.x, m.y, m.homeX, m.homeY, m.hp, m.target, m.targetID, m.strikeAt, m.respawnAt,
		}
	}
	return c
}

func (c *checkpoint) describe(p *packed.Codec) {
	p.Header("world", checkpointVersion, checkpointVersion)
	p.Raw(c.definition[:])
	packed.Slice(p, &c.zones, math.MaxUint16+1, 1, func(id *string) { p.String(id, maxNameLen) })
	p.Float64(&c.speed)
	p.Uint64(&c.now)
	p.Bytes(&c.rng, maxNameLen)
	packed.Slice(p, &c.players, math.MaxInt32, leastPlayer, func(s *savedPlayer) { s.describe(p) })
	packed.Slice(p, &c.free, math.MaxInt32, leastID, func(slot *int32) { packed.Int(p, slot) })
	packed.Slice(p, &c.monsters, math.MaxInt32, leastMonster, func(m *savedMonster) { m.describe(p) })
}

func (s *savedPlayer) describe(p *packed.Codec) {
	packed.Int(p, &s.slot)
	packed.Uint(p, &s.id)
	packed.Int(p, &s.zone)
	for _, v := range []*float64{&s.x, &s.y, &s.vx, &s.vy} {
		p.Float64(v)
	}
	p.Uint64(&s.target)
	packed.Uint(p, &s.action)
	packed.Int(p, &s.hp)
	packed.Int(p, &s.level)
	packed.Int(p, &s.xp)
	for _, at := range []*uint64{&s.strikeAt, &s.regenAt, &s.respawnAt, &s.sheet.enteredAt} {
		p.Uint64(at)
	}
	p.String(&s.sheet.name, maxNameLen)
	p.Time(&s.sheet.createdAt)
	packed.Int(p, &s.sheet.deaths)
	packed.Int(p, &s.sheet.played)
	p.Bytes(&s.data, rushgate.MaxDataLen)
}

func (m *savedMonster) describe(p *packed.Codec) {
	for _, v := range []*float64{&m.x, &m.y, &m.homeX, &m.homeY} {
		p.Float64(v)
	}
	packed.Int(p, &m.hp)
	packed.Int(p, &m.target)
	packed.Uint(p, &m.targetID)
	p.Uint64(&m.strikeAt)
	p.Uint64(&m.respawnAt)
}

// restore takes over what was read, or says why that cannot be.
func (w *World) restore(c *checkpoint) error {
	if len(w.players) > 0 || w.now > 0 {
		return errors.New("the world that is to be restored is not new")
	}
	if err := c.check(); err != nil {
		return err
	}
	w.now = c.now
	if c.definition != w.def.print {
		return w.readmit(c)
	}
	if err := w.fits(c); err != nil {
		return err
	}
	source := &rand.PCG{}
	if err := source.UnmarshalBinary(c.rng); err != nil {
		return err
	}
	w.source, w.rng = source, rand.New(source)
	for range len(c.players) + len(c.free) {
		w.grow(player{})
	}
	for i := range c.players {
		if err := w.restorePlayer(&c.players[i]); err != nil {
			return err
		}
	}
	w.free = c.free
	for i := range c.monsters {
		w.restoreMonster(int32(i), &c.monsters[i])
	}
	return nil
}

// check reports what no world can be like.
func (c *checkpoint) check() error {
	taken := make([]bool, len(c.players)+len(c.free))
	take := func(slot int32) bool {
		ok := slot >= 0 && int(slot) < len(taken) && !taken[slot]
		if ok {
			taken[slot] = true
		}
		return ok
	}
	inside := make(map[rushgate.PlayerID]struct{}, len(c.players))
	for i := range c.players {
		p := &c.players[i]
		if _, twice := inside[p.id]; twice || p.id == 0 || uint64(p.id)&(MonsterBit|PortalBit) != 0 || !take(p.slot) {
			return fmt.Errorf("player %d is there twice, is none, or has another's slot", p.id)
		}
		inside[p.id] = struct{}{}
		if p.zone < 0 || int(p.zone) >= len(c.zones) || p.xp < 0 || p.hp < 0 || p.sheet.deaths < 0 || p.sheet.played < 0 ||
			p.sheet.enteredAt > c.now {
			return fmt.Errorf("player %d is nowhere, or less than nothing", p.id)
		}
	}
	for _, slot := range c.free {
		if !take(slot) {
			return fmt.Errorf("slot %d is not free", slot)
		}
	}
	return nil
}

// fits reports what a world of the present definition cannot be like.
func (w *World) fits(c *checkpoint) error {
	for i := range c.players {
		p := &c.players[i]
		if p.level != w.def.levelAt(1, p.xp) || p.hp > w.maxHP(&p.player) || !w.within(p.zone, p.x, p.y) ||
			!(distance2(0, 0, p.vx, p.vy) <= w.fastest2()) {
			return fmt.Errorf("player %d is none of this definition", p.id)
		}
	}
	if len(c.monsters) != len(w.monsters) {
		return fmt.Errorf("%d monsters, want %d", len(c.monsters), len(w.monsters))
	}
	for i := range c.monsters {
		s, m := &c.monsters[i], &w.monsters[i]
		if !w.within(m.zone, s.x, s.y) || !w.within(m.zone, s.homeX, s.homeY) || s.hp > m.kind.HP ||
			s.target < none || int(s.target) >= len(c.players)+len(c.free) {
			return fmt.Errorf("monster %d is none of this definition", i)
		}
	}
	return nil
}

// within reports whether a point is inside a zone.
func (w *World) within(zone int32, x, y float64) bool { return w.zones[zone].spec.contains(x, y) }

// fastest2 is the square of what no velocity exceeds: a step at full speed, and what rounding may add.
func (w *World) fastest2() float64 {
	step := w.def.Player.Speed / rushgate.TickRate
	return float64(step*step) * (1 + 1e-9)
}

// restorePlayer puts a player into the slot that they had.
func (w *World) restorePlayer(s *savedPlayer) error {
	d, err := parseData(s.data)
	if err != nil {
		return fmt.Errorf("player %d: data: %w", s.id, err)
	}
	d.reserve(w.def.Player.InventorySlots)
	p := &w.players[s.slot]
	*p, p.sheet = s.player, &s.sheet
	p.sheet.data = d
	p.attack, p.defense = w.def.bonus(d.Equipment)
	w.slots[p.id] = s.slot
	if p.alive() {
		w.appear(s.slot)
	}
	return nil
}

func (w *World) restoreMonster(i int32, s *savedMonster) {
	m := &w.monsters[i]
	alive := m.alive()
	m.x, m.y, m.homeX, m.homeY, m.hp = s.x, s.y, s.homeX, s.homeY, s.hp
	m.target, m.targetID, m.strikeAt, m.respawnAt = s.target, s.targetID, s.strikeAt, s.respawnAt
	grid := w.zones[m.zone].monsters
	if alive {
		grid.remove(i)
	}
	if m.alive() {
		grid.insert(i, m.x, m.y)
	}
}

// readmit lets the players of a checkpoint into a world of another definition.
func (w *World) readmit(c *checkpoint) error {
	for i := range c.players {
		s := &c.players[i]
		err := w.Enter(rushgate.Character{
			ID: s.id, Name: s.sheet.name, Zone: c.zones[s.zone], X: s.x, Y: s.y,
			Numbers: numbers(s.hp, s.xp, s.level, s.sheet.deaths), Playtime: s.sheet.playtime(c.now),
			CreatedAt: s.sheet.createdAt, Data: s.data,
		})
		if err != nil {
			return err
		}
		p := &w.players[w.slots[s.id]]
		full := c.speed / rushgate.TickRate
		p.vx, p.vy = velocity(float32(s.vx/full), float32(s.vy/full), w.def.Player.Speed/rushgate.TickRate)
		p.action, p.target = s.action, s.target
	}
	return nil
}
