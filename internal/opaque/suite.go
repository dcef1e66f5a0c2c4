package opaque

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"

	"github.com/gtank/ristretto255"
)

// The labels of RFC 9497 and RFC 9807 that the server's part needs.
const (
	oprfContext   = "OPRFV1-\x00-ristretto255-SHA512"
	deriveKeyPair = "DeriveKeyPair" + oprfContext

	labelOPRFKey     = "OprfKey"
	labelOPRFPair    = "OPAQUE-DeriveKeyPair"
	labelDHPair      = "OPAQUE-DeriveDiffieHellmanKeyPair"
	labelPad         = "CredentialResponsePad"
	labelVersion     = "OPAQUEv1-"
	labelPrefix      = "OPAQUE-"
	labelHandshake   = "HandshakeSecret"
	labelSessionKey  = "SessionKey"
	labelServerMAC   = "ServerMAC"
	labelClientMAC   = "ClientMAC"
	labelFakeMasking = "rushgate fake record masking keys"
	labelFakeClient  = "rushgate fake record client key"
)

// element decodes an element of the group. It refuses the identity, which is the same whatever it is multiplied by, and
// each encoding that is not the only one of its element.
func element(b []byte) (*ristretto255.Element, bool) {
	if allZero(b) { // the identity
		return nil, false
	}
	e, err := ristretto255.NewIdentityElement().SetCanonicalBytes(b)
	return e, err == nil
}

// multiply appends the encoding of s times e.
func multiply(b []byte, s *ristretto255.Scalar, e *ristretto255.Element) []byte {
	var product ristretto255.Element
	return append(b, product.ScalarMult(s, e).Bytes()...)
}

// multiplyBase appends the encoding of s times the generator, of which edwards25519 has tables.
func multiplyBase(b []byte, s *ristretto255.Scalar) []byte {
	var product ristretto255.Element
	return append(b, product.ScalarBaseMult(s).Bytes()...)
}

// deriveScalar is DeriveKeyPair of RFC 9497 without the public key.
func deriveScalar(seed []byte, info string) *ristretto255.Scalar {
	input := binary.BigEndian.AppendUint16(append(make([]byte, 0, 128), seed...), uint16(len(info)))
	input = append(append(input, info...), 0)
	for counter := range 256 {
		input[len(input)-1] = byte(counter)
		if s := hashToScalar(input, deriveKeyPair); s.Equal(ristretto255.NewScalar()) == 0 {
			return s
		}
	}
	panic("opaque: 256 hashes are zero")
}

// hashToScalar is HashToScalar of RFC 9497: expand_message_xmd (RFC 9380) with SHA-512 to 64 bytes, which is one block.
func hashToScalar(message []byte, dst string) *ristretto255.Scalar {
	var zeros [sha512.BlockSize]byte
	h := sha512.New()
	h.Write(zeros[:])
	h.Write(message)
	h.Write([]byte{0, hashSize, 0})
	h.Write([]byte(dst))
	h.Write([]byte{byte(len(dst))})
	first := h.Sum(nil)
	h.Reset()
	h.Write(first)
	h.Write([]byte{1})
	h.Write([]byte(dst))
	h.Write([]byte{byte(len(dst))})
	s, err := ristretto255.NewScalar().SetUniformBytes(h.Sum(first[:0]))
	if err != nil {
		panic(err) // a SHA-512 has the 64 bytes that it takes
	}
	return s
}

// mac is HMAC-SHA512 of all parts. With the counter 1 at the end it is one block of HKDF-Expand.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha512.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(make([]byte, 0, hashSize))
}

// expandLabel is Expand-Label of RFC 9807 to 64 bytes.
func expandLabel(secret []byte, label string, context []byte) []byte {
	info := append(make([]byte, 0, 128), 0, hashSize, byte(len(labelPrefix)+len(label)))
	info = append(append(info, labelPrefix...), label...)
	info = append(append(info, byte(len(context))), context...)
	return mac(secret, info, []byte{1})
}

func allZero(b []byte) bool {
	var or byte
	for _, c := range b {
		or |= c
	}
	return or == 0
}
