package line

import (
	"hash/maphash"
	"net/netip"
)

const (
	knownEntries = 1 << 17
	knownWays    = 8
)

// known are the turns of clients that know nothing of tickets, by origin and account. If all entries of a set are in
// use, the turn that is over gives way, or else the latest: that client becomes a newcomer.
type known struct {
	seed    maphash.Seed
	entries []knownEntry // allocated when first used
}

// knownEntry has its turn in milliseconds, twice, plus one if it lies ahead of the time when it was given.
type knownEntry struct {
	key  uint64
	turn int64
}

func (e *knownEntry) place() place { return place{turn: e.turn >> 1, ahead: e.turn&1 != 0} }

func (k *known) key(o netip.Prefix, name string) uint64 {
	var h maphash.Hash
	h.SetSeed(k.seed)
	if o.IsValid() {
		a := o.Addr().As16()
		_, _ = h.Write(a[:])
		_ = h.WriteByte(byte(o.Bits()))
	}
	_ = h.WriteByte(0)
	_, _ = h.WriteString(name)
	return h.Sum64() | 1
}

func (k *known) set(key uint64) []knownEntry {
	first := int(key>>32%(knownEntries/knownWays)) * knownWays
	return k.entries[first : first+knownWays]
}

func (k *known) find(key uint64) *knownEntry {
	if k.entries == nil {
		return nil
	}
	set := k.set(key)
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
	}
	return nil
}

// put remembers a turn. Over reports whether the time of another is over.
func (k *known) put(key uint64, p place, over func(place) bool) {
	if k.entries == nil {
		k.entries = make([]knownEntry, knownEntries)
	}
	set := k.set(key)
	at := &set[0]
	for i := range set {
		e := &set[i]
		if e.key == 0 || over(e.place()) {
			at = e
			break
		}
		if e.turn >= at.turn {
			at = e
		}
	}
	*at = knownEntry{key: key, turn: p.turn << 1}
	if p.ahead {
		at.turn |= 1
	}
}
