// Package passkeytest is an authenticator for tests: it makes passkeys, and answers challenges with them, as a browser
// and what is plugged into it do together, and also as none should.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// The flags of an authenticator's data.
const (
	present  = 0x01
	verified = 0x04
	eligible = 0x08
	attested = 0x40
)

// Authenticator has one passkey. Its fields may be changed between any two answers.
type Authenticator struct {
	// Origin is that of the page that asks, and Party what the page says the passkey is for.
	Origin, Party string
	// ID is the passkey's, and Handle what it keeps of its owner, from the options that it was made by.
	ID, Handle []byte
	// Count is the counter, which each answer raises by one; None has it stay 0.
	Count uint32
	None  bool
	// Unverified has the user not be verified, and Synced the passkey be one that may be on several devices.
	Unverified, Synced bool

	key *ecdsa.PrivateKey
}

// New returns an authenticator in a browser that shows a page of an origin.
func New(origin, party string) *Authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // for want of chance, which there always is
	}
	return &Authenticator{Origin: origin, Party: party, ID: []byte(rand.Text()), key: key}
}

// Clone returns another authenticator with the same passkey.
func (a *Authenticator) Clone() *Authenticator {
	other := *a
	return &other
}

// Create makes the passkey, and returns the answer to the options of its making.
func (a *Authenticator) Create(options []byte) (json.RawMessage, error) {
	var asked struct {
		Challenge string
		User      struct{ ID string }
	}
	if err := json.Unmarshal(options, &asked); err != nil {
		return nil, err
	}
	var err error
	if a.Handle, err = base64.RawURLEncoding.DecodeString(asked.User.ID); err != nil {
		return nil, err
	}
	data := a.data(attested)
	data = append(data, make([]byte, 16)...) // of no model
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.ID)))
	data = slices.Concat(data, a.ID, a.cose())
	object := append([]byte{0xa3, 0x63}, "fmt\x64none\x67attStmt\xa0\x68authData\x59"...)
	object = binary.BigEndian.AppendUint16(object, uint16(len(data)))
	return a.answer(map[string]any{
		"clientDataJSON":    text(a.client("webauthn.create", asked.Challenge)),
		"attestationObject": text(append(object, data...)),
		"transports":        []string{"internal"},
	})
}

// Get returns the answer to the options of a login.
func (a *Authenticator) Get(options []byte) (json.RawMessage, error) {
	var asked struct{ Challenge string }
	if err := json.Unmarshal(options, &asked); err != nil {
		return nil, err
	}
	if !a.None {
		a.Count++
	}
	data, client := a.data(0), a.client("webauthn.get", asked.Challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(slices.Concat(data, hash[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		return nil, err
	}
	return a.answer(map[string]any{
		"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature),
		"userHandle": text(a.Handle),
	})
}

func (a *Authenticator) answer(response map[string]any) (json.RawMessage, error) {
	return json.Marshal(map[string]any{
		"id": text(a.ID), "rawId": text(a.ID), "type": "public-key", "response": response,
		"authenticatorAttachment": "platform", "clientExtensionResults": struct{}{},
	})
}

func (a *Authenticator) client(kind, challenge string) []byte {
	return fmt.Appendf(nil, `{"type":%q,"challenge":%q,"origin":%q,"crossOrigin":false}`, kind, challenge, a.Origin)
}

func (a *Authenticator) data(flags byte) []byte {
	flags |= present
	if !a.Unverified {
		flags |= verified
	}
	if a.Synced {
		flags |= eligible
	}
	party := sha256.Sum256([]byte(a.Party))
	return binary.BigEndian.AppendUint32(append(party[:], flags), a.Count)
}

// cose returns the public key: a map of CBOR with key type EC2, algorithm ES256, curve P-256, and the coordinates.
func (a *Authenticator) cose() []byte {
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		panic(err) // of a curve that this one is not
	}
	b := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, point[1:33]...)
	return append(append(b, 0x22, 0x58, 0x20), point[33:]...)
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
