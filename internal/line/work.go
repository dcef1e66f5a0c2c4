package line

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"time"
)

const (
	// MaxWorkBits is the most work that a server asks for: 67 million hashes on average.
	MaxWorkBits = 26
	// WorkSlice is for how long a node gives out one salt. A proof is good with the salt of the slice before, too.
	WorkSlice = time.Minute
	// WorkLife is for how long at most a proof is good.
	WorkLife = 2*WorkSlice + clockSkew
	// WorkText is how many characters the text of a salt or a nonce has.
	WorkText = 2 * len(Nonce{})
)

// Salt is what a server has clients work with, so that nothing can be worked out beforehand; see [Keyring.Salt].
type Salt [8]byte

// Nonce is what a client has found, its proof of work: the SHA-256 of the salt, the [Holder] that the client is, and
// the nonce, which are 32 bytes together, begins with as many zero bits as the server asks for. So a proof is good for
// one holder and some minutes. As text, salts and nonces are 16 hexadecimal digits.
type Nonce [8]byte

// Salt returns the salt at a time: the first 8 bytes of the SHA-256 of the text "rushgate line work" and a byte 0, the
// key that seals tickets at the beginning of the slice of time, and the number of the slice since 1970 as 8 bytes,
// big-endian. So it needs no state, all nodes of a fleet have the same, and clients cannot know the next one.
func (r *Keyring) Salt(now time.Time) Salt { return r.salt(sliceOf(now)) }

func sliceOf(now time.Time) int64 { return int64(millis(now)) / WorkSlice.Milliseconds() }

func (r *Keyring) salt(slice int64) Salt {
	const label = "rushgate line work\x00"
	key := r.sealing(time.UnixMilli(slice * WorkSlice.Milliseconds()))
	var b [len(label) + keySize + 8]byte
	copy(b[:], label)
	copy(b[len(label):], key.secret[:])
	binary.BigEndian.PutUint64(b[len(label)+keySize:], uint64(slice))
	sum := sha256.Sum256(b[:])
	return Salt(sum[:])
}

// ValidWork reports whether a nonce is a holder's proof of so many bits of work, with the salt of the present slice, of
// the one before, or of one that a node whose clock is ahead has given out already. The id is the proof's: no other has
// the same, so that a proof can be known again. It allocates nothing.
func (r *Keyring) ValidWork(now time.Time, h Holder, n Nonce, least int) (id uint64, ok bool) {
	slice, ahead := sliceOf(now), sliceOf(now.Add(clockSkew))
	for s := ahead; s >= slice-1; s-- {
		if id, ok = worked(r.salt(s), h, n, least); ok {
			return id, true
		}
	}
	return 0, false
}

// worked reports whether a nonce is a proof with a salt, and returns its id: the end of the hash, which the bits are
// not part of.
func worked(s Salt, h Holder, n Nonce, least int) (id uint64, ok bool) {
	var b [len(s) + len(h) + len(n)]byte
	copy(b[:], s[:])
	copy(b[len(s):], h[:])
	copy(b[len(s)+len(h):], n[:])
	sum := sha256.Sum256(b[:])
	return binary.BigEndian.Uint64(sum[len(sum)-8:]), bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:])) >= least
}

// FindWork is the client's side: it returns the first of so many nonces, from one that is given as a number on, that is
// a proof of so many bits of work, 0 to 64, for a salt and a holder, or false if none is. One in 2^least is, on
// average; clients begin anywhere, so as not to find the same proof again. It is a pure function.
func FindWork(s Salt, h Holder, least int, first uint64, tries int) (n Nonce, ok bool) {
	for i := range tries {
		binary.BigEndian.PutUint64(n[:], first+uint64(i))
		if _, ok := worked(s, h, n, least); ok {
			return n, true
		}
	}
	return Nonce{}, false
}

// ParseNonce returns the nonce that a text of 16 hexadecimal digits is, or false for any other text.
func ParseNonce[S string | []byte](text S) (n Nonce, ok bool) {
	ok = parseHex(n[:], text)
	return n, ok
}

// ParseSalt returns the salt that a text of 16 hexadecimal digits is, or false for any other text.
func ParseSalt(text string) (s Salt, ok bool) {
	ok = parseHex(s[:], text)
	return s, ok
}

func parseHex[S string | []byte](dst []byte, text S) bool {
	if len(text) != WorkText {
		return false
	}
	_, err := hex.Decode(dst, []byte(text))
	return err == nil
}

// String returns the salt's text.
func (s Salt) String() string { return hex.EncodeToString(s[:]) }

// String returns the nonce's text.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }
