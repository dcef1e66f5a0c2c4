package line

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// challengeVersion is of no ticket and no proof, so that none is ever taken for another.
const challengeVersion = 3

// ChallengeSize is the size of a sealed challenge in bytes.
const ChallengeSize = headSize + chacha20poly1305.NonceSizeX + 8 + chacha20poly1305.Overhead

// SealChallenge returns bytes that nobody can foresee and any node of the fleet knows again, for a client to answer:
// sealed with the key that is in use at the time, for one purpose. Random is read for 24 bytes; nil means
// [crypto/rand.Reader].
//
// Sealed it is, big-endian: a byte 3, the version; 3 bytes, the id of the key; 24 random bytes, the nonce; and then,
// with XChaCha20-Poly1305 and the first 4 bytes and the purpose as additional data: 8 bytes, when it was made, in
// microseconds since 1970; and the tag.
func (r *Keyring) SealChallenge(purpose string, at time.Time, random io.Reader) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	key := r.sealing(at)
	b := append(make([]byte, 0, ChallengeSize), challengeVersion)
	b = append(b, key.id[:]...)
	b = append(b, make([]byte, chacha20poly1305.NonceSizeX)...)
	nonce := b[headSize:]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("line: challenge: %w", err)
	}
	var plain [8]byte
	binary.BigEndian.PutUint64(plain[:], uint64(max(at.UnixMicro(), 0)))
	return key.aead.Seal(b, nonce, plain[:], challengeData(b, purpose)), nil
}

// OpenChallenge returns when a challenge was made, to the microsecond. The error is [ErrMalformed], [ErrUnknownKey], or
// [ErrForged], also for one of another purpose.
func (r *Keyring) OpenChallenge(purpose string, b []byte) (at time.Time, err error) {
	if len(b) != ChallengeSize || b[0] != challengeVersion {
		return at, ErrMalformed
	}
	key := r.find(keyID(b[1:headSize]))
	if key == nil {
		return at, ErrUnknownKey
	}
	nonce, sealed := b[headSize:headSize+chacha20poly1305.NonceSizeX], b[headSize+chacha20poly1305.NonceSizeX:]
	plain, err := key.aead.Open(nil, nonce, sealed, challengeData(b, purpose))
	if err != nil {
		return at, ErrForged
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(plain))), nil
}

func challengeData(b []byte, purpose string) []byte {
	return append(b[:headSize:headSize], purpose...)
}
