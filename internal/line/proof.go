package line

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// MaxProofName is how many bytes the names of a proof may have together, MaxProofText the characters of what is looked
	// at as a proof.
	MaxProofName = 256
	MaxProofText = ((proofLeast+MaxProofName)*8 + 5) / 6

	proofVersion = 2 // no ticket has it, so that neither is ever taken for the other
	proofFixed   = 6 + 8 + 8 + len(Holder{}) + len(Issuer{}) + 8 + 2
	proofLeast   = headSize + chacha20poly1305.NonceSizeX + proofFixed + chacha20poly1305.Overhead
)

// Proof says that the holder of a ticket has proved to own an account: with both, a player who has waited for the world
// comes in without another look at the password.
//
// Sealed it is, big-endian: a byte 2, the version; 3 bytes, the id of the key; 24 random bytes, the nonce; and then,
// with XChaCha20-Poly1305 and the first 4 bytes as additional data: 6 bytes, when it was proved, in milliseconds since
// 1970; the player's id and the account's epoch; the holder; the issuer and the serial of the ticket; 2 bytes, the
// length of the name; the name, the other name, and the tag.
type Proof struct {
	// At is when the account was proved, to the millisecond.
	At     time.Time
	Player uint64 // the id of the account
	Epoch  uint64 // of the account, when it was proved
	Holder Holder
	// Issuer and Serial are those of the ticket that the proof goes with.
	Issuer Issuer
	Serial uint64
	// Name is the account's as the door counts it, and Imported the other one that it may have, or empty.
	Name, Imported string
}

// Of reports whether a proof goes with a ticket, whose holder has it.
func (p *Proof) Of(t *Ticket) bool {
	return p.Issuer == t.Issuer && p.Serial == t.Serial && p.Holder == t.Holder
}

// Over reports whether a proof is too old at a time: it is good for [TicketLife], as a ticket is.
func (p *Proof) Over(now time.Time) bool {
	age := now.Sub(p.At)
	return age > TicketLife || age < -clockSkew-Horizon
}

// SealProof returns the text of a proof, sealed with the key that is in use at the time. Random is read for 24 bytes;
// nil means [crypto/rand.Reader]. The error says that there were none, or that the names are too long.
func (r *Keyring) SealProof(p *Proof, random io.Reader) (string, error) {
	if len(p.Name)+len(p.Imported) > MaxProofName {
		return "", fmt.Errorf("line: proof: names of %d bytes", len(p.Name)+len(p.Imported))
	}
	if random == nil {
		random = rand.Reader
	}
	key := r.sealing(p.At)
	b := append(make([]byte, 0, proofLeast+len(p.Name)+len(p.Imported)), proofVersion)
	b = append(b, key.id[:]...)
	b = append(b, make([]byte, chacha20poly1305.NonceSizeX)...)
	nonce := b[headSize:]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("line: proof: %w", err)
	}
	var at [6]byte
	put48(at[:], millis(p.At))
	plain := append(make([]byte, 0, proofFixed+len(p.Name)+len(p.Imported)), at[:]...)
	plain = binary.BigEndian.AppendUint64(plain, p.Player)
	plain = binary.BigEndian.AppendUint64(plain, p.Epoch)
	plain = append(append(plain, p.Holder[:]...), p.Issuer[:]...)
	plain = binary.BigEndian.AppendUint64(plain, p.Serial)
	plain = binary.BigEndian.AppendUint16(plain, uint16(len(p.Name)))
	plain = append(append(plain, p.Name...), p.Imported...)
	b = key.aead.Seal(b, nonce, plain, b[:headSize])
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// OpenProof returns the proof that a text is. The error is [ErrMalformed], [ErrUnknownKey] or [ErrForged].
func (r *Keyring) OpenProof(text string) (Proof, error) {
	if len(text) > MaxProofText {
		return Proof{}, fmt.Errorf("%w: %d characters", ErrMalformed, len(text))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder skips line ends, which no proof has.
	if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(text) || len(b) < proofLeast || b[0] != proofVersion {
		return Proof{}, ErrMalformed
	}
	key := r.find(keyID(b[1:headSize]))
	if key == nil {
		return Proof{}, ErrUnknownKey
	}
	nonce, sealed := b[headSize:headSize+chacha20poly1305.NonceSizeX], b[headSize+chacha20poly1305.NonceSizeX:]
	plain, err := key.aead.Open(nil, nonce, sealed, b[:headSize])
	if err != nil {
		return Proof{}, ErrForged
	}
	names := plain[proofFixed:]
	n := int(binary.BigEndian.Uint16(plain[proofFixed-2:]))
	if n > len(names) {
		return Proof{}, ErrMalformed
	}
	return Proof{
		At: time.UnixMilli(get48(plain)), Player: binary.BigEndian.Uint64(plain[6:]),
		Epoch: binary.BigEndian.Uint64(plain[14:]), Holder: Holder(plain[22:]), Issuer: Issuer(plain[38:]),
		Serial: binary.BigEndian.Uint64(plain[46:]), Name: string(names[:n]), Imported: string(names[n:]),
	}, nil
}
