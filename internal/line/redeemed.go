package line

import (
	"encoding/binary"
	"hash/maphash"
)

// The redeemed are remembered by one bit each, 64 serials to a word, in a table of fixed size that is keyed by a hash
// of issuer and serial: it has room for tickets of however many nodes and runs. A word is free once no ticket in it can
// still be good. Serials are redeemed about in order, so that a word holds dozens; at the worst it holds one.
const (
	redeemedWords = 1 << 17
	redeemedWays  = 16
)

// redeemed is allocated when it is first used.
type redeemed struct {
	seed  maphash.Seed
	words []redeemedWord
	until []int32 // by word: the age in seconds until which it is kept
	// forgotten counts words that gave way while a ticket in them may still have been good, and be redeemed again.
	forgotten int64
}

type redeemedWord struct{ key, bits uint64 }

// set returns the first word of the set in which a ticket is, and its key and bit.
func (r *redeemed) set(t *Ticket) (first int, key, bit uint64) {
	var b [16]byte
	copy(b[:8], t.Issuer[:])
	binary.LittleEndian.PutUint64(b[8:], t.Serial>>6)
	key = maphash.Bytes(r.seed, b[:]) | 1 // 0 is no key
	return int(key>>32%(redeemedWords/redeemedWays)) * redeemedWays, key, 1 << (t.Serial & 63)
}

// has reports whether a ticket was redeemed.
func (r *redeemed) has(t *Ticket) bool {
	if r.words == nil {
		return false
	}
	first, key, bit := r.set(t)
	for _, w := range r.words[first : first+redeemedWays] {
		if w.key == key {
			return w.bits&bit != 0
		}
	}
	return false
}

// add notes that a ticket was redeemed, which could be redeemed again until an age, in seconds.
func (r *redeemed) add(t *Ticket, now, until int32) {
	if r.words == nil {
		r.words, r.until = make([]redeemedWord, redeemedWords), make([]int32, redeemedWords)
	}
	first, key, bit := r.set(t)
	at := first
	for i := first; i < first+redeemedWays; i++ {
		if r.words[i].key == key {
			r.words[i].bits |= bit
			r.until[i] = max(r.until[i], until)
			return
		}
		if r.until[i] < r.until[at] || r.words[i].key == 0 && r.words[at].key != 0 {
			at = i
		}
	}
	if r.words[at].key != 0 && r.until[at] >= now {
		r.forgotten++
	}
	r.words[at], r.until[at] = redeemedWord{key, bit}, until
}

// remove takes add back.
func (r *redeemed) remove(t *Ticket) {
	if r.words == nil {
		return
	}
	first, key, bit := r.set(t)
	for i := first; i < first+redeemedWays; i++ {
		if r.words[i].key == key {
			r.words[i].bits &^= bit
		}
	}
}
