package line

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// MaxLetter is how many bytes what is in a letter may have, LetterOverhead by how much it grows when sealed.
	MaxLetter      = 4096
	LetterOverhead = headSize + chacha20poly1305.NonceSizeX + 8 + chacha20poly1305.Overhead

	letterVersion = 4 // of no ticket, proof or challenge, so that none is ever taken for another
)

// SealLetter returns what a node has a client carry to any node of the fleet, for one purpose: neither the client nor
// others can read or make it. Random is read for 24 bytes; nil means [crypto/rand.Reader]. The error says that there
// were none, or that the content has more than [MaxLetter] bytes.
//
// Sealed it is, big-endian: a byte 4, the version; 3 bytes, the id of the key; 24 random bytes, the nonce; and then,
// with XChaCha20-Poly1305 and the first 4 bytes and the purpose as additional data: 8 bytes, when it was sealed, in
// microseconds since 1970; the content; and the tag.
func (r *Keyring) SealLetter(purpose string, at time.Time, content []byte, random io.Reader) ([]byte, error) {
	if len(content) > MaxLetter {
		return nil, fmt.Errorf("line: letter: %d bytes", len(content))
	}
	b, err := r.seal(letterVersion, purpose, at, content, random)
	if err != nil {
		return nil, fmt.Errorf("line: letter: %w", err)
	}
	return b, nil
}

// OpenLetter returns when a letter was sealed, to the microsecond, and what is in it. The error is [ErrMalformed],
// [ErrUnknownKey], or [ErrForged], also for one of another purpose.
func (r *Keyring) OpenLetter(purpose string, b []byte) (at time.Time, content []byte, err error) {
	if len(b) > LetterOverhead+MaxLetter {
		return at, nil, ErrMalformed
	}
	return r.open(letterVersion, purpose, b)
}

// seal makes what has a version, a time and a content, and is for one purpose, see [Keyring.SealLetter].
func (r *Keyring) seal(version byte, purpose string, at time.Time, content []byte, random io.Reader) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	key := r.sealing(at)
	b := append(make([]byte, 0, LetterOverhead+len(content)), version)
	b = append(b, key.id[:]...)
	b = append(b, make([]byte, chacha20poly1305.NonceSizeX)...)
	nonce := b[headSize:]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, err
	}
	plain := make([]byte, 0, 8+len(content))
	plain = binary.BigEndian.AppendUint64(plain, uint64(max(at.UnixMicro(), 0)))
	return key.aead.Seal(b, nonce, append(plain, content...), purposeData(b, purpose)), nil
}

// open reads what seal has made of a version for a purpose.
func (r *Keyring) open(version byte, purpose string, b []byte) (at time.Time, content []byte, err error) {
	if len(b) < LetterOverhead || b[0] != version {
		return at, nil, ErrMalformed
	}
	key := r.find(keyID(b[1:headSize]))
	if key == nil {
		return at, nil, ErrUnknownKey
	}
	nonce, sealed := b[headSize:headSize+chacha20poly1305.NonceSizeX], b[headSize+chacha20poly1305.NonceSizeX:]
	plain, err := key.aead.Open(nil, nonce, sealed, purposeData(b, purpose))
	if err != nil {
		return at, nil, ErrForged
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(plain))), plain[8:], nil
}

// purposeData is what is authenticated beside what is sealed: the head, and the purpose.
func purposeData(b []byte, purpose string) []byte { return append(b[:headSize:headSize], purpose...) }
