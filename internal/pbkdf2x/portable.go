package pbkdf2x

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// iteratePortable iterates with crypto/sha256, which knows best what a CPU has where there is no kernel of ours.
func iteratePortable(lanes []*Lane, n int) {
	for _, l := range lanes {
		key := l.key()
		inner, outer := newPrepared(key, innerPad), newPrepared(key, outerPad)
		var u, digest [sha256.Size]byte
		putWords(&u, &l.u)
		for range n {
			inner.sum(&digest, &u)
			outer.sum(&u, &digest)
			for i := range l.t {
				l.t[i] ^= binary.BigEndian.Uint32(u[4*i:])
			}
		}
		getWords(&l.u, &u)
		clear(u[:])
		clear(digest[:])
		clear(inner.state)
		clear(outer.state)
	}
}

// prepared is a hash that has taken in the block of a key, to be brought back to that state again and again, which is
// how crypto/hmac avoids taking it in anew.
type prepared struct {
	hash  hash.Hash
	state []byte
}

func newPrepared(key []byte, pad byte) prepared {
	block := paddedBlock(key, pad)
	h := sha256.New()
	h.Write(block[:])
	clear(block[:])
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("pbkdf2x: a hash that cannot be saved: " + err.Error()) // not so crypto/sha256's
	}
	return prepared{h, state}
}

// sum sets digest to the hash of the key's block followed by data.
func (p prepared) sum(digest, data *[sha256.Size]byte) {
	if err := p.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(p.state); err != nil {
		panic("pbkdf2x: a hash that cannot be restored: " + err.Error())
	}
	p.hash.Write(data[:])
	p.hash.Sum(digest[:0])
}

// putWords and getWords translate between a digest and its words.
func putWords(b *[sha256.Size]byte, words *[8]uint32) {
	for i, w := range words {
		binary.BigEndian.PutUint32(b[4*i:], w)
	}
}

func getWords(words *[8]uint32, b *[sha256.Size]byte) {
	for i := range words {
		words[i] = binary.BigEndian.Uint32(b[4*i:])
	}
}
