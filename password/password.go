// Package password stores passwords as self-describing hashes and verifies them, many at a time.
//
// A hash is PBKDF2-HMAC-SHA256 (RFC 8018) with a random salt, written as
//
//	salt$iterations$key
//
// where salt is 16 bytes and key 32 bytes in lower-case hexadecimal. A [Hasher] works through batches of [Job]: that
// is how a login server gets them, and how the machine computes them fastest.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// SaltLen and KeyLen are the lengths of a hash's parts in bytes.
	SaltLen = 16
	KeyLen  = 32
	// DefaultIterations is the cost of new hashes unless configured otherwise.
	DefaultIterations = 100_000
	// MinIterations is the least cost that new hashes may be configured to.
	MinIterations = 1_000
	// MaxIterations is the greatest cost, of new hashes and of stored ones: whoever can write a record must not be
	// able to occupy a core for minutes.
	MaxIterations = 10_000_000
)

// ErrMalformedHash is wrapped by the errors for a stored hash that cannot be read. It never contains the hash.
var ErrMalformedHash = errors.New("malformed password hash")

// hash is a parsed stored hash.
type hash struct {
	salt       []byte
	iterations int
	key        []byte
}

func newHash(iterations int) hash {
	h := hash{salt: make([]byte, SaltLen), iterations: iterations}
	rand.Read(h.salt) // never fails: see crypto/rand
	return h
}

// parseHash reads a stored hash strictly: one spelling for each hash, so that comparing strings is comparing hashes.
func parseHash(s string) (hash, error) {
	malformed := func(what string) (hash, error) { return hash{}, fmt.Errorf("%w: %s", ErrMalformedHash, what) }
	salt, rest, ok := strings.Cut(s, "$")
	iterations, key, ok2 := strings.Cut(rest, "$")
	if !ok || !ok2 {
		return malformed("not salt$iterations$key")
	}
	var h hash
	var err error
	if h.salt, err = decodeHex(salt, SaltLen); err != nil {
		return malformed("salt " + err.Error())
	}
	if h.key, err = decodeHex(key, KeyLen); err != nil {
		return malformed("key " + err.Error())
	}
	h.iterations, err = strconv.Atoi(iterations)
	if err != nil || h.iterations < 1 || h.iterations > MaxIterations || strconv.Itoa(h.iterations) != iterations {
		return malformed(fmt.Sprintf("iterations not a whole number from 1 to %d", MaxIterations))
	}
	return h, nil
}

// decodeHex reads exactly n bytes of lower-case hexadecimal.
func decodeHex(s string, n int) ([]byte, error) {
	if len(s) != 2*n {
		return nil, fmt.Errorf("is not %d hexadecimal digits", 2*n)
	}
	b, err := hex.DecodeString(s)
	if err != nil || strings.ToLower(s) != s {
		return nil, errors.New("is not lower-case hexadecimal")
	}
	return b, nil
}

func (h hash) String() string {
	return hex.EncodeToString(h.salt) + "$" + strconv.Itoa(h.iterations) + "$" + hex.EncodeToString(h.key)
}

func (h hash) matches(key []byte) bool { return subtle.ConstantTimeCompare(h.key, key) == 1 }
