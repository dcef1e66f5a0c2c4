package protocol

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// Snapshot is what a player sees at one tick.
type Snapshot struct {
	// Tick is when; a tick lasts [rushgate.TickInterval].
	Tick uint32
	// Intent is the sequence number of the newest of the player's intents that the world had been given, 0 for none.
	Intent uint32
	// Own is the player.
	Own Own
	// Entities are the others in sight, in the order of the sender, which is that of distance or nearly so. Nothing here
	// requires their IDs to differ: that is up to the world.
	Entities []State
}

// Decoder reads the snapshots of one connection. It keeps those of the last [MaxBase] ticks, which later ones may be
// relative to: 48 bytes for each entity of each on a 64-bit machine, names not counted. That is 0.8 MB for a snapshot
// of [MaxEntities] at every tick, and up to twice as much where the slices have grown in steps. The zero value is
// ready. One goroutine at a time may use it.
type Decoder struct {
	held   []held
	newest uint32  // tick of the newest snapshot in held, if there is one
	spare  []State // what is being decoded
}

// held is a snapshot that can be a baseline.
type held struct {
	tick     uint32
	entities []State
}

// Decode reads a whole message into a snapshot, whose slice it reuses. The snapshot shares nothing with b or with the
// decoder but the names. Decode allocates nothing but the names of new entities once the slices have grown.
//
// A message that comes twice or late decodes as well, as long as its baseline is there; it is for the caller to ignore
// one that is not [Newer] than the last. After an error, which wraps [ErrMalformed], [ErrVersion] or [ErrNoBaseline],
// the snapshot is what it was, and the decoder, too.
func (d *Decoder) Decode(b []byte, into *Snapshot) error {
	if len(b) > MaxSnapshot {
		return fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxSnapshot)
	}
	r := reader{b: b}
	r.header(KindSnapshot)
	tick, age := r.tick(), r.age()
	intent := r.u32("intent")
	own := r.own()
	if r.err != nil {
		return r.err
	}
	var baseline []State
	if age > 0 {
		i := slices.IndexFunc(d.held, func(h held) bool { return h.tick == tick-age })
		if i < 0 {
			return fmt.Errorf("%w: tick %d refers to tick %d", ErrNoBaseline, tick, tick-age)
		}
		baseline = d.held[i].entities
	}
	d.spare = r.entities(d.spare[:0], baseline, &own)
	if err := r.end(); err != nil {
		return err
	}
	into.Tick, into.Intent, into.Own = tick, intent, own
	into.Entities = append(into.Entities[:0], d.spare...)
	d.keep(tick)
	return nil
}

// keep makes the snapshot in spare a baseline unless it is too old for one. Of two with the same tick the first stays.
func (d *Decoder) keep(tick uint32) {
	if len(d.held) == 0 || Newer(tick, d.newest) {
		d.newest = tick
	} else if d.newest-tick > MaxBase {
		return
	}
	free := -1
	for i := range d.held {
		if d.held[i].tick == tick {
			return
		}
		if d.newest-d.held[i].tick > MaxBase {
			free = i
		}
	}
	if free < 0 { // never more than MaxBase+1: all ticks differ and none is older than MaxBase
		free = len(d.held)
		d.held = append(d.held, held{})
	}
	h := &d.held[free]
	h.tick = tick
	h.entities, d.spare = d.spare, h.entities
}

func (r *reader) tick() uint32 {
	tick := r.u32("tick")
	if tick == 0 {
		r.fail("tick", "zero")
	}
	return tick
}

func (r *reader) age() uint32 {
	age := r.u8("base")
	if age > MaxBase {
		r.fail("base", "out of range")
	}
	return uint32(age)
}

func (r *reader) own() Own {
	return Own{ // in the order of the message
		Zone:   r.u16("zone"),
		X:      r.position("x", 0),
		Y:      r.position("y", 0),
		HP:     r.hp(),
		MaxHP:  int32(r.uvarint("max hp", math.MaxInt32)),
		Level:  uint16(r.uvarint("level", math.MaxUint16)),
		XP:     int64(r.uvarint("xp", math.MaxInt64)),
		Deaths: uint32(r.uvarint("deaths", math.MaxUint32)),
		Flags:  r.u8("flags"),
	}
}

// entities appends all entities of the message to dst.
func (r *reader) entities(dst, baseline []State, own *Own) []State {
	count := int(r.uvarint("count", MaxEntities))
	const shortest = 2 // bytes: a reference and a mask
	if count*shortest > len(r.b) {
		r.fail("count", "more than there is room for")
		return dst
	}
	dst = slices.Grow(dst, count)
	var used [MaxEntities]bool // by index into baseline
	for range count {
		ref := r.uvarint("ref", uint64(len(baseline)))
		if r.err != nil {
			break
		}
		if ref == 0 {
			dst = append(dst, State{})
			r.added(&dst[len(dst)-1], own)
			continue
		}
		if used[ref-1] {
			r.fail("ref", "used twice")
			break
		}
		used[ref-1] = true
		dst = append(dst, baseline[ref-1])
		r.changes(&dst[len(dst)-1])
	}
	return dst
}

// added reads an entity that is not in the baseline.
func (r *reader) added(s *State, own *Own) {
	if s.ID = r.uvarint("id", math.MaxUint64); s.ID == 0 {
		r.fail("id", "zero")
	}
	s.Kind = r.u8("kind of entity")
	s.Flags = r.u8("flags")
	s.Level = uint16(r.uvarint("level", math.MaxUint16))
	s.X = r.position("x", own.X)
	s.Y = r.position("y", own.Y)
	s.HP = r.hp()
	s.MaxHP = int32(r.uvarint("max hp", math.MaxInt32))
	n := int(r.u8("length of name"))
	if n > rushgate.MaxEntityName {
		r.fail("length of name", "out of range")
	}
	name := r.take("name", n)
	if !utf8.Valid(name) {
		r.fail("name", "not UTF-8")
	}
	s.Name = string(name)
}

// changes reads what has changed since the baseline, whose state s is.
func (r *reader) changes(s *State) {
	mask := r.u8("mask")
	if mask&^changedAny != 0 {
		r.fail("mask", "unknown bits")
	}
	if mask&changedPosition != 0 {
		s.X = r.position("x", s.X)
		s.Y = r.position("y", s.Y)
	}
	if mask&changedHP != 0 {
		s.HP = r.hp()
	}
	if mask&changedFlags != 0 {
		s.Flags = r.u8("flags")
	}
	if mask&changedMax != 0 {
		s.Level = uint16(r.uvarint("level", math.MaxUint16))
		s.MaxHP = int32(r.uvarint("max hp", math.MaxInt32))
	}
}
