package netcode

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Key is a 32-byte secret of ChaCha20-Poly1305: the private key that the token issuer and the servers share, or one of
// the two packet keys of a connect token. To store or load a key, convert it to and from [32]byte.
//
// Every fmt verb, log/slog and encoding/json print a placeholder for a key, and for one in an exported field, slice, or
// map. They cannot do so for a key in an unexported field of another type: fmt does not call the methods of what it
// finds there and prints the bytes, and with a verb like %s even those that a pointer leads to. Such a type must hide
// itself with a Format method, as those of this package do, or keep the key where fmt does not look, in a func() Key.
type Key [32]byte

// packetKeys are those of one connection. What has them keeps a pointer, since fmt follows one level of them where it
// does not find Format.
type packetKeys struct{ toClient, toServer Key }

// errZeroKey says that a key was never set. Tokens under it could be forged by anybody.
var errZeroKey = errors.New("netcode: the private key is all zeros")

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
