package line

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// TicketSize is the size of a sealed ticket in bytes, TextSize that of its text.
	TicketSize = headSize + nonceSent + plainSize + chacha20poly1305.Overhead
	TextSize   = TicketSize / 3 * 4 // there is no remainder, so that each ticket has one text

	ticketVersion = 1
	headSize      = 1 + keyIDSize // the version and the id of the key
	nonceSent     = 8 + 8         // the issuer and the serial; the rest of the nonce is zeros
	plainSize     = 1 + 1 + 6 + 6 + len(Holder{})
)

// The errors of [Keyring.Open] and [DecodeText]. A ticket that is none is the same for a player as having none.
var (
	// ErrMalformed is for what is no ticket of this version.
	ErrMalformed = errors.New("line: not a ticket")
	// ErrUnknownKey is for tickets under a key that the keyring does not hold: of another fleet, or of a key that was
	// given up long ago.
	ErrUnknownKey = errors.New("line: a ticket under a key that is not of this fleet, or no longer")
	// ErrForged is for tickets that were altered, or not made with the key that they name.
	ErrForged = errors.New("line: a forged ticket")
)

// Issuer names one run of one node: random, so that no two ever share one. The issuer and the serial of a ticket are
// the nonce under which it is sealed, and so must never be those of another ticket.
type Issuer [8]byte

// Holder is the hash of a secret that a client has chosen, see [HolderOf]: a ticket is worthless to others who see it.
type Holder [16]byte

const (
	// MinSecret and MaxSecret bound the characters of a secret, MaxText those of what is looked at as a ticket.
	MinSecret = 16
	MaxSecret = 64
	MaxText   = 128
)

// ValidSecret reports whether a text can be a secret: of letters, digits, '-' and '_', as base64url and hex have them.
func ValidSecret[S string | []byte](secret S) bool {
	if len(secret) < MinSecret || len(secret) > MaxSecret {
		return false
	}
	for i := range len(secret) {
		switch c := secret[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// HolderOf returns the holder who has a secret.
func HolderOf(secret []byte) Holder {
	sum := sha256.Sum256(secret)
	return Holder(sum[:])
}

// The lines that a node has.
const (
	ForDoor  uint8 = 0 // before a login
	ForWorld uint8 = 1 // after a login, for a seat in the world
)

// Ticket is a place in a line.
//
// Sealed it is, big-endian: a byte 1, the version; 3 bytes, the id of the key; the issuer; the serial; and then, with
// XChaCha20-Poly1305 under the nonce of issuer, serial and 8 zeros, and with the first 4 bytes as additional data: a
// byte each for the line and the tier, 6 bytes each for the turn and for when it was issued, both in milliseconds since
// 1970, the holder, and the tag.
type Ticket struct {
	// Turn is the place: the line serves in the order of turns. Issued is when the ticket was made, by the line's clock.
	// Both have whole milliseconds, from 1970 to the year 10,889; what is outside is sealed as the bound that is nearest.
	Turn, Issued time.Time
	Issuer       Issuer
	Serial       uint64 // of the issuer
	Line         uint8  // [ForDoor], [ForWorld]
	Tier         uint8  // from 0, which is the usual one, to 7
	Holder       Holder
}

// maxMillis is the greatest time that a ticket can hold, in milliseconds since 1970.
const maxMillis = 1<<48 - 1

func millis(t time.Time) uint64 { return uint64(min(max(t.UnixMilli(), 0), maxMillis)) }

// sealing is what a ticket is sealed and opened with. It is kept in a pool, since what is handed to a cipher by way of
// an interface would be allocated anew each time.
type sealing struct {
	nonce [chacha20poly1305.NonceSizeX]byte
	plain [plainSize]byte
	head  [headSize]byte
}

var sealings = sync.Pool{New: func() any { return new(sealing) }}

// Seal appends a ticket of [TicketSize] bytes to dst, sealed with the key that is in use at the time when the ticket
// was issued. It allocates nothing if dst has room.
func (r *Keyring) Seal(dst []byte, t *Ticket) []byte {
	key := r.sealing(t.Issued)
	s := sealings.Get().(*sealing)
	s.head[0] = ticketVersion
	copy(s.head[1:], key.id[:])
	copy(s.nonce[:8], t.Issuer[:])
	binary.BigEndian.PutUint64(s.nonce[8:16], t.Serial)
	s.plain[0], s.plain[1] = t.Line, t.Tier
	put48(s.plain[2:8], millis(t.Turn))
	put48(s.plain[8:14], millis(t.Issued))
	copy(s.plain[14:], t.Holder[:])
	dst = append(append(dst, s.head[:]...), s.nonce[:nonceSent]...)
	dst = key.aead.Seal(dst, s.nonce[:], s.plain[:], s.head[:])
	sealings.Put(s)
	return dst
}

// Open returns the ticket that b is. The error is [ErrMalformed], [ErrUnknownKey] or [ErrForged]. That a ticket is
// genuine does not say that its turn has come, nor that the client that shows it is its holder.
func (r *Keyring) Open(b []byte) (Ticket, error) {
	if len(b) != TicketSize || b[0] != ticketVersion {
		return Ticket{}, ErrMalformed
	}
	key := r.find(keyID(b[1:headSize]))
	if key == nil {
		return Ticket{}, ErrUnknownKey
	}
	s := sealings.Get().(*sealing)
	defer sealings.Put(s)
	copy(s.nonce[:nonceSent], b[headSize:])
	plain, err := key.aead.Open(s.plain[:0], s.nonce[:], b[headSize+nonceSent:], b[:headSize])
	if err != nil {
		return Ticket{}, ErrForged
	}
	t := Ticket{
		Turn: time.UnixMilli(get48(plain[2:8])), Issued: time.UnixMilli(get48(plain[8:14])),
		Issuer: Issuer(b[headSize:]), Serial: binary.BigEndian.Uint64(b[headSize+8:]),
		Line: plain[0], Tier: plain[1], Holder: Holder(plain[14:]),
	}
	return t, nil
}

// EncodeText returns a sealed ticket as text of [TextSize] characters, which are all good in URLs and headers.
func EncodeText(sealed []byte) string { return base64.RawURLEncoding.EncodeToString(sealed) }

// DecodeText returns the sealed ticket that a text is, to be opened; the error is [ErrMalformed].
func DecodeText(text string) ([]byte, error) {
	if len(text) != TextSize {
		return nil, fmt.Errorf("%w: %d characters, want %d", ErrMalformed, len(text), TextSize)
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != TicketSize { // the decoder skips line ends
		return nil, fmt.Errorf("%w: not base64url without padding", ErrMalformed)
	}
	return b, nil
}

func put48(b []byte, v uint64) {
	_ = b[5]
	b[0], b[1], b[2], b[3], b[4], b[5] = byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}

func get48(b []byte) int64 {
	_ = b[5]
	return int64(b[0])<<40 | int64(b[1])<<32 | int64(b[2])<<24 | int64(b[3])<<16 | int64(b[4])<<8 | int64(b[5])
}
