// Package opaquerecord has what an account keeps of OPAQUE: the record by which its password is proved, among its
// credentials, and the identifier that the record was registered under.
package opaquerecord

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaque"
)

// Kind is the kind of the credential that has an account's record. It is stored, and never changes.
const Kind = "opaque"

const (
	chanceInID = 16
	bindInID   = 12
	// identifierLen is the length of every identifier, in characters: what a client is sent says nothing by its size.
	identifierLen = 38
)

// Identifier is what a [opaque.Server] knows the record of an account by, in place of the account's name: an account
// that is renamed keeps it, and each registration has another, so that what a registration answers helps nobody to
// guess at the record that an account has already.
type Identifier string

// NewIdentifier returns one for a registration, of 16 bytes of chance. Of says what the registration is for, such as
// the name of an account that is to be made: one that was begun for something else is not [Identifier.Of] that.
func NewIdentifier(chance [chanceInID]byte, of string) Identifier {
	return identifier(chance[:], bound(chance[:], of))
}

// FakeIdentifier returns the one for a name without a record, always the same for the same name.
func FakeIdentifier(name string) Identifier {
	sum := sha256.Sum256([]byte("rushgate opaque fake\x00" + name))
	return identifier(sum[:chanceInID], sum[chanceInID:][:bindInID])
}

func identifier(chance, bind []byte) Identifier {
	return Identifier(base64.RawURLEncoding.EncodeToString(append(slices.Clip(chance), bind...)))
}

func bound(chance []byte, of string) []byte {
	sum := sha256.Sum256(append(append([]byte("rushgate opaque registration\x00"), chance...), of...))
	return sum[:bindInID]
}

// Of reports whether the identifier was made for something.
func (id Identifier) Of(of string) bool {
	b, err := base64.RawURLEncoding.DecodeString(string(id))
	return err == nil && len(b) == chanceInID+bindInID &&
		subtle.ConstantTimeCompare(b[chanceInID:], bound(b[:chanceInID], of)) == 1
}

// Proof is what an account has in place of the hash of a password.
type Proof struct {
	Identifier Identifier
	Record     opaque.Record
}

// Credential returns the proof as an account keeps it.
func (p Proof) Credential() rushgate.Credential {
	return rushgate.Credential{Kind: Kind, Subject: string(p.Identifier), Secret: p.Record.Marshal()}
}

// Has reports whether there is a record among credentials, be it one that cannot be read.
func Has(credentials []rushgate.Credential) bool {
	return slices.ContainsFunc(credentials, func(c rushgate.Credential) bool { return c.Kind == Kind })
}

// Of returns the proof among credentials, and reports whether there is one that can be read.
func Of(credentials []rushgate.Credential) (Proof, bool) {
	for _, c := range credentials {
		if c.Kind != Kind {
			continue
		}
		record, err := opaque.ParseRecord(c.Secret)
		return Proof{Identifier(c.Subject), record}, err == nil && len(c.Subject) == identifierLen
	}
	return Proof{}, false
}

// With returns credentials with a proof in place of the one that there is.
func With(credentials []rushgate.Credential, p Proof) []rushgate.Credential {
	return append(Without(credentials), p.Credential())
}

// Without returns credentials without a proof; never nil.
func Without(credentials []rushgate.Credential) []rushgate.Credential {
	left := make([]rushgate.Credential, 0, len(credentials)+1)
	for _, c := range credentials {
		if c.Kind != Kind {
			left = append(left, c)
		}
	}
	return left
}
