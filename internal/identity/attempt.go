package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

// AttemptLife is for how long a player may be away at a provider.
const AttemptLife = 15 * time.Minute

// Attempt is one way to a provider and back. The browser that goes it keeps it in a cookie which scripts cannot read
// and other sites cannot have sent, and the node keeps nothing: what goes to the provider (state, nonce and PKCE's
// verifier) is derived from it, and from the provider's name. Who has not the cookie has no answer to the question that
// the provider was asked, and an answer of one provider is none of another's.
type Attempt struct {
	key   [sha256.Size]byte
	began time.Time // to the second
}

// NewAttempt returns one that begins now.
func NewAttempt(now time.Time) Attempt {
	a := Attempt{began: time.Unix(now.Unix(), 0)}
	_, _ = rand.Read(a.key[:]) // never fails
	return a
}

// Cookie returns the attempt for the cookie, 54 characters of base64url. It is a secret.
func (a Attempt) Cookie() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(a.began.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, a.key[:]...))
}

// ParseAttempt reads a cookie. Its error is [ErrState].
func ParseAttempt(cookie string) (Attempt, error) {
	const size = 8 + sha256.Size
	if len(cookie) != base64.RawURLEncoding.EncodedLen(size) {
		return Attempt{}, ErrState
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cookie) // which passes over line breaks
	if err != nil || len(b) != size || binary.BigEndian.Uint64(b) > 1<<40 {
		return Attempt{}, ErrState
	}
	return Attempt{key: [sha256.Size]byte(b[8:]), began: time.Unix(int64(binary.BigEndian.Uint64(b)), 0)}, nil
}

// Began returns when it began, which only the browser vouches for: it says how old an answer can be, and no more.
func (a Attempt) Began() time.Time { return a.began }

// Expired reports whether it began too long ago, or has yet to begin by more than the tolerance.
func (a Attempt) Expired(now time.Time, tolerance time.Duration) bool {
	return now.Sub(a.began) > AttemptLife || a.began.Sub(now) > tolerance
}

// Derive returns 43 characters that only this attempt has for a purpose with a provider. They say nothing of those for
// others.
func (a Attempt) Derive(purpose, provider string) string {
	h := hmac.New(sha256.New, a.key[:])
	fmt.Fprintf(h, "rushgate identity %q %q", purpose, provider)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Format writes that there is an attempt, and not which one.
func (a Attempt) Format(f fmt.State, _ rune) { fmt.Fprint(f, "attempt") }
