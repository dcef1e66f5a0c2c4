package line

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// lenient is how many turns an origin is given at once, as if each were asked for by another player: there are
	// households and schools behind an address. They fill up again at the pace of its share.
	lenient = 20

	shareEntries = 1 << 16
	shareWays    = 4
)

// shares give the turns of one origin apart from each other, as far as its share of the pace is: start-time fair
// queueing, told by the generic cell rate algorithm (ITU-T I.371). Each origin has one moment, before which it has used
// up what it may; an entry whose moment is past is free. If all of a set are in use, the one whose moment is next gives
// way.
type shares struct {
	seed    maphash.Seed
	entries []shareEntry // allocated when first used
}

type shareEntry struct {
	key  uint64
	used int64 // up to when the share is used up, in milliseconds of the line's clock
}

// network is one that counts together, with a share that is so many times that of one origin.
type network struct {
	prefix netip.Prefix
	times  int64
}

// networksOf returns the networks that an origin counts for, itself first. A customer of an IPv6 provider commonly has
// a /56 or a /48, and so 256 or 65,536 origins to choose from.
func networksOf(o netip.Prefix) (all [3]network, n int) {
	all[0], n = network{o, 1}, 1
	if o.IsValid() && o.Addr().Is6() {
		for _, wider := range [...]network{{netip.PrefixFrom(o.Addr(), 56), 2}, {netip.PrefixFrom(o.Addr(), 48), 4}} {
			if wider.prefix.Bits() < o.Bits() {
				all[n] = network{wider.prefix.Masked(), wider.times}
				n++
			}
		}
	}
	return all, n
}

// delay returns how long after now the next turn of an origin has to be, when its share lets one player in every gap.
// Nothing is noted until [shares.use] is called.
func (s *shares) delay(o netip.Prefix, now int64, gap time.Duration) (ms int64) {
	all, n := networksOf(o)
	for _, w := range all[:n] {
		gap := gapOf(gap, w.times)
		if e := s.find(w.prefix); e != nil && e.used > now {
			ms = max(ms, (e.used-now)-(lenient*w.times-1)*gap/1000)
		}
	}
	return ms
}

// use notes that an origin was given a turn, which may lie ahead of those of others: what follows counts from there.
func (s *shares) use(o netip.Prefix, now int64, ahead bool, turn int64, gap time.Duration) {
	all, n := networksOf(o)
	for _, w := range all[:n] {
		e, gap := s.make(w.prefix, now), gapOf(gap, w.times)
		e.used = max(e.used, now) + max(gap/1000, 1)
	}
	if ahead {
		gap := gapOf(gap, 1)
		e := s.make(o, now)
		e.used = max(e.used, turn+lenient*gap/1000)
	}
}

// gapOf returns the gap of a network in microseconds, from a millisecond to an hour.
func gapOf(gap time.Duration, times int64) int64 {
	return min(max(gap.Microseconds()/times, 1000), time.Hour.Microseconds())
}

func (s *shares) key(p netip.Prefix) uint64 {
	var b [17]byte
	if p.IsValid() {
		a := p.Addr().As16()
		copy(b[:], a[:])
		b[16] = byte(p.Bits()) + 1
		if p.Addr().Is4() {
			b[16] |= 0x80 // bits of IPv4 and IPv6 are told apart
		}
	}
	return maphash.Bytes(s.seed, b[:]) | 1
}

func (s *shares) set(key uint64) []shareEntry {
	first := int(key>>32%(shareEntries/shareWays)) * shareWays
	return s.entries[first : first+shareWays]
}

func (s *shares) find(p netip.Prefix) *shareEntry {
	if s.entries == nil {
		return nil
	}
	key := s.key(p)
	set := s.set(key)
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
	}
	return nil
}

func (s *shares) make(p netip.Prefix, now int64) *shareEntry {
	if s.entries == nil {
		s.entries = make([]shareEntry, shareEntries)
	}
	key := s.key(p)
	set := s.set(key)
	oldest := &set[0]
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
		if set[i].used < oldest.used {
			oldest = &set[i]
		}
	}
	*oldest = shareEntry{key: key}
	return oldest
}
