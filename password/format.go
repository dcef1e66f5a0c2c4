package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// SaltLen and KeyLen are the lengths of a PBKDF2 hash's parts in bytes.
	SaltLen = 16
	KeyLen  = 32
	// DefaultIterations is the cost of new hashes unless configured otherwise.
	DefaultIterations = 100_000
	// MinIterations is the least cost that new hashes may be configured to.
	MinIterations = 1_000
	// MaxIterations is the greatest cost, of new hashes and of stored ones: a writer of records must not be
	// able to occupy a core for minutes.
	MaxIterations = 10_000_000

	// legacyIterations is the cost of hashes that do not tell theirs.
	legacyIterations = 100_000
	// The most that hashes from other systems may ask for: about half a second each.
	maxArgonMemory  = 1 << 17 // KiB
	maxArgonWork    = 1 << 19 // KiB times passes
	maxArgonPasses  = 16
	maxArgonThreads = 4
	maxBcryptCost   = 13

	// bcryptPasswordLen is how many bytes of a password bcrypt takes notice of.
	bcryptPasswordLen = 72
)

// ErrMalformedHash is wrapped by the errors for a stored hash that cannot be read or asks for too much. It never
// contains the hash.
var ErrMalformedHash = errors.New("malformed password hash")

// stored is a parsed stored hash: one of *pbkdf2Hash, *argonHash, bcryptHash and *oldHash.
type stored interface {
	// describe returns scheme and cost, for people.
	describe() (scheme, cost string)
}

// pbkdf2Hash is salt$key, salt$iterations$key or salt$iterations$key$pepper.
type pbkdf2Hash struct {
	salt       []byte
	iterations int
	key        []byte
	pepper     string // the id of the pepper, or empty
	legacy     bool   // salt$key, whose cost is understood
}

func newPBKDF2Hash(iterations int, pepper string) *pbkdf2Hash {
	h := &pbkdf2Hash{salt: make([]byte, SaltLen), iterations: iterations, pepper: pepper}
	rand.Read(h.salt) // never fails: see crypto/rand
	return h
}

func (h *pbkdf2Hash) String() string {
	s := hex.EncodeToString(h.salt) + "$"
	if !h.legacy {
		s += strconv.Itoa(h.iterations) + "$"
	}
	s += hex.EncodeToString(h.key)
	if h.pepper != "" {
		s += "$" + h.pepper
	}
	return s
}

func (h *pbkdf2Hash) matches(key []byte) bool {
	return subtle.ConstantTimeCompare(h.key, key) == 1 && !h.locked()
}

func (h *pbkdf2Hash) describe() (scheme, cost string) {
	if h.locked() {
		return lockedScheme, lockedCost
	}
	scheme = "PBKDF2-HMAC-SHA256"
	if h.pepper != "" {
		scheme += " with pepper " + h.pepper
	}
	return scheme, strconv.Itoa(h.iterations) + " iterations"
}

// argonHash is a PHC string of argon2id.
type argonHash struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

func (h *argonHash) describe() (scheme, cost string) {
	return "argon2id", fmt.Sprintf("%d KiB, %d passes, %d threads", h.memory, h.passes, h.threads)
}

// bcryptHash is a string of package bcrypt.
type bcryptHash string

func (h bcryptHash) describe() (scheme, cost string) {
	n, err := bcrypt.Cost([]byte(h))
	if err != nil {
		return "bcrypt", "unknown"
	}
	return "bcrypt", fmt.Sprintf("cost %d", n)
}

// Foreign reports whether a stored hash is of another system's making, or made of one that is.
func Foreign(hash string) bool { return strings.HasPrefix(hash, "$") }

// Describe returns the scheme and the cost of a stored hash, for people to read; nothing of the secret parts. The error
// wraps [ErrMalformedHash].
func Describe(hash string) (scheme, cost string, err error) {
	h, err := parse(hash)
	if err != nil {
		return "", "", err
	}
	scheme, cost = h.describe()
	return scheme, cost, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformedHash, what) }

// parse reads a stored hash strictly: one spelling for each hash, but for bcrypt's, whose writers did not agree on what
// to do with bits that do not count.
func parse(s string) (stored, error) {
	switch {
	case strings.HasPrefix(s, "$argon2id$"):
		return parseArgon(s)
	case strings.HasPrefix(s, "$2a$"), strings.HasPrefix(s, "$2b$"), strings.HasPrefix(s, "$2y$"):
		return parseBcrypt(s)
	case strings.HasPrefix(s, oldPrefix), strings.HasPrefix(s, overPrefix):
		return parseOld(s)
	case strings.HasPrefix(s, "$"):
		return nil, malformed("a scheme other than argon2id, bcrypt and those of Keep and Harden")
	default:
		return parsePBKDF2(s)
	}
}

func parsePBKDF2(s string) (stored, error) {
	parts := strings.Split(s, "$")
	if len(parts) < 2 || len(parts) > 4 {
		return nil, malformed("not salt$key, salt$iterations$key or salt$iterations$key$pepper")
	}
	h := &pbkdf2Hash{legacy: len(parts) == 2, iterations: legacyIterations}
	key := parts[1]
	if !h.legacy {
		key = parts[2]
		n, err := strconv.Atoi(parts[1])
		if err != nil || n < 1 || n > MaxIterations || strconv.Itoa(n) != parts[1] {
			return nil, malformed(fmt.Sprintf("iterations not a whole number from 1 to %d", MaxIterations))
		}
		h.iterations = n
	}
	var err error
	if h.salt, err = decodeHex(parts[0], SaltLen); err != nil {
		return nil, malformed("salt " + err.Error())
	}
	if h.key, err = decodeHex(key, KeyLen); err != nil {
		return nil, malformed("key " + err.Error())
	}
	if len(parts) == 4 {
		if h.pepper = parts[3]; !validPepperID(h.pepper) {
			return nil, malformed("pepper id not 1 to 16 letters or digits")
		}
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

// parseArgon reads $argon2id$v=19$m=M,t=T,p=P$salt$key with salt and key in base64 without padding, as the PHC string
// format has it.
func parseArgon(s string) (stored, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[2] != "v=19" {
		return nil, malformed("not $argon2id$v=19$m=,t=,p=$salt$key")
	}
	h := &argonHash{}
	cost := strings.Split(parts[3], ",")
	if len(cost) != 3 {
		return nil, malformed("argon2id parameters other than m, t and p")
	}
	for i, p := range []struct {
		name string
		max  uint64
		set  func(uint64)
	}{
		{"m=", maxArgonMemory, func(n uint64) { h.memory = uint32(n) }},
		{"t=", maxArgonPasses, func(n uint64) { h.passes = uint32(n) }},
		{"p=", maxArgonThreads, func(n uint64) { h.threads = uint8(n) }},
	} {
		digits, ok := strings.CutPrefix(cost[i], p.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n < 1 || n > p.max || strconv.FormatUint(n, 10) != digits {
			return nil, malformed(fmt.Sprintf("argon2id parameter %s not a whole number from 1 to %d", p.name, p.max))
		}
		p.set(n)
	}
	if h.memory < 8*uint32(h.threads) { // RFC 9106 section 3.1
		return nil, malformed("argon2id with less than 8 KiB of memory per thread")
	}
	if h.memory*h.passes > maxArgonWork {
		return nil, malformed(fmt.Sprintf("argon2id with more than %d KiB times passes", maxArgonWork))
	}
	var err error
	if h.salt, err = decodeBase64(parts[4], 8, 64); err != nil {
		return nil, malformed("argon2id salt " + err.Error())
	}
	if h.key, err = decodeBase64(parts[5], 16, 64); err != nil {
		return nil, malformed("argon2id key " + err.Error())
	}
	return h, nil
}

// decodeBase64 reads low to high bytes of base64 without padding, and without the line breaks that package base64 takes
// no notice of.
func decodeBase64(s string, low, high int) ([]byte, error) {
	if len(s) > base64.RawStdEncoding.EncodedLen(high) {
		return nil, fmt.Errorf("has more than %d bytes", high)
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) < low || base64.RawStdEncoding.EncodeToString(b) != s {
		return nil, fmt.Errorf("is not %d to %d bytes in base64", low, high)
	}
	return b, nil
}

func parseBcrypt(s string) (stored, error) {
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if len(s) != 60 || s[6] != '$' || strings.Trim(s[7:], alphabet) != "" {
		return nil, malformed("bcrypt hash not of 60 characters")
	}
	cost, err := strconv.Atoi(s[4:6])
	if err != nil || fmt.Sprintf("%02d", cost) != s[4:6] || cost < bcrypt.MinCost || cost > maxBcryptCost {
		return nil, malformed(fmt.Sprintf("bcrypt cost not from %d to %d", bcrypt.MinCost, maxBcryptCost))
	}
	return bcryptHash(s), nil
}
