package netcode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"
)

// ConnectTokenSize is the size of a connect token in bytes.
const ConnectTokenSize = 2048

// ErrInvalidToken is wrapped by every error about a connect token, or the description of one, that breaks the standard.
var ErrInvalidToken = errors.New("netcode: invalid connect token")

// TokenSpec says what a connect token grants: to one client, identified by ClientID, one connection to one of the
// servers at Addresses, to be begun before ExpiresAt.
type TokenSpec struct {
	ProtocolID uint64 // of the game and its version; a server ignores tokens with another
	ClientID   uint64 // identifies the player; a server accepts one connection for each

	// CreatedAt and ExpiresAt are cut to whole seconds. Their difference is how long the client tries to connect.
	CreatedAt, ExpiresAt time.Time

	// Timeout is the silence after which either side gives up, rounded up to whole seconds. Negative: never, for
	// debugging. Zero is an error, because implementations disagree about its meaning.
	Timeout time.Duration

	// Addresses are 1 to MaxAddresses public addresses of servers, tried in this order. Best they are all of one server:
	// several servers that accept the same token use every nonce again, see "Nonces" in the package documentation.
	Addresses []netip.AddrPort

	UserData [UserDataSize]byte // for the server that accepts the client; the client cannot read it
}

// NewConnectToken returns a connect token of ConnectTokenSize bytes, sealed with the key that the issuer shares with
// the servers, and with fresh packet keys read from random (nil: crypto/rand.Reader). It is to be given to the client
// over a channel that is private, HTTPS for instance, because its holder can connect in the client's place.
// The error wraps ErrInvalidToken if spec is out of range. A key of all zeros is an error too.
func NewConnectToken(spec TokenSpec, key *Key, random io.Reader) ([]byte, error) {
	t, err := spec.public()
	if err != nil {
		return nil, err
	}
	if *key == (Key{}) {
		return nil, errZeroKey
	}
	random = randomOrDefault(random)
	for _, b := range [][]byte{t.ClientToServer[:], t.ServerToClient[:], t.nonce[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("netcode: new connect token: %w", err)
		}
	}
	private := privateToken{
		clientID:       spec.ClientID,
		timeout:        t.timeout,
		addresses:      t.Addresses,
		clientToServer: t.ClientToServer,
		serverToClient: t.ServerToClient,
		userData:       spec.UserData,
	}
	if _, err := sealPrivateToken(t.private[:0], &private, key, t.ProtocolID, t.ExpiresAt, &t.nonce); err != nil {
		return nil, err
	}
	return t.appendTo(make([]byte, 0, ConnectTokenSize)), nil
}

// public checks the specification and returns the token without keys and private part.
func (s *TokenSpec) public() (*ConnectToken, error) {
	created, expires := s.CreatedAt.Unix(), s.ExpiresAt.Unix()
	timeout, err := timeoutSeconds(s.Timeout)
	switch {
	case created < 0:
		return nil, fmt.Errorf("%w: created before 1970", ErrInvalidToken)
	case expires < created:
		return nil, fmt.Errorf("%w: expires before it is created", ErrInvalidToken)
	case err != nil:
		return nil, err
	case len(s.Addresses) < 1 || len(s.Addresses) > MaxAddresses:
		return nil, fmt.Errorf("%w: %d server addresses, want 1 to %d", ErrInvalidToken, len(s.Addresses), MaxAddresses)
	}
	t := &ConnectToken{
		ProtocolID: s.ProtocolID,
		CreatedAt:  uint64(created),
		ExpiresAt:  uint64(expires),
		timeout:    timeout,
		Addresses:  make([]netip.AddrPort, 0, len(s.Addresses)),
	}
	for _, a := range s.Addresses {
		if !a.Addr().IsValid() || a.Addr().IsUnspecified() || a.Addr().Zone() != "" || a.Port() == 0 {
			return nil, fmt.Errorf("%w: no client can reach server address %v", ErrInvalidToken, a)
		}
		t.Addresses = append(t.Addresses, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return t, nil
}

// timeoutSeconds returns d as it is written in a token.
func timeoutSeconds(d time.Duration) (int32, error) {
	if d < 0 {
		return -1, nil
	}
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	if s == 0 || s > math.MaxInt32 {
		return 0, fmt.Errorf("%w: timeout of %v", ErrInvalidToken, d)
	}
	return int32(s), nil
}

// ConnectToken is what a client can read of its connect token. It is a credential: fmt and encoding/json print
// neither its keys nor its private part, unless it is in an unexported field of another type; see Key.
type ConnectToken struct {
	ProtocolID     uint64
	CreatedAt      uint64           // Unix time in seconds, by the issuer's clock
	ExpiresAt      uint64           // Unix time in seconds, by the issuer's clock; not before CreatedAt
	Addresses      []netip.AddrPort // 1 to MaxAddresses servers, to be tried in this order
	ClientToServer Key              // seals what the client sends
	ServerToClient Key              // seals what the client receives

	timeout int32
	nonce   [tokenNonceSize]byte
	private [privateTokenSize]byte // sealed
}

// Timeout returns the silence after which either side gives up, in whole seconds; negative: never.
func (t *ConnectToken) Timeout() time.Duration {
	return time.Duration(t.timeout) * time.Second
}

// Lifetime returns the time between creation and expiry, which is how long a client may try to connect whatever its
// own clock says. It is at most the longest time.Duration.
func (t *ConnectToken) Lifetime() time.Duration {
	const longest = math.MaxInt64 / uint64(time.Second)
	return time.Duration(min(t.ExpiresAt-t.CreatedAt, longest)) * time.Second
}

// Format writes what is public of the token whatever the verb is.
func (t ConnectToken) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "connect token for %v, protocol %#x, created %d, expires %d", t.Addresses, t.ProtocolID,
		t.CreatedAt, t.ExpiresAt)
}

// request returns the packet that presents the token to a server. It shares the private part with t.
func (t *ConnectToken) request() request {
	return request{expire: t.ExpiresAt, nonce: t.nonce, sealed: t.private[:]}
}

// appendTo appends the ConnectTokenSize bytes of t.
func (t *ConnectToken) appendTo(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, versionInfo...)
	dst = binary.LittleEndian.AppendUint64(dst, t.ProtocolID)
	dst = binary.LittleEndian.AppendUint64(dst, t.CreatedAt)
	dst = binary.LittleEndian.AppendUint64(dst, t.ExpiresAt)
	dst = append(dst, t.nonce[:]...)
	dst = append(dst, t.private[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(t.timeout))
	dst = appendAddresses(dst, t.Addresses)
	dst = append(dst, t.ClientToServer[:]...)
	dst = append(dst, t.ServerToClient[:]...)
	return appendZeros(dst, start+ConnectTokenSize-len(dst))
}

// ParseConnectToken reads a connect token and makes the checks that a client can make: size, version, addresses, and
// that it was not created after it expires. It keeps no reference to b. The error wraps ErrInvalidToken.
func ParseConnectToken(b []byte) (*ConnectToken, error) {
	if len(b) != ConnectTokenSize {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrInvalidToken, len(b), ConnectTokenSize)
	}
	if string(b[:len(versionInfo)]) != versionInfo {
		return nil, fmt.Errorf("%w: not of version 1.02", ErrInvalidToken)
	}
	b = b[len(versionInfo):]
	t := &ConnectToken{
		ProtocolID: binary.LittleEndian.Uint64(b),
		CreatedAt:  binary.LittleEndian.Uint64(b[8:]),
		ExpiresAt:  binary.LittleEndian.Uint64(b[16:]),
	}
	if t.CreatedAt > t.ExpiresAt {
		return nil, fmt.Errorf("%w: expires before it is created", ErrInvalidToken)
	}
	b = b[24:]
	b = b[copy(t.nonce[:], b):]
	b = b[copy(t.private[:], b):]
	t.timeout = int32(binary.LittleEndian.Uint32(b))
	var err error
	if t.Addresses, b, err = parseAddresses(nil, b[4:]); err != nil {
		return nil, err
	}
	// Even 32 IPv6 addresses leave room for the keys.
	b = b[copy(t.ClientToServer[:], b):]
	copy(t.ServerToClient[:], b)
	return t, nil
}
