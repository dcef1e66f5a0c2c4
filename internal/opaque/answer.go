package opaque

import (
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"runtime"

	"github.com/gtank/ristretto255"
)

// yield lets others run between two multiplications, of some 50 µs each: above all the tick.
var yield = runtime.Gosched

// oprfKey returns the key with which what the client of a name has blinded is evaluated. It is always the same for the
// same name, whether there is an account or not.
func (k *key) oprfKey(name string) *ristretto255.Scalar {
	seed := mac(k.seed[:], []byte(name), []byte(labelOPRFKey), []byte{1})[:seedSize]
	return deriveScalar(seed, labelOPRFPair)
}

// register answers a request to register. The error is [ErrMalformed].
func (k *key) register(name string, request []byte) ([]byte, error) {
	if len(request) != RequestSize {
		return nil, ErrMalformed
	}
	blinded, ok := element(request)
	if !ok {
		return nil, ErrMalformed
	}
	response := multiply(make([]byte, 0, ResponseSize), k.oprfKey(name), blinded)
	return append(response, k.public[:]...), nil
}

// chance is what has to be random in an answer to KE1.
type chance struct {
	keyShareSeed [seedSize]byte
	serverNonce  [nonceSize]byte
	maskingNonce [nonceSize]byte
}

// answer is what comes of a KE1.
type answer struct {
	ke2        []byte
	clientMAC  []byte // what KE3 has to be
	sessionKey []byte // good only if it is
}

// login answers KE1. The error is [ErrMalformed] or, for a record without a key of a client, [ErrBadRecord].
func (k *key) login(name string, upload *[UploadSize]byte, ke1 []byte, c *chance) (*answer, error) {
	if len(ke1) != KE1Size || allZero(ke1[elementSize:elementSize+nonceSize]) {
		return nil, ErrMalformed
	}
	blinded, okBlinded := element(ke1[:elementSize])
	share, okShare := element(ke1[elementSize+nonceSize:])
	if !okBlinded || !okShare {
		return nil, ErrMalformed
	}
	client, ok := element(upload[:elementSize])
	if !ok {
		return nil, ErrBadRecord
	}

	ke2 := multiply(make([]byte, 0, KE2Size), k.oprfKey(name), blinded)
	ke2 = append(ke2, c.maskingNonce[:]...)
	ke2 = k.mask(ke2, upload, &c.maskingNonce)
	ephemeral := deriveScalar(c.keyShareSeed[:], labelDHPair)
	ke2 = append(ke2, c.serverNonce[:]...)
	ke2 = multiplyBase(ke2, ephemeral)
	yield()

	ikm := multiply(make([]byte, 0, 3*elementSize), ephemeral, share)
	yield()
	ikm = multiply(ikm, k.private, share)
	yield()
	ikm = multiply(ikm, ephemeral, client)
	yield()
	return k.agree(upload[:elementSize], ke1, ke2, ikm), nil
}

// mask appends the server's public key and the client's envelope, hidden from all who do not know the password.
func (k *key) mask(b []byte, upload *[UploadSize]byte, nonce *[nonceSize]byte) []byte {
	maskingKey, envelope := upload[elementSize:elementSize+hashSize], upload[elementSize+hashSize:]
	first := mac(maskingKey, nonce[:], []byte(labelPad), []byte{1})
	second := mac(maskingKey, first, nonce[:], []byte(labelPad), []byte{2})
	pad := append(first, second...)
	var plain [maskedSize]byte
	copy(plain[:], k.public[:])
	copy(plain[elementSize:], envelope)
	subtle.XORBytes(pad, pad, plain[:])
	return append(b, pad...)
}

// agree is 3DH: it completes KE2 with the server's MAC, and derives what the client has to answer, and the session key.
func (k *key) agree(client, ke1, ke2, ikm []byte) *answer {
	h := sha512.New()
	sized := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(b))))
		h.Write(b)
	}
	h.Write([]byte(labelVersion))
	sized(k.in.context)
	sized(named(k.in.client, client))
	h.Write(ke1)
	sized(named(k.in.server, k.public[:]))
	h.Write(ke2)
	preamble := h.Sum(nil)

	prk := mac(make([]byte, hashSize), ikm)
	handshake := expandLabel(prk, labelHandshake, preamble)
	serverMAC := mac(expandLabel(handshake, labelServerMAC, nil), preamble)
	h.Write(serverMAC)
	return &answer{
		ke2:        append(ke2, serverMAC...),
		clientMAC:  mac(expandLabel(handshake, labelClientMAC, nil), h.Sum(nil)),
		sessionKey: expandLabel(prk, labelSessionKey, preamble),
	}
}

// named returns an identity, or the public key which is that of who has none.
func named(identity, public []byte) []byte {
	if identity == nil {
		return public
	}
	return identity
}

// fake returns what is taken for the record of a name that has none: always the same for the same name. The envelope is
// of zeros, as the RFC has it, and the client's key, which nobody is ever shown, is one for all.
func (k *key) fake(name string) *[UploadSize]byte {
	var upload [UploadSize]byte
	copy(upload[:], k.fakeClient[:])
	copy(upload[elementSize:], mac(k.fakeMasking[:], []byte(name)))
	return &upload
}
