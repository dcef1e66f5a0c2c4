package netcode

import (
	"crypto/cipher"
	"encoding/binary"
)

// challengeSize is the size of a challenge token, plain or sealed.
const challengeSize = 300

// challenge is what a server hands to a client that sent a valid request and expects back from the same address: the
// proof that the address is not forged, without which the server keeps no slot for it.
type challenge struct {
	clientID uint64
	userData [UserDataSize]byte

	sc scratch // so that sealing and opening allocate nothing
}

// appendTo appends the 300 bytes of the plain token; the last 36 are zero.
func (c *challenge) appendTo(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, c.clientID)
	dst = append(dst, c.userData[:]...)
	return appendZeros(dst, challengeSize-8-UserDataSize)
}

// sealChallenge appends the 300 bytes of c sealed under seq to dst. A key must never see the same seq twice.
func sealChallenge(dst []byte, aead cipher.AEAD, seq uint64, c *challenge) []byte {
	start := len(dst)
	dst = c.appendTo(dst)
	plain := dst[start : len(dst)-aead.Overhead()]
	aead.Seal(plain[:0], c.sc.nonceFor(seq), plain, nil)
	return dst
}

// openChallenge opens sealed in place, whose content is lost when it fails, and reads it into dst.
func openChallenge(dst *challenge, sealed []byte, aead cipher.AEAD, seq uint64) error {
	if len(sealed) != challengeSize {
		return errMalformed
	}
	plain, err := aead.Open(sealed[:0], dst.sc.nonceFor(seq), sealed, nil)
	if err != nil {
		return errNotAuthentic
	}
	dst.clientID = binary.LittleEndian.Uint64(plain)
	copy(dst.userData[:], plain[8:])
	return nil
}
