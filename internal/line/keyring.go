package line

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// SharedName is the name of the value that the nodes of a fleet share which has the ring.
	SharedName = "line-keys"
	// KeyLife is for how long new tickets are sealed with one key.
	KeyLife = 24 * time.Hour
	// KeyLead is how long before its use a key is in the ring, so that every node of a fleet has it by then: a node has
	// to read the ring again in less.
	KeyLead = time.Hour
	// TicketLife is for how long at least a ticket can be opened after it was issued. It is longer than a line can be.
	TicketLife = 24 * time.Hour

	keySize   = chacha20poly1305.KeySize
	keyIDSize = 3
	// maxKeys bounds a ring. One that is rotated as it is due holds three.
	maxKeys = 16

	ringVersion = 1
	ringHead    = 2 // version and number of keys
	ringEntry   = keySize + 8
	ringSum     = 8
)

// ErrBadKeyring is wrapped by the errors of [ParseKeyring].
var ErrBadKeyring = errors.New("line: not a keyring")

// Keyring holds the keys that a fleet seals its tickets with. It does not change, and may be used by many goroutines:
// [Keyring.Rotate] makes another. No fmt verb and no log prints a key.
type Keyring struct {
	keys []ringKey // 1 to maxKeys; the oldest first
}

type keyID [keyIDSize]byte

// ringKey is one of a keyring. Its id is derived from it, so that one fleet does not take another's tickets for forged.
type ringKey struct {
	id     keyID
	from   int64 // from when on it seals, in milliseconds since 1970
	secret [keySize]byte
	aead   cipher.AEAD
}

func newRingKey(secret [keySize]byte, from int64) (ringKey, error) {
	aead, err := chacha20poly1305.NewX(secret[:])
	if err != nil {
		return ringKey{}, fmt.Errorf("line: key: %w", err)
	}
	sum := sha256.Sum256(append([]byte("rushgate line key\x00"), secret[:]...))
	return ringKey{id: keyID(sum[:]), from: from, secret: secret, aead: aead}, nil
}

// NewKeyring returns a ring with one new key, read from random (nil: crypto/rand.Reader), which seals at once.
func NewKeyring(random io.Reader, now time.Time) (*Keyring, error) {
	return (&Keyring{}).with(random, now)
}

// with returns the ring with one more key, which seals from a time on.
func (r *Keyring) with(random io.Reader, from time.Time) (*Keyring, error) {
	if random == nil {
		random = rand.Reader
	}
	var secret [keySize]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return nil, fmt.Errorf("line: new key: %w", err)
	}
	key, err := newRingKey(secret, int64(millis(from)))
	if err != nil {
		return nil, err
	}
	if r.find(key.id) != nil {
		return nil, errors.New("line: new key: the same as, or named like, one that is there")
	}
	return &Keyring{keys: append(r.keys[:len(r.keys):len(r.keys)], key)}, nil
}

// Rotate returns the ring as it should be at a time: r itself, unless its newest key has [KeyLead] or less to go. Then
// it is one with a new key, which seals from KeyLead on, and without keys whose tickets have all outlived [TicketLife].
// It is meant to be called every few minutes, by one node of the fleet or by all of them under the store's compare and
// swap.
func (r *Keyring) Rotate(random io.Reader, now time.Time) (*Keyring, error) {
	ms := now.UnixMilli()
	newest := r.keys[len(r.keys)-1]
	if ms < newest.from+(KeyLife-KeyLead).Milliseconds() {
		return r, nil
	}
	kept := r.keys
	for len(kept) > 1 && (len(kept) >= maxKeys || kept[1].from+TicketLife.Milliseconds() < ms) {
		kept = kept[1:]
	}
	return (&Keyring{keys: kept}).with(random, now.Add(KeyLead))
}

// sealing returns the key that seals a ticket issued at a time. Before the first key's time, it is the first.
func (r *Keyring) sealing(issued time.Time) *ringKey {
	ms := int64(millis(issued))
	for i := len(r.keys) - 1; i > 0; i-- {
		if r.keys[i].from <= ms {
			return &r.keys[i]
		}
	}
	return &r.keys[0]
}

func (r *Keyring) find(id keyID) *ringKey {
	for i := range r.keys {
		if r.keys[i].id == id {
			return &r.keys[i]
		}
	}
	return nil
}

// Marshal returns the ring in the form that a store keeps: it holds the keys, and is as secret as they are.
func (r *Keyring) Marshal() []byte {
	b := append(make([]byte, 0, ringHead+len(r.keys)*ringEntry+ringSum), ringVersion, byte(len(r.keys)))
	for i := range r.keys {
		b = append(b, r.keys[i].secret[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(r.keys[i].from))
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:ringSum]...)
}

// ParseKeyring reads what [Keyring.Marshal] wrote, and nothing else. The errors wrap [ErrBadKeyring] and hold no key.
func ParseKeyring(b []byte) (*Keyring, error) {
	if len(b) < ringHead || b[0] != ringVersion {
		return nil, fmt.Errorf("%w: not of version %d", ErrBadKeyring, ringVersion)
	}
	n := int(b[1])
	if n < 1 || n > maxKeys || len(b) != ringHead+n*ringEntry+ringSum {
		return nil, fmt.Errorf("%w: %d bytes for %d keys", ErrBadKeyring, len(b), n)
	}
	body := b[:len(b)-ringSum]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:ringSum], b[len(body):]) {
		return nil, fmt.Errorf("%w: damaged", ErrBadKeyring)
	}
	r := &Keyring{keys: make([]ringKey, 0, n)}
	for entry := body[ringHead:]; len(entry) > 0; entry = entry[ringEntry:] {
		from := binary.BigEndian.Uint64(entry[keySize:])
		if from > maxMillis || len(r.keys) > 0 && int64(from) < r.keys[len(r.keys)-1].from {
			return nil, fmt.Errorf("%w: key %d: out of order", ErrBadKeyring, len(r.keys)+1)
		}
		key, err := newRingKey([keySize]byte(entry), int64(from))
		if err != nil {
			return nil, err
		}
		if r.find(key.id) != nil || key.secret == [keySize]byte{} {
			return nil, fmt.Errorf("%w: key %d: there twice, or never set", ErrBadKeyring, len(r.keys)+1)
		}
		r.keys = append(r.keys, key)
	}
	return r, nil
}

// Format writes how many keys there are, whatever the verb is.
func (r Keyring) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "a keyring of %d keys", len(r.keys))
}

// LogValue returns how many keys there are.
func (r Keyring) LogValue() slog.Value { return slog.IntValue(len(r.keys)) }
