package netcode

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
)

// Key is a 32-byte secret of ChaCha20-Poly1305: the private key that the token issuer and the servers share, or one of
// the two packet keys of a connect token. It never shows its bytes: every fmt verb, log/slog and encoding/json print
// a placeholder. To store or load a key, convert it to and from [32]byte.
type Key [32]byte

// redacted stands wherever a secret would have been printed.
const redacted = "[redacted]"

// NewKey returns a key of 32 bytes read from random; nil means crypto/rand.Reader. It fails only if random does.
func NewKey(random io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(randomOrDefault(random), k[:]); err != nil {
		return Key{}, fmt.Errorf("netcode: new key: %w", err)
	}
	return k, nil
}

// String returns a placeholder.
func (Key) String() string { return redacted }

// GoString returns a placeholder.
func (Key) GoString() string { return redacted }

// Format writes a placeholder whatever the verb is, %x and %d included.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, so that a key inside a logged or encoded value stays secret.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// randomOrDefault returns the operating system's randomness when r is nil.
func randomOrDefault(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}
