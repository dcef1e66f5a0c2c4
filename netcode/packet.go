package netcode

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/crypto/chacha20poly1305"
)

// MaxPayload is the largest payload of one packet in bytes; the smallest is 1.
const MaxPayload = 1200

const (
	versionInfo = "NETCODE 1.02\x00"
	tagSize     = chacha20poly1305.Overhead

	minPacket   = 1 + 1 + tagSize                                                  // smallest encrypted packet
	maxPacket   = 1 + 8 + MaxPayload + tagSize                                     // largest encrypted packet
	requestSize = 1 + len(versionInfo) + 8 + 8 + tokenNonceSize + privateTokenSize // 1078, largest of all

	challengePacketSize = 8 + challengeSize // data of a challenge and of a response
	keepAliveSize       = 4 + 4
)

// packetType is the low half of a packet's first byte.
type packetType uint8

const (
	packetRequest packetType = iota // the only one that is not encrypted
	packetDenied
	packetChallenge
	packetResponse
	packetKeepAlive
	packetPayload
	packetDisconnect
	packetTypes // how many there are
)

// Why a packet is ignored. They carry no detail: a flood of bad packets must not allocate.
var (
	errMalformed    = errors.New("netcode: malformed packet")
	errReplayed     = errors.New("netcode: packet received before or too old")
	errNotAuthentic = errors.New("netcode: packet does not decrypt")
	errProtocol     = errors.New("netcode: packet of another version or protocol id")
	errVersion      = fmt.Errorf("%w: version", errProtocol)
)

// scratch holds what the cipher is given by reference for each packet, so that nothing of it escapes to the heap per
// packet. Each goroutine has its own.
type scratch struct {
	nonce [chacha20poly1305.NonceSize]byte
	ad    [len(versionInfo) + 8 + 1]byte
}

// nonceFor returns the nonce of a sequence number: four zero bytes, then seq in little-endian order.
func (sc *scratch) nonceFor(seq uint64) []byte {
	binary.LittleEndian.PutUint64(sc.nonce[4:], seq)
	return sc.nonce[:]
}

// associatedData returns what is authenticated beside the data of a packet.
func (sc *scratch) associatedData(protocolID uint64, prefix byte) []byte {
	n := copy(sc.ad[:], versionInfo)
	binary.LittleEndian.PutUint64(sc.ad[n:], protocolID)
	sc.ad[n+8] = prefix
	return sc.ad[:]
}

// newAEAD returns the cipher of packets and challenge tokens. It may be used by several goroutines at once.
func newAEAD(k *Key) cipher.AEAD {
	aead, err := chacha20poly1305.New(k[:])
	if err != nil {
		panic("netcode: " + err.Error()) // a key of another length, which the type rules out
	}
	return aead
}

// sealPacket appends the encrypted packet to dst. A key must never see the same seq twice; data must not overlap the
// spare capacity of dst. It allocates only if dst has less than 9+len(data)+16 bytes to spare.
func sealPacket(dst []byte, sc *scratch, aead cipher.AEAD, protocolID uint64, t packetType, seq uint64,
	data []byte) []byte {
	n := sequenceSize(seq)
	prefix := byte(n)<<4 | byte(t)
	dst = append(dst, prefix)
	for i := range n {
		dst = append(dst, byte(seq>>(8*i)))
	}
	return aead.Seal(dst, sc.nonceFor(seq), data, sc.associatedData(protocolID, prefix))
}

// sequenceSize is the number of bytes of seq without its high zero bytes, at least 1.
func sequenceSize(seq uint64) int {
	return max(1, (bits.Len64(seq)+7)/8)
}

// isPrefix reports whether a packet can begin with b.
func isPrefix(b byte) bool {
	t, size := packetType(b&15), b>>4
	return b == byte(packetRequest) || t != packetRequest && t < packetTypes && size >= 1 && size <= 8
}

// packetHeader reads the n bytes that precede the encrypted data of p, and makes every check of the standard that needs
// neither key nor replay window. A connection request, which is not encrypted, is not ok. Which types a client or
// a server accepts is for the caller to check.
func packetHeader(p []byte) (t packetType, seq uint64, n int, ok bool) {
	if len(p) < minPacket {
		return 0, 0, 0, false
	}
	t = packetType(p[0] & 15)
	if t == packetRequest || t >= packetTypes {
		return 0, 0, 0, false
	}
	size := int(p[0] >> 4)
	if size < 1 || size > 8 || len(p) < 1+size+tagSize {
		return 0, 0, 0, false
	}
	for i := range size {
		seq |= uint64(p[1+i]) << (8 * i)
	}
	return t, seq, 1 + size, true
}

// openPacket checks and decrypts p in place, in the order of the standard, and returns its data, a part of p. For
// keep-alive, payload and disconnect packets w refuses what was received before and learns seq once the packet is
// known to be authentic; a nil w skips both. When it fails, p may be overwritten.
func openPacket(p []byte, sc *scratch, aead cipher.AEAD, protocolID uint64, w *replayWindow) (t packetType,
	seq uint64, data []byte, err error) {
	t, seq, n, ok := packetHeader(p)
	if !ok {
		return 0, 0, nil, errMalformed
	}
	if t < packetKeepAlive {
		w = nil
	}
	if w != nil && w.seen(seq) {
		return 0, 0, nil, errReplayed
	}
	sealed := p[n:]
	data, err = aead.Open(sealed[:0], sc.nonceFor(seq), sealed, sc.associatedData(protocolID, p[0]))
	if err != nil {
		return 0, 0, nil, errNotAuthentic
	}
	if w != nil {
		w.advance(seq)
	}
	if !dataSizeFits(t, len(data)) {
		return 0, 0, nil, errMalformed
	}
	return t, seq, data, nil
}

// dataSizeFits reports whether a packet of type t can carry n bytes of data.
func dataSizeFits(t packetType, n int) bool {
	switch t {
	case packetDenied, packetDisconnect:
		return n == 0
	case packetChallenge, packetResponse:
		return n == challengePacketSize
	case packetKeepAlive:
		return n == keepAliveSize
	case packetPayload:
		return n >= 1 && n <= MaxPayload
	default:
		return false
	}
}

// request is a connection request packet: the part of a connect token that is meant for the server.
type request struct {
	expire uint64 // Unix time in seconds
	nonce  [tokenNonceSize]byte
	sealed []byte // the sealed private token, privateTokenSize bytes; after parsing a part of the packet
}

// appendRequest appends the packet, requestSize bytes.
func appendRequest(dst []byte, protocolID uint64, r *request) []byte {
	dst = append(dst, byte(packetRequest))
	dst = append(dst, versionInfo...)
	dst = binary.LittleEndian.AppendUint64(dst, protocolID)
	dst = binary.LittleEndian.AppendUint64(dst, r.expire)
	dst = append(dst, r.nonce[:]...)
	return append(dst, r.sealed...)
}

// parseRequest makes the checks of the standard on a request up to its protocol id. That the token has not expired and
// opens is for the caller to check.
func parseRequest(p []byte, protocolID uint64) (request, error) {
	if len(p) != requestSize || packetType(p[0]) != packetRequest {
		return request{}, errMalformed
	}
	p = p[1:]
	if string(p[:len(versionInfo)]) != versionInfo {
		return request{}, errVersion
	}
	p = p[len(versionInfo):]
	if binary.LittleEndian.Uint64(p) != protocolID {
		return request{}, errProtocol
	}
	return request{
		expire: binary.LittleEndian.Uint64(p[8:]),
		nonce:  [tokenNonceSize]byte(p[16:]),
		sealed: p[16+tokenNonceSize:],
	}, nil
}

// keepAlive is the data of a keep-alive packet. What a client sends in it means nothing.
type keepAlive struct {
	index, maxClients uint32
}

// appendKeepAlive appends the 8 bytes of k.
func appendKeepAlive(dst []byte, k keepAlive) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, k.index)
	return binary.LittleEndian.AppendUint32(dst, k.maxClients)
}

// parseKeepAlive reads the data of a keep-alive packet that openPacket returned, 8 bytes.
func parseKeepAlive(data []byte) keepAlive {
	return keepAlive{index: binary.LittleEndian.Uint32(data), maxClients: binary.LittleEndian.Uint32(data[4:])}
}

// challengePacket is the data of a challenge packet and of the response to it.
type challengePacket struct {
	seq   uint64 // under which the token is sealed
	token [challengeSize]byte
}

// appendChallengePacket appends the 308 bytes of c.
func appendChallengePacket(dst []byte, c *challengePacket) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, c.seq)
	return append(dst, c.token[:]...)
}

// parseChallengePacket reads the data of a challenge or response packet that openPacket returned, 308 bytes, into dst.
func parseChallengePacket(dst *challengePacket, data []byte) {
	dst.seq = binary.LittleEndian.Uint64(data)
	dst.token = [challengeSize]byte(data[8:])
}

// appendZeros appends n zero bytes.
func appendZeros(dst []byte, n int) []byte {
	return append(dst, make([]byte, n)...)
}
