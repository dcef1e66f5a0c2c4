package token

import "crypto/rand"

// GuestText is the length of the text of a [Guest] in bytes.
const GuestText = secretText

// Guest is the secret of a device that plays as a guest, made by the device itself: 256 bits of chance, as 43
// characters of unpadded base64url. A store has its hash alone. The zero Guest is none, and no device's.
type Guest struct {
	secret [secretSize]byte
}

// NewGuest makes a secret.
func NewGuest() (g Guest) {
	rand.Read(g.secret[:])
	return g
}

// ParseGuest reads a secret. Of all texts that stand for the same bytes it takes one. 32 bytes of zero are what a
// device has that has forgotten to make a secret: all such would be one player, and are none.
func ParseGuest(s string) (g Guest, err error) {
	if err := decode(g.secret[:], s); err != nil {
		return Guest{}, err
	}
	if g == (Guest{}) {
		return Guest{}, ErrMalformed
	}
	return g, nil
}

// Text returns the secret as the device has it.
func (g Guest) Text() string { return base64url.EncodeToString(g.secret[:]) }

// Secret returns the bytes of the secret.
func (g Guest) Secret() [secretSize]byte { return g.secret }

// String returns nothing of the secret.
func (g Guest) String() string { return redacted }

// GoString returns nothing of the secret.
func (g Guest) GoString() string { return redacted }
