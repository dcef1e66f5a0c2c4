package netcode

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// UserDataSize is the size in bytes of the data that a token carries from its issuer to the server.
	UserDataSize = 256

	privateTokenSize = 1024 // plain or sealed
	tokenNonceSize   = chacha20poly1305.NonceSizeX
)

// privateToken is the part of a connect token that only the issuer and the servers can read.
type privateToken struct {
	clientID       uint64
	timeout        int32 // seconds; negative: none
	addresses      []netip.AddrPort
	clientToServer Key
	serverToClient Key
	userData       [UserDataSize]byte

	// Given to the cipher by reference, and kept here so that opening tokens one after the other into the same
	// privateToken allocates next to nothing: forged requests must not be a way to keep the collector busy.
	ad    [len(versionInfo) + 8 + 8]byte
	plain [privateTokenSize - tagSize]byte
}

// Format writes a placeholder: fmt cannot see that fields without an exported name have a method that hides them.
func (privateToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// tokenAD fills ad with what is authenticated beside the private token.
func tokenAD(ad []byte, protocolID, expire uint64) []byte {
	n := copy(ad, versionInfo)
	binary.LittleEndian.PutUint64(ad[n:], protocolID)
	binary.LittleEndian.PutUint64(ad[n+8:], expire)
	return ad
}

// appendTo appends the 1024 bytes of the plain token.
func (t *privateToken) appendTo(dst []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, t.clientID)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(t.timeout))
	dst = appendAddresses(dst, t.addresses)
	dst = append(dst, t.clientToServer[:]...)
	dst = append(dst, t.serverToClient[:]...)
	dst = append(dst, t.userData[:]...)
	return appendZeros(dst, start+privateTokenSize-len(dst))
}

// parse reads the plain token, less the 16 bytes that the tag takes.
func (t *privateToken) parse(b []byte) error {
	if len(b) < 8+4 {
		return fmt.Errorf("%w: ends inside its header", ErrInvalidToken)
	}
	t.clientID = binary.LittleEndian.Uint64(b)
	t.timeout = int32(binary.LittleEndian.Uint32(b[8:]))
	var err error
	if t.addresses, b, err = parseAddresses(t.addresses[:0], b[12:]); err != nil {
		return err
	}
	if len(b) < len(t.clientToServer)+len(t.serverToClient)+len(t.userData) {
		return fmt.Errorf("%w: ends before its keys and user data", ErrInvalidToken)
	}
	n := copy(t.clientToServer[:], b)
	n += copy(t.serverToClient[:], b[n:])
	copy(t.userData[:], b[n:])
	return nil
}

// sealPrivateToken appends the 1024 bytes of t, sealed for a server that has key, to dst. The nonce must be random.
func sealPrivateToken(dst []byte, t *privateToken, key *Key, protocolID, expire uint64,
	nonce *[tokenNonceSize]byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return dst, fmt.Errorf("netcode: seal token: %w", err)
	}
	start := len(dst)
	dst = t.appendTo(dst)
	plain := dst[start : len(dst)-tagSize]
	aead.Seal(plain[:0], nonce[:], plain, tokenAD(t.ad[:], protocolID, expire))
	return dst, nil
}

// openPrivateToken opens sealed, which it leaves as it is so that it can be tried with another key, and reads it into
// dst. The error is errNotAuthentic if it does not open, ErrInvalidToken if what is inside breaks the standard; dst is
// then undefined.
func openPrivateToken(dst *privateToken, sealed []byte, key *Key, protocolID, expire uint64,
	nonce *[tokenNonceSize]byte) error {
	if len(sealed) != privateTokenSize {
		return fmt.Errorf("%w: private part of %d bytes, want %d", ErrInvalidToken, len(sealed), privateTokenSize)
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return fmt.Errorf("netcode: open token: %w", err)
	}
	plain, err := aead.Open(dst.plain[:0], nonce[:], sealed, tokenAD(dst.ad[:], protocolID, expire))
	if err != nil {
		return errNotAuthentic
	}
	return dst.parse(plain)
}
