package protocol

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// The bits of the byte that says what of an entity has changed.
const (
	changedPosition = 1 << iota
	changedHP
	changedFlags
	changedMax // level and MaxHP
	changedAny = 1<<iota - 1
)

// Header is what a snapshot says besides its entities.
type Header struct {
	// Tick is the tick the snapshot was taken at, never 0.
	Tick uint32
	// Base is the tick of the snapshot that the client has, 0 for none. One that is not 1 to [MaxBase] ticks older
	// than Tick counts as none.
	Base uint32
	// Intent is the sequence number of the newest intent that the world had been given at Tick, 0 for none.
	Intent uint32
	// Own is the player's own state. A position beyond ±2^24 units is written as the nearest within, a MaxHP or an XP
	// below 0 as 0.
	Own Own
}

const (
	maxHeader = 51                                  // all numbers at their longest, without the count
	maxCount  = 2                                   // bytes of the count
	maxEntity = 37 + rushgate.MaxEntityName         // a new entity with all numbers at their longest
	bodyStart = maxHeader + maxCount                // of the first entity in Encoder.buf
	encodeBuf = bodyStart + MaxSnapshot + maxEntity // room to write an entity before knowing that it does not fit
)

// Encoder writes snapshots. It may be used again and again, by one goroutine at a time, and allocates nothing. The
// zero value is ready. It holds about 3 KiB, so many connections should share one.
type Encoder struct {
	baseline []*State
	table    baseTable
	used     [MaxEntities]bool // by index into baseline
	age      uint8             // ticks between baseline and snapshot, 0 for no baseline
	ownX     int32
	ownY     int32

	head    [maxHeader]byte
	headLen int
	buf     [encodeBuf]byte // entities from bodyStart on; Bytes puts what comes before them in front
	end     int             // of the entities in buf
	count   int
}

// Begin starts a snapshot. baseline holds the states that the snapshot of tick h.Base consisted of, in their order:
// those that Add had said true to. Neither it nor the states may change before the last call of Add; at most
// [MaxEntities] count.
func (e *Encoder) Begin(h Header, baseline []*State) {
	age := h.Tick - h.Base
	if h.Base == 0 || age == 0 || age > MaxBase {
		age, baseline = 0, nil
	}
	e.baseline = baseline[:min(len(baseline), MaxEntities)]
	e.age = uint8(age)
	e.table.fill(e.baseline)
	clear(e.used[:len(e.baseline)])
	h.Own.X, h.Own.Y = clampFixed(h.Own.X), clampFixed(h.Own.Y)
	e.ownX, e.ownY = h.Own.X, h.Own.Y
	e.headLen = len(e.appendHeader(e.head[:0], &h))
	e.end, e.count = bodyStart, 0
}

func clampFixed(fixed int32) int32 { return min(max(fixed, -maxFixed), maxFixed) }

func (e *Encoder) appendHeader(b []byte, h *Header) []byte {
	b = append(b, Version, byte(KindSnapshot))
	b = binary.LittleEndian.AppendUint32(b, h.Tick)
	b = append(b, e.age)
	b = binary.LittleEndian.AppendUint32(b, h.Intent)
	own := &h.Own
	b = binary.LittleEndian.AppendUint16(b, own.Zone)
	b = appendSigned(b, int64(own.X))
	b = appendSigned(b, int64(own.Y))
	b = appendSigned(b, int64(own.HP))
	b = binary.AppendUvarint(b, uint64(max(own.MaxHP, 0)))
	b = binary.AppendUvarint(b, uint64(own.Level))
	b = binary.AppendUvarint(b, uint64(max(own.XP, 0)))
	b = binary.AppendUvarint(b, uint64(own.Deaths))
	return append(b, own.Flags)
}

// Add writes one entity, the nearest first; the player's own is not among them. It returns false if the entity finds no
// room, in which case it is not written and, for the client, is not there. One that takes fewer bytes may still fit. It
// also returns false for what is not a [State] as documented, which no decoder would take: an ID of 0, a position
// beyond ±2^24 units, a name that is too long or not UTF-8. A MaxHP below 0 is written as 0.
func (e *Encoder) Add(s *State) bool {
	if e.count == MaxEntities || s.ID == 0 || !inRange(s.X) || !inRange(s.Y) {
		return false
	}
	b := e.buf[:e.end]
	k, known := e.known(s)
	if !known && !nameFits(s.Name) { // one in the baseline has been checked
		return false
	}
	if known {
		b = appendChanges(b, k+1, e.baseline[k], s)
	} else {
		b = e.appendNew(b, s)
	}
	if e.headLen+uvarintLen(e.count+1)+len(b)-bodyStart > MaxSnapshot {
		return false
	}
	if known {
		e.used[k] = true
	}
	e.end = len(b)
	e.count++
	return true
}

func inRange(fixed int32) bool { return fixed >= -maxFixed && fixed <= maxFixed }

func nameFits(name string) bool { return len(name) <= rushgate.MaxEntityName && utf8.ValidString(name) }

// known returns the index in the baseline of the entity that s can be written as a change of. A second state with the
// same id cannot: the message would be malformed.
func (e *Encoder) known(s *State) (int, bool) {
	k, ok := e.table.find(e.baseline, s.ID)
	if !ok || e.used[k] {
		return 0, false
	}
	base := e.baseline[k]
	return k, base.Kind == s.Kind && base.Name == s.Name
}

func (e *Encoder) appendNew(b []byte, s *State) []byte {
	b = append(b, 0)
	b = binary.AppendUvarint(b, s.ID)
	b = append(b, s.Kind, s.Flags)
	b = binary.AppendUvarint(b, uint64(s.Level))
	b = appendSigned(b, int64(s.X)-int64(e.ownX))
	b = appendSigned(b, int64(s.Y)-int64(e.ownY))
	b = appendSigned(b, int64(s.HP))
	b = binary.AppendUvarint(b, uint64(max(s.MaxHP, 0)))
	b = append(b, uint8(len(s.Name)))
	return append(b, s.Name...)
}

// appendChanges writes s as a change of the baseline's entity number ref, which counts from 1.
func appendChanges(b []byte, ref int, base, s *State) []byte {
	b = binary.AppendUvarint(b, uint64(ref))
	at := len(b)
	b = append(b, 0)
	var mask uint8
	if s.X != base.X || s.Y != base.Y {
		mask |= changedPosition
		b = appendSigned(b, int64(s.X)-int64(base.X))
		b = appendSigned(b, int64(s.Y)-int64(base.Y))
	}
	if s.HP != base.HP {
		mask |= changedHP
		b = appendSigned(b, int64(s.HP))
	}
	if s.Flags != base.Flags {
		mask |= changedFlags
		b = append(b, s.Flags)
	}
	if s.Level != base.Level || s.MaxHP != base.MaxHP {
		mask |= changedMax
		b = binary.AppendUvarint(b, uint64(s.Level))
		b = binary.AppendUvarint(b, uint64(max(s.MaxHP, 0)))
	}
	b[at] = mask
	return b
}

// Bytes returns the message with all that has been added, at most [MaxSnapshot] bytes. It is valid until the next call
// of any method.
func (e *Encoder) Bytes() []byte {
	start := bodyStart - uvarintLen(e.count) - e.headLen
	n := copy(e.buf[start:], e.head[:e.headLen])
	binary.PutUvarint(e.buf[start+n:], uint64(e.count))
	return e.buf[start:e.end]
}

// uvarintLen is the length of a number below 2^14.
func uvarintLen(v int) int {
	if v < 0x80 {
		return 1
	}
	return 2
}

// baseTable finds the states of a baseline by id: open addressing with linear probing, less than half full. Zero is a
// free place, everything else an index plus one.
type baseTable [1 << tableBits]uint8

const tableBits = 9

// home is the place where the search for an id starts. Multiplying by 2^64 over the golden ratio spreads ids that
// follow one another.
func (*baseTable) home(id uint64) uint { return uint(id * 0x9e3779b97f4a7c15 >> (64 - tableBits)) }

func (t *baseTable) fill(baseline []*State) {
	clear(t[:])
	for i, s := range baseline {
		h := t.home(s.ID)
		for t[h] != 0 {
			h = (h + 1) % uint(len(t))
		}
		t[h] = uint8(i + 1)
	}
}

func (t *baseTable) find(baseline []*State, id uint64) (int, bool) {
	for h := t.home(id); t[h] != 0; h = (h + 1) % uint(len(t)) {
		if i := int(t[h]) - 1; baseline[i].ID == id {
			return i, true
		}
	}
	return 0, false
}
