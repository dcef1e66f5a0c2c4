package line

import (
	"fmt"
	"io"
	"time"
)

// challengeVersion is of no ticket and no proof, so that none is ever taken for another.
const challengeVersion = 3

// ChallengeSize is the size of a sealed challenge in bytes.
const ChallengeSize = LetterOverhead

// SealChallenge returns bytes that nobody can foresee and any node of the fleet knows again, for a client to answer:
// sealed with the key that is in use at the time, for one purpose. Random is read for 24 bytes; nil means
// [crypto/rand.Reader].
//
// Sealed it is, big-endian: a byte 3, the version; 3 bytes, the id of the key; 24 random bytes, the nonce; and then,
// with XChaCha20-Poly1305 and the first 4 bytes and the purpose as additional data: 8 bytes, when it was made, in
// microseconds since 1970; and the tag.
func (r *Keyring) SealChallenge(purpose string, at time.Time, random io.Reader) ([]byte, error) {
	b, err := r.seal(challengeVersion, purpose, at, nil, random)
	if err != nil {
		return nil, fmt.Errorf("line: challenge: %w", err)
	}
	return b, nil
}

// OpenChallenge returns when a challenge was made, to the microsecond. The error is [ErrMalformed], [ErrUnknownKey], or
// [ErrForged], also for one of another purpose.
func (r *Keyring) OpenChallenge(purpose string, b []byte) (at time.Time, err error) {
	if len(b) != ChallengeSize {
		return at, ErrMalformed
	}
	at, _, err = r.open(challengeVersion, purpose, b)
	return at, err
}
